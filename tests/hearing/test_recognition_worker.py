"""The recognition's thread: every turn one final text, whatever the recogniser does."""

from __future__ import annotations

import threading

import numpy as np
from support.waiting import wait_until

from avatar_nodes.hearing.recognition.recogniser import Recognition
from avatar_nodes.hearing.recognition.worker import Heard, RecognitionWorker

PART = np.ones(1600, np.int16)


class Counter:
    """A recogniser whose words are how many samples it had; it can be held up, and fail."""

    interim_s = 0.0
    pause_s = 0.2

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.samples = self.finished = 0
        self.fails = self.fails_to_finish = False
        self.closed_by = ""

    def push(self, samples: np.ndarray) -> None:
        assert self.go.wait(60.0)
        if self.fails:
            raise RuntimeError("out of paper\nsecond line")
        self.samples += len(samples)

    def interim(self) -> str:
        return f"{self.samples} so far"

    def finish(self) -> Recognition:
        if self.fails_to_finish:
            raise RuntimeError("no more words")
        samples, self.samples = self.samples, 0
        self.finished += 1
        return Recognition(str(samples), 0.5, "en")

    def reset(self) -> None:
        self.samples = 0

    def close(self) -> None:
        self.closed_by = threading.current_thread().name


class Office:
    def __init__(self, **options: float) -> None:
        self.recogniser = Counter()
        self.heard: list[Heard] = []
        self.errors: list[str] = []
        self.worker = RecognitionWorker(
            self.recogniser, on_heard=self.heard.append, on_error=self.errors.append, **options
        )

    def turn(self, number: int, parts: int, *, words: bool = True) -> None:
        for _ in range(parts):
            self.worker.sound(number, PART, start_ns=number, end_ns=number + 1)
        self.worker.end(number, start_ns=number, end_ns=number + 2, words=words)

    @property
    def finals(self) -> list[tuple[int, str]]:
        return [(heard.turn, heard.recognition.text) for heard in self.heard if heard.is_final]


def test_every_turn_has_one_final_text_in_order() -> None:
    office = Office(interim_s=0.0)
    for number in range(1, 6):
        office.turn(number, number)
    wait_until(lambda: len(office.finals) == 5, what="the texts")
    office.worker.close()
    assert office.finals == [(n, str(1600 * n)) for n in range(1, 6)]
    assert [(heard.start_ns, heard.end_ns) for heard in office.heard] == [
        (n, n + 2) for n in range(1, 6)
    ]
    assert office.recogniser.closed_by == "recognition"


