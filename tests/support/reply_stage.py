"""A runner of replies on a stage: its reasoner thinks what the test hands it."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator

from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Done, Intention, Request, Sentence, Thought
from avatar_nodes.mind.reply import Segment
from avatar_nodes.mind.reply_runner import ReplyRunner
from avatar_nodes.mind.utterance_parts import Span
from support.waiting import wait_until

NOD = Intention("nods", "rests")


class StepReasoner:
    """Gives the thoughts that the test hands it, when it does."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.thinkings: list[StepThinking] = []

    def think(self, request: Request) -> StepThinking:
        self.requests.append(request)
        self.thinkings.append(StepThinking())
        return self.thinkings[-1]

    def close(self) -> None:
        pass


class StepThinking:
    def __init__(self) -> None:
        self.thoughts: queue.SimpleQueue[Thought | Exception | None] = queue.SimpleQueue()
        self.cancelled = threading.Event()

    def __iter__(self) -> Iterator[Thought]:
        while (thought := self.thoughts.get(timeout=300.0)) is not None:
            if isinstance(thought, Exception):
                raise thought
            yield thought

    def cancel(self) -> None:
        self.cancelled.set()
        self.thoughts.put(None)


class Record:
    """Output and measures of a runner."""

    def __init__(self) -> None:
        self.given: list[tuple[int, str]] = []
        self.segments: list[Segment] = []
        self.complaints: list[tuple[int, str, str]] = []
        self.counts: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}

    def intend(self, turn: int, intention: Intention) -> None:
        self.given.append((turn, f"<{intention.action_prompt}>"))

    def speak(self, segment: Segment) -> None:
        self.segments.append(segment)
        sign = "CANCELLED" if segment.cancelled else "END" if segment.is_last else segment.text
        self.given.append((segment.turn, sign))

    def complain(self, turn: int, problem: str, detail: str) -> None:
        self.complaints.append((turn, problem, detail))

    def sample(self, name: str, value: float) -> None:
        assert value >= 0.0
        self.samples[name] += 1

    def count(self, name: str, amount: int = 1) -> None:
        self.counts[name] += amount

    def gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value


class Stage:
    """A runner, its reasoner, and what came out."""

    def __init__(self, **options: float) -> None:
        self.reasoner, self.record = StepReasoner(), Record()
        self.phrasebook = Phrasebook(load_persona("default"), seed=0)
        self.runner = ReplyRunner(
            self.reasoner,
            self.phrasebook,
            self.record,
            self.record,
            **options,  # type: ignore[arg-type]
        )

    def hear(self, turn: int, text: str = "hello", span: Span | None = None) -> StepThinking:
        """Let it hear `text`; returns the thinking that it begins."""
        before = len(self.reasoner.thinkings)
        self.runner.hear(turn, text, span=span)
        wait_until(lambda: len(self.reasoner.thinkings) > before, what="the thinking")
        return self.reasoner.thinkings[-1]

    def think(self, thinking: StepThinking, *thoughts: Thought | Exception) -> None:
        for thought in thoughts:
            thinking.thoughts.put(thought)

    def expect(self, *given: tuple[int, str]) -> None:
        wait_until(lambda: len(self.record.given) >= len(given), what=f"{given}")
        assert self.record.given == list(given)


def answer(stage: Stage, turn: int, text: str, reply: str, span: Span | None = None) -> None:
    """A whole turn."""
    thinking = stage.hear(turn, text, span)
    stage.think(thinking, Began(), NOD, Sentence(reply), Done())
    wait_until(lambda: (turn, "END") in stage.record.given, what="the end")
