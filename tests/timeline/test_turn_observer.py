"""Timelines come out the same, in whatever order and mixture the events of turns arrive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_nodes.timeline.turn_observer import TurnObserver
from avatar_nodes.timeline.turn_timeline import TurnTimeline

MS = 1_000_000
SECOND = 1000 * MS
FRAME = 640
FRAME_NS = 40 * MS
BLOCK = 12 * FRAME
START = 1_000 * SECOND
LATER = START + 1000 * SECOND

Event = Callable[[TurnObserver], None]


def observer() -> TurnObserver:
    return TurnObserver(frame_samples=FRAME, frame_ns=FRAME_NS)


class ScriptedTurn:
    """A turn whose reply has two and a half blocks of sound, which `voice` decides: that of another
    number is found nowhere else."""

    def __init__(self, number: int, begin: int = START, *, voice: int | None = None) -> None:
        self.number = number
        self.begin = begin
        self.stream = f"turn-{number}-abc"
        sound = np.random.default_rng(number if voice is None else voice).integers(
            1, 30_000, 2 * BLOCK + BLOCK // 2
        )
        self.sound = sound.astype(np.int16)
        self.whole = TurnTimeline(
            turn=number,
            speech_started=begin,
            speech_ended=begin + 2000 * MS,
            turn_detected=begin + 2400 * MS,
            utterance_ready=begin + 2500 * MS,
            first_token=begin + 2550 * MS,
            first_segment=begin + 2560 * MS,
            first_sound=begin + 2600 * MS,
            first_block=begin + 2700 * MS,
            first_frame=begin + 2900 * MS,
            # 30 frames of sound; the last is heard 29 frames after the first
            reply_ended=begin + 2900 * MS + 29 * FRAME_NS,
        )

    def events(self) -> list[Event]:
        whole, number = self.whole, self.number
        return [
            *(self.activity(active, stamp) for active, stamp in (
                (True, whole.speech_started + 100 * MS),
                (True, whole.speech_started + 400 * MS),
                (False, whole.turn_detected),
                (False, whole.turn_detected + 300 * MS),
            )),
            lambda o: o.utterance(
                number, is_final=False, has_words=True, start=whole.speech_started,
                end=whole.speech_started + SECOND, stamp=whole.speech_ended,
            ),
            lambda o: o.utterance(
                number, is_final=True, has_words=True, start=whole.speech_started,
                end=whole.speech_ended, stamp=whole.utterance_ready,
            ),
            lambda o: o.intent(number, stamp=whole.first_token),
            lambda o: o.intent(number, stamp=whole.first_token + SECOND),
            lambda o: o.segment(number, has_words=True, stamp=whole.first_segment),
            lambda o: o.segment(number, has_words=False, stamp=whole.first_segment + MS),
            *self.speech(),
            *self.blocks(),
            *self.frames(),
        ]  # fmt: skip

    def activity(self, active: bool, stamp: int) -> Event:
        since = self.number * 10 + active
        return lambda o: o.activity("mic", active=active, since_sample=since, stamp=stamp)

    def speech(self) -> list[Event]:
        def chunk(first: int) -> Event:
            return lambda o: o.speech(
                self.stream,
                first_sample=first,
                count=min(BLOCK, len(self.sound) - first),
                end_of_stream=first + BLOCK >= len(self.sound),
                stamp=self.whole.first_sound + first,
            )

        return [chunk(first) for first in range(0, len(self.sound), BLOCK)]

    def blocks(self) -> list[Event]:
        def block(first: int) -> Event:
            sound = np.zeros(BLOCK, np.int16)
            part = self.sound[first : first + BLOCK]
            sound[: len(part)] = part
            return lambda o: o.block(
                self.stream,
                samples=sound,
                next_sample=first + len(part),
                stamp=self.whole.first_block + first,
            )

        return [block(first) for first in range(0, len(self.sound), BLOCK)]

    def frames(self) -> list[Event]:
        def frame(place: int) -> Event:
            sound = self.sound[place * FRAME : (place + 1) * FRAME]
            stamp = self.whole.first_frame + place * FRAME_NS
            return lambda o: o.heard(sound, stamp=stamp)

        return [frame(place) for place in range(len(self.sound) // FRAME)]


def last_of_each(news: list[TurnTimeline]) -> dict[int, TurnTimeline]:
    return {timeline.turn: timeline for timeline in news}


def run(*events: Event, watch: TurnObserver | None = None) -> list[TurnTimeline]:
    watch = watch or observer()
    news: list[TurnTimeline] = []
    for event in events:
        event(watch)
        news += watch.news()
    return news


def test_a_turn_is_told_milestone_by_milestone_and_then_forgotten() -> None:
    turn, watch = ScriptedTurn(3), observer()
    news = run(*turn.events(), watch=watch)
    reached = [timeline.durations() for timeline in news]
    assert news[-1] == turn.whole
    assert all(set(one) <= set(other) for one, other in pairwise(reached))
    assert len(news) == 7  # final text with silence, token, segment, sound, block, frame, end
    watch.tick(LATER)
    assert watch.news() == [replace(turn.whole, over=True)] and watch.open == 0
    assert run(*turn.events(), watch=watch) == []  # what comes late is of no turn


@settings(max_examples=60)
@given(st.permutations(range(len(ScriptedTurn(3).events()))))
def test_any_order_gives_the_same_timeline(order: list[int]) -> None:
    turn = ScriptedTurn(3)
    events = turn.events()
    news = run(*(events[place] for place in order))
    assert news[-1] == turn.whole


@settings(max_examples=60)
@given(st.data())
def test_turns_that_overlap_do_not_mix(data: st.DataObject) -> None:
    """Events of three turns, each turn's in order, dealt out like cards."""
    turns = [ScriptedTurn(number, START + number * SECOND) for number in (1, 2, 3)]
    hands = [turn.events() for turn in turns]
    dealt: list[Event] = []
    while any(hands):
        hand = data.draw(st.sampled_from([hand for hand in hands if hand]))
        dealt.append(hand.pop(0))
    found = last_of_each(run(*dealt))
    for turn in turns:
        # The silence before a final text may be that of the turn before, which ended meanwhile.
        assert replace(found[turn.number], turn_detected=0) == replace(turn.whole, turn_detected=0)


