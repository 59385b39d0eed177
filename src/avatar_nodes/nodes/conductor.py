"""The one place where decisions are made per block: sound, prompt, sink, time, epochs, recovery."""

from __future__ import annotations

import time

from avatar_msgs.msg import (
    AudioChunk,
    AvatarState,
    BlockConditioning,
    BlockCredit,
    LatentBlock,
    MemoryTokens,
    SinkFrame,
    StageStatus,
)
from avatar_nodes.block.block import EpochStart, Sink
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.block_slicer import BlockSound
from avatar_nodes.conducting.build import PromptEncoder, build_features
from avatar_nodes.conducting.conversation_table import Command
from avatar_nodes.conducting.epoch_keeper import EpochKeeper
from avatar_nodes.conducting.flow_control import CreditWindow, JustInTime
from avatar_nodes.conducting.memory_versions import MemoryVersions
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.sink_versions import SinkVersions
from avatar_nodes.conducting.stream_resume import StreamPosition, resume
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.conversation import Conversation
from avatar_nodes.nodes.operator_requests import OperatorRequests
from avatar_nodes.nodes.speech_intake import SpeechIntake
from avatar_nodes.nodes.state_report import StateReport
from avatar_nodes.nodes.stream_prompts import StreamPrompts
from avatar_nodes.wire import topics
from avatar_nodes.wire.block import (
    conditioning_to_msg,
    epoch_to_msg,
    issued_from_msg,
    latent_from_msg,
    sink_from_msg,
)
from avatar_nodes.wire.stamp import nanoseconds, stamp_of

_TICK_S = 0.02
_RECOVERY_S = 1.0
_PRESENTER = "presenter"


