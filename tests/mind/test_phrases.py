"""How replies become words: templates, rotation, sentences, and what is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.mind.dialogue import Dialogue, Exchange
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Intention, Request, Sentence, Thought
from avatar_nodes.mind.reply_template import check_template, clock_values, fill_template
from avatar_nodes.mind.rotation import Rotation
from avatar_nodes.mind.sentences import SentenceStream, split_sentences
from avatar_nodes.text.words import clean_text, has_words

NOON = datetime(2026, 11, 21, 12, 5)


@pytest.fixture(scope="module")
def phrasebook() -> Phrasebook:
    return Phrasebook(load_persona("default"), seed=1, clock=lambda: NOON)


def words(thoughts: Sequence[Thought]) -> str:
    return " ".join(thought.text for thought in thoughts if isinstance(thought, Sentence))


class TestTemplates:
    @pytest.mark.parametrize("text", ["{", "}", "{}", "{tiem}", "{time!r}", "{time:>9}", "{0}"])
    def test_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="expected"):
            check_template(text)

    def test_a_value_that_is_missing(self) -> None:
        assert fill_template("I said {last_reply}", {"last_reply": ""}) is None
        assert fill_template("{{x}} {name}", {"name": "Ada"}) == "{x} Ada"

    @pytest.mark.parametrize(
        ("hour", "part"), [(0, "morning"), (11, "morning"), (12, "afternoon"), (18, "evening")]
    )
    def test_the_clock(self, hour: int, part: str) -> None:
        values = clock_values(NOON.replace(hour=hour), time_format="%H:%M", date_format="%B %-d")
        assert values == {
            "time": f"{hour:02}:05",
            "date": "November 21",
            "weekday": "Saturday",
            "part_of_day": part,
        }


class TestPhrasebook:
    def test_the_time(self, phrasebook: Phrasebook) -> None:
        intent = phrasebook.persona.intent("time")
        thoughts = list(phrasebook.answer(intent, Request("what time is it"), 0.9))
        assert words(thoughts) in ("It is 12:05 PM.", "My clock says 12:05 PM.")

    def test_a_gesture_and_its_length(self, phrasebook: Phrasebook) -> None:
        intent = phrasebook.persona.intent("greeting")
        first, *rest = phrasebook.answer(intent, Request("hello"), 0.9)
        assert first == Intention(
            action_prompt="A person talks and waves with one hand.",
            stable_prompt="A person is quiet and calm.",
            seconds=2.5,
            name="greeting",
            confidence=0.9,
        )
        assert len(rest) == 2

    def test_repeats_what_was_said_if_anything_was(self, phrasebook: Phrasebook) -> None:
        intent = phrasebook.persona.intent("repeat")
        said = Request("what", (Exchange("who are you", "I am Ada. Hello."),))
        assert words(list(phrasebook.answer(intent, said, 1.0))) == "I am Ada. Hello."
        nothing = list(phrasebook.answer(intent, Request("what"), 1.0))
        assert isinstance(nothing[0], Intention)
        assert nothing[0].name == "unknown"

    def test_no_reply_twice_in_a_row(self, phrasebook: Phrasebook) -> None:
        intent = phrasebook.persona.intent("joke")
        said = [words(list(phrasebook.answer(intent, Request("a joke"), 1.0))) for _ in range(30)]
        assert all(one != next_one for one, next_one in pairwise(said))
        assert len(set(said)) == 3

    def test_a_seed_words_replies_alike(self, phrasebook: Phrasebook) -> None:
        """When a recording is replayed; without one it is chance."""
        persona = phrasebook.persona
        names = ["greeting", "joke", "joke", "thanks", "greeting", "joke"] * 3

        def said(seed: int) -> list[str]:
            again = Phrasebook(persona, seed=seed, clock=lambda: NOON)
            return [
                words(list(again.answer(persona.intent(name), Request(name), 1.0)))
                for name in names
            ]

        assert said(7) == said(7)
        assert len({tuple(said(seed)) for seed in range(8)}) > 1
        assert len({tuple(said(-1)) for _ in range(8)}) > 1


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_rotation_uses_every_reply_before_one_comes_again(count: int, seed: int) -> None:
    rotation, replies = Rotation(seed), [str(number) for number in range(count)]
    taken = [rotation.next("key", replies) for _ in range(4 * count)]
    for first in range(0, len(taken), count):
        assert sorted(taken[first : first + count]) == replies
    assert count == 1 or all(a != b for a, b in pairwise(taken))


def test_rotation_when_some_replies_are_not_possible() -> None:
    rotation = Rotation(0)
    assert {rotation.next("key", ["a", "b", "c"]) for _ in range(2)} <= {"a", "b", "c"}
    assert [rotation.next("key", ["z"]) for _ in range(3)] == ["z", "z", "z"]


class TestSentences:
    @pytest.mark.parametrize(
        ("text", "sentences"),
        [
            ("Hello! I am Ada. Yes?", ["Hello!", "I am Ada.", "Yes?"]),
            ("Dr. Smith paid 3.50 euros. Wow!", ["Dr. Smith paid 3.50 euros.", "Wow!"]),
            ("no end", ["no end"]),
            ("", []),
            (" ... ! ", []),
            ("a\n b\tc.", ["a", "b c."]),
            ("Buy:\n- milk\n2. two eggs. Big\n", ["Buy:", "- milk", "2. two eggs.", "Big"]),
            ("1. First\n2. Second", ["1. First", "2. Second"]),
        ],
    )
    def test_whole_texts(self, text: str, sentences: list[str]) -> None:
        assert split_sentences(text) == sentences

    def test_each_as_soon_as_the_next_begins(self) -> None:
        stream = SentenceStream()
        assert stream.push("Hello! ") == []
        assert stream.push("I") == ["Hello!"]
        assert stream.push(" am Ada.") == []
        assert stream.finish() == ["I am Ada."]
        assert stream.finish() == []

    def test_a_sentence_without_end_is_cut(self) -> None:
        stream = SentenceStream(longest=20)
        cut = stream.push("word " * 10)
        assert all(len(part) <= 20 for part in cut)
        assert " ".join([*cut, *stream.finish()]) == " ".join(["word"] * 10)

    @given(st.text("ab.!? \n\"'(é", max_size=80), st.integers(1, 7))
    def test_pieces_lose_no_letter(self, text: str, size: int) -> None:
        stream = SentenceStream(longest=30)
        pieces = [text[first : first + size] for first in range(0, len(text), size)]
        said = [sentence for piece in pieces for sentence in stream.push(piece)] + stream.finish()
        letters = [sign for sentence in said for sign in sentence if sign.isalnum()]
        assert letters == [sign for sign in text if sign.isalnum()]
        assert all(any(sign.isalnum() for sign in sentence) for sentence in said)


@given(st.text(st.characters(), max_size=80), st.sampled_from(["en", "de", "ja", "xx"]))
def test_any_text_becomes_sentences_that_can_be_sent(text: str, language: str) -> None:
    sentences = split_sentences(text, language)
    assert bool(sentences) == has_words(text)
    for sentence in sentences:
        assert sentence.encode() and sentence == clean_text(sentence) and has_words(sentence)


def test_an_emoji_in_two_halves_is_one() -> None:
    stream = SentenceStream()
    assert stream.push("Hi \ud83d") + stream.push("\ude00 you") + stream.finish() == ["Hi 😀 you"]


def test_the_dialogue_is_bounded() -> None:
    dialogue = Dialogue(2)
    for number in range(5):
        dialogue.add(f"u{number}", "r" * 9000)
    assert [exchange.utterance for exchange in dialogue.exchanges] == ["u3", "u4"]
    assert len(dialogue.exchanges[0].reply) == 2000
    dialogue.forget()
    assert dialogue.exchanges == ()
    nothing = Dialogue(0)
    nothing.add("a", "b")
    assert nothing.exchanges == ()
