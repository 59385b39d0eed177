"""A persona: who the avatar is, as an operator writes it; `persona_file.py` reads it from YAML.

The models are strict, like those of the profile: an unknown key or an empty text is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from avatar_nodes.mind.reply_template import check_template
from avatar_nodes.text.words import clean_text

Clean = AfterValidator(clean_text)
Text = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S"), Clean]
Prompt = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S"), Clean]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
Reply = Text


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class StatesSection(_Section):
    """The prompt of each state of the conversation."""

    idle: Prompt = Field(description="Nobody speaks.")
    listening: Prompt = Field(description="The visitor speaks.")
    thinking: Prompt = Field(description="The answer is being made.")
    speaking: Prompt = Field(description="The avatar speaks, without a gesture.")


class ActionEntry(_Section):
    """A gesture: its name in this file, and how the picture model is asked for it."""

    name: Name = Field(description="What intents call it.")
    prompt: Prompt = Field(description="Prompt of the picture model, in words that it was taught.")
    seconds: float = Field(
        default=0.0,
        ge=0.0,
        le=60.0,
        description="How long it lasts from the first sound on; 0: as long as the answer.",
    )


class MatchingSection(_Section):
    """When an utterance counts as one of the intents."""

    threshold: float = Field(
        default=0.42, ge=0.0, le=1.0, description="Lowest similarity that is a match."
    )
    margin: float = Field(
        default=0.02,
        ge=0.0,
        le=1.0,
        description="By how much the best intent must exceed the next one.",
    )


class FormatsSection(_Section):
    """How `{time}` and `{date}` are spoken, in the signs of strftime."""

    time: Text = Field(default="%-I:%M %p", description="`{time}`.")
    date: Text = Field(default="%B %-d", description="`{date}`.")


class FallbackSection(_Section):
    """What is said when there is no answer; one after the other."""

    unknown: list[Reply] = Field(min_length=1, description="Understood, but no intent fits.")
    pardon: list[Reply] = Field(min_length=1, description="Nothing was understood.")
    trouble: list[Reply] = Field(min_length=1, description="The answer could not be made.")
    action: str = Field(default="", description="Gesture that goes with it; empty: none.")

    @field_validator("unknown", "pardon", "trouble")
    @classmethod
    def _templates_are_known(cls, replies: list[str]) -> list[str]:
        return _checked(replies)


class IntentEntry(_Section):
    """Something that visitors want, and what the avatar says and does then."""

    name: Name = Field(description="Its name, for logs and diagnostics.")
    examples: list[Text] = Field(
        min_length=1, description="How visitors say it, as speech recognition writes it."
    )
    replies: list[Reply] = Field(min_length=1, description="Answers, used one after the other.")
    action: str = Field(default="", description="Gesture while it is said; empty: none.")
    after: str = Field(
        default="", description="Gesture in the silence after; empty: the state `idle`."
    )

    @field_validator("replies")
    @classmethod
    def _templates_are_known(cls, replies: list[str]) -> list[str]:
        return _checked(replies)


class Persona(_Section):
    """One whole persona."""

    name: Text = Field(description="The avatar's name.")
    about: Text = Field(description="Who it is and what it knows, for the chat models.")
    language: str = Field(
        default="en", pattern=r"^[A-Za-z0-9_-]*$", description="Language of the replies, BCP 47."
    )
    states: StatesSection
    actions: list[ActionEntry] = Field(min_length=1, description="The gestures.")
    free_actions: bool = Field(
        default=False,
        description="Chat models may write action prompts of their own; else only those above.",
    )
    matching: MatchingSection = Field(default_factory=MatchingSection)
    formats: FormatsSection = Field(default_factory=FormatsSection)
    fallback: FallbackSection
    intents: list[IntentEntry] = Field(min_length=2, description="What it has answers for.")

    @field_validator("actions")
    @classmethod
    def _actions_differ(cls, actions: list[ActionEntry]) -> list[ActionEntry]:
        _all_different("name", (action.name for action in actions))
        return actions

    @field_validator("intents")
    @classmethod
    def _intents_differ(cls, intents: list[IntentEntry]) -> list[IntentEntry]:
        _all_different("name", (intent.name for intent in intents))
        _all_different("example", (text for intent in intents for text in intent.examples))
        return intents

    @property
    def examples(self) -> list[str]:
        """How visitors say what it has answers for."""
        return [text for intent in self.intents for text in intent.examples]

    def action(self, name: str) -> ActionEntry | None:
        """The gesture of that name; None for an empty name.

        Raises:
            KeyError: there is none.
        """
        return {action.name: action for action in self.actions}[name] if name else None

    def intent(self, name: str) -> IntentEntry:
        """The intent of that name. Raises KeyError."""
        return {intent.name: intent for intent in self.intents}[name]


def _checked(replies: list[str]) -> list[str]:
    for reply in replies:
        check_template(reply)
    return replies


def _all_different(what: str, values: Iterable[str]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"expected each {what} once, got {twice[0]!r} again")
