"""Makes the sentences of the tiny world's people from templates, split by utterance for good."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from functools import lru_cache

SPLITS: tuple[str, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Sentence:
    """language: 'en', 'de', 'es' or 'fr'."""

    text: str
    language: str


_Template = tuple[str, dict[str, tuple[str, ...]]]

_ENGLISH: tuple[_Template, ...] = (
    (
        "Good {time}, {who}.",
        {
            "time": ("morning", "afternoon", "evening"),
            "who": ("everybody", "my friend", "ladies and gentlemen", "and welcome to the museum"),
        },
    ),
    (
        "{opening} {place} {direction}.",
        {
            "opening": ("You will find", "Please follow me to", "Everybody meets at"),
            "place": (
                "the main hall",
                "the blue room",
                "the small cafe",
                "the old library",
                "platform five",
            ),
            "direction": ("on the first floor", "behind the big map", "just around the corner"),
        },
    ),
    (
        "Would you like {thing} {addition}?",
        {
            "thing": (
                "a map of the building",
                "something warm to drink",
                "to hear another story",
                "more time",
            ),
            "addition": ("before we begin", "while you wait", "or maybe both"),
        },
    ),
    (
        "My {person} {verb} {object}.",
        {
            "person": ("mother", "best friend", "neighbour", "papa", "favourite author"),
            "verb": ("baked", "painted", "brought me", "always wanted", "lost"),
            "object": (
                "a beautiful apple pie",
                "five purple umbrellas",
                "the biggest boat of all",
                "a very small piano",
            ),
        },
    ),
    (
        "{weather}, so {plan}.",
        {
            "weather": (
                "It may rain later today",
                "The sun is out at last",
                "Snow fell all through the night",
            ),
            "plan": (
                "bring a warm jacket",
                "we move the picnic to Monday",
                "let us walk along the river",
            ),
        },
    ),
    (
        "I {feeling} that {fact}.",
        {
            "feeling": ("believe", "have often heard", "am happy to say"),
            "fact": (
                "whales sing to each other",
                "the moon moves the ocean",
                "honey never spoils",
                "bamboo grows overnight",
            ),
        },
    ),
    (
        "{number} {things} {verb} {where}.",
        {
            "number": ("Two", "Seven", "About forty", "A hundred"),
            "things": ("paper lamps", "brave explorers", "young musicians"),
            "verb": ("were waiting", "moved slowly", "came home"),
            "where": ("by the harbour", "under the bridge"),
        },
    ),
    (
        "First {one}, then {two}, and finally {three}.",
        {
            "one": ("open the box", "press the button", "wash your hands"),
            "two": ("wait for the beep", "pour the milk", "mark the map"),
            "three": ("enjoy it", "tell me how it went", "put everything back"),
        },
    ),
    (
        "{answer}, {reason}.",
        {
            "answer": (
                "Yes, of course",
                "No, I am afraid not",
                "Maybe",
                "That is a wonderful question",
            ),
            "reason": (
                "we open at nine every morning",
                "the tickets are free for children",
                "nobody knows for sure",
                "I will look it up for you",
            ),
        },
    ),
    (
        "Once upon a time {hero} {deed} {place}.",
        {
            "hero": ("a clever fox", "an old sailor", "the youngest princess"),
            "deed": ("built a tower", "found a golden bell", "met a talking fish"),
            "place": (
                "at the edge of the forest",
                "far above the clouds",
                "on a warm summer evening",
            ),
        },
    ),
)

_GERMAN: tuple[_Template, ...] = (
    (
        "Guten {zeit}, {wunsch}.",
        {
            "zeit": ("Morgen", "Abend"),
            "wunsch": (
                "herzlich willkommen bei uns",
                "wie kann ich Ihnen helfen",
                "schön, dass Sie da sind",
            ),
        },
    ),
    (
        "{wer} {was} {wo}.",
        {
            "wer": ("Meine Mutter", "Der kleine Bär", "Ein alter Freund", "Das ganze Museum"),
            "was": ("wartet geduldig", "schläft im Sommer", "feiert morgen"),
            "wo": ("am blauen Fluss", "unter dem Apfelbaum", "über den Wolken"),
        },
    ),
    (
        "Möchten Sie {etwas}?",
        {
            "etwas": (
                "einen Plan vom Gebäude",
                "noch eine Geschichte hören",
                "Kaffee oder Wasser",
                "mehr darüber wissen",
            ),
        },
    ),
)

_SPANISH: tuple[_Template, ...] = (
    (
        "{saludo}, {frase}.",
        {
            "saludo": ("Buenos días", "Buenas tardes", "Hola a todos"),
            "frase": ("bienvenidos al museo", "me alegro mucho de verle", "podemos empezar ahora"),
        },
    ),
    (
        "{quien} {hace} {donde}.",
        {
            "quien": ("Mi abuela", "El pequeño barco", "Una amiga mía", "El viejo pintor"),
            "hace": ("vive tranquilo", "busca una puerta", "baila por la noche"),
            "donde": ("cerca del mar", "en la montaña", "debajo del puente"),
        },
    ),
    (
        "¿Quiere {algo}?",
        {
            "algo": (
                "un mapa del edificio",
                "beber un poco de agua",
                "escuchar otra historia",
                "saber más sobre la luna",
            ),
        },
    ),
)

_FRENCH: tuple[_Template, ...] = (
    (
        "{salut}, {phrase}.",
        {
            "salut": ("Bonjour", "Bonsoir à tous", "Mes chers amis"),
            "phrase": (
                "bienvenue au musée",
                "je suis heureuse de vous voir",
                "nous pouvons commencer",
            ),
        },
    ),
    (
        "{qui} {fait} {ou}.",
        {
            "qui": ("Mon père", "La petite souris", "Un vieux marin", "Notre voisine"),
            "fait": ("habite seul", "attend patiemment", "chante souvent"),
            "ou": ("au bord de la mer", "sous le grand pont", "près du jardin bleu"),
        },
    ),
    (
        "Voulez-vous {quoi}?",
        {
            "quoi": (
                "un plan du bâtiment",
                "boire un peu d'eau",
                "écouter une autre histoire",
                "en savoir plus",
            ),
        },
    ),
)


def split_of(sentence: Sentence) -> str:
    """'train' (80 %), 'val' or 'test' (10 % each), by a hash of the text: never changes."""
    digest = hashlib.sha256(f"{sentence.language}:{sentence.text}".encode()).digest()
    return SPLITS[(0, 0, 0, 0, 0, 0, 0, 0, 1, 2)[digest[0] % 10]]


@lru_cache(maxsize=1)
def all_sentences() -> tuple[Sentence, ...]:
    """Every sentence, in a fixed order, without repeats."""
    languages = {"en": _ENGLISH, "de": _GERMAN, "es": _SPANISH, "fr": _FRENCH}
    found: dict[Sentence, None] = {}
    for language, templates in languages.items():
        for template, choices in templates:
            for words in itertools.product(*choices.values()):
                found[
                    Sentence(template.format(**dict(zip(choices, words, strict=True))), language)
                ] = None
    return tuple(found)


def sentences(split: str) -> tuple[Sentence, ...]:
    """The sentences of 'train', 'val' or 'test'. Raises ValueError for another name."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; known are {', '.join(SPLITS)}")
    return tuple(s for s in all_sentences() if split_of(s) == split)
