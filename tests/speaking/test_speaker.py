"""Replies become streams: whole when they are let be, held, dropped and replaced when told so."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from support.waiting import wait_until

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.speaking.speaker import Speaker
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.spoken_reply import SpeechRun
from avatar_nodes.speaking.synthesis.espeak import EspeakSynthesiser
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser, UnspokenLanguageError
from avatar_nodes.speaking.turn_stream import turn_of

RATE = 16_000
LEAD = RATE
WINDOW = 23_040
PAUSE = round(0.2 * RATE)
SENTENCES = ("Yes.", "Hello there, I am very glad to see you.", "What is your name?", "👍", "")


class Consumer:
    """Takes what a speaker sends, as the conductor does, and keeps each stream's sound."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker
        self.sound: dict[str, list[np.ndarray]] = {}
        self.ended: set[str] = set()
        self.listened: set[str] = set()
        self.runs: list[SpeechRun] = []
        self.stream = ""

    def poll(self) -> list[SpeechRun]:
        runs = self.speaker.poll()
        self.runs += runs
        for run in runs:
            self.take(run)
        return runs

    def take(self, sent: SpeechRun) -> None:
        """Samples that were had before are left out, as long as they are the same."""
        stream, run = sent.stream, sent.run
        assert turn_of(stream) == sent.turn
        had = self.heard(stream)
        assert run.first_sample <= len(had), "a hole"
        again = had[run.first_sample : run.first_sample + len(run.samples)]
        assert np.array_equal(again, run.samples[: len(again)])
        fresh = run.samples[len(again) :]
        assert stream not in self.ended or not len(fresh)
        self.sound[stream] = [had, fresh]
        if run.end_of_stream:
            self.ended.add(stream)
        self.stream = stream

    def demand(self) -> None:
        if self.stream:
            first = len(self.heard(self.stream))
            self.speaker.demand(self.stream, first, first + WINDOW)

    def heard(self, stream: str) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int16), *self.sound.get(stream, [])])

    def heard_of(self, turn: int) -> int:
        """Samples of a turn's speech."""
        return sum(len(self.heard(name)) for name in self.sound if turn_of(name) == turn)

    def listen(self, turn: int) -> np.ndarray:
        """The whole speech of a turn that was not listened to before."""

        def over() -> bool:
            self.poll()
            self.demand()
            ours = turn_of(self.stream) == turn and self.stream not in self.listened
            return ours and self.stream in self.ended

        wait_until(over, what=f"the end of turn {turn}")
        self.listened.add(self.stream)
        return self.heard(self.stream)

    @property
    def unended(self) -> set[str]:
        return set(self.sound) - self.ended


@pytest.fixture
def espeak() -> EspeakSynthesiser:
    return EspeakSynthesiser(rate=300)


@pytest.fixture
def speaker(espeak: EspeakSynthesiser) -> Iterator[Speaker]:
    speaker = Speaker(espeak, gap_s=0.2)
    yield speaker
    speaker.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"speaker", "espeak"}


@pytest.fixture
def consumer(speaker: Speaker) -> Consumer:
    return Consumer(speaker)


def expected(*sentences: str) -> np.ndarray:
    """The sound of sentences said one after the other."""
    parts: list[np.ndarray] = []
    synthesiser = EspeakSynthesiser(rate=300)
    for text in sentences:
        if any(letter.isalnum() for letter in text):
            if parts:
                parts.append(np.zeros(PAUSE, np.int16))
            parts.extend(synthesiser.synthesise(text))
    synthesiser.close()
    return np.concatenate([np.zeros(0, np.int16), *parts])


def all_made(speaker: Speaker) -> bool:
    return speaker.reply is not None and speaker.reply.track.finished


def say(speaker: Speaker, turn: int, *sentences: str) -> None:
    for index, text in enumerate(sentences):
        assert speaker.say(turn, index, text, is_last=index == len(sentences) - 1)


