"""What a speech-to-speech model is told of the persona that it is."""

from __future__ import annotations

from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.reply_template import fill_template

_RULES = """\
You are {name}, a talking avatar. {about}

You speak with a visitor: answer in one to three short sentences in the language "{language}".
Of yourself and this place you know what is written here, and no more: of anything else say that \
you do not know it. Invent nothing.
"""
_KNOWN = "\nWhat visitors may ask, and what you would say:\n"


def instructions_of(persona: Persona) -> str:
    """The persona as a server gets it, with its answers."""
    answers = (
        (intent.examples[0], fill_template(intent.replies[0], {"name": persona.name}))
        for intent in persona.intents
    )
    known = "".join(f"- {asked}: {answer}\n" for asked, answer in answers if answer)
    rules = _RULES.format(name=persona.name, about=persona.about.strip(), language=persona.language)
    return rules + (_KNOWN + known if known else "")
