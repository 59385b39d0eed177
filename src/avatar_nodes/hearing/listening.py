"""From captured sound to what the visitor says: echo, voice activity, turns, recognition."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from avatar_nodes.hearing.audio_processing import AudioProcessing
from avatar_nodes.hearing.echo.echo import CleanFrame, EchoControl, level_db
from avatar_nodes.hearing.echo.gate import EchoGate
from avatar_nodes.hearing.foreground import Foreground
from avatar_nodes.hearing.recognition.phrases import words_of
from avatar_nodes.hearing.recognition.recogniser import Recogniser
from avatar_nodes.hearing.recognition.worker import Heard, RecognitionWorker
from avatar_nodes.hearing.settings import ListenerSettings
from avatar_nodes.hearing.sound_intake import SoundChunk, SoundIntake
from avatar_nodes.hearing.turn_detector import (
    EndReason,
    TurnBegan,
    TurnContinued,
    TurnDetector,
    TurnEnded,
    TurnEvent,
)
from avatar_nodes.hearing.turn_end import HEARD_S, TurnEnd, silence_after, silence_after_text
from avatar_nodes.hearing.voice_activity import VoiceActivity
from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.sound.ring_buffer import RingBuffer

_PAUSE = round(0.2 * GRAPH_RATE)
"""The shortest silence that may end a turn, and after which its end is judged."""
_NANOSECONDS = 1_000_000_000
_STALL_NS = 2 * _NANOSECONDS
_LOOK_NS = 300_000_000
_TEXT_S = 0.5
"""A pause waits so long for its text before it ends the turn. It delays no answer: that needs the
text, too."""


@dataclass(frozen=True)
class Activity:
    """Whether the visitor speaks, as of the last window judged."""

    stream: str
    active: bool
    probability: float
    """Of speech in the window, 0..1."""
    level_dbfs: float
    since_sample: int
    """Where the state began, in the stream's own count."""
    captured_ns: int
    """When the last sample judged was captured."""
    during_playback: bool