def test_a_reply_is_one_stream_with_pauses_between_its_sentences(
    speaker: Speaker, consumer: Consumer
) -> None:
    say(speaker, 7, *SENTENCES)
    assert np.array_equal(consumer.listen(7), expected(*SENTENCES))
    assert len(consumer.sound) == 1
    reports = speaker.reports()
    assert [report.index for report in reports] == [0, 1, 2]
    assert all(report.sound_s > 0 and not report.error for report in reports)
    assert speaker.reports() == []
    times = [sent.first_sound_s for sent in consumer.runs]
    assert times[0] is not None and times[0] >= 0 and set(times[1:]) == {None}


def test_the_lead_goes_out_unasked_and_no_more(speaker: Speaker, consumer: Consumer) -> None:
    say(speaker, 1, SENTENCES[1], SENTENCES[1])

    def led() -> bool:
        consumer.poll()
        return len(consumer.heard(consumer.stream)) >= LEAD

    wait_until(led, what="the lead")
    wait_until(lambda: all_made(speaker), what="all of it to be made")
    assert consumer.poll() == []
    assert len(consumer.heard(consumer.stream)) == LEAD
    speaker.demand("turn-1-another", LEAD, 10**6)
    assert consumer.poll() == []
    speaker.demand(consumer.stream, LEAD, LEAD + 700)
    assert [len(sent.run.samples) for sent in consumer.poll()] == [640, 60]
    with pytest.raises(RefusedError, match="demanded") as refused:
        speaker.demand(consumer.stream, 10**9, 10**9)
    assert refused.value.reason == "order"


def test_a_restarted_consumer_gets_the_stream_from_where_it_is(
    speaker: Speaker, consumer: Consumer
) -> None:
    say(speaker, 1, *SENTENCES)
    whole = consumer.listen(1)
    stream = consumer.stream
    for name, first in ((stream, 5000), ("", 0)):
        restarted = Consumer(speaker)
        restarted.sound[stream] = [whole[:first]]
        restarted.stream = stream
        assert speaker.demand(name, first, first + WINDOW)
        assert np.array_equal(restarted.listen(1), whole)


def test_sentences_in_any_order_twice_and_with_one_lost(
    speaker: Speaker, consumer: Consumer
) -> None:
    assert speaker.say(1, 3, "Four.", is_last=True)
    assert speaker.say(1, 1, "Two.")
    assert speaker.say(1, 0, "One.")
    assert not speaker.say(1, 1, "Two again.")
    assert np.array_equal(consumer.listen(1), expected("One.", "Two.", "Four."))


def test_held_and_resumed_and_nothing_is_lost(speaker: Speaker, consumer: Consumer) -> None:
    speaker.pause(5)  # before the first sentence has come
    say(speaker, 5, SENTENCES[1], SENTENCES[2])
    wait_until(lambda: all_made(speaker), what="the synthesis")
    assert consumer.poll() == [] and speaker.held
    speaker.resume(4)  # an older turn: not this one
    assert consumer.poll() == []
    speaker.resume(5)
    assert consumer.poll() != []
    speaker.pause(6)  # and all before it
    consumer.demand()
    assert consumer.poll() == []
    speaker.resume(6)
    assert np.array_equal(consumer.listen(5), expected(SENTENCES[1], SENTENCES[2]))


def test_what_was_under_way_when_it_was_held_is_sent_again(
    speaker: Speaker, consumer: Consumer
) -> None:
    """A consumer that holds takes nothing and asks for nothing: it has not changed its demand."""
    say(speaker, 5, SENTENCES[1] * 3)
    wait_until(lambda: all_made(speaker), what="the synthesis")
    assert len(consumer.poll()) == 25
    speaker.demand(consumer.stream, LEAD, LEAD + WINDOW)
    lost = speaker.poll()
    assert sum(len(sent.run.samples) for sent in lost) == WINDOW
    speaker.pause(5)
    speaker.resume(5)
    assert np.array_equal(consumer.listen(5), expected(SENTENCES[1] * 3))


