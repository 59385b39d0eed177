"""Measures how soon an answer's action is seen: from the intent to a picture under its prompt."""

from __future__ import annotations

from collections.abc import Callable

from avatar_nodes.speaking.turn_stream import turn_of


class PromptWatch:
    """Takes intents, prompts and blocks in any order."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._blocks: dict[tuple[int | None, str], list[int]] = {}
        self._decided: dict[tuple[int, str], int] = {}

    def intent(self, turn: int, action_prompt: str, stamp: int) -> None:
        """Note an action that the reasoner decided at `stamp` [ns]; only its first time counts."""
        if action_prompt:
            first = self._decided.get((turn, action_prompt), stamp)
            self._decided[turn, action_prompt] = min(first, stamp)

    def prompt(self, prompt_id: str, text: str) -> None:
        """Note the text of a block's prompt."""
        self._texts[prompt_id] = text

    def block(self, block: int, prompt_id: str, stream: str) -> None:
        """Note a block under a prompt, with sound of `stream`."""
        self._blocks.setdefault((turn_of(stream), prompt_id), []).append(block)

    def prompt_to_action_s(self, shown: Callable[[int], int | None]) -> list[float]:
        """For every action of a turn whose picture was seen: from its first intent to the first
        frame under its prompt, in a block of that turn [s]. `shown`: the time at which a block's
        first frame was shown [ns]."""
        found = []
        for (turn, action), decided in self._decided.items():
            times = [
                shown(block)
                for prompt_id, text in self._texts.items()
                if text == action
                for block in self._blocks.get((turn, prompt_id), ())
            ]
            after = [ns for ns in times if ns is not None and ns >= decided]
            if after:
                found.append((min(after) - decided) / 1e9)
        return found
