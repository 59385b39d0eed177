"""Sound in, turns and texts out: questions, coughs, gaps, and the avatar's own voice."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.visitor import (
    PHRASES,
    RATE,
    added,
    chunks,
    echo_of,
    say,
    silence,
    with_noise,
    words,
)
from support.waiting import wait_until

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.hearing.audio_processing import AudioProcessing, automatic_gain
from avatar_nodes.hearing.echo.echo import EchoControl
from avatar_nodes.hearing.echo.gate import EchoGate
from avatar_nodes.hearing.listening import Activity, Listening
from avatar_nodes.hearing.recognition.pocketsphinx import PocketSphinxRecogniser
from avatar_nodes.hearing.recognition.recogniser import Recognition
from avatar_nodes.hearing.recognition.worker import Heard
from avatar_nodes.hearing.settings import ListenerSettings
from avatar_nodes.hearing.sound_intake import SoundChunk
from avatar_nodes.hearing.turn_end import TurnEnd
from avatar_nodes.hearing.voice_activity import SileroVoiceActivity
from avatar_nodes.text.words import has_words

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class KeptRecogniser(PocketSphinxRecogniser):
    """Goes from one ear to the next: loading it takes longer than most of the tests."""

    def close(self) -> None:
        self.reset()


@pytest.fixture(scope="module")
def recogniser() -> KeptRecogniser:
    return KeptRecogniser(phrases=PHRASES)


@pytest.fixture(scope="module")
def silero() -> SileroVoiceActivity:
    return SileroVoiceActivity()


class Ear:
    """A listening under test; sound is handed over as fast as it goes, its time is in the
    stamps."""

    voice: SileroVoiceActivity
    recogniser: PocketSphinxRecogniser

    def __init__(
        self, mode: str = "none", known: Sequence[str] = (), turn_end: TurnEnd | None = None,
        gain: AudioProcessing | None = None, **settings: object,
    ) -> None:  # fmt: skip
        self.turn_clock = 1
        self.heard: list[Heard] = []
        self.errors: list[str] = []
        self.reports: list[Activity] = []
        self.listening = Listening(
            voice=self.voice,
            recogniser=self.recogniser,
            echo=EchoControl(mode),  # type: ignore[arg-type]
            gate=EchoGate(margin_db=6.0) if mode == "gate" else None,
            gain=gain,
            settings=ListenerSettings(backlog_s=100.0, **settings),  # type: ignore[arg-type]
            known=known,
            turn_end=turn_end,
            turn_clock=lambda: self.turn_clock,
            on_heard=self.heard.append,
            on_error=self.errors.append,
        )

    def hear(
        self, sound: np.ndarray, first: int = 0, *, stream: str = "visitor",
        avatar: np.ndarray | None = None, over: bool = False, patient: bool = False,
    ) -> None:  # fmt: skip
        for place, part in chunks(sound):
            at = first + place
            stamp = START + at * SECOND // RATE
            if avatar is not None:
                self.listening.play(avatar[place : place + len(part)], stamp)
            ends = over and place + len(part) == len(sound)
            chunk = SoundChunk(stream, at, part, RATE, 1, stamp, ends)
            self.reports += self.listening.hear(chunk, now_ns=stamp + 40_000_000)
            if patient:
                self.listening.catch_up()

    def finals(self, count: int) -> list[Heard]:
        """The final texts, when there are `count` of them."""
        wait_until(lambda: sum(h.is_final for h in self.heard) >= count, what="final texts")
        return [heard for heard in self.heard if heard.is_final]

    @property
    def last_pause_s(self) -> float:
        """The silence that ended the last turn."""
        ended = self.changes[-1]
        assert not ended.active
        return (ended.captured_ns - START) / SECOND - ended.since_sample / RATE

    @property
    def changes(self) -> list[Activity]:
        before, found = False, []
        for report in self.reports:
            if report.active != before:
                before, found = report.active, [*found, report]
        return found


@pytest.fixture
def make_ear(silero: SileroVoiceActivity, recogniser: KeptRecogniser) -> Iterator[type[Ear]]:
    """One ear at a time hears with the module's detector and recogniser."""
    made: list[Ear] = []

    class Closed(Ear):
        voice = silero

        def __init__(
            self, mode: str = "none", known: Sequence[str] = (), **settings: object
        ) -> None:
            for ear in made:
                ear.listening.close()
            self.recogniser = recogniser
            super().__init__(mode, known, **settings)
            made.append(self)

    threads = threading.active_count()
    yield Closed
    for ear in made:
        ear.listening.close()
        assert ear.errors == []
    assert threading.active_count() == threads


