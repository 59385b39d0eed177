"""Sentences come out in order, each once, and a lost one does not stop the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.speaking.reply_order import MAX_WAITING, ReplyOrder, Sentence

GAP_S, PATIENCE_S = 0.5, 20.0


def sentence(index: int) -> Sentence:
    return Sentence(index, f"sentence {index}", "")


def order() -> ReplyOrder:
    return ReplyOrder(gap_s=GAP_S, patience_s=PATIENCE_S)


def take_all(replies: ReplyOrder, now: float) -> list[int]:
    taken = []
    while (next_one := replies.take(now)) is not None:
        taken.append(next_one.index)
    return taken


@given(st.data())
def test_any_arrival_gives_each_sentence_once_in_order(data: st.DataObject) -> None:
    """Shuffled, repeated and lost sentences; all that came in time are taken, in order."""
    count = data.draw(st.integers(1, 8))
    lost = data.draw(st.sets(st.integers(0, count - 2))) if count > 1 else set()
    arrivals = [index for index in range(count) if index not in lost]
    arrivals += data.draw(st.lists(st.sampled_from(arrivals), max_size=5))
    arrivals = data.draw(st.permutations(arrivals))
    replies, taken = order(), []
    for index in arrivals:
        replies.add(sentence(index), is_last=index == count - 1)
        taken += take_all(replies, 0.0)
    for step in range(count + 1):
        taken += take_all(replies, (step + 1) * (GAP_S + 0.01))
    assert taken == [index for index in range(count) if index not in lost]
    assert replies.complete and replies.waiting == 0
    assert take_all(replies, 1e6) == []


def test_a_gap_is_waited_for_and_then_left_out() -> None:
    replies = order()
    assert replies.add(sentence(0), is_last=False)
    assert replies.add(sentence(2), is_last=False)
    assert take_all(replies, 10.0) == [0]
    assert replies.wakes_at() == 10.0 + GAP_S
    assert take_all(replies, 10.4) == []
    assert take_all(replies, 10.0 + GAP_S) == [2]
    assert not replies.add(sentence(1), is_last=False)  # too late
    assert take_all(replies, 99.0) == []


def test_what_comes_twice_or_after_the_last_is_refused() -> None:
    replies = order()
    assert replies.add(sentence(1), is_last=True)
    assert not replies.add(sentence(1), is_last=True)
    assert not replies.add(sentence(2), is_last=False)
    assert replies.add(sentence(0), is_last=False)
    assert take_all(replies, 0.0) == [0, 1] and replies.complete
    assert not replies.add(sentence(0), is_last=False)


def test_a_reply_that_goes_silent_is_given_up_unless_it_is_held() -> None:
    replies = order()
    replies.add(sentence(0), is_last=False)
    assert not replies.given_up(0.0)
    assert take_all(replies, 0.0) == [0]
    assert not replies.given_up(0.0)
    assert replies.wakes_at() == PATIENCE_S
    assert not replies.given_up(PATIENCE_S, held=True)
    assert not replies.given_up(PATIENCE_S + 1)
    assert replies.given_up(2 * PATIENCE_S + 1)


def test_a_flood_is_bounded() -> None:
    replies = order()
    for index in range(1, MAX_WAITING + 100):
        replies.add(sentence(index), is_last=False)
    assert replies.waiting == MAX_WAITING
