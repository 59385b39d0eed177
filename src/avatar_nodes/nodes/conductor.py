"""Gives the conductor its messages and carries out what it decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.client import Client
from std_srvs.srv import Trigger

from avatar_msgs import msg as m
from avatar_msgs.action import Perform, Say
from avatar_msgs.srv import Ask, SetPrompt
from avatar_nodes.conducting import effects as fx
from avatar_nodes.conducting.build import PromptEncoder, build_features
from avatar_nodes.conducting.conductor import Conductor
from avatar_nodes.conducting.prompt_book import prompt_id
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.state_cycling import TurnPrompts
from avatar_nodes.conducting.turn_numbers import TurnNumbers
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.mind.sentences import split_sentences
from avatar_nodes.model.read_config import read_config
from avatar_nodes.nodes.base.goals import Goals
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.text.words import clean_text, has_words
from avatar_nodes.wire import audio, block, conversation, topics
from avatar_nodes.wire.declaration import Topic
from avatar_nodes.wire.limits import block_number, duration_s, epoch_number, text_of
from avatar_nodes.wire.stamp import nanoseconds, stamp_of

_TICK_S = 0.02


class ConductorNode(AvatarNode[ConductorSettings]):
    """`speech/audio`, signs of life, credits, clean latents, sinks and memory in; `blocks/epoch`,
    `blocks/prompt`, `blocks/conditioning`, `speech/demand` and `state` out. In a conversation also
    `user/speech_activity`, `user/utterance`, `intent`, `reply` and `persona` in, `turn/control` and
    `reply` out, and what an operator may ask."""

    KIND = "conductor"

    def setup(self) -> None:
        if self.settings.mode == "render" and self.settings.pace == "realtime":
            raise ConfigurationError("parameter pace: expected free in mode render, got realtime")
        features = build_features(self.settings)
        self._sample_rate = features.timing.sample_rate
        self._size = (self.settings.width, self.settings.height)
        config = read_config(self.settings.checkpoint, size=self._size)
        self._block_shape = config.block_shape
        self._sink_shape = config.sink_shape(motion=self.settings.motion_tokens)
        self._audio_shape = config.audio_shape
        self._encoder = PromptEncoder(self.settings)
        self._conductor = Conductor(
            self.settings, features=features, encode=self._encoder.encode, split=split_sentences,
        )  # fmt: skip
        self._talk, self._requests = self._conductor.conversation, self._conductor.requests
        self._goals = Goals(self)
        self._epoch_out = self.publisher(topics.EPOCH)
        self._conditioning_out = self.publisher(topics.CONDITIONING)
        self._prompt_out = self.publisher(topics.PROMPT)
        self._demand_out = self.publisher(topics.SPEECH_DEMAND)
        self._state_out = self.publisher(topics.STATE)
        if self.settings.mode == "converse":
            self._reply_out = self.publisher(topics.REPLY)
            self._utterance_out = self.publisher(topics.UTTERANCE)
            self._turns = TurnNumbers()
            self._utterance = m.Utterance()
            """The newest one that is final and has words."""
            self._control_out = self.publisher(topics.TURN_CONTROL)

    def adapt(self, before: ConductorSettings) -> None:
        if conductor := getattr(self, "_conductor", None):
            conductor.adapt(self.settings)

    def start(self) -> None:
        self._conductor.begin()
        self.serve(topics.SET_PROMPT, self._on_set_prompt)
        self._hear(topics.SPEECH_AUDIO, self._on_audio)
        self._hear(topics.STAGES, self._on_status)
        self._hear(topics.CREDIT, self._on_credit)
        self._hear(topics.PRESENTED, self._on_presented)
        self._hear(topics.LATENT_CLEAN, self._on_clean)
        self._hear(topics.SINK, self._on_sink)
        if self.settings.memory_lag:
            self._hear(topics.MEMORY, self._on_memory)
        if self.settings.mode == "converse":
            self._start_conversing()
        self.every(_TICK_S, self._advance)

    def stop(self) -> None:
        for effect in self._conductor.end(self._at()):
            self._carry_out(effect)
        self._goals.close()
        if self.settings.mode == "converse":
            self.destroy_client(self._reasoner)

    def _start_conversing(self) -> None:
        self._hear(topics.SPEECH_ACTIVITY, self._on_activity)
        self._hear(topics.UTTERANCE, self._on_utterance)
        # Not what was intended before this node came: that turn is over, or comes again with sound.
        self._hear(topics.INTENT, self._on_intent)
        self._hear(topics.REPLY, self._on_reply)
        self._hear(topics.PERSONA, self._on_persona)
        self._goals.serve(topics.SAY, self._on_say)
        self._goals.serve(topics.PERFORM, self._on_perform)
        self.serve(topics.ASK, self._on_ask)
        self.serve(topics.INTERRUPT, self._on_interrupt)
        self.serve(topics.RESET, self._on_reset)
        self._reasoner: Client = topics.RESET_REASONER.client(self, self.KIND)

    def _at(self) -> fx.Moment:
        return fx.Moment(time.monotonic(), self.get_clock().now().nanoseconds)

    def _advance(self) -> None:
        for goal in self._goals.cancelled():
            self._requests.cancel(goal)
        issued = True
        while issued:
            effects = self._conductor.advance(self._at())
            for effect in effects:
                self._carry_out(effect)
            issued = any(isinstance(effect, fx.IssueBlock) for effect in effects)

    def _hear(self, topic: Topic, callback: Callable[[Any], None]) -> None:
        """Listen, and advance after every message."""

        def then_advance(msg: Any) -> None:
            callback(msg)
            self._advance()

        self.listen(topic, then_advance)

    def _on_audio(self, msg: m.AudioChunk) -> None:
        samples = audio.audio_from_msg(msg, sample_rate=self._sample_rate, channels=1)
        self._conductor.sound(
            self._at(), stream=msg.stream, first_sample=msg.first_sample, samples=samples,
            end_of_stream=msg.end_of_stream,
        )  # fmt: skip

    def _on_status(self, msg: m.StageStatus) -> None:
        self._conductor.status(
            self._at(), msg.name, instance=msg.instance, ready=msg.ready,
            epoch=epoch_number(msg.epoch),
        )  # fmt: skip

    def _on_credit(self, msg: m.BlockCredit) -> None:
        self._conductor.credit(
            self._at(), epoch=epoch_number(msg.epoch),
            presented_block=block_number(msg.presented_block),
            playable_block=block_number(msg.playable_block), queue_depth=msg.queue_depth,
            next_due_ns=nanoseconds(msg.next_due),
        )  # fmt: skip

    def _on_presented(self, msg: m.BlockConditioning) -> None:
        self._conductor.presented(
            block.issued_from_msg(msg, sample_rate=self._sample_rate, shape=self._audio_shape)
        )

    def _on_clean(self, msg: m.LatentBlock) -> None:
        clean = block.latent_from_msg(msg, shape=self._block_shape)
        self._conductor.clean(epoch=clean.epoch, block=clean.block, latent=clean.latent)

    def _on_sink(self, msg: m.SinkFrame) -> None:
        sink = block.sink_from_msg(msg, shape=self._sink_shape, size=self._size)
        self._conductor.sink(sink, replaces=msg.replaces)

    def _on_memory(self, msg: m.MemoryTokens) -> None:
        self._conductor.memory(epoch=epoch_number(msg.epoch), version=msg.version)

    def _on_set_prompt(
        self, request: SetPrompt.Request, response: SetPrompt.Response
    ) -> SetPrompt.Response:
        text = text_of(request.prompt)
        self._encoder.check(text)
        self._conductor.set_prompt(text, cache_switch=request.cache_switch)
        response.success, response.prompt_id = True, prompt_id(text or self.settings.prompt)
        response.first_block = self._conductor.next_block
        self._advance()
        return response

    def _on_activity(self, msg: m.SpeechActivity) -> None:
        stamp_ns = nanoseconds(msg.header.stamp)
        self._talk.speech_activity(self._at(), active=msg.active, stamp_ns=stamp_ns)

    def _number(self, msg: m.Utterance) -> int:
        """Publish what was not heard by a listener as the next turn, which this node hears, too."""
        msg.turn, msg.is_final, msg.confidence = self._turns.take(), True, -1.0
        self._utterance_out.publish(self._stamped(msg))
        return msg.turn

    def _on_ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        text, language = text_of(request.text), text_of(request.language)
        if not has_words(clean_text(text)):
            raise RefusedError("text", "text: expected words, got nothing")
        now = self.get_clock().now().to_msg()
        response.turn = self._number(m.Utterance(text=text, language=language, start=now, end=now))
        response.success = True
        return response

    def _on_utterance(self, msg: m.Utterance) -> None:
        words = msg.is_final and has_words(clean_text(text_of(msg.text)))
        if not msg.turn:  # by hand, `ros2 topic pub --once`
            if words:
                self._number(msg)
            return
        self._turns.hear(msg.turn)
        if words and msg.turn > self._utterance.turn:
            self._utterance = msg
        self._talk.utterance(
            self._at(), turn=msg.turn, text=text_of(msg.text), is_final=msg.is_final,
            end_ns=nanoseconds(msg.end),
        )  # fmt: skip

    def _on_intent(self, msg: m.Intent) -> None:
        self._turns.hear(msg.turn)
        texts = text_of(msg.action_prompt), text_of(msg.stable_prompt)
        prompts = TurnPrompts(*texts, duration_s(msg.action_duration))
        self._talk.intent(self._at(), msg.turn, prompts)

    def _on_reply(self, msg: m.ReplySegment) -> None:
        if msg.cancelled:
            self._talk.reply_cancelled(self._at(), msg.turn)
        else:
            self._talk.reply(self._at(), conversation.sentence_from_msg(msg))

    def _on_persona(self, msg: m.Persona) -> None:
        prompts = (
            msg.prompt_idle, msg.prompt_listening, msg.prompt_thinking, msg.prompt_speaking
        )  # fmt: skip
        self._talk.persona(*map(text_of, prompts))

    def _on_say(self, goal: int, request: Say.Goal) -> None:
        try:
            self._requests.say(goal, conversation.say_from_goal(request))
        except RefusedError as error:
            self._carry_out(fx.SayOver(goal, False, str(error)))

    def _on_perform(self, goal: int, request: Perform.Goal) -> None:
        try:
            prompt = text_of(request.prompt)
            self._encoder.check(prompt)
        except RefusedError as error:
            self._carry_out(fx.PerformOver(goal, False, f"prompt: {error}"))
        else:
            self._requests.perform(self._at(), goal, prompt, request.duration)

    def _on_interrupt(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.success = self._requests.interrupt(self._at())
        response.message = "" if response.success else "nothing was being said"
        self._advance()
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._requests.reset(self._at())
        self._advance()
        if self._reasoner.service_is_ready():
            self._reasoner.call_async(Trigger.Request())  # nobody waits for the answer
        else:
            response.message = "no reasoner is there to forget"
        response.success = True
        return response

    def _carry_out(self, effect: fx.Effect) -> None:
        match effect:
            case fx.BeginEpoch():
                self._begin_epoch(effect)
            case fx.IssueBlock():
                self._issue(effect)
            case fx.AnnouncePrompt(prompt, expected_block):
                self._prompt_out.publish(block.prompt_to_msg(prompt, expected_block=expected_block))
            case fx.DemandSound():
                self._demand_out.publish(m.AudioDemand(**vars(effect)))
            case fx.ReportState():
                self._state_out.publish(self._stamped(conversation.state_to_msg(effect)))
            case fx.ReportCondition(ready, epoch, detail):
                self.heartbeat.say(ready=ready, epoch=epoch, detail=detail)
            case fx.ReportPipelineTime(seconds):
                self.telemetry.sample("pipeline_ms", seconds * 1000.0)
            case fx.EndStream(last):
                self.get_logger().info(f"the stream has ended with block {last}")
            case fx.TurnOrder(command, turn, _, reason):
                self._control_out.publish(self._stamped(conversation.order_to_msg(effect)))
                self.telemetry.count(f"turn_{command.name.lower()}")
                self.get_logger().info(f"turn {turn}: {command.name.lower()}: {reason}")
            case fx.SpeakSentence():
                self._reply_out.publish(self._stamped(conversation.sentence_to_msg(effect)))
            case fx.AskAgain(turn):
                if self._utterance.turn == turn:
                    self.get_logger().info(f"turn {turn}: told again: nobody thinks about it")
                    self._utterance_out.publish(self._utterance)
            case fx.SayFeedback() | fx.PerformFeedback():
                self._goals.tell(effect.request, conversation.feedback_to_msg(effect))
            case fx.SayOver() | fx.PerformOver():
                self._goals.end(effect.request, conversation.result_to_msg(effect))

    def _begin_epoch(self, effect: fx.BeginEpoch) -> None:
        msg = block.epoch_to_msg(effect.start)
        msg.instances = list(effect.instances)
        self._epoch_out.publish(self._stamped(msg))
        self.gave_out(effect.start.first_block - 1)
        self.telemetry.count("epochs")
        epoch = f"epoch {effect.start.epoch} from block {effect.start.first_block}"
        self.get_logger().info(f"{epoch}: {effect.reason}")

    def _issue(self, effect: fx.IssueBlock) -> None:
        msg = block.conditioning_to_msg(
            effect.issued, epoch=effect.epoch, seed=effect.seed, sink_version=effect.sink_version,
            memory_version=effect.memory_version, sample_rate=self._sample_rate,
        )  # fmt: skip
        msg.header.stamp = stamp_of(effect.due_ns)
        self._conditioning_out.publish(msg)
        self.gave_out(effect.issued.block)
        self.telemetry.output()
        self.telemetry.gauge("queue_depth", effect.in_flight)

    def _stamped(self, msg: Any) -> Any:
        msg.header.stamp = self.get_clock().now().to_msg()
        return msg


def main() -> None:
    """Run the node as a process."""
    main_of(ConductorNode)


if __name__ == "__main__":
    main()
