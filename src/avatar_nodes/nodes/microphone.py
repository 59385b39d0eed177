"""Sound into the graph: from a file, a sound device or a topic; as the conductor demands it, or as
it is captured."""

from __future__ import annotations

import time
import uuid

import numpy as np

from avatar_msgs.msg import AudioChunk, AudioDemand
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.hearing.unheard import Unheard
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.listener_watch import ListenerWatch
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.sound.device_source import DeviceSource
from avatar_nodes.sound.sample_sender import SampleSender
from avatar_nodes.sound.settings import MicrophoneSettings
from avatar_nodes.sound.sources import AudioSource, BufferSource, FileSource
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg, check_demand
from avatar_nodes.wire.stamp import stamp_of

_POLL_S = 0.02
_ENDLESS = 1 << 62
_LIVE_LAG_S = 0.5
_CAPTURED_LAG_S = 15.0
"""What a visitor says is not lost when this process was kept waiting, or nobody listened: it is
late, but whole. Less than the queues of `user/audio` hold."""
_KEPT_S = _CAPTURED_LAG_S + 1.0
_TOLD_AGAIN_S = _CAPTURED_LAG_S - 1.0


class MicrophoneNode(AvatarNode[MicrophoneSettings]):
    """Publishes `speech/audio` and obeys `speech/demand`; or publishes `user/audio`, what a visitor
    says, as it is captured: a file once, from when somebody listens, at the speed of its sound, and
    silence after it. Stamps of `user/audio` are capture times. A listener that comes in the place
    of one that died is told again what that one had not understood, of the last seconds."""

    KIND = "microphone"

    def setup(self) -> None:
        self._captured = self.settings.output == "user"
        self._unplugged = False
        self._source: AudioSource = self._open_source()
        self._sender = SampleSender(
            self._source,
            sample_rate=self.settings.sample_rate,
            chunk_samples=self.settings.chunk_samples,
            realtime=self._captured or self.settings.pace == "realtime",
            live_lag_s=_CAPTURED_LAG_S if self._captured else _LIVE_LAG_S,
        )
        self._stream = uuid.uuid4().hex
        self._audio = self.publisher(topics.USER_AUDIO if self._captured else topics.SPEECH_AUDIO)
        self._unheard = Unheard(
            sample_rate=self.settings.sample_rate, echo_s=self.settings.echo_s, kept_s=_KEPT_S
        )
        self._silent_since: tuple[float, int] | None = None

    def start(self) -> None:
        if isinstance(self._source, BufferSource) and not isinstance(self._source, DeviceSource):
            self.listen(topics.AUDIO_IN, self._on_audio)
        self._capturing = False
        self._watch: ListenerWatch | None = None
        if self._captured:
            self._watch = ListenerWatch(self, self._unheard, stream=lambda: self._stream)
            self.heartbeat.say(ready=True, detail="waiting for a listener")
        else:
            self.listen(topics.SPEECH_DEMAND, self._on_demand)
            self.heartbeat.say(ready=True, detail="waiting for a demand")
        self.every(_POLL_S, self._send)

    def teardown(self) -> None:
        if source := getattr(self, "_source", None):
            source.close()

    def _open_source(self) -> AudioSource:
        rate, kind = self.settings.sample_rate, self.settings.source
        if kind == "file":
            if not self.settings.file:
                raise ConfigurationError("parameter file: expected a sound file, got nothing")
            return FileSource(self.settings.file, sample_rate=rate)
        kept = {"seconds": _KEPT_S} if self._captured else {}
        if kind == "device":
            return DeviceSource(self.settings.device, sample_rate=rate, **kept)
        return BufferSource(sample_rate=rate, **kept)

    def _on_audio(self, msg: AudioChunk) -> None:
        samples = audio_from_msg(msg)
        assert isinstance(self._source, BufferSource)
        if len(samples):
            self._source.push(samples, sample_rate=msg.sample_rate, channels=msg.channels)
        if msg.end_of_stream:
            self._source.finish()

    def _on_demand(self, msg: AudioDemand) -> None:
        check_demand(msg)
        if msg.stream:
            self._stream = msg.stream
        self._sender.demand(msg.next_sample, msg.limit_sample, time.monotonic())
        self._send()

    def _send(self) -> None:
        now = time.monotonic()
        self._tell_of_device()
        if self._captured and not self._capturing:
            if not (self._source.live or self._audio.get_subscription_count()):
                return  # nothing of a file is lost
            self._capturing = True
            self._sender.demand(0, _ENDLESS, now)
            self.heartbeat.say(detail="capturing")
        if self._watch is not None:
            if self._watch.wait_for_it():
                return
            if self._watch.another_hears():
                self._tell_again()
        for run in self._sender.poll(now):
            if self._silent_since is not None and len(run.samples):
                self._begin_anew()
            over = run.end_of_stream and not self._captured
            self._publish(run.samples, run.first_sample, over)
            if not self._unplugged:
                doing = "the stream has ended" if run.end_of_stream else "speaking"
                self.heartbeat.say(detail=doing)
            if run.end_of_stream and self._silent_since is None:
                self._silent_since = (now, run.first_sample + len(run.samples))
        if self._captured and self._silent_since is not None:
            self._be_silent(now)
        self.telemetry.gauge("position_s", self._sender.next_sample / self.settings.sample_rate)
        self.telemetry.gauge("resent", self._sender.resent)
        self.telemetry.gauge("skipped", self._sender.skipped)
        if isinstance(self._source, BufferSource):
            self.telemetry.gauge("hurrying", int(self._source.hurrying))

    def _tell_again(self) -> None:
        """Another listener hears: what the one before it did not understand comes once more."""
        first = min(self._unheard.first_sample, self._sender.next_sample)
        if self._source.live:
            oldest = self._source.end - round(_TOLD_AGAIN_S * self.settings.sample_rate)
            first = max(first, self._source.first_held(), oldest)
        again_s = (self._sender.next_sample - first) / self.settings.sample_rate
        self.get_logger().info(f"another listener: {again_s:.1f} s are told again")
        if first < self._sender.next_sample:
            self._silent_since = None  # no other stream: that would be refused while this is alive
        self._unheard.begin_again(first)
        self._sender.start_over(first)

    def _tell_of_device(self) -> None:
        """A device that was unplugged is told of, here and on /diagnostics."""
        if not isinstance(self._source, DeviceSource):
            return
        problem = self._source.problem
        if bool(problem) != self._unplugged:
            self._unplugged = bool(problem)
            self.get_logger().warning(problem or "the sound device is back")
            detail = problem or "the sound device is back"
            self.heartbeat.say(ready=not problem, detail=detail)
        self.telemetry.gauge("reopened", self._source.reopened)

    def _be_silent(self, now: float) -> None:
        """After the last sound: who listens for its end must hear that nothing follows."""
        assert self._silent_since is not None
        since, first = self._silent_since
        count = min(round((now - since) * self.settings.sample_rate), self.settings.chunk_samples)
        if count > 0:
            self._publish(np.zeros(count, np.int16), first, False)
            self._silent_since = (since + count / self.settings.sample_rate, first + count)

    def _begin_anew(self) -> None:
        """Somebody speaks after an end: another stream. A listener refuses it while this one, now
        silent, is alive; of `speech/audio` the end was told with its last sound."""
        assert self._silent_since is not None
        if self._captured:
            self._publish(np.zeros(0, np.int16), self._silent_since[1], True)
        self._silent_since, self._stream = None, uuid.uuid4().hex

    def _publish(self, samples: np.ndarray, first_sample: int, end_of_stream: bool) -> None:
        msg = audio_to_msg(
            samples,
            stream=self._stream,
            sample_rate=self.settings.sample_rate,
            first_sample=first_sample,
            end_of_stream=end_of_stream,
        )
        stamp_ns = self.get_clock().now().nanoseconds
        if self._captured:  # its last sample was captured just now, or before the runs after it
            last = max(self._sender.next_sample, first_sample + len(samples))
            stamp_ns -= (last - first_sample) * 1_000_000_000 // self.settings.sample_rate
            self._unheard.sent(first_sample, stamp_ns)
        msg.header.stamp = stamp_of(stamp_ns)
        msg.header.frame_id = self.settings.source
        self._audio.publish(msg)
        self.telemetry.output()


def main() -> None:
    """Run the node as a process."""
    main_of(MicrophoneNode)


if __name__ == "__main__":
    main()
