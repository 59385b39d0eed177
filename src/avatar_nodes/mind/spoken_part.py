"""Finds the part of a chat model's text that is its answer.

Thoughts, calls of tools and the marks of chat templates are not, in the forms that today's models
and servers leave in the text.
"""

from __future__ import annotations

import re

_THOUGHTS = r"(?:seed:)?think|thinking|thoughts?|reason|reasoning|reflection|analysis|scratchpad"
_TOOLS = r"tool_calls?|function_calls?|tools?"
_ANSWER = r"answer|response|final|output"
_MARK = re.compile(
    rf"""
      (?P<open><(?:{_THOUGHTS}|{_TOOLS})(?:\s[^<>]{{0,60}})?>|\[THINK\]|◁think▷
        |<\|(?:channel|tool_call)>|<function=[^<>]{{1,60}}>
        |<\|(?:START_THINKING|START_ACTION|begin_of_thought|tool_calls?(?:_begin)?)\|>)
    | (?P<close><\\?/(?:{_THOUGHTS}|{_TOOLS}|function)>|\[/THINK\]|◁/think▷
        |<(?:channel|tool_call)\|>|<\|(?:END_THINKING|END_ACTION|end_of_thought|tool_calls?_end)\|>)
    | (?P<calls>\[TOOL_CALLS\]|<\|python_tag\|>)
    | (?P<header><\|(?:start|channel)\|>)
    | (?P<message><\|message\|>)
    | (?P<answer><(?:{_ANSWER})>|<\|(?:START_RESPONSE|begin_of_solution)\|>)
    | (?P<end><\|(?:im_end|eot_id|endoftext|end_of_text|end_of_turn|return|eom_id)\|>
        |<end_of_turn>|</s>)
    | (?P<other><\|[A-Za-z_]{{1,30}}\|>|<\\?/(?:{_ANSWER})>)
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What may become a mark with the next piece.
_HALF_MARK = re.compile(r"[<\[◁][^<>\[\]◁▷{}]{0,80}$")
_TOOL = re.compile(r"tool|function|action", re.IGNORECASE)
# gpt-oss's channels where the server has taken their marks away.
_BARE_THOUGHTS, _BARE_ANSWER = re.compile(r"\s*analysis(?=[A-Z\"'])"), "assistantfinal"
_BARE_LONGEST = 16
_NO_CHANNEL = "no channel: "
_ANSWER_HEADERS = ("final", _NO_CHANNEL.strip())


class SpokenPart:
    """Takes a text piece by piece; `text` is what is left of it by now."""

    def __init__(self) -> None:
        self.text = ""
        self.begun_anew = 0
        """How often what was left by then turned out to be thoughts, begun without a mark."""
        self.marked = False
        """Thoughts were marked and are over: what is left is the answer."""
        self.tool = False
        """A tool was called in the text."""
        self._rest = ""
        self._depth = 0
        self._header: str | None = None
        """A channel's header as far as it is there, without its message."""
        self._is_answer = True
        self._over = False
        self._bare: bool | None = None
        """Channels without marks; None: not known yet."""

    def push(self, piece: str) -> None:
        """More text."""
        self._rest += piece
        self._take(ended=False)

    def finish(self) -> None:
        """No more comes: half a mark is none."""
        self._take(ended=True)

    def _take(self, *, ended: bool) -> None:
        if self._bare is None and (ended or len(self._rest) > _BARE_LONGEST):
            self._bare = bool(_BARE_THOUGHTS.match(self._rest))
        if self._bare is not False and not self._bare_thoughts_are_over():
            return
        half = None if ended else _HALF_MARK.search(self._rest)
        text, self._rest = self._rest, ""
        if half:
            text, self._rest = text[: half.start()], half.group()
        place = 0
        for mark in _MARK.finditer(text):
            self._between(text[place : mark.start()], mark)
            place = mark.end()
        self._show(text[place:])

    def _bare_thoughts_are_over(self) -> bool:
        if self._bare is None:
            begun = self._rest.lstrip()
            if begun and not begun.startswith("a"):
                self._bare = False
            return self._bare is False
        if _BARE_ANSWER not in self._rest:
            return False
        self._rest = self._rest.partition(_BARE_ANSWER)[2]
        self._bare, self.marked = False, True
        return True

    def _show(self, text: str) -> None:
        if self._header is not None:
            self._header += text
        elif self._depth == 0 and self._is_answer and not self._over:
            self.text += text

    def _between(self, text: str, mark: re.Match[str]) -> None:
        """The text before a mark, and the mark."""
        if self._over:
            return
        self._show(text)
        kind = mark.lastgroup
        if kind == "header":
            self._header = "" if "channel" in mark.group().lower() else _NO_CHANNEL
        elif kind == "message" and self._header is not None:
            self._begin_message(self._header)
        elif kind == "open":
            self._depth += 1
            self.tool |= bool(_TOOL.search(mark.group()))
        elif kind == "close":
            self._close(is_tool=bool(_TOOL.search(mark.group())))
        elif kind == "answer":
            self._begin_anew()
        elif kind == "calls":
            self.tool = self._over = True
        elif kind == "end":
            self._over = bool(self.text.strip())

    def _begin_message(self, header: str) -> None:
        """Of `<|channel|>final<|message|>` and the like. Without a channel it is the answer."""
        self._header = None
        self._is_answer = header.strip().lower().startswith(_ANSWER_HEADERS)
        self.tool = "to=functions" in header
        if self._is_answer:
            self._begin_anew()

    def _close(self, *, is_tool: bool) -> None:
        if self._depth == 0:
            self._begin_anew()
        else:
            self._depth -= 1
        self.marked |= not is_tool

    def _begin_anew(self) -> None:
        """What was left so far was no answer; what follows is."""
        self.begun_anew += bool(self.text.strip())
        self.text, self._depth, self.marked = "", 0, True