def test_interim_texts_come_in_between_and_in_a_pause() -> None:
    office = Office(interim_s=0.2)
    for number in range(1, 6):
        office.worker.sound(7, PART, start_ns=1, end_ns=2)
        wait_until(lambda n=number: office.recogniser.samples == 1600 * n, what="taken")
        wait_until(lambda n=number: len(office.heard) == n // 2, what="interim texts")
    office.worker.pause(7, start_ns=1, end_ns=2)
    wait_until(lambda: len(office.heard) == 3, what="the pause's text")
    office.worker.pause(7, start_ns=1, end_ns=2)
    office.worker.end(7, start_ns=1, end_ns=2, words=True)
    wait_until(lambda: len(office.finals) == 1, what="the final text")
    office.worker.close()
    texts = [heard.recognition.text for heard in office.heard]
    assert texts == ["3200 so far", "6400 so far", "8000", "8000"]
    assert [heard.settled for heard in office.heard] == [False, False, True, False]


def test_of_too_little_speech_no_interim_text_is_made() -> None:
    office = Office(interim_s=0.1)
    for number, words in enumerate((False, False, True), start=1):
        office.worker.sound(7, PART, start_ns=1, end_ns=2, words=words)
        wait_until(lambda n=number: office.recogniser.samples == 1600 * n, what="taken")
    wait_until(lambda: len(office.heard) == 1, what="the interim text")
    office.worker.close()
    assert [heard.recognition.text for heard in office.heard] == ["4800 so far"]


def test_the_final_text_is_made_in_the_pause() -> None:
    office = Office(interim_s=0.0)
    office.worker.sound(7, PART, start_ns=1, end_ns=2)
    office.worker.pause(7, start_ns=1, end_ns=2)
    wait_until(lambda: len(office.heard) == 1, what="the pause's text")
    assert office.recogniser.finished == 1
    office.worker.end(7, start_ns=1, end_ns=2, words=True)
    office.turn(8, 2)
    wait_until(lambda: len(office.finals) == 2, what="the final texts")
    office.worker.close()
    assert office.finals == [(7, "1600"), (8, "3200")]
    assert office.recogniser.finished == 2


def test_a_visitor_who_goes_on_after_a_pause_is_heard_from_the_beginning() -> None:
    office = Office(interim_s=0.0)
    for _ in range(2):
        office.worker.sound(7, PART, start_ns=1, end_ns=2)
        office.worker.pause(7, start_ns=1, end_ns=2)
        wait_until(lambda: not office.worker.backlog_s, what="the sound to be taken")
    office.turn(7, 1)
    wait_until(lambda: len(office.finals) == 1, what="the final text")
    office.worker.close()
    assert office.finals == [(7, "4800")]


def test_a_pause_before_a_turn_without_words_leaves_nothing_behind() -> None:
    office = Office(interim_s=0.0)
    office.worker.sound(7, PART, start_ns=1, end_ns=2)
    office.worker.pause(7, start_ns=1, end_ns=2)
    office.worker.end(7, start_ns=1, end_ns=2, words=False)
    office.turn(8, 2)
    wait_until(lambda: len(office.finals) == 2, what="the final texts")
    office.worker.close()
    assert office.finals == [(7, ""), (8, "3200")]


def test_a_turn_without_words_is_not_recognised() -> None:
    office = Office(interim_s=0.0)
    office.turn(1, 3, words=False)
    office.turn(2, 1)
    wait_until(lambda: len(office.finals) == 2, what="the texts")
    office.worker.close()
    assert office.finals == [(1, ""), (2, "1600")]


def test_too_much_sound_is_dropped_and_counted_but_no_end_is() -> None:
    office = Office(interim_s=0.0, backlog_s=0.5)
    office.recogniser.go.clear()
    office.worker.sound(1, PART, start_ns=0, end_ns=0)
    wait_until(lambda: office.worker.backlog_s == 0.0, what="the first part to be taken")
    office.turn(1, 8)
    assert office.worker.overloads == 3
    office.recogniser.go.set()
    wait_until(lambda: len(office.finals) == 1, what="the text")
    office.worker.close()
    assert office.finals == [(1, str(6 * 1600))]


def test_a_failing_recogniser_is_told_and_the_turn_still_ends() -> None:
    office = Office(interim_s=0.0)
    office.recogniser.fails = True
    office.turn(1, 1)
    wait_until(lambda: len(office.finals) == 1, what="an empty text")
    office.recogniser.fails = False
    office.turn(2, 1)
    wait_until(lambda: len(office.finals) == 2, what="a text")
    office.worker.close()
    assert office.errors == ["RuntimeError: out of paper"]
    assert office.finals == [(1, "0"), (2, "1600")]


def test_a_recogniser_that_fails_in_a_pause_hears_the_whole_turn_again() -> None:
    office = Office(interim_s=0.0)
    office.worker.sound(7, PART, start_ns=1, end_ns=2)
    wait_until(lambda: office.recogniser.samples == 1600, what="the sound to be taken")
    office.recogniser.fails_to_finish = True
    office.worker.pause(7, start_ns=1, end_ns=2)
    wait_until(lambda: len(office.errors) == 1, what="the failure")
    office.recogniser.fails_to_finish = False
    office.turn(7, 1)
    wait_until(lambda: len(office.finals) == 1, what="the final text")
    office.worker.close()
    assert office.finals == [(7, "3200")]


def test_closing_drops_what_waits_and_leaves_no_thread() -> None:
    before = threading.active_count()
    office = Office(interim_s=0.0)
    office.recogniser.go.clear()
    office.turn(1, 5)
    office.turn(2, 5)
    closer = threading.Thread(target=office.worker.close)
    closer.start()
    office.recogniser.go.set()
    closer.join(60.0)
    assert not closer.is_alive()
    assert threading.active_count() == before
    assert len(office.finals) < 2


def test_another_recogniser_takes_over_between_two_turns() -> None:
    office = Office(interim_s=0.0)
    other = Counter()
    office.worker.sound(1, PART, start_ns=1, end_ns=2)
    wait_until(lambda: office.recogniser.samples == 1600, what="the first half of a turn")
    office.worker.use(lambda: other)
    office.turn(1, 1)
    wait_until(lambda: len(office.finals) == 1, what="the turn")
    wait_until(lambda: office.recogniser.closed_by != "", what="the other recogniser")
    office.turn(2, 3)
    wait_until(lambda: len(office.finals) == 2, what="the next turn")
    office.worker.close()
    assert office.finals == [(1, "3200"), (2, "4800")]
    assert (office.recogniser.finished, other.finished) == (1, 1)
    assert not office.errors


def test_a_recogniser_that_cannot_be_opened_leaves_the_one_at_hand() -> None:
    office = Office(interim_s=0.0)

    def open_other() -> Counter:
        raise RuntimeError("no such model")

    office.worker.use(open_other)
    wait_until(lambda: bool(office.errors), what="the error")
    office.turn(1, 1)
    wait_until(lambda: len(office.finals) == 1, what="the turn")
    office.worker.close()
    assert office.errors == ["RuntimeError: no such model"]
    assert office.finals == [(1, "1600")]