@pytest.mark.parametrize("over", [True, False])
def test_the_same_words_twice_in_a_row_are_two_replies(over: bool) -> None:
    """Whether the first turn was closed before the second, or is still looked at."""
    first = ScriptedTurn(1)
    again = ScriptedTurn(2, START + 6 * SECOND, voice=1)
    assert np.array_equal(first.sound, again.sound)
    watch = observer()
    assert run(*first.events(), watch=watch)[-1] == first.whole
    if over:
        watch.tick(START + 5 * SECOND)
        assert watch.news() == [replace(first.whole, over=True)]
    found = last_of_each(run(*again.events(), watch=watch))
    assert found == {2: again.whole}


def test_a_frame_that_was_heard_before_the_reply_was_made_is_another_s() -> None:
    """As when somebody else had said it, whose turn is not known."""
    first, again = ScriptedTurn(1), ScriptedTurn(2, START + 6 * SECOND, voice=1)
    watch = observer()
    assert run(*first.frames(), watch=watch) == []
    assert run(*again.events(), watch=watch)[-1] == again.whole


def test_a_reply_that_is_cut_short_ends_with_the_last_frame_heard() -> None:
    turn, watch = ScriptedTurn(3), observer()
    cut = turn.whole.first_frame + 5 * FRAME_NS
    heard = turn.frames()
    run(*turn.events()[:-30], *heard[:5], watch=watch)
    watch.cancelled(3, stamp=cut)
    run(heard[5], watch=watch)  # was under way
    watch.heard(np.zeros(FRAME, np.int16), stamp=cut + FRAME_NS)
    assert watch.open == 1
    watch.tick(cut + SECOND)
    assert watch.open == 0
    expected = replace(turn.whole, reply_ended=cut, interrupted=True, over=True)
    assert watch.news()[-1] == expected


def test_cancelled_before_anything_was_heard() -> None:
    turn, watch = ScriptedTurn(3), observer()
    run(*turn.events()[:10], watch=watch)
    watch.cancelled(4, stamp=START + 3 * SECOND)
    watch.tick(START + 5 * SECOND)
    (last,) = watch.news()
    assert last.interrupted and not last.reply_ended and not last.first_frame


