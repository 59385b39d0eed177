"""A conversation with a Realtime server: what the visitor says goes to it, what it answers becomes
the avatar's speech."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
import soxr

from avatar_nodes.mind.reply import Segment
from avatar_nodes.realtime import client_events as tell
from avatar_nodes.realtime import server_events as told
from avatar_nodes.realtime.asks import Asks
from avatar_nodes.realtime.client_events import ClientEvent, Role
from avatar_nodes.realtime.connection import Closed, News, Opened
from avatar_nodes.realtime.response import Response
from avatar_nodes.realtime.server_events import Dialect, read_event
from avatar_nodes.realtime.settings import RealtimeSettings
from avatar_nodes.realtime.user_turns import UserTurn, UserTurns
from avatar_nodes.sound.audio_file import float_from_pcm, pcm_from_float
from avatar_nodes.speaking.reply_outlet import ReplyOutlet
from avatar_nodes.speaking.spoken_reply import MAX_REPLY_S, SpeechRun
from avatar_nodes.text.words import clean_text, has_words

_GREETING_S = 2.0
"""A server that has not told of its session by then is told of it all the same."""
_CANCELLING_S = 2.0
"""An answer that was cancelled has ended by then, whether the server says so or not."""
_REMEMBERED = 64
_SECOND_NS = 1_000_000_000


class SessionOutput(Protocol):
    """Who is told what comes of the conversation; called by whoever calls the session."""

    def send(self, event: ClientEvent) -> None:
        """To the server."""
        ...

    def renew(self) -> None:
        """Leave this session of the server for another."""
        ...

    def activity(self, turn: UserTurn) -> None:
        """The visitor speaks, or no longer does."""
        ...

    def utterance(self, turn: UserTurn, *, is_final: bool) -> None:
        """What the visitor said, as far as it is written down."""
        ...

    def answer(self, turn: int) -> None:
        """The answer to a turn begins."""
        ...

    def speak(self, segment: Segment) -> None:
        """A sentence of an answer, or that it is broken off."""
        ...

    def complain(self, line: str) -> None:
        """What went wrong."""
        ...


class RealtimeSession:
    """Without threads and network: `news` is what the connection has, events go to `out`. Times are
    seconds of `clock`, or (`_ns`) nanoseconds since 1970.

    The server decides when the visitor speaks and when his turn is over. What it answers is sent as
    it is demanded (`demand`, `poll`, as of a voice). A visitor who speaks into an answer cuts it:
    the rest is dropped, and the server told how much was heard (`played`).

    Args:
        instructions: what the model is told of itself. language: of its answers, BCP 47.
        number: gives a turn that begins now its number.
    """

    def __init__(
        self, settings: RealtimeSettings, out: SessionOutput, *, instructions: str, language: str,
        number: Callable[[], int], clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._settings, self._out = settings, out
        self._instructions, self._language = instructions, language
        self._take_number, self._clock = number, clock
        self._turns = UserTurns(self._number)
        self._outlet = ReplyOutlet(
            sample_rate=settings.sample_rate,
            chunk_samples=settings.chunk_samples,
            lead_s=settings.lead_s,
        )
        self._dialogue: deque[tuple[Role, str]] = deque(maxlen=2 * settings.dialogue_turns)
        self._last_said = clock()
        self._numbered: deque[int] = deque(maxlen=_REMEMBERED)
        self._sounding: Response | None = None
        self._open = False
        self._forget_session()

    @property
    def connected(self) -> bool:
        """The server has a session for us."""
        return self._dialect is not None

    @property
    def speaking(self) -> UserTurn | None:
        """The turn in which the visitor is speaking."""
        return self._turns.speaking

    @property
    def held(self) -> bool:
        """The answer that is heard is held."""
        return self._outlet.held

    def news(self, news: News, now_ns: int) -> None:
        """Take what the connection has. Raises ServerEventError: no event of the protocol."""
        match news:
            case Opened():
                self._forget_session()
                self._open, self._opened = True, self._clock()
            case Closed(reason):
                self._close(reason, now_ns)
            case _:
                self._event(news, now_ns)

    def knows(self, turn: int) -> bool:
        """Whether the turn was numbered here: it was not written."""
        return turn in self._numbered

    def hear(self, samples: np.ndarray, captured_ns: int) -> None:
        """What the visitor's microphone has: int16 [n] mono at the graph's rate, each piece after
        the one before."""
        self._captured_ns = captured_ns + len(samples) * _SECOND_NS // self._settings.sample_rate
        if self.connected:
            sound = pcm_from_float(self._resampler.resample_chunk(float_from_pcm(samples)))
            self._sent += len(samples)
            if len(sound):
                self._out.send(tell.append_sound(sound))

    def played(self, samples: np.ndarray) -> None:
        """What the avatar says just now, int16 [n] at the graph's rate."""
        response, reply = self._sounding, self._outlet.reply
        if response is None or reply is None or not reply.sounded or self.held:
            return
        rate = self._settings.sample_rate
        if not response.heard_s:
            if not samples.any():
                return
            # Silence with which the answer begins cannot be told from that before it.
            made = np.flatnonzero(reply.track.read(0, reply.track.end))
            response.heard_s = (int(made[0]) if len(made) else 0) / rate
        response.heard_s += len(samples) / rate

    def write(self, turn: int, text: str) -> None:
        """The visitor has written instead of speaking; of turn 0: the avatar is to say it."""
        if not self.connected:
            self._out.speak(Segment(turn, 0, "", cancelled=True))
            self._out.complain("there is no connection")
            return
        self._last_said = self._clock()
        self._asks.add(turn, text)
        self._ask()

    def pause(self, turn: int) -> None:
        """See `ReplyOutlet.pause`."""
        self._outlet.pause(turn)

    def resume(self, turn: int) -> None:
        """See `ReplyOutlet.resume`."""
        self._outlet.resume(turn)

    def cancel(self, turn: int) -> None:
        """See `ReplyOutlet.cancel`; the server makes no more of it."""
        self._asks.cancel(turn)
        if self._outlet.cancel(turn) and self._sounding is not None:
            self._break_off(self._sounding)

    def demand(self, stream: str, next_sample: int, limit_sample: int) -> None:
        """See `ReplyOutlet.demand`. Raises RefusedError."""
        self._outlet.demand(stream, next_sample, limit_sample, self._clock())

    def poll(self) -> list[SpeechRun]:
        """Samples that are to be sent now."""
        return self._outlet.poll(self._clock())

    def tick(self) -> None:
        """Call a few times a second."""
        now = self._clock()
        if self._open and not self.connected and now - self._opened > _GREETING_S:
            self._describe("ga")
        since = self._breaking_since
        if self._asks.waiting and since is not None and now - since > _CANCELLING_S:
            self._over.extend(self._making)
            self._making.clear()
            self._ask()
        idle_s = self._settings.forget_after_s
        busy = bool(self._making or self._turns.speaking)
        if idle_s and self._dialogue and not busy and now - self._last_said > idle_s:
            self.forget()

    def forget(self) -> None:
        """The next visitor is somebody else."""
        self._dialogue.clear()
        self._out.renew()

    def _number(self) -> int:
        self._numbered.append(self._take_number())
        return self._numbered[-1]

    def _forget_session(self) -> None:
        """Nothing that an earlier session of the server knew of is left."""
        self._dialect: Dialect | None = None
        self._settled = self._retried = False
        self._turns.forget()
        self._making: dict[str, Response] = {}
        self._over: deque[str] = deque(maxlen=_REMEMBERED)
        self._asks = Asks()
        self._breaking_since: float | None = None
        self._resampler = soxr.ResampleStream(
            self._settings.sample_rate, tell.RATE, 1, dtype="float32"
        )
        self._sent = self._captured_ns = 0
        self._opened = 0.0

    def _close(self, reason: str, now_ns: int) -> None:
        """What was under way ends with what there is of it."""
        if (speaking := self._turns.stop("", now_ns)) is not None:
            self._out.activity(speaking)
        for turn in self._turns.pending():
            self._understand(turn, turn.text)
        for response in list(self._making.values()):
            self._finish(response, "the connection is lost")
        unanswered = self._asks.turns()
        if (turn_over := self._turns.unanswered) is not None:
            unanswered.append(turn_over.turn)
        for number in unanswered:
            self._out.speak(Segment(number, 0, "", cancelled=True))
        self._forget_session()
        self._open = False
        if reason:
            self._out.complain(f"no connection: {reason}")

    def _event(self, message: str | bytes, now_ns: int) -> None:
        match read_event(message):
            case told.SessionCreated(dialect):
                if not self.connected:
                    self._describe(dialect)
            case told.SessionUpdated():
                self._settled = True
            case told.SpeechStarted(item, at_ms):
                self._speech_starts(item, self._at_ns(at_ms, now_ns))
            case told.SpeechStopped(item, at_ms):
                self._speech_stops(item, self._at_ns(at_ms, now_ns))
            case told.InputText() as text:
                self._input_text(text)
            case told.ResponseCreated(identity, tag):
                if identity not in self._making and identity not in self._over:
                    self._begin(identity, tag)
            case told.AudioDelta() as delta:
                self._sound(delta)
            case told.OutputText(identity, text):
                self._text(identity, text)
            case told.ResponseDone(identity, problem):
                if (response := self._response(identity)) is not None:
                    self._finish(response, problem)
                    self._ask()
            case told.ServerError() as error:
                self._refused(error)

    def _describe(self, dialect: Dialect) -> None:
        """Tell the server what it is to be, and what was said before it came."""
        first, self._dialect = self._dialect is None, dialect
        self._out.send(tell.describe_session(self._settings, self._instructions, dialect))
        for role, text in self._dialogue if first else ():
            self._out.send(tell.add_text(role, text, dialect))

    def _at_ns(self, at_ms: int | None, now_ns: int) -> int:
        """When the sound was captured that lies `at_ms` after the session's first; never in the
        future."""
        if at_ms is None or not self._captured_ns:
            return now_ns
        since_ns = self._sent * _SECOND_NS // self._settings.sample_rate - at_ms * 1_000_000
        return min(now_ns, self._captured_ns - max(0, since_ns))

    def _speech_starts(self, item: str, at_ns: int) -> None:
        if (before := self._turns.stop("", at_ns)) is not None:
            self._out.activity(before)
        for turn in self._turns.pending():
            self._understand(turn, turn.text)
        self._last_said = self._clock()
        self._out.activity(self._turns.start(item, at_ns))
        heard = self._sounding
        if self._settings.barge_in and heard is not None and not heard.heard_out:
            self._break_off(heard)
            self._out.speak(Segment(heard.turn, 0, "", cancelled=True))

    def _speech_stops(self, item: str, at_ns: int) -> None:
        turn = self._turns.stop(item, at_ns)
        if turn is not None:
            self._out.activity(turn)
            if not self._settings.transcription:
                self._understand(turn, "")

    def _input_text(self, heard: told.InputText) -> None:
        turn = self._turns.of(heard.item)
        if turn is None or turn.understood:
            return
        if heard.is_final:
            self._understand(turn, heard.text or turn.text)
        else:
            turn.text = clean_text(turn.text + heard.text)
            if has_words(turn.text):
                self._out.utterance(turn, is_final=False)

    def _understand(self, turn: UserTurn, text: str) -> None:
        turn.text, turn.understood = clean_text(text), True
        if has_words(turn.text):
            self._dialogue.append(("user", turn.text))
        self._out.utterance(turn, is_final=True)

    def _turn_of_answer(self, tag: str) -> tuple[int, bool]:
        """Whom an answer is for: who asked for it, else who spoke last, else nobody; and whether
        it is wanted: not while the visitor goes on."""
        turn = self._turns.unanswered
        ask = self._asks.claim(tag, else_any=turn is None)  # a server may keep no tags
        if ask is not None:
            return ask.turn, ask.wanted
        wanted = not (self._settings.barge_in and self._turns.speaking)
        if turn is None:
            return self._number(), wanted
        turn.answered = True
        return turn.turn, wanted

    def _begin(self, identity: str, tag: str) -> Response:
        turn, wanted = self._turn_of_answer(tag)
        response = Response(
            identity, turn, language=self._language, sample_rate=self._settings.sample_rate
        )
        self._making[identity] = response
        if wanted and self._sounding is not None:
            self._break_off(self._sounding)
        if wanted and self._outlet.begin(turn, self._clock()):
            self._sounding = response
            if response.turn:
                self._out.answer(response.turn)
        else:  # somebody speaks, or has spoken since, or an operator has stopped it
            self._break_off(response)
        return response

    def _response(self, identity: str) -> Response | None:
        """The answer that something belongs to; None: one that is over. A server may name none."""
        if not identity and len(self._making) == 1:
            return next(iter(self._making.values()))
        return self._making.get(identity)

    def _sound(self, delta: told.AudioDelta) -> None:
        response = self._response(delta.response)
        if response is None and delta.response and delta.response not in self._over:
            response = self._begin(delta.response, "")  # a server that does not announce it
        reply = self._outlet.reply
        if response is None or not response.wanted or reply is None:
            return
        self._last_said = self._clock()
        samples = response.sound(delta)
        if reply.track.end < MAX_REPLY_S * self._settings.sample_rate:
            reply.track.append(samples)

    def _text(self, identity: str, text: str) -> None:
        response = self._response(identity)
        if response is not None and response.wanted:
            for index, sentence in response.says(text):
                self._speak(response, index, sentence)

    def _speak(self, response: Response, index: int, text: str, *, is_last: bool = False) -> None:
        if response.turn:  # what the avatar says on its own is known
            self._out.speak(Segment(response.turn, index, text, is_last=is_last))

    def _finish(self, response: Response, problem: str) -> None:
        """The server makes no more of it."""
        self._making.pop(response.identity, None)
        self._over.append(response.identity)
        response.done = True
        reply = self._outlet.reply
        if not response.wanted or reply is None:
            return
        if problem:
            self._out.complain(f"turn {response.turn}: {problem}")
        if not response.length_s:
            self._outlet.cancel(response.turn)
            self._sounding = None
            self._out.speak(Segment(response.turn, 0, "", cancelled=True))
            return
        reply.track.append(response.rest_of_sound())
        reply.track.finish()
        rest = response.rest_of_text()
        for index, sentence in rest:
            self._speak(response, index, sentence, is_last=(index, sentence) == rest[-1])
        self._remember(response)

    def _break_off(self, response: Response) -> None:
        """It is not wanted any more; the server is told how much of it was heard."""
        was_wanted, response.wanted = response.wanted, False
        if response is self._sounding:
            self._sounding = None
            self._outlet.cancel(response.turn)
        if response.identity in self._making:
            self._out.send(tell.cancel_response(response.identity))
            if was_wanted:
                self._remember(response)
        if response.turn:
            for item, index, heard_ms in response.unheard_parts():
                self._out.send(tell.truncate(item, index, heard_ms))

    def _remember(self, response: Response) -> None:
        if response.turn and has_words(response.text):
            self._dialogue.append(("assistant", clean_text(response.text)))

    def _ask(self) -> None:
        """Let the server make what is asked for, once it makes nothing else."""
        if not self._asks.waiting or self._dialect is None:
            return
        if self._making:
            if self._breaking_since is None:
                self._breaking_since = self._clock()
                for response in list(self._making.values()):
                    self._break_off(response)
            return
        self._breaking_since = None
        if (next_one := self._asks.take()) is None:
            return
        tag, ask = next_one
        if ask.turn:
            self._dialogue.append(("user", ask.text))
            self._out.send(tell.add_text("user", ask.text, self._dialect))
            self._out.send(tell.create_response(tag))
        else:
            self._out.send(tell.recite(tag, ask.text))

    def _refused(self, error: told.ServerError) -> None:
        if error.event == tell.CANCEL:
            return
        of_session = error.event == tell.SESSION_UPDATE or not (error.event or self._settled)
        if of_session and self._dialect is not None and not self._retried:
            self._retried = True
            self._describe("beta" if self._dialect == "ga" else "ga")
            return
        nameless = not (error.event or self._making)
        if (ask := self._asks.claim(error.event, else_any=nameless)) is not None:
            self._out.speak(Segment(ask.turn, 0, "", cancelled=True))
        self._out.complain(f"{error.code}: {error.message}" if error.code else error.message)