class Listening:
    """Hears one visitor. `hear`, `play` and `tick` are called by one thread, and return at once;
    recognition has a thread of its own.

    Args:
        known: sentences in any spelling; a turn that is one of them ends at its first pause.
        gate: asks for more than the expected echo while the avatar plays; None: no gate.
        gain: what a quiet voice is made louder by, while the avatar is silent; None: nothing.
        turn_end: shortens the silence that ends a turn when what was said is complete, and
            lengthens it when not; None: it is always the settings'.
        turn_clock: the lowest number that a turn which begins now may have. Others number turns,
            too (what a visitor writes): the newer turn has the higher number.
        on_heard, on_error: called on the recognition's thread; see `RecognitionWorker`.
    """

    def __init__(
        self,
        *,
        voice: VoiceActivity,
        recogniser: Recogniser,
        echo: EchoControl,
        gate: EchoGate | None = None,
        gain: AudioProcessing | None = None,
        settings: ListenerSettings | None = None,
        known: Sequence[str] = (),
        turn_end: TurnEnd | None = None,
        turn_clock: Callable[[], int] = lambda: 1,
        on_heard: Callable[[Heard], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._settings = settings = settings or ListenerSettings()
        self._voice = voice
        self._echo = echo
        self._gate = gate
        self._gain = gain
        self._foreground = Foreground()
        self._detector = TurnDetector(settings)
        self._known = {_spoken(sentence) for sentence in known} - {""}
        self._turn_end = turn_end
        self._turn_first = 0
        self._settled: Heard | None = None
        self._judged_s: float | None = None
        self._turn_clock = turn_clock
        self._tell = on_heard
        self.intake = SoundIntake()
        self.worker = RecognitionWorker(
            recogniser,
            on_heard=self._on_heard,
            on_error=on_error,
            interim_s=settings.interim_s,
            backlog_s=settings.backlog_s,
        )
        self.turn = 0
        """Number of the last turn that began."""
        self.vad_ms = 0.0
        """What judging the last window took."""
        kept_s = settings.pre_roll_s + settings.silence_s + 2.0
        if turn_end is not None:
            kept_s = max(kept_s, HEARD_S + 1.0)
        self._ring = RingBuffer(round(kept_s * GRAPH_RATE))
        self._activity_window: list[CleanFrame] = []
        self._rest = self._unchanged = np.zeros(0, np.int16)
        self._activity = Activity("", False, 0.0, -120.0, 0, 0, False)
        self._since_report = 0
        self._sent = self._start_ns = self._end_ns = self._end_source = 0
        self._told = self._judged = False
        self._tail = 0
        self._looked_ns = self._quiet_ns = 0

    def hear(self, chunk: SoundChunk, *, now_ns: int) -> list[Activity]:
        """Take a chunk of captured sound (see `SoundIntake.push`); returns what is to be reported.

        Raises:
            RefusedError: the chunk is refused.
        """
        piece = self.intake.push(chunk, now_ns=now_ns)
        if piece is None:
            return []
        self._quiet_ns = 0
        reports = self._restart(piece.first_sample) if piece.begins else []
        frames = self._echo.process(
            piece.samples, piece.first_sample, piece.captured_ns, visitor=self._detector.speaking
        )
        for frame in frames:
            reports += self._take(frame)
        if piece.over:
            reports += self._stop("end")
        return reports

    def play(self, samples: np.ndarray, start_ns: int, *, over: bool = False) -> None:
        """What the avatar says: int16 mono [n] at 16 kHz, heard from `start_ns` on."""
        self._echo.play(samples, start_ns, over=over)

    def tick(self, now_ns: int) -> list[Activity]:
        """Call a few times a second: a turn ends when no sound comes any more. Only time that was
        looked at counts, since sound waits where this process itself was kept from running."""
        self._quiet_ns += min(now_ns - self._looked_ns, _LOOK_NS)
        self._looked_ns = now_ns
        if self._detector.speaking and self._quiet_ns > _STALL_NS:
            return self._stop("gap")
        return []

    def expect(self, known: Sequence[str], open_recogniser: Callable[[], Recogniser]) -> None:
        """From the next turn on, other sentences are known, and another recogniser hears them."""
        self._known = {_spoken(sentence) for sentence in known} - {""}
        self.worker.use(open_recogniser)

    def catch_up(self) -> float:
        """For sound that comes faster than it is spoken: wait until the recogniser has done what it
        was given; returns the seconds that took, 0 if it was done already."""
        started = time.perf_counter()
        if self.worker.idle:
            return 0.0
        while not self.worker.idle:
            time.sleep(0.001)
        return time.perf_counter() - started

    def close(self) -> None:
        """End the recognition's thread."""
        self.worker.close()

    def _restart(self, first_sample: int) -> list[Activity]:
        reports = self._stop("gap")
        self._voice.reset()
        self._echo.restart()
        self._ring.align(first_sample)
        self._detector.restart(first_sample)
        self._foreground.restart()
        self._activity_window.clear()
        self._rest = self._unchanged = np.zeros(0, np.int16)
        self._activity = Activity(self.intake.stream, False, 0.0, -120.0,
                                  self.intake.source_sample(first_sample), 0, False)  # fmt: skip
        return reports

    def _stop(self, reason: EndReason) -> list[Activity]:
        return self._handle(self._detector.stop(reason), self._activity)

    def _take(self, frame: CleanFrame) -> list[Activity]:
        """Gather frames into the detector's windows."""
        louder = frame.samples
        if self._gain is not None and not frame.playing:  # nothing that is left of an echo
            louder = self._gain.process(frame.samples)
        self._ring.write(louder)
        self._activity_window.append(frame)
        self._rest = np.concatenate([self._rest, louder])
        self._unchanged = np.concatenate([self._unchanged, frame.samples])
        size = self._voice.window_samples
        reports = []
        while len(self._rest) >= size:
            window, self._rest = self._rest[:size], self._rest[size:]
            level = level_db(self._unchanged[:size])
            self._unchanged = self._unchanged[size:]
            end = frame.first_sample + len(frame.samples) - len(self._rest)
            reports += self._judge(end - size, window, level)
            self._activity_window = [frame] if len(self._rest) else []
        return reports

    def _judge(self, first: int, window: np.ndarray, level: float) -> list[Activity]:
        """Judge a window; `level`: that at which it was captured [dBFS]."""
        started = time.perf_counter()
        probability = self._voice.probability(window)
        self.vad_ms = (time.perf_counter() - started) * 1000.0
        playing = any(frame.playing for frame in self._activity_window)
        loudest = max(frame.reference_db for frame in self._activity_window)
        counted, threshold = probability, self._settings.vad_threshold
        speaking = self._detector.speaking
        if playing:
            threshold = max(threshold, self._settings.vad_threshold_playback)
            if self._gate is not None and not self._gate.passes(level, loudest, visitor=speaking):
                counted = 0.0
        speech = counted >= self._detector.needed(threshold)
        if not self._foreground.passes(len(window), level, speech=speech, in_turn=speaking):
            counted = 0.0
        self._consider_text()
        events = self._detector.push(first, len(window), counted, threshold=threshold)
        if self._is_complete(events):
            events += self._detector.stop("complete")
        elif self._detector.speaking and self._foreground.endless:
            self._foreground.ignore()
            events += self._detector.stop("length")
        end = first + len(window)
        now = Activity(
            stream=self.intake.stream,
            active=self._activity.active,
            probability=probability,
            level_dbfs=level,
            since_sample=self._activity.since_sample,
            captured_ns=self.intake.captured_ns(end),
            during_playback=playing,
        )
        return self._handle(events, now) or self._report_at_times(now, len(window))

    def _is_complete(self, events: list[TurnEvent]) -> bool:
        """The turn pauses after what is a known sentence."""
        last = events[-1] if events else None
        pauses = isinstance(last, TurnContinued) and last.end_sample - last.speech_end >= _PAUSE
        heard = self._text_of_pause()
        return pauses and heard is not None and _spoken(heard.recognition.text) in self._known

    def _text_of_pause(self) -> Heard | None:
        """What was understood up to the present pause; None: it is not known yet."""
        heard = self._settled
        if heard is None or (heard.turn, heard.end_ns) != (self.turn, self._end_ns):
            return None
        return heard

    def _consider_text(self) -> None:
        """The text of a pause changes how long it has to be, once."""
        heard = self._text_of_pause()
        if heard is not None and self._judged_s is not None:
            text, language = heard.recognition.text, heard.recognition.language
            usual_s = self._settings.silence_s
            self._detector.wait(silence_after_text(text, language, self._judged_s, usual_s))
            self._judged_s = None

    def _on_heard(self, heard: Heard) -> None:
        """On the recognition's thread."""
        if heard.settled:
            self._settled = heard
        if heard.is_final or heard.recognition.text:
            self._tell(heard)

    def _report_at_times(self, now: Activity, samples: int) -> list[Activity]:
        self._activity = now
        self._since_report += samples
        if self._since_report < self._settings.activity_s * GRAPH_RATE:
            return []
        self._since_report = 0
        return [now]

    def _handle(self, events: list[TurnEvent], now: Activity) -> list[Activity]:
        """Feed the recogniser; returns a report for each change of activity."""
        reports: list[Activity] = []
        for event in events:
            if isinstance(event, TurnBegan):
                self._begin(event)
                reports.append(self._changed(now, True, event.speech_start))
            elif isinstance(event, TurnContinued):
                self._go_on(event)
            else:
                self._end(event)
                reports.append(self._changed(now, False, self._end_source, counted=True))
        return reports

    def _changed(
        self, now: Activity, active: bool, sample: int, *, counted: bool = False
    ) -> Activity:
        since = sample if counted else self.intake.source_sample(sample)
        self._since_report = 0
        self._activity = Activity(
            now.stream, active, now.probability, now.level_dbfs, since, now.captured_ns,
            now.during_playback,
        )  # fmt: skip
        return self._activity

    def _begin(self, event: TurnBegan) -> None:
        self.turn = max(self.turn + 1, self._turn_clock())
        self._resume()
        self._start_ns = self.intake.captured_ns(event.speech_start)
        self._sent = self._turn_first = max(event.first_sample, self._ring.start)
        self._note_end(self._ring.end - len(self._rest))
        self._send(self._ring.end - len(self._rest), words=not event.too_short)

    def _go_on(self, event: TurnContinued) -> None:
        if event.speech_end == event.end_sample:
            self._resume()
            self._note_end(event.speech_end)
        words = not event.too_short
        silence = event.end_sample - event.speech_end
        tail = self._tail
        self._send(event.speech_end + min(silence, tail), words=words)
        if words and not self._told and silence >= tail:
            self._told = True
            self.worker.pause(self.turn, start_ns=self._start_ns, end_ns=self._end_ns)
        if words and not self._judged and silence >= _PAUSE:
            self._judge_end(event.end_sample)

    def _resume(self) -> None:
        """Speech begins or goes on: the next pause has its own tail, text and end."""
        self._tail = round(self.worker.pause_s * GRAPH_RATE)
        self._told = self._judged = False
        self._judged_s = None

    def _judge_end(self, end: int) -> None:
        """How long the pause up to sample `end` has to be to end the turn: as its sound says, and
        no less than its text takes."""
        self._judged, self._judged_s = True, self._settings.silence_s
        if self._turn_end is not None:
            first = max(self._turn_first, end - round(HEARD_S * GRAPH_RATE), self._ring.start)
            complete = self._turn_end.complete(self._ring.read(first, end - first))
            self._judged_s = silence_after(complete, self._judged_s)
        self._detector.wait(max(self._judged_s, _PAUSE / GRAPH_RATE + _TEXT_S))
        self._consider_text()

    def _end(self, event: TurnEnded) -> None:
        self.worker.end(
            self.turn, start_ns=self._start_ns, end_ns=self._end_ns, words=not event.too_short
        )

    def _note_end(self, sample: int) -> None:
        """Speech so far ends at `sample`: kept, since a new run counts anew."""
        self._end_ns = self.intake.captured_ns(sample)
        self._end_source = self.intake.source_sample(sample)

    def _send(self, stop: int, *, words: bool) -> None:
        if stop > self._sent:
            samples = self._ring.read(self._sent, stop - self._sent)
            self._sent = stop
            self.worker.sound(
                self.turn, samples, start_ns=self._start_ns, end_ns=self._end_ns, words=words
            )


def _spoken(sentence: str) -> str:
    """A sentence as it sounds: its words alone."""
    return " ".join(words_of(sentence))