def test_cancel_drops_everything_and_ends_the_stream(speaker: Speaker, consumer: Consumer) -> None:
    speaker.say(3, 0, SENTENCES[1] * 20)
    wait_until(lambda: bool(consumer.poll()), what="the first sound")
    speaker.pause(3)
    speaker.cancel(3)
    (last,) = consumer.poll()
    assert last.run.end_of_stream and not len(last.run.samples)
    consumer.demand()
    assert not speaker.say(3, 1, "More.", is_last=True)
    assert not speaker.say(2, 0, "An older turn.")
    assert consumer.poll() == [] and consumer.unended == set()
    say(speaker, 4, "Next.")
    assert np.array_equal(consumer.listen(4), expected("Next."))


def test_cancelled_before_any_sound_there_is_no_stream(
    speaker: Speaker, consumer: Consumer
) -> None:
    speaker.cancel(9)
    assert not speaker.say(9, 0, "Never heard.", is_last=True)
    speaker.pause(10)
    say(speaker, 10, "Never heard either.")
    speaker.cancel(10)
    assert consumer.poll() == []


def test_a_newer_turn_replaces_the_one_before(speaker: Speaker, consumer: Consumer) -> None:
    speaker.say(1, 0, SENTENCES[1] * 20)
    wait_until(lambda: bool(consumer.poll()), what="the first sound")
    say(speaker, 2, "Two.")
    assert np.array_equal(consumer.listen(2), expected("Two."))
    assert [turn_of(stream) for stream in consumer.sound] == [1, 2]
    assert consumer.unended == set()
    assert not speaker.say(1, 1, "Late.")


def test_what_the_avatar_says_on_its_own(speaker: Speaker, consumer: Consumer) -> None:
    """Turn 0 comes again and again; turns before and after it go their way."""
    speaker.say(8, 0, SENTENCES[1] * 20)
    wait_until(lambda: bool(consumer.poll()), what="the first sound")
    for text in ("Welcome.", "Welcome back."):
        say(speaker, 0, text)
        assert np.array_equal(consumer.listen(0), expected(text))
    assert not speaker.say(8, 1, "Late.")
    speaker.say(0, 0, SENTENCES[1] * 20)
    wait_until(lambda: bool(consumer.poll()), what="the first sound")
    speaker.cancel(8)  # turns only
    assert not speaker.reply or not speaker.reply.dropped
    speaker.pause(0)
    speaker.cancel(0)
    assert not speaker.say(0, 1, "Late.")
    consumer.poll()
    consumer.listened |= consumer.ended
    say(speaker, 0, "And again.")
    consumer.listen(0)
    say(speaker, 9, "Nine.")
    consumer.listen(9)
    assert [turn_of(stream) for stream in consumer.sound] == [8, 0, 0, 0, 0, 9]
    assert consumer.unended == set()


def test_a_reply_without_words_is_an_empty_stream(speaker: Speaker, consumer: Consumer) -> None:
    say(speaker, 1, "👍", "")
    assert len(consumer.listen(1)) == 0


def test_a_reply_whose_rest_never_comes_is_ended(espeak: EspeakSynthesiser) -> None:
    speaker = Speaker(espeak, patience_s=0.2)
    consumer = Consumer(speaker)
    speaker.say(1, 0, "One.")
    assert np.array_equal(consumer.listen(1), expected("One."))
    assert speaker.given_up == 1
    speaker.close()


def test_synthesis_keeps_within_its_lead(espeak: EspeakSynthesiser) -> None:
    made = threading.Event()
    speaker = Speaker(espeak, lead_s=0.5, ahead_s=2.0, on_sound=made.set)
    consumer = Consumer(speaker)
    speaker.say(1, 0, SENTENCES[1] * 20, is_last=True)
    wait_until(lambda: speaker.reply is not None and speaker.reply.ahead >= 2 * RATE, what="sound")
    made.clear()
    assert not made.wait(0.2)
    assert speaker.reply is not None and speaker.reply.ahead < 2.2 * RATE
    assert np.array_equal(consumer.listen(1), expected(SENTENCES[1] * 20))
    speaker.close()


class Broken(Synthesiser):
    """A backend with faults: `fail` breaks off after some sound, `bug` at once, others go well."""

    name = "broken"

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        if "bug" in text:
            raise ZeroDivisionError
        emit(np.full(1000, len(text), np.int16), RATE)
        if "fail" in text:
            raise OSError("the line\nis dead")


