"""Decides, block by block, what the avatar hears, shows and says, and when a new epoch begins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from avatar_nodes.block.audio_features import AudioFeatures
from avatar_nodes.block.block import EpochStart, Prompt, Sink
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.block_maker import BlockMaker
from avatar_nodes.conducting.conversation import MAKERS, Conversation
from avatar_nodes.conducting.conversation_table import Command
from avatar_nodes.conducting.current_prompt import CurrentPrompt
from avatar_nodes.conducting.effects import (
    BeginEpoch,
    Effect,
    EndStream,
    IssueBlock,
    Moment,
    ReportCondition,
    ReportPipelineTime,
)
from avatar_nodes.conducting.epoch_keeper import EpochKeeper
from avatar_nodes.conducting.flow_control import CreditWindow, JustInTime
from avatar_nodes.conducting.instances import Instances
from avatar_nodes.conducting.memory_versions import MemoryVersions
from avatar_nodes.conducting.operator_requests import OperatorRequests
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.sink_versions import SinkVersions
from avatar_nodes.conducting.speech_intake import SpeechIntake
from avatar_nodes.conducting.state_report import StateReport
from avatar_nodes.conducting.stream_resume import StreamPosition, resume
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError

_RECOVERY_S = 1.0
_LONGEST_WAIT_S = 120.0
"""Until a block that is playable is shown: far more than can be under way."""
_PRESENTER = "presenter"


class Conductor:
    """Takes sound, signs of life, credits, clean latents, sinks and memory, and in a conversation
    (`conversation`, `requests`) what people do; `advance` hands out what is to be done.

    It has no clock and no threads: every call says when it is made, and the same calls give the
    same effects. Call `advance` after every other call, and often (50 times a second). A call that
    raises has changed nothing that `advance` could not go on from; what was decided before it
    raised comes with the next `advance`.

    Args:
        settings: see there.
        features: turns sound into the model's audio columns; blocks have its timing.
        encode: turns a text into a prompt.
        split: turns a text in a language (BCP 47) into sentences.
    """

    def __init__(
        self, settings: ConductorSettings, *, features: AudioFeatures,
        encode: Callable[[str], Prompt], split: Callable[[str, str], list[str]],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._effects: list[Effect] = []
        self._emit = self._effects.append
        self._realtime = settings.pace == "realtime"
        render = settings.mode == "render"
        self._prompts = CurrentPrompt(encode, settings.prompt, emit=self._emit)
        self._intake = SpeechIntake(
            features.timing, context_samples=features.context_samples,
            lookahead_samples=features.lookahead_samples, endless=not render,
            speech_level=features.speech_level(),
            realtime=self._realtime, keeps_alive=settings.idle == "keep_alive", emit=self._emit,
        )  # fmt: skip
        self._state = StateReport(render=render, emit=self._emit)
        self._position = StreamPosition(settings.first_block)
        self._window = CreditWindow(
            max_in_flight=settings.max_in_flight, first_block=settings.first_block
        )
        self._jit = JustInTime(block_s=features.timing.block_s, margin_s=settings.margin_s)
        self._ledger = BlockLedger(window=settings.past_blocks)
        self._prompts.book.needed = lambda: self._ledger.prompt_ids
        self._keeper = EpochKeeper(
            settings.stages,
            heartbeat_timeout_s=settings.heartbeat_timeout_s,
            block_timeout_s=settings.block_timeout_s,
        )
        self._instances = Instances(*settings.stages, *MAKERS)
        self._memory = MemoryVersions(lag=settings.memory_lag)
        self._sinks = SinkVersions(aas_from_block=settings.own_sink_from_block)
        self._start: EpochStart | None = None
        self._last_block: int | None = None
        self._finished = False
        self._all_there_since: float | None = None
        self._converses = settings.mode == "converse"
        self.conversation = Conversation(
            settings, obey=self._obey, on_over=self._reply_over, emit=self._emit
        )
        """The avatar's part in a conversation; without one, nothing is to be told to it."""
        self.requests = OperatorRequests(
            self.conversation, self._intake, split=split, block_s=features.timing.block_s,
            next_block=lambda: self.next_block, heard_s=self._heard_s, emit=self._emit,
        )  # fmt: skip
        """What operators ask of a conversing avatar."""
        self._maker = BlockMaker(
            self._intake, self._prompts, self._ledger, self._state, features=features,
            conversation=self.conversation if self._converses else None,
            cache_switch=settings.cache_switch,
        )  # fmt: skip

    @property
    def next_block(self) -> int:
        """The block that will be issued next."""
        return self._window.next_block

    @property
    def prompt(self) -> Prompt:
        """The prompt of the blocks from now on."""
        return self._prompts.current

    def adapt(self, settings: ConductorSettings) -> None:
        """From now on, the time-outs of these settings hold."""
        self._settings = settings
        self.conversation.adapt(settings)
        self._keeper.adapt(
            heartbeat_timeout_s=settings.heartbeat_timeout_s,
            block_timeout_s=settings.block_timeout_s,
        )

    def begin(self) -> None:
        """Tell those who listen the first prompt."""
        self._prompts.announce()

    def end(self, at: Moment) -> list[Effect]:
        """The avatar is going down, or pauses: every request ends. Returns what is to be done."""
        self.requests.close(at)
        return self._decided()

    def sound(
        self, at: Moment, *, stream: str, first_sample: int, samples: np.ndarray,
        end_of_stream: bool,
    ) -> None:  # fmt: skip
        """A chunk of speech, int16 [n] mono. Raises RefusedError."""
        if self._intake.was_dropped(stream):
            return
        if self._converses:
            count = len(samples)
            if not self.conversation.takes(
                at, stream, first_sample, count, end_of_stream=end_of_stream
            ):
                return
            if stream != self._intake.stream:
                self._intake.drop()  # of a reply that is over, or of a voice that has died
        self._intake.take(stream, first_sample, samples, end_of_stream=end_of_stream)

    def status(self, at: Moment, name: str, *, instance: str, ready: bool, epoch: int) -> None:
        """A node's sign of life. Raises LeftoverError: another process of its name is alive."""
        if not self._instances.heard(name, instance, at.now):
            if name in self._settings.stages or name in MAKERS:
                raise LeftoverError("instance", f"{name}: another instance is alive")
            return
        self.conversation.alive(at, name, instance)
        self._keeper.status(name, instance=instance, ready=ready, epoch=epoch, now=at.now)

    def credit(
        self, at: Moment, *, epoch: int, presented_block: int, playable_block: int,
        queue_depth: int, next_due_ns: int,
    ) -> None:  # fmt: skip
        """What the presenter has taken; see avatar_msgs/BlockCredit. `next_due_ns`: nanoseconds
        since 1970, 0: no clock runs. Raises RefusedError: it cannot be so."""
        if not epoch:
            return
        self._check_credit(presented_block, playable_block, next_due_ns - at.wall_ns)
        if not self._position.credit(presented_block, queue_depth):
            return
        if self._jit.playable(playable_block, at.now):
            self._emit(ReportPipelineTime(self._jit.pipeline_s))
        if self._window.give_back(presented_block):
            self._keeper.progressed(at.now, in_flight=self._window.in_flight)
            self._ledger.forget(self._position.begun)
        if next_due_ns:
            wait_s = (next_due_ns - at.wall_ns) / 1e9
            self._jit.next_due(playable_block + 1, at.now + wait_s)

    def _check_credit(self, presented: int, playable: int, due_in_ns: int) -> None:
        """Raises RefusedError: of blocks that were not issued, or due at no time of ours."""
        if not presented <= playable <= presented + 1:
            raise RefusedError("order", f"block {playable} playable after {presented}")
        issued = max(self._window.next_block, self._ledger.next_block) - 1
        if self._keeper.epoch and presented > issued:
            raise RefusedError("block", f"block {presented} presented, {issued} was issued last")
        if due_in_ns > _LONGEST_WAIT_S * 1e9:
            raise RefusedError("due", f"the next block is due in {due_in_ns / 1e9:.0f} s")

    def presented(self, issued: IssuedBlock) -> None:
        """A block that an earlier conductor issued and the presenter has taken."""
        if self._keeper.epoch == 0 and issued.block >= self._settings.first_block:
            self._ledger.record(issued)

    def clean(self, *, epoch: int, block: int, latent: Tensor) -> None:
        """A block's clean latent, float32 [C, F, H, W]."""
        before_us = self._keeper.epoch == 0
        if before_us or (self._keeper.epoch == epoch and self._ledger.issued(block) is not None):
            self._ledger.clean(block, latent)

    def sink(self, sink: Sink, *, replaces: bool) -> None:
        """A version of the sink; `replaces`: a reference picture of another person."""
        if replaces and self._keeper.epoch:
            self._begin_stream(sink)
            return
        of_now = sink.epoch in (0, self._keeper.epoch) or self._keeper.epoch == 0
        if of_now and self._sinks.wants(sink):
            self._sinks.add(sink)
            self._prompts.book.pinned = sink.prompt_id or self._prompts.book.pinned

    def memory(self, *, epoch: int, version: int) -> None:
        """A version of memory is there: of as many blocks as it has been given, at most."""
        given = self._window.next_block - self._position.stream_start
        if epoch == self._keeper.epoch and version <= given:
            self._memory.add(version)

    def set_prompt(self, text: str, *, cache_switch: bool) -> None:
        """An operator's prompt from the next block on; empty: the stream's own again. Of many that
        come before that block, the last counts."""
        self.conversation.override(text)
        self._prompts.ask(text, switch=cache_switch)

    def advance(self, at: Moment) -> list[Effect]:
        """Do whatever has become possible: begin an epoch, issue a block, ask for sound, finish.

        Returns what is to be done, in order. At most one block is among it, so that it is on its
        way before the next one is made: call again at once after a block.
        """
        now = at.now
        self.conversation.shown(self._position.begun, now)
        if self._state.replying and not self.conversation.replying:
            self._tell_state()  # no block tells when the last words of a reply were heard
        self.requests.tick(now)
        self._prompts.settle(now)
        reason = self._keeper.reason_for_new_epoch(now)
        if reason is not None and not self._finished and self._knows_enough(now):
            self._begin_epoch(reason, at)
        if self._start is not None and self._keeper.may_issue(now):
            self._issue(self._start, at)
        self._tell_condition(now)
        if self._start is not None:
            self._expect_prompt(now)
            self._intake.demand(now)
        self._finish_if_done()
        return self._decided()

    def _decided(self) -> list[Effect]:
        effects = self._effects.copy()
        self._effects.clear()
        return effects

    def _obey(self, command: Command) -> int:
        """What a conversation orders about the sound; returns the first block still to be heard."""
        if command is Command.RESUME:
            return 0
        # Also those that are about to be issued again are of the past.
        first = max(self._window.next_block, self._ledger.next_block)
        self._ledger.mute(first)
        if command is Command.CANCEL:
            self._intake.drop()
        else:
            self._intake.hold(self._ledger.issued_from(self._position.begun))
        return first

    def _heard_s(self) -> float:
        """Of the stream that is spoken, what is in blocks that were shown [s]."""
        begun = self._ledger.issued(self._position.begun)
        if begun is None or not begun.stream or begun.stream != self._intake.stream:
            return 0.0
        return begun.next_sample / self._intake.sample_rate

    def _reply_over(self, turn: int, complete: bool, reason: str) -> None:
        self.requests.reply_over(turn, complete, reason)

    def _begin_stream(self, reference: Sink) -> None:
        """Another person: whatever is not yet presented is made anew, from that picture alone."""
        self._position.restart()
        self._ledger.restart()
        self._sinks.restart(reference)
        self._start = None
        self._keeper.ask("another reference picture")

    def _knows_enough(self, now: float) -> bool:
        """An epoch needs a sink; a restarted conductor waits for what others kept for it."""
        if not self._sinks.known:
            return False
        if self._keeper.epoch or not self._keeper.highest_seen:
            return True
        if self._all_there_since is None:
            self._all_there_since = now
        first = self._position.next_block
        wanted = min(self._settings.past_blocks, first - self._settings.first_block)
        complete = wanted > 0 and len(self._ledger.context(first)) >= wanted
        complete = complete and self._sinks.complete
        return complete or now - self._all_there_since > _RECOVERY_S

    def _begin_epoch(self, reason: str, at: Moment) -> None:
        if self._keeper.epoch == 0 and self._position.next_block > self._settings.first_block:
            self._take_over(at)
        if _PRESENTER in self._keeper.restarted:
            self._position.presenter_lost()
        first = self._position.next_block
        start = self._start = resume(
            epoch=self._keeper.begin(at.unix_ms),
            first_block=first,
            stream_start=self._position.stream_start,
            seed=self._settings.seed,
            ledger=self._ledger,
            sinks=self._sinks.known,
            prompts=self._prompts.book.known,
            prompt_id=self._prompts.current.id,
        )
        self._sinks.begin(start)
        self._memory.begin(start)
        self._window.restart(first)
        self._jit.restart(first)
        self._emit(BeginEpoch(start, tuple(self._keeper.instances), reason))
        self._tell_state()

    def _take_over(self, at: Moment) -> None:
        """Go on in the sound where the conductor before was."""
        first = self._position.next_block
        newest = self._ledger.issued(first - 1)
        if self._converses:
            self.conversation.take_over(at.unix_ms, newest.stream if newest is not None else "")
        if newest is None:
            return
        self._intake.restore(newest, self._ledger, first)
        self._last_block = newest.block if newest.last else None

    def _issue(self, start: EpochStart, at: Moment) -> None:
        """Issue the next block if its time has come and everything for it is there."""
        block, now = self._window.next_block, at.now
        if not self._window.open or (self._last_block is not None and block > self._last_block):
            return
        sink_version = self._sinks.version_for(block)
        memory_version = self._memory.version_for(block)
        if self._memory.overdue(block, now, self._settings.block_timeout_s):
            self._keeper.ask("memory is overdue")
        if sink_version is None or memory_version is None:
            return
        issued = self._ledger.again(block) or self._make(block, now)
        if issued is None:
            return
        self._window.issue()
        self._keeper.issued(now)
        self._jit.issued(block, now)
        ahead_s = self._jit.due(block, now) - now
        self._emit(
            IssueBlock(
                issued, epoch=start.epoch, seed=start.seed, sink_version=sink_version,
                memory_version=memory_version, in_flight=self._window.in_flight,
                due_ns=at.wall_ns + round(ahead_s * 1e9) if self._realtime else 0,
            )
        )  # fmt: skip
        self._tell_state()
        self._state.told_of_block()

    def _make(self, block: int, now: float) -> IssuedBlock | None:
        """A block that was not issued before; None: it is too early to say what it is made of."""
        due = not self._realtime or self._jit.wait(block, now) <= 0.0
        made = self._maker.make(block, block - self._position.stream_start, now, due=due)
        if made is not None and made.last:
            self._last_block = block
        return made

    def _expect_prompt(self, now: float) -> None:
        """In a conversation, tell the stages early under which prompt the next block will be."""
        if self._converses and self._settings.cache_switch:
            wait_s = max(0.0, self._jit.wait(self._window.next_block, now))
            coming = self.conversation.coming_prompt(now + wait_s)
            self._prompts.expect(coming, self._window.next_block)

    def _finish_if_done(self) -> None:
        last = self._last_block
        if last is not None and self._position.begun >= last and not self._finished:
            self._finished = True
            self._tell_state()
            self._emit(EndStream(last))

    def _tell_condition(self, now: float) -> None:
        waiting = self._keeper.waiting_for(now)
        detail = f"waiting for {', '.join(waiting)}" if waiting else "conducting"
        self._emit(ReportCondition(not waiting, self._keeper.epoch, detail))

    def _tell_state(self) -> None:
        first, last = self._settings.first_block, self._last_block
        self._state.tell(
            epoch=self._keeper.epoch,
            block=last if self._finished and last is not None else self._window.next_block - 1,
            total_blocks=0 if last is None else last - first + 1,
            finished=self._finished,
            prompt=self._prompts.current.text,
            replying=self.conversation.replying,
        )
