"""A PulseAudio server of a test's own, with a null sink for a sound card."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

import pytest

from avatar_nodes.graph.environment import child_environment, foreign_environment
from support.waiting import wait_until

SINK = "speaker"
_ASOUND = """
pcm.pulse { type pulse }
ctl.pulse { type pulse }
pcm.!default { type pulse }
ctl.!default { type pulse }
"""
_LIST = "import pyaudio; print(pyaudio.PyAudio().get_device_count())"


class PulseServer:
    """Runs `pulseaudio` as a daemon of this user with a runtime folder of its own; a context
    manager. `environment` leads children to it, also through PortAudio and ALSA.

    Skips the test where PulseAudio, PortAudio or ALSA's way to PulseAudio is missing.
    """

    def __init__(self) -> None:
        for tool in ("pulseaudio", "pactl", "parec", "paplay"):
            if shutil.which(tool) is None:
                pytest.skip(f"no {tool} here: apt-get install pulseaudio pulseaudio-utils")
        if importlib.util.find_spec("pyaudio") is None:
            pytest.skip("no PyAudio here: apt-get install portaudio19-dev, pip install pyaudio")
        # Its sockets' names have a limit of about a hundred letters.
        self._folder = Path(tempfile.mkdtemp(prefix="pulse_"))
        self._folder.chmod(0o700)
        (self._folder / ".asoundrc").write_text(_ASOUND)
        self._socket = self._folder / "native"
        self.environment = {
            "HOME": str(self._folder),
            "XDG_RUNTIME_DIR": str(self._folder),
            "PULSE_RUNTIME_PATH": str(self._folder),
            "PULSE_SERVER": f"unix:{self._socket}",
        }
        self._module = ""

    def __enter__(self) -> PulseServer:
        self._daemon = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                f"--load=module-native-protocol-unix socket={self._socket} auth-anonymous=1",
            ],
            env=self._tool_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(lambda: self._answers(), what="PulseAudio", seconds=60.0)
            self.plug_in()
            self._skip_without_alsa_plugin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._daemon.terminate()
        self._daemon.wait(30.0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def plug_in(self) -> None:
        """The sound card comes: the sink `speaker`, and `speaker.monitor`, which hears it."""
        words = ["load-module", "module-null-sink", f"sink_name={SINK}", "rate=48000"]
        self._module = self._pactl(*words).strip()

    def unplug(self) -> None:
        """The sound card goes."""
        self._pactl("unload-module", self._module)

    def start(self, *command: str | Path, stdout: int | None = None) -> subprocess.Popen[bytes]:
        """A tool of PulseAudio's, such as `paplay FILE`."""
        return subprocess.Popen(
            [str(word) for word in command], env=self._tool_environment(), stdout=stdout
        )

    def _answers(self) -> bool:
        done = subprocess.run(
            ["pactl", "info"], env=self._tool_environment(), capture_output=True, check=False
        )
        return done.returncode == 0

    def _pactl(self, *words: str) -> str:
        command = ["pactl", *words]
        done = subprocess.run(
            command, env=self._tool_environment(), capture_output=True, text=True, check=True
        )
        return done.stdout

    def _skip_without_alsa_plugin(self) -> None:
        environment = child_environment() | self.environment
        done = subprocess.run(
            [sys.executable, "-c", _LIST], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode or done.stdout.strip() in ("", "0"):
            pytest.skip("PortAudio finds no PulseAudio: apt-get install libasound2-plugins")

    def _tool_environment(self) -> dict[str, str]:
        return foreign_environment() | self.environment | {"LC_ALL": "C"}