def test_failing_sentences_are_skipped_and_the_stream_still_ends() -> None:
    speaker = Speaker(Broken(), sentence_pause_s=0.0)
    consumer = Consumer(speaker)
    say(speaker, 1, "good", "fail", "bug", "a" * 9999, "well")
    assert consumer.listen(1).tolist() == [4] * 3000
    errors = {report.index: report.error for report in speaker.reports()}
    assert errors[0] == errors[4] == ""
    assert errors[1] == "broken: the line is dead"
    assert errors[2] == "broken: ZeroDivisionError"
    assert "9999 characters" in errors[3]
    say(speaker, 2, "bug")
    assert len(consumer.listen(2)) == 0
    speaker.close()


def test_a_stand_in_speaks_what_the_voice_cannot(espeak: EspeakSynthesiser) -> None:
    speaker = Speaker(Broken(), sentence_pause_s=0.0, stand_in=espeak)
    consumer = Consumer(speaker)
    say(speaker, 1, "a" * 9999, "good")
    assert consumer.listen(1).tolist() == [4] * 1000, (
        "neither can say it, which is not the voice's fault"
    )
    say(speaker, 2, "bug", "good")
    assert np.array_equal(consumer.listen(2), np.concatenate([expected("bug"), expected("good")]))
    errors = [report.error for report in speaker.reports() if report.turn == 2]
    assert errors == ["broken: ZeroDivisionError"] * 2, "it is not tried again at once"
    speaker.close()


class English(Broken):
    """Speaks one language."""

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        if language not in ("", "en"):
            raise UnspokenLanguageError(f"no voice speaks {language}")
        super().speak(text, language, stream, emit)


@pytest.mark.parametrize("with_stand_in", [True, False])
def test_a_sentence_in_another_language_is_the_stand_in_s_alone(
    with_stand_in: bool, espeak: EspeakSynthesiser
) -> None:
    speaker = Speaker(English(), sentence_pause_s=0.0, stand_in=espeak if with_stand_in else None)
    consumer = Consumer(speaker)
    for index, (text, language) in enumerate([("one", "en"), ("zwei", "de"), ("three", "en")]):
        speaker.say(1, index, text, language=language, is_last=index == 2)
    heard = consumer.listen(1)
    assert (heard[:1000] == 3).all() and (heard[-1000:] == 5).all()
    assert (len(heard) > 3000) == with_stand_in
    errors = [report.error for report in speaker.reports()]
    assert errors == (["", "", ""] if with_stand_in else ["", "no voice speaks de", ""])
    speaker.close()


@pytest.mark.parametrize("seed", range(4))
def test_random_conversations_leave_no_stream_open(seed: int, espeak: EspeakSynthesiser) -> None:
    """25 replies each: sentences early, late, shuffled; held, resumed, dropped, replaced."""
    chance = random.Random(seed)
    speaker = Speaker(espeak, gap_s=5.0)
    consumer = Consumer(speaker)
    for turn in range(1, 26):
        texts = [chance.choice(SENTENCES) for _ in range(chance.randint(1, 4))]
        order = list(range(len(texts)))
        chance.shuffle(order)
        fate = chance.choice(["whole", "whole", "held", "cancelled", "replaced"])
        cut = chance.randint(0, len(order))
        for place, index in enumerate(order):
            if fate in ("held", "cancelled") and place == cut:
                speaker.pause(turn)
                before = consumer.heard_of(turn)
            speaker.say(turn, index, texts[index], is_last=index == len(texts) - 1)
            for _ in range(chance.randint(0, 3)):
                consumer.poll()
                consumer.demand()
        if fate == "held":
            assert cut == len(order) or consumer.heard_of(turn) == before
            speaker.resume(turn)
        if fate == "cancelled":
            speaker.cancel(turn)
            consumer.poll()
            assert consumer.unended == set()
        if fate in ("whole", "held"):
            assert np.array_equal(consumer.listen(turn), expected(*texts))
    speaker.cancel(26)
    consumer.poll()
    assert consumer.unended == set()
    assert consumer.poll() == []
    speaker.close()
