"""Replies by a chat model, whichever runs it: its answer becomes thoughts while it is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from avatar_nodes.mind.answer_reader import Answer, AnswerReader, Habits, MalformedAnswerError
from avatar_nodes.mind.chat_contract import Message, chat_messages, resolve_prompt
from avatar_nodes.mind.facts import PersonaFacts
from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Done, Intention, Request, Sentence, Thought
from avatar_nodes.mind.sentences import SentenceStream
from avatar_nodes.mind.text_stream import ChatError, Patience, TextStream
from avatar_nodes.text.words import has_words

_FULL_STOPS = (".", "!", "?", "…", "。", "！", "？")


class ChatModel(Protocol):
    """Something that continues a conversation with text."""

    def stream(self, messages: Sequence[Message]) -> TextStream:
        """Begin an answer; returns at once."""
        ...

    def close(self) -> None:
        """End what is under way and let go of everything."""
        ...


class ChatReasoner:
    """A chat model in the role of the persona; when it fails, the persona's own words are said."""

    def __init__(self, model: ChatModel, phrasebook: Phrasebook, patience: Patience) -> None:
        self._model = model
        self._phrasebook = phrasebook
        self._patience = patience
        self._habits = Habits()
        self._facts = PersonaFacts(phrasebook.persona)

    def think(self, request: Request) -> ChatThinking:
        """Begin a reply."""
        facts = self._facts.about(request.utterance)
        messages = chat_messages(self._phrasebook.persona, request, facts)
        stream = self._model.stream(messages)
        reader = AnswerReader(self._habits)
        return ChatThinking(stream, self._phrasebook, self._patience, request, reader)

    def close(self) -> None:
        """End the model."""
        self._model.close()


class ChatThinking:
    """One reply of a chat model."""

    def __init__(
        self,
        stream: TextStream,
        phrasebook: Phrasebook,
        patience: Patience,
        request: Request,
        reader: AnswerReader | None = None,
    ) -> None:
        self._stream = stream
        self._reader = reader or AnswerReader()
        self._phrasebook = phrasebook
        self._patience = patience
        self._request = request
        self._reply = _ReplySoFar(phrasebook.persona)
        self._wanted = True

    def __iter__(self) -> Iterator[Thought]:
        for thought in self._thoughts():
            if not self._wanted:
                return
            yield thought

    def cancel(self) -> None:
        """End the iteration and the model's work for it."""
        self._wanted = False
        self._stream.cancel()

    def _thoughts(self) -> Iterator[Thought]:
        try:
            yield from self._answer()
            yield Done(*self._reply.complaint)
        except (ChatError, MalformedAnswerError) as error:
            if error.problem == "cut_off":
                yield from self._as_far_as_it_goes()
            if not self._reply.complete and self._wanted:
                yield from self._fall_back()
            yield Done(error.problem, str(error))

    def _answer(self) -> Iterator[Thought]:
        """What the model says, as it comes."""
        begun = False
        for piece in self._stream.pieces(self._patience):
            if not begun:
                yield Began()
            begun = True
            answer = self._read(piece)
            yield from self._reply.follow(answer)
            if answer.whole:
                break
        yield from self._reply.follow(self._reader.finish())

    def _read(self, piece: str) -> Answer:
        self._reader.thoughts_apart = self._stream.thoughts_apart
        return self._reader.push(piece)

    def _as_far_as_it_goes(self) -> Iterator[Thought]:
        """The whole sentences of what was cut off: with them it is complete enough."""
        with contextlib.suppress(MalformedAnswerError):
            yield from self._reply.follow(self._reader.cut_off())
            yield from self._reply.break_off()

    def _fall_back(self) -> Iterator[Thought]:
        """The persona's words, after whatever was said already."""
        if self._reply.intended:
            yield from self._phrasebook.fallback_words("trouble", self._request)
        else:
            yield from self._phrasebook.fallback("trouble", self._request)


class _ReplySoFar:
    """What has become of one answer: which thoughts were given already."""

    def __init__(self, persona: Persona) -> None:
        self._persona = persona
        self._sentences = SentenceStream(persona.language)
        self._taken = ""
        self._given: Intention | None = None
        self.complete = False
        """The whole reply was given; only what is of no consequence may be missing."""
        self.complaint = ("", "")
        """Problem and detail of what was put right."""
        self._said = False

    @property
    def intended(self) -> bool:
        """An intention was given."""
        return self._given is not None

    def follow(self, answer: Answer) -> Iterator[Thought]:
        """What is new in `answer`."""
        if answer.action_prompt is not None:
            yield from self._intend(answer)
        if not answer.reply.startswith(self._taken):
            if self._taken.startswith(answer.reply):
                return
            # What was taken for the answer was none.
            self._sentences, self._taken = SentenceStream(self._persona.language), ""
        new, self._taken = answer.reply.removeprefix(self._taken), answer.reply
        for sentence in self._sentences.push(new):
            yield from self._say(sentence, answer)
        if answer.reply_complete:
            for sentence in self._sentences.finish():
                yield from self._say(sentence, answer)
            self.complete = has_words(answer.reply)

    def break_off(self) -> Iterator[Thought]:
        """No more comes: what is left is said if it is a sentence."""
        for sentence in self._sentences.finish():
            if sentence.endswith(_FULL_STOPS):
                yield from self._say(sentence, Answer())
        self.complete = self._said

    def _say(self, sentence: str, answer: Answer) -> Iterator[Thought]:
        if not self.intended:
            yield from self._intend(answer)
        self._said = True
        yield Sentence(sentence)

    def _intend(self, answer: Answer) -> Iterator[Intention]:
        """The intention, as far as it is known, unless it was given already."""
        states = self._persona.states
        action = self._resolve(answer.action_prompt, states.speaking)
        seconds = {entry.prompt: entry.seconds for entry in self._persona.actions}
        intention = Intention(
            action_prompt=action,
            stable_prompt=self._resolve(answer.stable_prompt, states.idle),
            seconds=seconds.get(action, 0.0),
        )
        if intention != self._given:
            self._given = intention
            yield intention

    def _resolve(self, wanted: str | None, otherwise: str) -> str:
        prompt = otherwise if wanted is None else resolve_prompt(self._persona, wanted)
        if prompt is None:
            self.complaint = ("action", f"no action of the persona: {wanted!r}"[:200])
            return otherwise
        return prompt
