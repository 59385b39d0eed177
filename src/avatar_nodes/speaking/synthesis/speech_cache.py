"""Speech on disk: the sound of sentences that were spoken before."""

from __future__ import annotations

import hashlib
import os
import tempfile
import wave
from pathlib import Path

import numpy as np


class SpeechCache:
    """Keeps one voice's sentences as WAV files, named after what was said, readable by their owner
    alone. What it cannot read or write it does without.

    Args:
        folder: of all voices. voice: all that the sound depends on but the text and its language.
        most_bytes: of the folder; beyond that, what was not used for longest goes.
    """

    def __init__(self, folder: Path, voice: str, *, most_bytes: int) -> None:
        self._folder, self._voice, self._most = folder, voice, most_bytes

    def has(self, text: str, language: str) -> bool:
        """Whether the sentence is there."""
        return self._file(text, language).is_file()

    def read(self, text: str, language: str) -> tuple[np.ndarray, int] | None:
        """The sentence's samples, int16 [n] mono, and their rate; None: it is not there, or is
        damaged."""
        file = self._file(text, language)
        try:
            with wave.open(str(file)) as sound:
                whole = (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
                samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
                rate, complete = sound.getframerate(), len(samples) == sound.getnframes()
            os.utime(file)
        except (OSError, EOFError, ValueError, wave.Error):
            return None
        return (samples.astype(np.int16), rate) if whole and complete and len(samples) else None

    def keep(self, text: str, language: str, samples: np.ndarray, rate: int) -> bool:
        """Keep the sentence, int16 [n] mono; false: the disk does not take it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")  # mode 0600
            try:
                with os.fdopen(handle, "wb") as file, wave.open(file) as sound:
                    sound.setparams((1, 2, rate, 0, "NONE", "not compressed"))
                    sound.writeframes(samples.astype("<i2").tobytes())
                Path(name).replace(self._file(text, language))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            self._make_room()
        except OSError:
            return False
        return True

    def _file(self, text: str, language: str) -> Path:
        said = "\0".join((self._voice, language, text))
        digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{digest}.wav"

    def _make_room(self) -> None:
        files = [(file.stat(), file) for file in self._folder.glob("*.wav")]
        total = sum(state.st_size for state, _ in files)
        for state, file in sorted(files, key=lambda one: one[0].st_mtime_ns):
            if total <= self._most:
                return
            file.unlink(missing_ok=True)
            total -= state.st_size