class ConductorNode(AvatarNode[ConductorSettings]):
    """`speech/audio`, signs of life, credits, clean latents, sinks and memory in; `blocks/epoch`,
    `blocks/prompt`, `blocks/conditioning`, `speech/demand` and `state` out."""

    KIND = "conductor"

    def setup(self) -> None:
        self._realtime = self.settings.pace == "realtime"
        self._render = self.settings.mode == "render"
        if self._render and self._realtime:
            raise ConfigurationError("parameter pace: expected free in mode render, got realtime")
        self._features = build_features(self.settings)
        encoder = PromptEncoder(self.settings)
        self._prompts = StreamPrompts(
            self, encoder.encode, next_block=lambda: self._window.next_block,
            on_set=self._on_prompt_set,
        )  # fmt: skip
        self._intake = SpeechIntake(
            self, self._features.timing, context_samples=self._features.context_samples,
            lookahead_samples=self._features.lookahead_samples, endless=not self._render,
        )  # fmt: skip
        self._conversation: Conversation | None = None
        self._requests: OperatorRequests | None = None
        if self.settings.mode == "converse":
            self._conversation = Conversation(self, obey=self._obey)
        first = self.settings.first_block
        self._position = StreamPosition(first)
        self._window = CreditWindow(max_in_flight=self.settings.max_in_flight, first_block=first)
        self._jit = JustInTime(
            block_s=self._features.timing.block_s, margin_s=self.settings.margin_s
        )
        self._ledger = BlockLedger(window=self.settings.past_blocks)
        self._keeper = EpochKeeper(
            self.settings.stages,
            heartbeat_timeout_s=self.settings.heartbeat_timeout_s,
            block_timeout_s=self.settings.block_timeout_s,
        )
        self._memory = MemoryVersions(lag=self.settings.memory_lag)
        self._sinks = SinkVersions(aas_from_block=self.settings.own_sink_from_block)
        self._start: EpochStart | None = None
        self._state = StateReport(self, render=self._render)
        self._last_block: int | None = None
        self._finished = False
        self._all_there_since: float | None = None
        self._epoch_out = self.publisher(topics.EPOCH)
        self._conditioning_out = self.publisher(topics.CONDITIONING)

    def start(self) -> None:
        self._prompts.start()
        self.listen(topics.SPEECH_AUDIO, self._on_audio)
        self.listen(topics.STAGES, self._on_status)
        self.listen(topics.CREDIT, self._on_credit)
        self.listen(topics.PRESENTED, self._on_presented)
        self.listen(topics.LATENT_CLEAN, self._on_clean)
        self.listen(topics.SINK, self._on_sink)
        if self._memory.lag:
            self.listen(topics.MEMORY, self._on_memory)
        if self._conversation is not None:
            self._conversation.start()
            self._requests = OperatorRequests(
                self, self._conversation, self._intake,
                block=lambda: self._window.next_block,
                block_s=self._features.timing.block_s,
            )  # fmt: skip
        self.every(_TICK_S, self._advance)
        self.heartbeat.say(detail="waiting for the stages")

    def stop(self) -> None:
        self._prompts.stop()
        if self._requests is not None:
            self._requests.close()
            self._requests = None

    def _on_audio(self, msg: AudioChunk) -> None:
        if self._intake.was_dropped(msg.stream):
            return
        if self._conversation is None:
            self._intake.push(msg)
        elif self._conversation.takes(msg):
            if msg.stream != self._intake.stream:
                self._intake.drop()  # of a reply that is over, or of a voice that has died
            self._intake.push(msg)
        if self._intake.block_ready:
            self._advance()

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

    def _on_status(self, msg: StageStatus) -> None:
        if self._conversation is not None:
            self._conversation.alive(msg.name, msg.instance)
        self._keeper.status(
            msg.name, instance=msg.instance, ready=msg.ready, epoch=msg.epoch,
            now=time.monotonic(),
        )  # fmt: skip
        self._advance()

    def _on_credit(self, msg: BlockCredit) -> None:
        now = time.monotonic()
        if not msg.epoch or not self._position.credit(msg.presented_block, msg.queue_depth):
            return
        if self._jit.playable(msg.playable_block, now):
            self.telemetry.sample("pipeline_ms", self._jit.pipeline_s * 1000.0)
        if self._window.give_back(msg.presented_block):
            self._keeper.progressed(now, in_flight=self._window.in_flight)
            self._ledger.forget(self._position.begun)
        if due := nanoseconds(msg.next_due):
            wait_s = (due - self.get_clock().now().nanoseconds) / 1e9
            self._jit.next_due(msg.playable_block + 1, now + wait_s)
        self._advance()

    def _on_presented(self, msg: BlockConditioning) -> None:
        """What an earlier conductor issued and the presenter has taken."""
        if self._keeper.epoch == 0 and msg.block >= self.settings.first_block:
            self._ledger.record(issued_from_msg(msg, sample_rate=self._intake.sample_rate))

    def _on_clean(self, msg: LatentBlock) -> None:
        block = latent_from_msg(msg)
        if self._keeper.epoch in (0, block.epoch):
            self._ledger.clean(block.block, block.latent)

    def _on_sink(self, msg: SinkFrame) -> None:
        sink = sink_from_msg(msg)
        if msg.replaces and self._keeper.epoch:
            self._begin_stream(sink)
            return
        of_now = sink.epoch in (0, self._keeper.epoch) or self._keeper.epoch == 0
        if of_now and self._sinks.wants(sink):
            self._sinks.add(sink)
            self._prompts.book.pinned = sink.prompt_id or self._prompts.book.pinned
            self._advance()

    def _on_memory(self, msg: MemoryTokens) -> None:
        if msg.epoch == self._keeper.epoch:
            self._memory.add(msg.version)
            self._advance()

    def _begin_stream(self, reference: Sink) -> None:
        """Another person: whatever is not yet presented is made anew, from that picture alone."""
        self._position = StreamPosition(self._position.next_block)
        self._ledger = BlockLedger(window=self.settings.past_blocks)
        self._sinks.restart(reference)
        self._start = None
        self._keeper.ask("another reference picture")
        self._advance()

    def _on_prompt_set(self, text: str) -> None:
        if self._conversation is not None:
            self._conversation.override(text)

    def _advance(self) -> None:
        """Do whatever has become possible: begin an epoch, issue blocks, ask for sound, finish."""
        now = time.monotonic()
        if self._conversation is not None:
            self._conversation.shown(self._position.begun)
            if self._state.replying and not self._conversation.replying:
                self._tell_state()  # no block tells when the last words of a reply were heard
        if self._requests is not None:
            self._requests.tick(now)
        reason = self._keeper.reason_for_new_epoch(now)
        if reason is not None and not self._finished and self._knows_enough(now):
            self._begin_epoch(reason)
        if self._start is not None and self._keeper.may_issue(now):
            while self._issue_one(time.monotonic()):
                pass
        self._tell_condition(now)
        if self._start is not None:
            if self._conversation is not None and self.settings.cache_switch:
                wait_s = max(0.0, self._jit.wait(self._window.next_block, now))
                self._prompts.expect(self._conversation.coming_prompt(wait_s))
            self._intake.demand(now)
        self._finish_if_done()

    def _knows_enough(self, now: float) -> bool:
        """An epoch needs a sink; a restarted conductor waits for what others kept for it."""
        if not self._sinks.known:
            return False
        if self._keeper.epoch or not self._keeper.highest_seen:
            return True
        if self._all_there_since is None:
            self._all_there_since = now
        first = self._position.next_block
        wanted = min(self.settings.past_blocks, first - self.settings.first_block)
        complete = wanted > 0 and len(self._ledger.context(first)) >= wanted
        complete = complete and self._sinks.complete
        return complete or now - self._all_there_since > _RECOVERY_S

    def _begin_epoch(self, reason: str) -> None:
        if self._keeper.epoch == 0 and self._position.next_block > self.settings.first_block:
            self._take_over()
        if _PRESENTER in self._keeper.restarted:
            self._position.presenter_lost()
        first = self._position.next_block
        self._start = resume(
            epoch=self._keeper.begin(),
            first_block=first,
            stream_start=self._position.stream_start,
            seed=self.settings.seed,
            ledger=self._ledger,
            sinks=self._sinks.known,
            prompts=self._prompts.book.known,
            prompt_id=self._prompts.current.id,
        )
        self._sinks.begin(self._start)
        self._memory.begin(self._start)
        self._window.restart(first)
        self._jit.restart(first)
        msg = epoch_to_msg(self._start)
        msg.instances = self._keeper.instances
        msg.header.stamp = self.get_clock().now().to_msg()
        self._epoch_out.publish(msg)
        self.telemetry.count("epochs")
        self.get_logger().info(f"epoch {self._start.epoch} from block {first}: {reason}")
        self._tell_state()

    def _take_over(self) -> None:
        """Go on in the sound where the conductor before us was."""
        if self._conversation is not None:
            self._conversation.take_over()
        first = self._position.next_block
        newest = self._ledger.issued(first - 1)
        if newest is None:
            return
        self._intake.restore(newest, self._ledger, first)
        self._last_block = newest.block if newest.last else None

    def _issue_one(self, now: float) -> bool:
        """Issue the next block if its time has come and everything for it is there."""
        assert self._start is not None
        block = self._window.next_block
        if not self._window.open or (self._last_block is not None and block > self._last_block):
            return False
        sink_version = self._sinks.version_for(block)
        memory_version = self._memory.version_for(block)
        if self._memory.overdue(block, now, self.settings.block_timeout_s):
            self._keeper.ask("memory is overdue")
        if sink_version is None or memory_version is None:
            return False
        issued = self._ledger.again(block) or self._decide(block, now)
        if issued is None:
            return False
        self._window.issue()
        self._keeper.issued(now)
        self._jit.issued(block, now)
        msg = conditioning_to_msg(
            issued,
            epoch=self._start.epoch,
            seed=self._start.seed,
            sink_version=sink_version,
            memory_version=memory_version,
            sample_rate=self._intake.sample_rate,
        )
        if self._realtime:
            ahead_ns = round((self._jit.due(block, now) - now) * 1e9)
            msg.header.stamp = stamp_of(self.get_clock().now().nanoseconds + ahead_ns)
        self._conditioning_out.publish(msg)
        self.telemetry.output()
        self.telemetry.gauge("queue_depth", self._window.in_flight)
        self._tell_state()
        self._state.told_of_block()
        return True

    def _decide(self, block: int, now: float) -> IssuedBlock | None:
        """What the block is made of; None: it is too early to say."""
        sound = self._decide_sound(block, now)
        if sound is None:
            return None
        self._intake.speaking = not sound.idle
        if sound.last:
            self._last_block = block
        before, number = self._ledger.issued(block - 1), block - self._position.stream_start
        changed = before is not None and before.prompt_id != self._prompts.current.id
        issued = IssuedBlock(
            block=block,
            prompt_id=self._prompts.current.id,
            features=self._features.block(sound.window, number, ahead_samples=sound.ahead_samples),
            samples=sound.samples,
            stream=self._intake.stream,
            first_sample=sound.first_sample,
            next_sample=sound.next_sample,
            last=sound.last,
            cache_switch=changed and self._prompts.switch,
        )
        self._ledger.record(issued)
        self._prompts.issued(changed=changed)
        return issued

    def _decide_sound(self, block: int, now: float) -> BlockSound | None:
        """The block's sound and, in a conversation, its state and prompt."""
        due = not self._realtime or self._jit.wait(block, now) <= 0.0
        if self._conversation is None:
            sound = self._intake.next_block(block, now, waited_enough=due)
            if sound is not None:
                self._state.show(AvatarState.IDLE if sound.idle else AvatarState.SPEAKING)
            return sound
        if not due:
            return None
        decision = self._conversation.at_block_border()
        self._state.note_overdue(decision.overdue)
        if not decision.plays:
            sound = self._intake.silence()
        elif (sound := self._intake.next_block(block, now, waited_enough=True)) is None:
            return None
        self._state.show(int(decision.state), decision.turn or 0)
        self._prompts.use(decision.prompt, switch=self.settings.cache_switch)
        if decision.plays and not sound.idle:
            self._conversation.sounds()
        if decision.plays and self._intake.over:
            self._conversation.issued(block)
        return sound

    def _finish_if_done(self) -> None:
        done = self._last_block is not None and self._position.begun >= self._last_block
        if done and not self._finished:
            self._finished = True
            self._tell_state()
            self.get_logger().info(f"the stream has ended with block {self._last_block}")

    def _tell_condition(self, now: float) -> None:
        waiting = self._keeper.waiting_for(now)
        detail = f"waiting for {', '.join(waiting)}" if waiting else "conducting"
        self.heartbeat.say(ready=not waiting, epoch=self._keeper.epoch, detail=detail)

    def _tell_state(self) -> None:
        first, last = self.settings.first_block, self._last_block
        self._state.tell(
            epoch=self._keeper.epoch,
            block=last if self._finished and last is not None else self._window.next_block - 1,
            total_blocks=0 if last is None else last - first + 1,
            finished=self._finished,
            prompt=self._prompts.current.text,
            replying=self._conversation is not None and self._conversation.replying,
        )


def main() -> None:
    """Run the node as a process."""
    main_of(ConductorNode)


if __name__ == "__main__":
    main()
