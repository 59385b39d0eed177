"""Measures the listener on a dozen questions that espeak-ng asks. Run it as
`python tests/hearing/measure_listening.py`.

First the CPU time of each part, which a busy machine does not inflate much. Then, for each
recogniser setting, with sound handed over in real time in chunks of 20 ms: words wrong, and the
delays from the end of speech to the detected end of the turn and to the final text.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.visitor import PHRASES, QUESTIONS, chunks, say, silence, with_noise, word_errors, words

from avatar_nodes.hearing.echo.echo import EchoControl
from avatar_nodes.hearing.listening import Listening
from avatar_nodes.hearing.recognition.pocketsphinx import PocketSphinxRecogniser
from avatar_nodes.hearing.recognition.worker import Heard
from avatar_nodes.hearing.sound_intake import SoundChunk
from avatar_nodes.hearing.voice_activity import SileroVoiceActivity

CHUNK = 320
BEFORE_S, AFTER_S = 0.7, 1.3


class Meter:
    """One listener, asked one question after another."""

    def __init__(self, phrases: tuple[str, ...]) -> None:
        self.heard: list[tuple[float, Heard]] = []
        self.done = threading.Event()
        self.vad_ms: list[float] = []
        self.listening = Listening(
            voice=SileroVoiceActivity(),
            recogniser=PocketSphinxRecogniser(phrases=phrases),
            echo=EchoControl("aec"),
            on_heard=self._on_heard,
            on_error=print,
        )
        self._first = 0

    def _on_heard(self, heard: Heard) -> None:
        if heard.is_final:
            self.heard.append((time.monotonic(), heard))
            self.done.set()

    def ask(self, voice: str, text: str) -> tuple[str, float, float, float]:
        """Text understood; seconds from the end of speech to the turn's end, and to the text; CPU
        seconds of the whole process per second of sound."""
        speech = say(text, voice)
        loud = np.flatnonzero(np.abs(speech.astype(np.int32)) > 300)
        sound = with_noise(np.concatenate([silence(BEFORE_S), speech, silence(AFTER_S)]))
        speech_end = BEFORE_S + (loud[-1] + 1) / 16000
        self.done.clear()
        turn_end = 0.0
        cpu, started = time.process_time(), time.monotonic()
        for first, part in chunks(sound, CHUNK):
            time.sleep(max(0.0, started + (first + len(part)) / 16000 - time.monotonic()))
            chunk = SoundChunk("visitor", self._first + first, part, 16000, 1, 0)
            for report in self.listening.hear(chunk, now_ns=time.time_ns()):
                if turn_end and report.active:
                    turn_end = 0.0
                if not report.active and self.listening.turn and not turn_end and first > 16000:
                    turn_end = time.monotonic() - started - speech_end
            self.vad_ms.append(self.listening.vad_ms)
        self._first += len(sound)
        self.done.wait(30.0)
        cpu = (time.process_time() - cpu) / (len(sound) / 16000)
        when, heard = self.heard[-1]
        return heard.recognition.text, turn_end, when - started - speech_end, cpu


def print_costs() -> None:
    """CPU milliseconds a second of sound, and of each final text."""
    sound = with_noise(np.concatenate([say("Where is the exit, please?")] * 4))
    seconds = len(sound) / 16000
    voice, echo = SileroVoiceActivity(), EchoControl("aec")
    started = time.process_time()
    for _, part in chunks(sound[: len(sound) // 512 * 512], 512):
        voice.probability(part)
    print(f"voice activity: {(time.process_time() - started) / seconds * 1000:.1f} ms a second")
    started, base = time.process_time(), 10**18
    for first, part in chunks(sound, CHUNK):
        echo.play(part, base + first * 62_500)
        echo.process(part, first, base + first * 62_500)
    print(f"echo cancelling: {(time.process_time() - started) / seconds * 1000:.1f} ms a second")
    for name, phrases in (("general", ()), ("with phrases", PHRASES)):
        recogniser = PocketSphinxRecogniser(phrases=phrases)
        decoding, finishing = [], []
        for speaker, question in QUESTIONS:
            spoken = with_noise(np.concatenate([silence(0.3), say(question, speaker)]))
            started = time.process_time()
            for _, part in chunks(spoken, CHUNK):
                recogniser.push(part)
            pushed = time.process_time()
            recogniser.finish()
            decoding.append((pushed - started) / (len(spoken) / 16000))
            finishing.append((time.process_time() - pushed) * 1000)
        print(
            f"pocketsphinx, {name}: {np.mean(decoding) * 1000:.0f} ms a second, final text"
            f" {np.median(finishing):.0f} ms, at most {max(finishing):.0f} ms"
        )


def main() -> None:
    print_costs()
    for name, phrases in (("general", ()), ("with phrases", PHRASES)):
        meter = Meter(phrases)
        errors, total, ends, texts, loads = 0, 0, [], [], []
        for voice, question in QUESTIONS:
            text, end, ready, load = meter.ask(voice, question)
            wrong = word_errors(words(question), words(text))
            errors, total = errors + wrong, total + len(words(question))
            ends, texts, loads = ends + [end], texts + [ready], loads + [load]
            print(f"{voice:10s}{question:42s}{text:42s}{wrong} {end:.2f} {ready:.2f}")
        meter.listening.close()
        print(
            f"{name}: {errors} of {total} words wrong; speech end -> turn end p50"
            f" {np.median(ends):.3f} s; -> text p50 {np.median(texts):.3f} s,"
            f" max {max(texts):.3f} s;"
            f" turns {meter.listening.turn}; VAD {np.mean(meter.vad_ms) / 0.032:.1f} ms a second;"
            f" everything {1000 * np.mean(loads):.0f} ms CPU a second"
        )


if __name__ == "__main__":
    main()
