"""Tells a chat model what to answer: a JSON object, which `answer_reader.py` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.reasoner import Request

Message = dict[str, str]
"""`role` (system, user, assistant) and `content`."""

_KEYS = ("action_prompt", "reply", "stable_prompt")
_LONGEST_REPLY = 600
_LONGEST_PROMPT = 200

_RULES = """\
You are {name}, a talking avatar. {about}

Answer with one JSON object and nothing else. Its keys, in this order:
"action_prompt": what you do while you speak, {choice}
"reply": what you say aloud: one to three short sentences in the language "{language}", \
without lists, markup or symbols.
"stable_prompt": what you do in silence afterwards, chosen in the same way; usually "{idle}"

Of yourself and this place you know what is written here, and no more: of anything else say that \
you do not know it. Invent nothing.

{actions}"""


def answer_schema(persona: Persona, *, bounded: bool) -> dict[str, Any]:
    """The JSON schema of the answer. `bounded` limits the length of texts, which not every server
    accepts."""
    limits = {"minLength": 1, "maxLength": _LONGEST_REPLY} if bounded else {}
    action: dict[str, Any] = {"type": "string", "enum": allowed_prompts(persona)}
    if persona.free_actions:
        action = {"type": "string", **({"maxLength": _LONGEST_PROMPT} if bounded else {})}
    return {
        "type": "object",
        "properties": {
            "action_prompt": action,
            "reply": {"type": "string", **limits},
            "stable_prompt": action,
        },
        "required": list(_KEYS),
        "additionalProperties": False,
    }


def allowed_prompts(persona: Persona) -> list[str]:
    """The prompts of the persona's states and actions, each once."""
    states = persona.states
    prompts = [states.speaking, *(action.prompt for action in persona.actions), states.idle]
    return list(dict.fromkeys(prompts))


def resolve_prompt(persona: Persona, wanted: str) -> str | None:
    """The prompt that a model's wording means: one of the persona's, by its text or its action's
    name; with `free_actions` any; None: not one of them."""
    plain = _plain(wanted)
    named = {_plain(prompt): prompt for prompt in allowed_prompts(persona)}
    named |= {_plain(action.name): action.prompt for action in persona.actions}
    if plain in named:
        return named[plain]
    return wanted.strip()[:_LONGEST_PROMPT] if persona.free_actions and plain else None


def chat_messages(persona: Persona, request: Request, facts: Sequence[str] = ()) -> list[Message]:
    """The conversation as the chat model gets it, with the facts that concern the question; earlier
    answers as plain text. What changes stands last, so that a server can keep what it has read."""
    choice = "a short English sentence about a person" if persona.free_actions else "one of these:"
    prompts = "\n".join(f"- {prompt}" for prompt in allowed_prompts(persona))
    system = _RULES.format(
        name=persona.name,
        about=persona.about.strip(),
        choice=choice,
        language=persona.language,
        idle=persona.states.idle,
        actions=f"Prompts that are known to work:\n{prompts}",
    )
    known = "".join(f"- {fact}\n" for fact in facts)
    if known:
        system += f"\nWhat you would say to questions like the next one, if it fits:\n{known}"
    messages = [{"role": "system", "content": f"{system}\nRight now you are {request.state}."}]
    for exchange in request.dialogue:
        messages.append({"role": "user", "content": exchange.utterance})
        said = exchange.reply + (" [interrupted]" if exchange.cut_short else "")
        messages.append({"role": "assistant", "content": said})
    return [*messages, {"role": "user", "content": request.utterance}]


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").split()).rstrip(".!")