def test_a_cough_that_only_held_the_reply_is_no_interruption() -> None:
    """The state goes to listening and back; the held sound comes again, cut into other blocks."""
    turn, watch = ScriptedTurn(3), observer()
    run(*turn.events()[:-30], *turn.frames()[:5], watch=watch)
    watch.state(3, stamp=START)
    watch.state(0, stamp=START + SECOND)
    watch.state(3, stamp=START + 2 * SECOND)
    watch.tick(START + 30 * SECOND)
    assert watch.open == 1
    rest = turn.sound[5 * FRAME :]
    for first in range(0, len(rest), BLOCK):
        part = np.concatenate([np.zeros(FRAME, np.int16), rest[first : first + BLOCK - FRAME]])
        watch.block(turn.stream, samples=part, next_sample=5 * FRAME + first, stamp=LATER)
    news = run(*turn.frames()[5:], watch=watch)
    assert news[-1] == turn.whole


@pytest.mark.parametrize("said", [False, True])
def test_a_turn_without_a_reply_ends_with_its_state(said: bool) -> None:
    turn, watch = ScriptedTurn(3), observer()
    events = turn.events()
    run(*events[:7], watch=watch)
    if said:  # the voice had no sound for it
        watch.segment(3, has_words=True, stamp=START + 3 * SECOND)
        watch.speech(turn.stream, first_sample=0, count=0, end_of_stream=True, stamp=START)
    watch.state(3, stamp=START)
    watch.state(0, stamp=START + SECOND)
    watch.tick(START + 2 * SECOND)
    assert watch.open == 1
    watch.tick(START + 60 * SECOND)
    last = watch.news()[-1]
    assert watch.open == 0
    assert (last.first_token, last.reply_ended, last.interrupted) == (
        turn.whole.first_token,
        0,
        False,
    )


def test_noise_is_no_turn() -> None:
    watch = observer()
    for is_final in (False, True):
        watch.utterance(5, is_final=is_final, has_words=False, start=START, end=START, stamp=START)
    watch.intent(5, stamp=START)
    assert watch.news() == [] and watch.open == 0


def test_what_the_avatar_says_on_its_own_is_no_turn() -> None:
    watch = observer()
    for stream in ("turn-0-ab", "", "puppet", f"turn-{10**19 * 9}-ab"):
        watch.speech(stream, first_sample=0, count=1, end_of_stream=True, stamp=START)
    watch.intent(0, stamp=START)
    watch.cancelled(0, stamp=START)
    assert watch.news() == [] and watch.open == 0


def test_silence_in_the_blocks_before_and_after_the_speech() -> None:
    """Speech begins at the end of one block and ends in the next; nobody waits for its silence."""
    turn, watch = ScriptedTurn(3), observer()
    run(*turn.events()[:10], watch=watch)
    sound = turn.sound[: 3 * FRAME]
    first = np.concatenate([np.zeros(11 * FRAME, np.int16), sound[:FRAME]])
    rest = np.concatenate([sound[FRAME:], np.zeros(10 * FRAME, np.int16)])
    silence = np.zeros(BLOCK, np.int16)
    watch.speech(turn.stream, first_sample=0, count=5 * FRAME, end_of_stream=True, stamp=START)
    at = turn.whole.first_block
    watch.block(turn.stream, samples=first, next_sample=FRAME, stamp=at)
    watch.block(turn.stream, samples=rest, next_sample=3 * FRAME, stamp=at)
    watch.block(turn.stream, samples=silence, next_sample=5 * FRAME, stamp=at)
    news = run(*turn.frames()[:3], watch=watch)
    assert news[-1].first_frame == turn.whole.first_frame - 11 * FRAME_NS
    assert news[-1].reply_ended == turn.whole.first_frame + 2 * FRAME_NS


def test_what_is_never_finished_is_given_up_and_a_flood_is_bounded() -> None:
    watch = observer()
    for number in range(1, 1000):
        watch.utterance(number, is_final=True, has_words=True, start=START, end=START, stamp=START)
        watch.activity("mic", active=False, since_sample=number, stamp=START)
    assert watch.open <= 16
    assert len(watch._silences) <= 64
    watch.tick(LATER)
    assert watch.open == 0
    assert len(last_of_each(watch.news())) == 999
