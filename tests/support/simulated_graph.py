"""Stages, presenter, voice and source around a conductor, in simulated time, without ROS.

The graph checks at every effect what a conductor promises of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.block import Prompt, Sink
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.conducting import effects as fx
from avatar_nodes.conducting.block_ledger import IssuedBlock
from avatar_nodes.conducting.conductor import Conductor
from avatar_nodes.conducting.conversation_table import TABLE, Command, EventKind, Phase
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.state_cycling import Event, Order
from avatar_nodes.errors.refused_error import RefusedError

TIMING = BlockTiming(sample_rate=8000)
BLOCK_SAMPLES, BLOCK_S = TIMING.samples_per_block, TIMING.block_s
WALL_NS = 1_790_000_000_000_000_000
STAGES = ("denoiser", "decoder", "presenter")
LATENT = torch.zeros(1, 3, 1, 1)
_BEAT_S, _HOP_S, _BEGIN_S, _MAKE_S, _START_S = 0.5, 0.01, 0.1, 0.15, 0.8


class Features:
    """Columns that tell which sound they are made of."""

    context_samples, lookahead_samples, timing = 10, 6, TIMING

    def speech_level(self) -> None: ...

    def block(
        self, samples: np.ndarray, number: int = 0, *, ahead_samples: int | None = None
    ) -> Tensor:
        return torch.from_numpy(np.append(samples, number).astype(np.float32))[None, None]


def sound(first: int, last: int) -> np.ndarray:
    """Samples that tell which of their stream they are; none is silent."""
    return (np.arange(first, last) % 30_011 + 1).astype(np.int16)


def new_conductor(settings: ConductorSettings) -> Conductor:
    return Conductor(
        settings, features=Features(), encode=lambda text: Prompt(text, text, torch.zeros(1, 4)),
        split=lambda text, language: text.split("."),
    )  # fmt: skip


def digest(effect: fx.Effect) -> tuple[Any, ...]:
    """What two runs have in common if they are the same."""
    match effect:
        case fx.IssueBlock(issued):
            block = (issued.block, issued.prompt_id, hash(issued.features.numpy().tobytes()),
                     hash(issued.samples.tobytes()), issued.stream, issued.first_sample,
                     issued.next_sample, issued.last, issued.cache_switch)  # fmt: skip
            return ("block", *block, effect.epoch, effect.seed, effect.sink_version,
                    effect.memory_version, effect.due_ns, effect.in_flight)  # fmt: skip
        case fx.BeginEpoch(start):
            context = [(past.block, past.prompt_id) for past in start.context]
            sink = start.sink and (start.sink.version, start.sink.prompt_id)
            return ("epoch", start.epoch, start.first_block, context, sink, effect.instances)
        case fx.AnnouncePrompt(prompt):
            return ("prompt", prompt.id, effect.expected_block)
    return (type(effect).__name__, *vars(effect).values())


@dataclass
class Stage:
    """A node that blocks pass. `told`: what it last told the conductor."""

    instance: int = 1
    up: bool = True
    up_at: float = 0.0
    epoch: int = 0
    ready: bool = False
    told: tuple[str, int] = ("", 0)


@dataclass
class Voice:
    """Makes sound of the sentences of one reply."""

    instance: int = 1
    turn: int = -1
    stream: str = ""
    length: int = 0
    complete: bool = False
    ended: bool = False
    paused: bool = False


@dataclass
class Promises:
    """What was seen so far, and is checked against what comes."""

    epoch: fx.BeginEpoch | None = None
    next_block: int = 0
    returned: int = -1
    ever: dict[int, IssuedBlock] = field(default_factory=dict)
    over: dict[int, fx.SayOver | fx.PerformOver] = field(default_factory=dict)
    states: list[fx.ReportState] = field(default_factory=list)
    orders: list[fx.TurnOrder] = field(default_factory=list)
    blocks: list[fx.IssueBlock] = field(default_factory=list)


class SimulatedGraph:
    """Runs a conductor. Give it sound by `source_samples` (a puppet or a rendering), or let people
    talk with it; `run` lets time go on."""

    def __init__(self, settings: ConductorSettings, *, source_samples: int = 0) -> None:
        self.settings = settings
        self.conductor = new_conductor(settings)
        self.now = 1000.0
        self.stages = {name: Stage() for name in settings.stages}
        self.voice = Voice()
        self.reasoner_instance = 1
        self.seen = Promises()
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.told: list[list[tuple[Any, ...]]] = []
        self._source = source_samples
        self._source_sent = 0
        self._demand = fx.DemandSound("", -1, -1)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._beat_at = 0.0
        self._played = self._taken = settings.first_block - 1
        self._played_at = self.now
        self._watch_phases()
        self.call("begin")
        self.call("sink", Sink(0, LATENT[:, :1], ""), replaces=False)

    @property
    def at(self) -> fx.Moment:
        return fx.Moment(self.now, WALL_NS + round(self.now * 1e9))

    @property
    def in_flight(self) -> int:
        return self.seen.next_block - 1 - self.seen.returned

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Call the conductor, as `replay` will again."""
        self.calls.append((name, arguments, named))
        try:
            return _method(self.conductor, name)(*arguments, **named)
        except RefusedError:
            return None

    def replay(self) -> list[list[tuple[Any, ...]]]:
        """What another conductor does in the same place."""
        other, told = new_conductor(self.settings), []
        for name, arguments, named in self.calls:
            try:
                result = _method(other, name)(*arguments, **named)
            except RefusedError:
                continue
            if name == "advance":
                told.append([digest(effect) for effect in result])
        return told

    def run(self, seconds: float, *, step: float = 0.04) -> None:
        """Let time go on."""
        end = self.now + seconds
        while self.now < end:
            self.now += step
            if self.now >= self._beat_at:
                self._beat_at = self.now + _BEAT_S
                self._beat()
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            self._send_sound()
            self._play()
            self.advance()

    def advance(self) -> None:
        """Let the conductor do what it can, and carry it out."""
        issued = True
        while issued:
            effects = self.call("advance", self.at)
            self.told.append([digest(effect) for effect in effects])
            for effect in effects:
                self._carry_out(effect)
            issued = any(isinstance(effect, fx.IssueBlock) for effect in effects)

    def restart(self, name: str, down_s: float) -> None:
        """A stage is killed, with all that it holds, and comes back."""
        stage = self.stages[name]
        stage.ready, stage.epoch = False, 0
        stage.instance += 1
        if name == "presenter":
            self._taken = self._played
        # A process takes longer to start than the one before counts as alive.
        self._down(stage, max(down_s, _START_S))

    def hang(self, name: str, seconds: float) -> None:
        """A stage is not heard of for a while; what it is sent meanwhile is lost."""
        self._down(self.stages[name], seconds)

    def _down(self, stage: Stage, seconds: float) -> None:
        stage.up, stage.up_at = False, max(stage.up_at, self.now + seconds)
        self._later(seconds, lambda: setattr(stage, "up", self.now >= stage.up_at))

    def fail(self, name: str) -> None:
        """A stage loses its epoch, and says so."""
        stage = self.stages[name]
        stage.ready, stage.epoch = False, 0
        self._tell_status(name)

    def lose_blocks(self) -> None:
        """Whatever is under way is lost."""
        self._events = [event for event in self._events if not hasattr(event[2], "of_block")]
        heapq.heapify(self._events)

    def another_person(self) -> None:
        """A reference picture of somebody else comes."""
        self.seen.ever.clear()
        self.call("sink", Sink(0, LATENT[:, :1] + 1.0, ""), replaces=True)
        self.advance()

    def restart_voice(self) -> None:
        self.voice = Voice(instance=self.voice.instance + 1)

    def answers(self, turn: int, texts: list[str]) -> None:
        """The reasoner's sentences reach the voice and the conductor."""
        for index, text in enumerate(texts):
            last = index + 1 == len(texts)
            sentence = fx.SpeakSentence(turn, index, text, "en", is_last=last)
            self._speak(sentence)
            self.call("conversation.reply", self.at, sentence)

    def _beat(self) -> None:
        for name in self.stages:
            self._tell_status(name)
        for name, number in (
            ("voice", self.voice.instance), ("reasoner", self.reasoner_instance),
        ):  # fmt: skip
            self.call("status", self.at, name, instance=f"{name}-{number}", ready=True, epoch=0)

    def _tell_status(self, name: str) -> None:
        stage = self.stages[name]
        if stage.up:
            instance = f"{name}-{stage.instance}"
            stage.told = (instance, stage.epoch if stage.ready else 0)
            self.call(
                "status", self.at, name, instance=instance, ready=stage.ready, epoch=stage.epoch
            )

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), do))

    def _carry_out(self, effect: fx.Effect) -> None:
        match effect:
            case fx.BeginEpoch():
                self._begin_epoch(effect)
            case fx.IssueBlock():
                self._take_block(effect)
            case fx.DemandSound():
                self._demand = effect
            case fx.SpeakSentence():
                self._speak(effect)
                self._later(_HOP_S, lambda: self.call("conversation.reply", self.at, effect))
            case fx.TurnOrder():
                self.seen.orders.append(effect)
                self._obey(effect)
            case fx.ReportState():
                self.seen.states.append(effect)
            case fx.SayOver() | fx.PerformOver():
                assert effect.request not in self.seen.over, "a request ends once"
                self.seen.over[effect.request] = effect

    def _begin_epoch(self, effect: fx.BeginEpoch) -> None:
        before, start = self.seen.epoch, effect.start
        assert before is None or start.epoch > before.start.epoch
        assert start.stream_start <= start.first_block
        if f"presenter-{self.stages['presenter'].instance}" in effect.instances:
            assert start.first_block == self._taken + 1, "none is left out, none shown again"
        assert [past.block for past in start.context] == list(
            range(start.first_block - len(start.context), start.first_block)
        )
        self.seen.epoch, self.seen.next_block = effect, start.first_block
        self.seen.returned = start.first_block - 1
        self._taken = min(self._taken, start.first_block - 1)
        for name, stage in self.stages.items():
            if stage.up and f"{name}-{stage.instance}" in effect.instances:
                stage.ready, stage.epoch = False, start.epoch
                self._later(_BEGIN_S, lambda name=name: self._be_ready(name, start.epoch))  # type: ignore[misc]

    def _be_ready(self, name: str, epoch: int) -> None:
        stage, begun = self.stages[name], self.seen.epoch
        if stage.epoch == epoch and begun is not None:
            stage.ready = True
            self._tell_status(name)
            self._tell_memory(begun.start.first_block - 1)

    def _take_block(self, effect: fx.IssueBlock) -> None:
        """Check what is promised of a block, and let it pass the stages."""
        seen, issued, begun = self.seen, effect.issued, self.seen.epoch
        assert begun is not None and effect.epoch == begun.start.epoch
        for name, stage in self.stages.items():
            assert stage.told == (stage.told[0], effect.epoch), f"{name} is not ready"
            assert stage.told[0] in begun.instances
        assert issued.block == seen.next_block, "each once and in order"
        seen.next_block += 1
        assert 1 <= self.in_flight == effect.in_flight <= self.settings.max_in_flight
        again = seen.ever.setdefault(issued.block, issued)
        assert again.features is issued.features, "decided once"
        silent = not issued.samples.any()
        assert np.array_equal(again.samples, issued.samples) or silent
        if self.settings.mode != "render":
            assert len(issued.samples) == BLOCK_SAMPLES and not issued.last
        seen.blocks.append(effect)

        def arrive() -> None:
            self._arrive(effect)

        arrive.of_block = True  # type: ignore[attr-defined]
        self._later(_MAKE_S, arrive)

    def _arrive(self, effect: fx.IssueBlock) -> None:
        """A block has passed all stages, if they are there."""
        epoch, block = effect.epoch, effect.issued.block
        if not all(stage.up and stage.epoch == epoch for stage in self.stages.values()):
            return
        begun = self.seen.epoch
        if begun is None or begun.start.epoch != epoch or block != self._taken + 1:
            return
        self.call("clean", epoch=epoch, block=block, latent=LATENT)
        sink = begun.start.sink
        if block == begun.start.first_block and sink is not None and sink.version == 0:
            self.call(
                "sink", Sink(1, LATENT[:, :1], effect.issued.prompt_id, epoch), replaces=False
            )
        self._taken = block
        self._tell_memory(block)
        self._tell_credit(due_s=(block + 1 - self._played) * BLOCK_S)

    def _tell_memory(self, block: int) -> None:
        begun = self.seen.epoch
        if self.settings.memory_lag and begun is not None:
            version = block + 1 - begun.start.stream_start
            if version > 0:
                self.call("memory", epoch=begun.start.epoch, version=version)

    def _play(self) -> None:
        """The presenter shows a block each block's time; here each at once a little later."""
        presenter = self.stages["presenter"]
        shown_s = 0.0 if self.settings.pace == "free" else BLOCK_S
        if presenter.up and self._taken > self._played and self.now - self._played_at >= shown_s:
            self._played += 1
            late_s = self.now - self._played_at - shown_s
            self._played_at = self.now - (late_s if late_s < _BEAT_S else 0.0)
            self._tell_credit(due_s=BLOCK_S)

    def _tell_credit(self, *, due_s: float) -> None:
        stage = self.stages["presenter"]
        if not stage.up or not stage.epoch:
            return
        due_ns = 0 if self.settings.pace == "free" else self.at.wall_ns + round(due_s * 1e9)
        self.seen.returned = max(self.seen.returned, self._taken)
        self.call(
            "credit", self.at, epoch=stage.epoch, presented_block=self._taken,
            playable_block=self._taken, queue_depth=self._taken - self._played, next_due_ns=due_ns,
        )  # fmt: skip

    def _speak(self, sentence: fx.SpeakSentence) -> None:
        voice = self.voice
        if sentence.turn != voice.turn or sentence.index == 0:
            self.voice = voice = Voice(voice.instance, sentence.turn)
            voice.stream = f"turn-{sentence.turn}-{next(self._order):x}"
        voice.length += 560 * len(sentence.text.strip())
        voice.complete = sentence.is_last

    def _obey(self, order: fx.TurnOrder) -> None:
        voice = self.voice
        if order.turn < voice.turn or (order.turn == 0 != voice.turn):
            return
        if order.command is Command.CANCEL:
            self.voice = Voice(voice.instance)
        else:
            voice.paused, voice.ended = order.command is Command.PAUSE, False

    def _send_sound(self) -> None:
        if self._source:
            self._send_source()
        voice, demand = self.voice, self._demand
        if voice.turn < 0 or voice.paused or voice.ended:
            return
        if demand.stream == voice.stream:
            first, limit = demand.next_sample, demand.limit_sample
        else:
            first, limit = 0, demand.limit_sample - demand.next_sample
        last = min(voice.length, first + 5000, limit)
        ends = voice.complete and last == voice.length
        if last > first or ends:
            voice.ended = ends
            self.call(
                "sound", self.at, stream=voice.stream, first_sample=first,
                samples=sound(first, last), end_of_stream=ends,
            )  # fmt: skip

    def _send_source(self) -> None:
        first = self._source_sent
        last = min(self._source, max(first, self._demand.limit_sample))
        ends = last == self._source
        if last > first:
            self._source_sent = last
            self.call(
                "sound", self.at, stream="source", first_sample=first,
                samples=sound(first, last), end_of_stream=ends,
            )  # fmt: skip

    def _watch_phases(self) -> None:
        """Every step of the conversation is one of the table's."""
        machine = self.conductor.conversation._machine
        step = machine._step

        def watched(event: Event, now: float) -> tuple[Order, ...]:
            before = machine.phase
            orders = step(event, now)
            assert (machine.phase, machine.turn is not None) == (
                TABLE[before, event.kind].phase, machine.phase.has_reply,
            )  # fmt: skip
            if machine.phase is Phase.PERFORMING and before is not Phase.PERFORMING:
                assert event.kind is EventKind.PERFORM
            return orders

        machine._step = watched  # type: ignore[method-assign]


def _method(conductor: Conductor, name: str) -> Callable[..., Any]:
    found: Any = conductor
    for part in name.split("."):
        found = getattr(found, part)
    method: Callable[..., Any] = found
    return method
