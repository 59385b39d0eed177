"""Sends one reply's samples as they are demanded; it is held, resumed or dropped at any moment."""

from __future__ import annotations

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.speaking.spoken_reply import SpeechRun, SpokenReply


class ReplyOutlet:
    """One reply is spoken at a time: a newer turn's replaces the one before. Turn 0 is what the
    avatar says on its own: it replaces whatever is spoken, and the next turn replaces it in turn. A
    stream of which something went out is always ended. Times are seconds of any monotonic clock.

    Args:
        chunk_samples: samples of a run at most.
        lead_s: how much of a reply goes out before it is demanded [s].
    """

    def __init__(self, *, sample_rate: int, chunk_samples: int, lead_s: float) -> None:
        self._rate, self._chunk = sample_rate, chunk_samples
        self._lead = round(lead_s * sample_rate)
        self._over_through = 0
        self._held_through = 0
        self._own_held = False
        self._ends: list[SpeechRun] = []
        self.reply: SpokenReply | None = None
        """The reply that is, or was last, spoken."""

    @property
    def held(self) -> bool:
        """Whether that reply is held."""
        if self.reply is None:
            return False
        turn = self.reply.turn
        return self._own_held if turn == 0 else turn <= self._held_through

    def begin(self, turn: int, now: float) -> bool:
        """Begin the reply of `turn`, dropping the one before; false: that turn is over."""
        if 0 < turn <= self._over_through:
            return False
        if self.reply is not None:
            self._drop(self.reply)
            self._over_through = max(self._over_through, self.reply.turn)
        self._over_through = max(self._over_through, turn - 1)
        if turn == 0:
            self._own_held = False
        self.reply = SpokenReply.begin(
            turn,
            now=now,
            sample_rate=self._rate,
            chunk_samples=self._chunk,
            lead_samples=self._lead,
        )
        return True

    def pause(self, turn: int) -> None:
        """Send nothing more of this turn and those before it, until `resume`; 0: of turn 0 only."""
        if turn == 0:
            self._own_held = True
        else:
            self._held_through = max(self._held_through, turn)

    def resume(self, turn: int) -> None:
        """Go on where this turn, and those before it, were held: behind the last sample that was
        demanded, since a consumer that holds takes nothing."""
        was_held = self.held
        if turn == 0:
            self._own_held = False
        elif turn >= self._held_through:
            self._held_through = 0
        if self.reply is not None and was_held and not self.held:
            self.reply.sender.start_over()

    def cancel(self, turn: int) -> bool:
        """Drop this turn's reply and those before it, also what has not come; 0: turn 0's only.
        Returns whether one was dropped."""
        reply = self.reply
        self._over_through = max(self._over_through, turn)
        if reply is None or not (reply.turn == turn or 0 < reply.turn <= turn):
            return False
        return self._drop(reply)

    def demand(self, stream: str, next_sample: int, limit_sample: int, now: float) -> bool:
        """Take what the consumer has and allows (see `SampleSender.demand`); false: it is not for
        the stream that is spoken. An empty stream means whichever there is.

        Raises:
            RefusedError: samples are said to be there that were never made.
        """
        reply = self.reply
        if reply is None or reply.dropped or stream not in ("", reply.stream):
            return False
        if next_sample > reply.track.end:
            if not stream:
                return False
            raise RefusedError("order", f"sample {next_sample} of {reply.track.end} demanded")
        if not stream:
            reply.sender.start_over(next_sample)
        reply.sender.demand(next_sample, limit_sample, now)
        return True

    def poll(self, now: float) -> list[SpeechRun]:
        """What is to be sent now, in this order."""
        runs, self._ends = self._ends, []
        if self.reply is not None and not self.reply.dropped and not self.held:
            runs += self.reply.poll(now)
        return runs

    def _drop(self, reply: SpokenReply) -> bool:
        """Returns whether it was not dropped before."""
        if reply.dropped:
            return False
        end = reply.drop()
        if end is not None:
            self._ends.append(end)
        return True
