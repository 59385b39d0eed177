"""Checks sound devices: PortAudio through PyAudio, and a PulseAudio server."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from avatar_nodes.machine.finding import Finding
from avatar_nodes.sound.quiet_portaudio import quieten

_PYAUDIO_REMEDY = "apt-get install portaudio19-dev, then pip install pyaudio (for sound devices)"


def check_devices() -> Finding:
    """The inputs and outputs that PyAudio sees, by number and name, as parameters take them."""
    try:
        pyaudio = importlib.import_module("pyaudio")
    except ImportError as error:
        return Finding("PyAudio", False, str(error).splitlines()[0], _PYAUDIO_REMEDY, False)
    quieten()
    audio = pyaudio.PyAudio()
    try:
        devices = [audio.get_device_info_by_index(i) for i in range(audio.get_device_count())]
    finally:
        audio.terminate()
    inputs = _names(devices, "maxInputChannels")
    outputs = _names(devices, "maxOutputChannels")
    found = f"inputs: {inputs or 'none'}; outputs: {outputs or 'none'}"
    remedy = "" if inputs else "connect a microphone, or start PulseAudio or PipeWire"
    return Finding("PyAudio", bool(inputs), found, remedy, False)


def _names(devices: Sequence[Mapping[str, Any]], channels: str) -> str:
    return ", ".join(f"{each['index']} {each['name']}" for each in devices if each[channels] > 0)


def check_pulseaudio() -> Finding:
    """A PulseAudio (or PipeWire) server that answers at the usual places."""
    server = os.environ.get("PULSE_SERVER", "")
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    socket = Path(server.removeprefix("unix:") or f"{runtime}/pulse/native")
    if server and not server.startswith(("unix:", "/")):
        return Finding("PulseAudio", True, f"at {server} (not tried)", required=False)
    there = socket.is_socket()
    found = f"at {socket}" if there else f"no server at {socket}"
    remedy = "" if there else "only for sound devices: start pulseaudio or pipewire-pulse"
    return Finding("PulseAudio", there, found, remedy, False)
