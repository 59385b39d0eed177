"""The answer of a chat model as it is read while it is written: objects, plain text, thoughts."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chat_kinds import ANSWERED, OBJECT, RIGHT_TEXT, WRONG, Event

from avatar_nodes.mind.answer_reader import Answer, AnswerReader, Habits, MalformedAnswerError
from avatar_nodes.mind.chat_chunk import read_chunk, whole_answer

THUMB, NOD = "A person raises a thumb.", "A person nods in agreement."
REPLY = 'She said "No\\Yes"\u2026 caf\u00e9 \U0001f600! And then? Fine.'
WHOLE = {"action_prompt": THUMB, "reply": REPLY, "stable_prompt": NOD}


@given(st.lists(st.integers(1, 400), max_size=12), st.booleans(), st.booleans())
def test_any_cut_gives_the_same_answer(cuts: list[int], escaped: bool, fenced: bool) -> None:
    text = json.dumps(WHOLE, ensure_ascii=escaped, indent=2 if fenced else None)
    text = f"<think>Use {{braces}}?</think>\n```json\n{text}\n```" if fenced else text
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    reader, replies = AnswerReader(), [""]
    for first, last in pairwise(places):
        answer = reader.push(text[first:last])
        replies.append(answer.reply)
        assert answer.reply_complete <= (answer.reply == REPLY)
    assert all(later.startswith(earlier) for earlier, later in pairwise(replies))
    assert reader.finish() == Answer(THUMB, REPLY, True, NOD, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        '{"action_prompt": "x", "reply": "hi"',
        '{"action_prompt": "x", "reply": 5, "stable_prompt": "x"}',
        '{"action_prompt": "x", "reply": " . ", "stable_prompt": "x"}',
        '{"action_prompt": "x", "stable_prompt": "x"}',
        "Sure: {'reply': 'hi'}",
        "{reply: hi}",
        '{"reply": "\\x"}',
        "<think>{}",
        "[" * 5000 + "{",
        "{" * 5000,
        '{"a":' * 5000,
    ],
)
def test_malformed(text: str) -> None:
    reader = AnswerReader()
    with pytest.raises(MalformedAnswerError):
        reader.push(text)
        reader.finish()


def text_of(events: list[Event]) -> str:
    return "".join(read_chunk(event).text for event in events)


TEXTS = {kind: text for kind, events in ANSWERED.items() if (text := text_of(events))}


@given(st.sampled_from(sorted(TEXTS)), st.lists(st.integers(1, 1200), max_size=40))
def test_no_cut_shows_a_thought(kind: str, cuts: list[int]) -> None:
    text = TEXTS[kind]
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    reader = AnswerReader()
    for first, last in pairwise(places):
        assert RIGHT_TEXT.startswith(reader.push(text[first:last]).reply)
    assert reader.finish().reply.strip() == RIGHT_TEXT


HELD = {"talks_around_it", "in_a_list"}


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_the_reply_is_there_while_it_is_written(kind: str) -> None:
    text, reader = TEXTS[kind], AnswerReader()
    place = text.rindex("heard")
    begun = reader.push(text[:place]).reply.startswith("This is right.")
    assert begun != (kind in HELD or kind.startswith(("plain", "declined")))


def test_a_second_plain_answer_is_read_as_it_comes() -> None:
    habits = Habits()
    reader = AnswerReader(habits)
    assert reader.push("One. Two") == Answer()
    assert reader.finish() == Answer(reply="One. Two", reply_complete=True, whole=True)
    reader = AnswerReader(habits)
    assert reader.push("One. <b") == Answer(reply="One. ")
    assert reader.push(">Two</b>. ") == Answer(reply="One. <b>Two</b>. ")
    assert reader.push(OBJECT).reply == "", "an object is no plain text"
    assert reader.finish().reply == RIGHT_TEXT
    assert not habits.plain


def test_who_thought_without_a_mark_is_heard_only_after_one() -> None:
    habits = Habits()
    reader = AnswerReader(habits)
    reader.push(f"hm </think>{OBJECT}")
    reader.finish()
    reader = AnswerReader(habits)
    assert reader.push(WRONG) == Answer()
    assert reader.push(f"</think>{OBJECT[:-1]}").reply == RIGHT_TEXT
    reader.push("}")
    assert reader.finish().reply == RIGHT_TEXT
    reader = AnswerReader(habits)
    reader.push(OBJECT)
    assert reader.finish().reply == RIGHT_TEXT, "at its end it was no thought"


def test_what_was_cut_off() -> None:
    reader = AnswerReader()
    reader.push("One. Tw")
    with pytest.raises(MalformedAnswerError, match="cut off") as caught:
        reader.cut_off()
    assert caught.value.problem == "cut_off"
    reader.thoughts_apart = True
    assert reader.cut_off() == Answer(reply="One. Tw")


EVENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "choices delta message content text type index finish_reason tool_calls function"
                " function_call name arguments refusal reasoning_content thinking".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(EVENTS)
def test_any_event_is_read(event: object) -> None:
    for seen in (event, whole_answer(event), {"choices": [{"delta": event}]}):
        chunk = read_chunk(seen)
        assert isinstance(chunk.text + chunk.arguments + chunk.tool + chunk.finish, str)


MARKS = st.sampled_from(
    '<think> </think> <| |> <|channel|> <|message|> <|start|> final analysis { } " : reply a.'
    " <tool_call> </tool_call> [TOOL_CALLS] <answer> ``` json \\ \ud83d < >".split(" ")
)


@given(st.lists(MARKS | st.text(max_size=5), max_size=30), st.booleans())
def test_any_text_is_read(pieces: list[str], plain: bool) -> None:
    reader = AnswerReader(Habits(plain=plain))
    for piece in pieces:
        assert isinstance(reader.push(piece).reply, str)
    try:
        assert reader.finish().whole
    except MalformedAnswerError as error:
        assert error.problem in ("malformed", "tool")
