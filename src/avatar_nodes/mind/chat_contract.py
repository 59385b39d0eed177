"""What a chat model is asked for, a JSON object, and how its answer is read while it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import jiter

from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.reasoner import Request
from avatar_nodes.text.words import has_words

Message = dict[str, str]
"""`role` (system, user, assistant) and `content`."""

_KEYS = ("action_prompt", "reply", "stable_prompt")
_LONGEST_REPLY = 600
_LONGEST_PROMPT = 200
_CONTROL = dict.fromkeys(range(32), " ")

_RULES = """\
You are {name}, a talking avatar. {about}

Answer with one JSON object and nothing else. Its keys, in this order:
"action_prompt": what you do while you speak, {choice}
"reply": what you say aloud: one to three short sentences in the language "{language}", \
without lists, markup or symbols.
"stable_prompt": what you do in silence afterwards, chosen in the same way; usually "{idle}"

{actions}"""


class MalformedAnswerError(ValueError):
    """Text that is not the JSON object that was asked for."""


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


def chat_messages(persona: Persona, request: Request) -> list[Message]:
    """The conversation as the chat model gets it; earlier answers as plain text."""
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
    messages = [{"role": "system", "content": f"{system}\nRight now you are {request.state}."}]
    for exchange in request.dialogue:
        messages.append({"role": "user", "content": exchange.utterance})
        said = exchange.reply + (" [interrupted]" if exchange.cut_short else "")
        messages.append({"role": "assistant", "content": said})
    return [*messages, {"role": "user", "content": request.utterance}]


@dataclass(frozen=True)
class Answer:
    """An answer as far as it was read. A prompt is None until it is complete; `reply` is what is
    there of it; `whole`: the object is complete, with every key."""

    action_prompt: str | None = None
    reply: str = ""
    reply_complete: bool = False
    stable_prompt: str | None = None
    whole: bool = False


class AnswerReader:
    """Reads the object while it is written. Thoughts in `<think>` and what surrounds the object (a
    code fence) are passed over; line breaks within its texts are taken for spaces."""

    def __init__(self) -> None:
        self._text = ""

    def push(self, piece: str) -> Answer:
        """Append a piece; returns what is known by now.

        Raises:
            MalformedAnswerError: this cannot become the object any more.
        """
        self._text += piece.translate(_CONTROL)
        start = self._object_start()
        if start < 0:
            return Answer()
        written = self._text[start:].encode()
        try:
            complete = jiter.from_json(written, partial_mode="on")
            partial = jiter.from_json(written, partial_mode="trailing-strings")
        except ValueError as error:
            raise MalformedAnswerError(str(error)) from None
        wrong = [key for key in _KEYS if key in partial and not isinstance(partial[key], str)]
        if wrong:
            raise MalformedAnswerError(f"{wrong[0]} is no text")
        return Answer(
            action_prompt=complete.get("action_prompt"),
            reply=partial.get("reply", ""),
            reply_complete="reply" in complete,
            stable_prompt=complete.get("stable_prompt"),
            whole=self._closed(start) and all(key in complete for key in _KEYS),
        )

    def finish(self) -> Answer:
        """What is known when no more text comes.

        Raises:
            MalformedAnswerError: the object is not complete, or says nothing.
        """
        answer = self.push("")
        if not answer.whole:
            seen = self._text.strip()[:60]
            raise MalformedAnswerError(
                f"no complete object in {seen!r}" if seen else "no text at all"
            )
        if not has_words(answer.reply):
            raise MalformedAnswerError("the reply is empty")
        return answer

    def _object_start(self) -> int:
        opened = self._text.find("<think>")
        if opened >= 0:
            closed = self._text.find("</think>", opened)
            return -1 if closed < 0 else self._text.find("{", closed)
        return self._text.find("{")

    def _closed(self, start: int) -> bool:
        if "}" not in self._text:
            return False
        try:
            json.JSONDecoder().raw_decode(self._text, start)
        except (ValueError, RecursionError):
            return False
        return True


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").split()).rstrip(".!")
