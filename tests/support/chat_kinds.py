"""What chat models of several kinds write, as the events of their servers: a list of choices, in
order. `RIGHT` is the answer that counts, `WRONG` one that must never be heard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

ACTION, IDLE = "A person raises a thumb.", "A person is quiet and calm."
RIGHT = ["This is right.", "It is heard."]
RIGHT_TEXT = " ".join(RIGHT)
OBJECT = json.dumps({"action_prompt": ACTION, "reply": RIGHT_TEXT, "stable_prompt": IDLE})
WRONG = json.dumps({"action_prompt": ACTION, "reply": "This is wrong.", "stable_prompt": IDLE})
_STEP = 7

Event = dict[str, Any]


def delta(**fields: Any) -> Event:
    """An event with one choice, whose delta this is."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def says(text: str, key: str = "content") -> list[Event]:
    """The events of a text, cut anywhere."""
    return [delta(**{key: text[at : at + _STEP]}) for at in range(0, len(text), _STEP)]


def ends(reason: str = "stop") -> list[Event]:
    """The last event."""
    return [{"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}]


def _calls(name: str, arguments: str) -> list[Event]:
    call = {"index": 0, "id": "c", "type": "function"}
    first = {**call, "function": {"name": name, "arguments": ""}}
    rest = [
        delta(tool_calls=[{"index": 0, "function": {"arguments": arguments[at : at + _STEP]}}])
        for at in range(0, len(arguments), _STEP)
    ]
    return [delta(tool_calls=[first]), *rest]


_NULLS: list[Event] = [
    {"choices": []},
    {"choices": None},
    {},
    {"choices": [None]},
    {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]},
    {"choices": [{"index": 0, "delta": {"content": ""}}]},
]


def _between(events: Sequence[Event], others: Sequence[Event]) -> list[Event]:
    return [event for first in events for event in (first, *others)]


def _parts(text: str) -> list[Event]:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": WRONG}]}
    pieces = [text[at : at + _STEP] for at in range(0, len(text), _STEP)]
    return [
        delta(content=[thought]),
        *(delta(content=[{"type": "text", "text": piece}, None]) for piece in pieces),
    ]


_HARMONY = (
    f"<|channel|>analysis<|message|>We may say {WRONG}.<|end|><|start|>assistant<|channel|>"
    f"commentary to=functions.wave <|constrain|>json<|message|>{WRONG}<|call|><|start|>assistant"
    "<|channel|>final<|message|>"
)
_THOUGHTS = f"We may say {WRONG}, so\n\n- one. Two. {{three}}\n\n"

ANSWERED: dict[str, list[Event]] = {
    "delta_null": [*_NULLS, *_between(says(OBJECT), _NULLS)],
    "content_parts": _parts(OBJECT),
    "think": says(f"<think>\n{_THOUGHTS}</think>\n\n{OBJECT}"),
    "thinking": says(f"<thinking>{_THOUGHTS}</thinking>{OBJECT}"),
    "thoughts_with_other_names": says(
        f"<thought>{_THOUGHTS}</thought><reasoning>{_THOUGHTS}</reasoning>{OBJECT}"
    ),
    "thoughts_in_brackets": says(f"[THINK]{_THOUGHTS}[/THINK]{OBJECT}"),
    "thoughts_of_kimi": says(f"◁think▷{_THOUGHTS}◁/think▷{OBJECT}"),
    "thoughts_of_command": says(
        f"<|START_THINKING|>{_THOUGHTS}<|END_THINKING|><|START_RESPONSE|>{OBJECT}<|END_RESPONSE|>"
    ),
    "thoughts_of_gemma": says(f"<|channel>thought\n{_THOUGHTS}<channel|>{OBJECT}"),
    "closing_tag_only": says(f"{_THOUGHTS}</think>\n{OBJECT}"),
    "nested_thoughts": says(f"<think>a<think>{_THOUGHTS}</think>{WRONG}</think>{OBJECT}"),
    "channels": says(f"{_HARMONY}{OBJECT}<|return|>"),
    "channels_without_their_marks": says(f"analysis{_THOUGHTS}assistantfinal{OBJECT}"),
    "channel_that_was_begun": says(
        f"{_THOUGHTS}<|end|><|start|>assistant<|channel|>final<|message|>{OBJECT}"
    ),
    "channels_as_in_the_issue": says(
        f"<|channel|>analysis {_THOUGHTS}<|channel|>final<|message|>{OBJECT}"
    ),
    "reasoning_content": [*says(_THOUGHTS, "reasoning_content"), *says(OBJECT)],
    "reasoning": [*says(_THOUGHTS, "reasoning"), *says(OBJECT)],
    "thoughts_in_the_reply": says(
        OBJECT.replace("This is right", "<think>This is wrong.<\\/think>This is right")
    ),
    "answer_tag": says(f"<think>{_THOUGHTS}</think><answer>{OBJECT}</answer>"),
    "talks_around_it": says(f"Sure! A draft: {WRONG} And now:\n```json\n{OBJECT}\n```\nFine?"),
    "another_object_first": says(f'{{"thoughts": {{"reply": "wrong"}}}}\n{OBJECT}'),
    "in_a_list": says(f"[{OBJECT}]"),
    "reply_alone": says(json.dumps({"reply": RIGHT_TEXT})),
    "prompts_that_are_null": says(
        json.dumps({"action_prompt": None, "reply": RIGHT_TEXT, "stable_prompt": None})
    ),
    "plain": says(RIGHT_TEXT),
    "plain_after_thoughts": says(f"<think>{_THOUGHTS}</think>{RIGHT_TEXT}"),
    "plain_after_a_closing_tag": says(f"{_THOUGHTS}</think>{RIGHT_TEXT}"),
    "plain_in_a_channel": says(f"{_HARMONY}{RIGHT_TEXT}<|return|>"),
    "plain_after_reasoning": [*says(_THOUGHTS, "reasoning_content"), *says(RIGHT_TEXT)],
    "plain_to_its_end_mark": says(f"{RIGHT_TEXT}<|im_end|>\n<|im_start|>user\nWrong."),
    "declined": says(RIGHT_TEXT, "refusal"),
    "answer_as_a_tool": _calls("answer", OBJECT),
    "answer_as_a_function": [
        delta(function_call={"name": "answer", "arguments": OBJECT[:50]}),
        delta(function_call={"arguments": OBJECT[50:]}),
    ],
    "repeats_the_whole": [
        *says(OBJECT),
        {"choices": [{"index": 0, "delta": None, "message": {"content": OBJECT}}]},
    ],
    "several_choices": _between(
        says(OBJECT), [{"choices": [{"index": 1, "delta": {"content": WRONG}}]}]
    ),
    "bad_usage": [*says(OBJECT), {"choices": [], "usage": "none", "error": None}],
}
"""Kinds whose answer is RIGHT."""

HALVES = [
    delta(content='{"action_prompt": "thumb", "reply": "Fine \ud83d'),
    delta(content='\ude00 indeed. And \\ud83d\\ude00, \ud83d too."'),
    delta(content="}"),
]
"""An emoji cut in two, one as escapes, and half of one."""

UNANSWERED: dict[str, tuple[str, list[Event]]] = {
    "calls_a_tool": ("tool", [*_calls("get_weather", '{"city": "Ulm"}'), *ends("tool_calls")]),
    "calls_a_tool_with_words": (
        "tool",
        [*says("I will look"), *_calls("get_weather", "{}"), *ends("tool_calls")],
    ),
    "calls_a_tool_in_text": (
        "tool",
        says('<tool_call>\n{"name": "wave", "arguments": {"reply": "wrong"}}\n</tool_call>'),
    ),
    "calls_a_tool_of_mistral": ("tool", says('[TOOL_CALLS][{"name": "wave", "arguments": {}}]')),
    "only_thoughts": ("malformed", says(f"<think>{_THOUGHTS}")),
    "only_thoughts_apart": ("malformed", says(_THOUGHTS, "reasoning_content")),
    "thoughts_cut_off": ("cut_off", [*says(f"<think>{_THOUGHTS}"), *ends("length")]),
    "unopened_thoughts_cut_off": (
        "cut_off",
        [*says("The visitor greets me. I should greet him. So"), *ends("length")],
    ),
    "nothing": ("malformed", ends()),
    "deep": ("malformed", says('{"a":' * 3000)),
    "python": ("malformed", says("{'reply': 'wrong'}")),
    "filtered": ("cut_off", ends("content_filter")),
}
"""Kinds that have no answer, with the problem that is reported."""