def around(speech: np.ndarray, before_s: float = 1.0, after_s: float = 1.0) -> np.ndarray:
    return with_noise(np.concatenate([silence(before_s), speech, silence(after_s)]))


class Verdict:
    """Says of each pause what the test has it say."""

    def __init__(self, verdict: float) -> None:
        self.verdict = verdict
        self.heard: list[np.ndarray] = []

    def complete(self, sound: np.ndarray) -> float:
        self.heard.append(sound)
        return self.verdict


@pytest.mark.parametrize(("verdict", "turns"), [(0.0, 1), (0.5, 2), (1.0, 2)])
def test_two_pieces_of_a_sentence_are_one_turn(
    make_ear: type[Ear], verdict: float, turns: int
) -> None:
    ear = make_ear(turn_end=Verdict(verdict))
    first, rest = say("Can you tell me"), say("where is the exit?")
    ear.hear(around(np.concatenate([first, silence(1.2), rest]), after_s=2.0))
    assert len(ear.finals(turns)) == turns
    assert len(ear.changes) == 2 * turns


@pytest.mark.parametrize(("verdict", "silence_s"), [(1.0, 0.3), (0.5, 0.4), (0.0, 1.6)])
def test_how_long_a_pause_ends_a_turn(
    make_ear: type[Ear], verdict: float, silence_s: float
) -> None:
    judge = Verdict(verdict)
    ear = make_ear(turn_end=judge)
    ear.hear(around(say("Where is the exit, please?"), after_s=3.0), patient=True)
    ear.finals(1)
    assert ear.last_pause_s == pytest.approx(silence_s, abs=0.07)
    assert [len(sound) > RATE for sound in judge.heard] == [True]


def test_a_question_is_a_turn_with_its_times_and_words(make_ear: type[Ear]) -> None:
    ear = make_ear()
    speech = say("Where is the exit, please?")
    ear.hear(around(speech))
    (final,) = ear.finals(1)
    assert words(final.recognition.text) == "where is the exit please".split()
    assert (final.turn, ear.listening.turn) == (1, 1)
    begin, end = START + SECOND, START + SECOND + len(speech) * SECOND // RATE
    assert abs(final.start_ns - begin) < 0.15 * SECOND
    assert abs(final.end_ns - end) < 0.25 * SECOND
    began, ended = ear.changes
    assert (began.active, ended.active) == (True, False)
    assert abs(began.since_sample - RATE) < 0.15 * RATE
    assert abs(ended.since_sample - (RATE + len(speech))) < 0.25 * RATE
    assert began.captured_ns - begin < 0.4 * SECOND
    places = [report.captured_ns for report in ear.reports]
    assert places == sorted(places)
    assert np.diff(places).max() <= 0.3 * SECOND


LONG_SILENCE = 3.0


@pytest.mark.parametrize(
    ("known", "ends"), [("where is the exit, please", True), ("Where is the entrance?", False)]
)
def test_a_known_sentence_ends_the_turn_at_its_first_pause(
    make_ear: type[Ear], known: str, ends: bool
) -> None:
    ear = make_ear(silence_s=LONG_SILENCE, known=[known])
    speech = say("Where is the exit, please?")
    sound = with_noise(np.concatenate([silence(1.0), speech, silence(0.6)]))
    ear.hear(sound)
    wait_until(lambda: any(heard.settled for heard in ear.heard), what="the pause's text")
    ear.hear(with_noise(silence(0.1)), len(sound))
    assert [change.active for change in ear.changes] == ([True, False] if ends else [True])
    if ends:
        (final,) = ear.finals(1)
        assert words(final.recognition.text) == "where is the exit please".split()


