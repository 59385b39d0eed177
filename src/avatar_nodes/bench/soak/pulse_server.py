"""A sound server without a sound card, whose microphone can be unplugged."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from avatar_nodes.graph.environment import child_environment, foreign_environment

if TYPE_CHECKING:
    from typing_extensions import Self

SINK = "speaker"
_TOOLS = ("pulseaudio", "pactl", "parec", "paplay", "pacat")
_ASOUND = """
pcm.pulse { type pulse }
ctl.pulse { type pulse }
pcm.!default { type pulse }
ctl.!default { type pulse }
"""
_LIST = "import pyaudio; print(pyaudio.PyAudio().get_device_count())"
_START_S, _END_S = 60.0, 30.0


class PulseServerError(RuntimeError):
    """There is no PulseAudio, or no way to it, or it refuses; one line, with what to install."""


class PulseServer:
    """Runs `pulseaudio` as a daemon of this user with a runtime folder of its own, and the null
    sink `speaker` for a sound card; a context manager.

    `environment` leads children to it, also through PortAudio and ALSA.

    Raises:
        PulseServerError: something is not installed.
    """

    def __init__(self) -> None:
        if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
            raise PulseServerError(
                f"no {missing[0]} here: apt-get install pulseaudio pulseaudio-utils"
            )
        if importlib.util.find_spec("pyaudio") is None:
            raise PulseServerError(
                "no PyAudio here: apt-get install portaudio19-dev, pip install pyaudio"
            )
        # Its sockets' names have a limit of about a hundred letters. The folder goes with this
        # object, if not before.
        self._temporary = tempfile.TemporaryDirectory(prefix="pulse_", ignore_cleanup_errors=True)
        self._folder = Path(self._temporary.name)
        (self._folder / "asound.conf").write_text(_ASOUND)
        self._socket = self._folder / "native"
        self.environment = {
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{self._folder / 'asound.conf'}",
            "XDG_RUNTIME_DIR": str(self._folder),
            "PULSE_RUNTIME_PATH": str(self._folder),
            "PULSE_SERVER": f"unix:{self._socket}",
        }
        self._module = ""

    def __enter__(self) -> Self:
        self._daemon = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                f"--load=module-native-protocol-unix socket={self._socket} auth-anonymous=1",
            ],
            env=self._tool_environment() | {"HOME": str(self._folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._wait_until_it_answers()
            self.plug_in()
            self._look_for_a_way_to_it()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._daemon.terminate()
        try:
            self._daemon.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        self._temporary.cleanup()

    def plug_in(self) -> None:
        """The sound card comes: the sink `speaker`, and `speaker.monitor`, which hears it. Raises
        PulseServerError."""
        words = ["load-module", "module-null-sink", f"sink_name={SINK}", "rate=48000"]
        self._module = self._pactl(*words).strip()

    def unplug(self) -> None:
        """The sound card goes. Raises PulseServerError."""
        self._pactl("unload-module", self._module)

    def start(
        self, *command: str | Path, stdin: int | None = None, stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        """A tool of PulseAudio's, such as `paplay FILE`."""
        return subprocess.Popen(
            [str(word) for word in command], env=self._tool_environment(), stdin=stdin,
            stdout=stdout, stderr=subprocess.DEVNULL if stdin is not None else None,
        )  # fmt: skip

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_S
        while subprocess.run(
            ["pactl", "info"], env=self._tool_environment(), capture_output=True, check=False
        ).returncode:
            if time.monotonic() > deadline or self._daemon.poll() is not None:
                raise PulseServerError("pulseaudio does not start")
            time.sleep(0.05)

    def _pactl(self, *words: str) -> str:
        done = subprocess.run(
            ["pactl", *words], env=self._tool_environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise PulseServerError(f"pactl {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def _look_for_a_way_to_it(self) -> None:
        environment = child_environment() | self.environment
        done = subprocess.run(
            [sys.executable, "-c", _LIST], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode or done.stdout.strip() in ("", "0"):
            raise PulseServerError(
                "PortAudio finds no PulseAudio: apt-get install libasound2-plugins"
            )

    def _tool_environment(self) -> dict[str, str]:
        return foreign_environment() | self.environment | {"LC_ALL": "C"}