def test_a_visitor_who_goes_on_after_a_known_sentence_is_heard_to_the_end(
    make_ear: type[Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known in the first pause is told when he speaks again: too late to end the turn."""
    ear = make_ear(silence_s=LONG_SILENCE, known=["Who are you?"])
    begun, go, finish = threading.Event(), threading.Event(), ear.recogniser.finish

    def slowly() -> Recognition:
        begun.set()
        assert go.wait(60.0)
        return finish()

    monkeypatch.setattr(ear.recogniser, "finish", slowly)
    first, second = say("Who are you?"), say("Where is the exit, please?")
    pause = np.concatenate([silence(1.0), first, silence(0.35)])
    sound = with_noise(np.concatenate([pause, second, silence(0.6)]))
    middle = len(pause) + RATE // 2
    for place in range(0, len(pause), 640):
        ear.hear(sound[place : min(place + 640, len(pause))], place)
        wait_until(lambda: ear.listening.worker.backlog_s == 0.0, what="the sound to be taken")
    assert begun.wait(60.0)
    ear.hear(sound[len(pause) : middle], len(pause))
    go.set()
    wait_until(lambda: any(heard.settled for heard in ear.heard), what="the first pause's text")
    ear.hear(sound[middle:], middle)
    assert [change.active for change in ear.changes] == [True]
    ear.hear(with_noise(silence(3.2)), len(sound))
    (final,) = ear.finals(1)
    assert {"who", "exit"} <= set(words(final.recognition.text))


def test_turns_follow_each_other(make_ear: type[Ear]) -> None:
    ear = make_ear()
    parts = [around(say(text)) for text in ("Who are you?", "Please wave your hand.", "Goodbye!")]
    ear.hear(np.concatenate(parts))
    finals = ear.finals(3)
    assert [final.turn for final in finals] == [1, 2, 3]
    assert "you" in finals[0].recognition.text
    assert {"wave", "hand"} <= set(words(finals[1].recognition.text))
    assert [change.active for change in ear.changes] == [True, False] * 3


def test_a_turn_is_newer_than_whatever_was_numbered_by_the_same_clock(
    make_ear: type[Ear],
) -> None:
    """A visitor writes a question, and then speaks."""
    ear = make_ear()
    question = around(say("Who are you?"))
    ear.hear(question)
    ear.turn_clock = 5000
    ear.hear(question, len(question))
    ear.hear(question, 2 * len(question))
    assert [final.turn for final in ear.finals(3)] == [1, 5000, 5001]


def test_too_little_speech_is_a_turn_without_words(make_ear: type[Ear]) -> None:
    ear = make_ear(min_speech_s=0.06, min_utterance_s=0.8)
    ear.hear(around(say("Huh?")), patient=True)
    (final,) = ear.finals(1)
    assert (final.recognition.text, final.turn) == ("", 1)
    assert [heard for heard in ear.heard if not heard.is_final] == []
    assert [change.active for change in ear.changes] == [True, False]


@pytest.mark.parametrize(("syllable", "voice"), [("Huh?", "en-us+m3"), ("ah", "en-us")])
def test_a_cough_has_no_words_in_its_pause_either(
    make_ear: type[Ear], syllable: str, voice: str
) -> None:
    """0.16 s of a voice, in which the recogniser finds a word; one interim word would cut a reply
    off."""
    ear = make_ear()
    cough = say(syllable, voice)[: round(0.16 * RATE)]
    fade = np.linspace(1.0, 0.0, RATE // 100)
    cough[-len(fade) :] = np.rint(cough[-len(fade) :] * fade)
    ear.hear(around(cough), patient=True)
    (final,) = ear.finals(1)
    assert final.recognition.text == ""
    assert [heard for heard in ear.heard if not heard.is_final] == []
    understood = make_ear(min_utterance_s=0.1)
    understood.hear(around(cough))
    assert understood.finals(1)[0].recognition.text, "a cough that the recogniser takes for a word"


def test_silence_and_noise_are_no_turn(make_ear: type[Ear]) -> None:
    ear = make_ear()
    ear.hear(with_noise(silence(4.0), rms=800.0))
    assert (ear.changes, ear.listening.turn) == ([], 0)
    assert 10 <= len(ear.reports) <= 20


def test_a_gap_ends_the_turn_and_what_follows_is_another(make_ear: type[Ear]) -> None:
    ear = make_ear()
    speech = around(say("Can you show me the way to the station?"))
    half = len(speech) // 2
    ear.hear(speech[:half])
    ear.hear(speech[half:], first=half + 8000)
    finals = ear.finals(2)
    assert [final.turn for final in finals] == [1, 2]
    assert finals[0].end_ns <= START + half * SECOND // RATE
    assert finals[1].start_ns >= START + (half + 8000) * SECOND // RATE
    assert ear.listening.intake.gaps == 1
    assert [change.active for change in ear.changes] == [True, False] * 2


def test_a_visitor_without_an_echo_is_heard_from_his_first_word_while_the_avatar_plays(
    make_ear: type[Ear],
) -> None:
    ear = make_ear("none")
    question = around(say("Where is the exit, please?", "en-us+m3"))
    answer = say("We open at nine and close at six, every single day.", level=0.6)
    avatar = np.zeros(len(question), np.int16)
    overlap = RATE + RATE * 8 // 10  # around() begins with a second of silence
    avatar[:overlap] = answer[-overlap:]
    ear.hear(question, avatar=avatar)
    (final,) = ear.finals(1)
    # PocketSphinx's third word differs from one kind of CPU to another.
    assert words(final.recognition.text)[:2] == ["where", "is"]
    assert any(report.during_playback for report in ear.changes)


def test_a_headset_is_noticed_and_its_visitor_heard_on_top_of_the_avatar(
    make_ear: type[Ear],
) -> None:
    """With the canceller on, after some seconds in which none of the avatar came back."""
    avatar = avatar_speech()
    question = say("Where is the exit, please?", "en-us+m3")
    quiet = silence(len(avatar) / RATE)
    ear = make_ear("aec")
    ear.hear(with_noise(added(quiet, question, 6.0)), avatar=avatar)
    (final,) = ear.finals(1)
    assert words(final.recognition.text)[:3] == ["where", "is", "the"]
    assert ear.changes[0].during_playback
    assert 5.8 < ear.changes[0].since_sample / RATE < 6.3


def test_the_end_of_the_stream_ends_the_turn(make_ear: type[Ear]) -> None:
    ear = make_ear()
    ear.hear(around(say("What time is it?"), after_s=0.05), over=True)
    assert "time" in ear.finals(1)[0].recognition.text
    ear.hear(around(say("Who are you?")), stream="another")
    assert ear.finals(2)[1].turn == 2


def test_sound_that_stops_coming_ends_the_turn(make_ear: type[Ear]) -> None:
    ear = make_ear()
    sound = around(say("What time is it?"), after_s=0.0)
    ear.hear(sound)
    last = START + len(sound) * SECOND // RATE
    looks = [ear.listening.tick(last + look * SECOND // 4) for look in range(1, 20)]
    assert not any(looks[:7]), "not within 1.8 s"
    (ended,) = [report for reports in looks for report in reports]
    assert not ended.active
    assert "time" in ear.finals(1)[0].recognition.text


def test_a_process_kept_waiting_does_not_end_the_turn(make_ear: type[Ear]) -> None:
    ear = make_ear()
    sound = around(say("What time is it?"), after_s=1.0)
    half = len(sound) // 2
    ear.hear(sound[:half])
    assert ear.listening.tick(START + half * SECOND // RATE) == []
    assert ear.listening.tick(START + half * SECOND // RATE + 5 * SECOND) == []
    ear.hear(sound[half:], first=half)
    assert "time" in ear.finals(1)[0].recognition.text
    assert [change.active for change in ear.changes] == [True, False]


def test_another_stream_is_refused_while_one_is_heard(make_ear: type[Ear]) -> None:
    ear = make_ear()
    ear.hear(silence(0.2))
    with pytest.raises(RefusedError, match="goes on"):
        ear.hear(silence(0.2), stream="intruder")


def avatar_speech() -> np.ndarray:
    sentences = (
        "Good morning and welcome to the museum, my name is Ada.",
        "We open at nine and close at six, every day except Monday.",
        "You can buy a ticket at the desk on the left side of the hall.",
    )
    return np.concatenate([silence(0.5), *(say(text, level=0.6) for text in sentences)])


@pytest.mark.parametrize(
    ("mode", "delay_s", "gain"),
    [("aec", 0.02, 0.25), ("aec", 0.12, 0.7), ("aec", 0.3, 0.4), ("gate", 0.05, 0.25)],
)
def test_the_avatar_alone_is_no_visitor(
    make_ear: type[Ear], mode: str, delay_s: float, gain: float
) -> None:
    avatar = avatar_speech()
    echo = with_noise(echo_of(avatar, delay_s=delay_s, gain=gain))
    ear = make_ear(mode)
    ear.hear(echo, avatar=avatar)
    assert ear.changes == []
    assert sum(report.during_playback for report in ear.reports) > len(ear.reports) // 2
    deaf = make_ear("none")
    deaf.hear(echo, avatar=silence(len(avatar) / RATE))
    assert deaf.changes, "without a remedy, the echo is taken for a visitor"


@pytest.mark.parametrize(
    ("mode", "gain", "at_s"),
    [("aec", 0.25, 1.5), ("aec", 0.25, 6.0), ("aec", 0.5, 6.0), ("gate", 0.1, 6.0)],
)
def test_a_visitor_on_top_of_the_avatar_is_heard(
    make_ear: type[Ear], mode: str, gain: float, at_s: float
) -> None:
    avatar = avatar_speech()
    question = say("Where is the exit, please?", "en+m3")
    heard = added(echo_of(avatar, delay_s=0.06, gain=gain), question, at_s)
    ear = make_ear(mode)
    ear.hear(with_noise(heard), avatar=avatar)
    began = ear.changes[0]
    assert began.active and began.during_playback
    place = began.since_sample / RATE
    assert at_s - 0.2 < place < at_s + 1.2


def test_a_visitor_who_cuts_in_is_understood_when_the_avatar_stops(make_ear: type[Ear]) -> None:
    avatar = avatar_speech()
    at_s = 4.0
    avatar[round((at_s + 0.5) * RATE) :] = 0
    question = say("Please tell me about the museum.", "en-us+m3")
    heard = added(echo_of(avatar, delay_s=0.06, gain=0.25), question, at_s)
    ear = make_ear("aec")
    ear.hear(with_noise(heard), avatar=avatar)
    (final,) = ear.finals(1)
    assert "museum" in words(final.recognition.text)


@pytest.mark.parametrize(
    ("text", "verdict", "silence_s"),
    [
        ("My number is 555.", 1.0, 1.6),
        ("five five five", 0.5, 1.6),
        ("Hello, my name is...", 0.9, 1.6),
        ("My number is 555 123 4567.", 1.0, 0.3),
        ("Where is room 212?", 1.0, 0.3),
        ("Yes.", 0.0, 0.4),
        ("Yes.", 1.0, 0.3),
        ("Um.", 1.0, 1.6),
        ("", 1.0, 0.3),
    ],
)
def test_what_was_understood_says_how_long_a_pause_ends_a_turn(
    make_ear: type[Ear],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    verdict: float,
    silence_s: float,
) -> None:
    ear = make_ear(turn_end=Verdict(verdict))
    finish = ear.recogniser.finish
    monkeypatch.setattr(
        ear.recogniser, "finish", lambda: replace(finish(), text=text, language="en")
    )
    ear.hear(around(say("Where is the exit, please?"), after_s=3.0), patient=True)
    assert ear.finals(1)[0].recognition.text == text
    assert ear.last_pause_s == pytest.approx(silence_s, abs=0.07)
    assert all(heard.recognition.text or heard.is_final for heard in ear.heard)


@pytest.mark.parametrize("pause_s", [0.1, 0.2])
def test_a_pause_is_understood_as_early_as_the_recogniser_asks(
    make_ear: type[Ear], monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    """And the turn goes on all the same, if the visitor does: with all that he said."""
    ear = make_ear(turn_end=Verdict(0.5), interim_s=0.0)
    monkeypatch.setattr(ear.recogniser, "pause_s", pause_s)
    understood: list[float] = []
    finish, detector = ear.recogniser.finish, ear.listening._detector

    def noted() -> Recognition:
        understood.append((detector._next - detector._speech_end) / RATE)
        return finish()

    monkeypatch.setattr(ear.recogniser, "finish", noted)
    ear.hear(around(say("Where is the exit, please?"), after_s=3.0), patient=True)
    assert ear.finals(1)[0].recognition.text
    assert pause_s <= understood[-1] < pause_s + 0.08
    assert ear.last_pause_s == pytest.approx(0.4, abs=0.07)


def test_a_recogniser_that_is_late_holds_no_turn_open(
    make_ear: type[Ear], monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = make_ear(turn_end=Verdict(1.0))
    go, finish = threading.Event(), ear.recogniser.finish

    def late() -> Recognition:
        assert go.wait(60.0)
        return finish()

    monkeypatch.setattr(ear.recogniser, "finish", late)
    ear.hear(around(say("Where is the exit, please?"), after_s=3.0))
    assert ear.last_pause_s == pytest.approx(0.7, abs=0.07)
    go.set()
    assert "exit" in ear.finals(1)[0].recognition.text


def quieter(sound: np.ndarray, decibels: float) -> np.ndarray:
    return np.rint(sound * 10.0 ** (-decibels / 20.0)).astype(np.int16)


def television(seconds: float) -> np.ndarray:
    """Talks on and on, without a breath."""
    sentence = (
        "and the weather for tomorrow will be sunny with a few clouds in the north and some rain"
    )
    voices = ("en+m3", "en+f2", "en+m7", "en+f3", "en-us")
    said = np.concatenate([say(sentence, voice) for voice in voices])
    return np.tile(said, 1 + round(seconds * RATE) // len(said))[: round(seconds * RATE)]


@pytest.mark.parametrize("down_db", [0.0, 30.0, 46.0])
def test_a_quiet_voice_is_heard(make_ear: type[Ear], down_db: float) -> None:
    ear = make_ear(gain=automatic_gain())
    question = quieter(say("Where is the exit, please?", level=0.25), down_db)
    sound = np.concatenate([silence(1.0), question, silence(2.0), question, silence(2.0)])
    ear.hear(with_noise(sound, rms=1.0))
    assert all(has_words(final.recognition.text) for final in ear.finals(2))
    assert [change.active for change in ear.changes] == [True, False] * 2
    assert ear.changes[0].level_dbfs < -down_db - 20.0, "as it was captured"


def test_gain_makes_no_visitor_of_a_quiet_room(make_ear: type[Ear]) -> None:
    ear = make_ear(gain=automatic_gain())
    for number, rms in enumerate((1.0, 5.0, 50.0)):
        ear.hear(with_noise(silence(4.0), rms=rms), first=4 * RATE * number)
    assert ear.changes == []


def test_gain_leaves_an_echo_alone(make_ear: type[Ear]) -> None:
    avatar = avatar_speech()
    ear = make_ear("aec", gain=automatic_gain())
    ear.hear(with_noise(echo_of(avatar, delay_s=0.12, gain=0.5)), avatar=avatar)
    assert ear.changes == []


@pytest.mark.parametrize(("verdict", "within_s"), [(0.0, 5.0), (1.0, 2.0)])
def test_a_television_behind_the_visitor_holds_no_turn_open(
    make_ear: type[Ear], verdict: float, within_s: float
) -> None:
    ear = make_ear(turn_end=Verdict(verdict))
    behind = np.concatenate([silence(1.5), quieter(television(23.0), 26.0)])
    question = say("Where is the exit, please?")
    ear.hear(with_noise(added(behind, question, 1.0)), patient=True)
    began, ended = ear.changes  # it begins no turn of its own either
    assert (ended.captured_ns - began.captured_ns) / SECOND < len(question) / RATE + within_s
    assert "exit" in words(ear.finals(1)[0].recognition.text)


def test_what_talks_without_a_breath_is_nobody(make_ear: type[Ear]) -> None:
    ear = make_ear()
    noise = television(30.0)
    question = say("Where is the exit, please?")
    sound = np.concatenate([noise, silence(2.0), question, silence(1.0)])
    ear.hear(with_noise(sound))
    began, ended, again, _ = ear.changes
    assert (ended.captured_ns - began.captured_ns) / SECOND < 15.0
    assert again.since_sample == pytest.approx(32.0 * RATE, abs=0.2 * RATE), "then he is heard"


def test_a_quiet_visitor_after_a_loud_one_is_heard(make_ear: type[Ear]) -> None:
    ear = make_ear()
    question = say("Where is the exit, please?", level=0.8)
    ear.hear(around(np.concatenate([question, silence(1.0), quieter(question, 26.0)])))
    assert [change.active for change in ear.changes] == [True, False] * 2
