"""A chat model on an OpenAI-compatible server: vLLM, llama.cpp, Ollama, `transformers serve`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from avatar_nodes.mind.chat_contract import Message
from avatar_nodes.mind.reasoner import ReasonerError
from avatar_nodes.mind.text_stream import TextStream

_PATIENCE_S = 5.0
# What servers answer that do not know a field of the request.
_REFUSALS = (400, 415, 422, 501)


@dataclass(frozen=True)
class ServerOptions:
    """Where the server is and what it is asked for.

    `api_key_env` names the environment variable with the key; empty or unset: no key is needed.
    `timeout_s` is for connecting and for each read, beyond which the connection is given up.
    """

    base_url: str
    model: str
    api_key_env: str = ""
    max_tokens: int = 256
    temperature: float = 0.6
    timeout_s: float = 20.0


class OpenAIChat:
    """Streams answers; the requests run in an event loop on a thread of their own.

    A server that refuses the answer's JSON schema is asked for any JSON object, then for plain
    text; what it takes is remembered. One that refuses them all has another reason.

    Raises:
        ReasonerError: the `openai` package is missing, or address or model are empty.
    """

    def __init__(self, options: ServerOptions, schema: dict[str, Any]) -> None:
        if not options.base_url.startswith(("http://", "https://")) or not options.model:
            raise ReasonerError(
                "backend openai: expected base_url (http://...) and model, got"
                f" {options.base_url!r} and {options.model!r}"
            )
        self._openai = _import_openai()
        self._options = options
        named = {"name": "answer", "schema": schema, "strict": True}
        self._formats: list[dict[str, Any]] = [
            {"response_format": {"type": "json_schema", "json_schema": named}},
            {"response_format": {"type": "json_object"}},
            {},
        ]
        self._client = self._openai.AsyncOpenAI(
            base_url=options.base_url,
            api_key=os.environ.get(options.api_key_env, "") or "none",
            timeout=options.timeout_s,
            max_retries=0,  # a visitor does not wait for a second try
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai", daemon=True)
        self._thread.start()

    def stream(self, messages: Sequence[Message]) -> TextStream:
        """Begin an answer."""
        text = TextStream()
        work = asyncio.run_coroutine_threadsafe(self._answer(list(messages), text), self._loop)
        text.on_cancel = work.cancel
        return text

    def close(self) -> None:
        """Cancel all requests, close the connections, end the thread."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(concurrent.futures.TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        own = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def _answer(self, messages: list[Message], text: TextStream) -> None:
        """Ask, and hand over what comes; whatever goes wrong ends the text."""
        try:
            for answer_format in tuple(self._formats):
                if await self._ask(messages, text, answer_format):
                    # What was refused before it was refused for its format.
                    if answer_format in self._formats:
                        del self._formats[: self._formats.index(answer_format)]
                    break
            text.end()
        except self._openai.APITimeoutError:
            text.fail("timeout", f"{self._options.base_url}: does not answer")
        except self._openai.APIStatusError as error:
            text.fail("server", f"{self._options.base_url}: {error.status_code} {error.message}")
        except Exception as error:  # garbage may break the client anywhere
            line = str(error) or type(error).__name__
            text.fail("server", f"{self._options.base_url}: {line}")

    async def _ask(
        self, messages: list[Message], text: TextStream, answer_format: dict[str, Any]
    ) -> bool:
        """False: the server refuses the format of the answer, and there is another to try."""
        options = self._options
        try:
            chunks = await self._client.chat.completions.create(
                model=options.model,
                messages=messages,
                max_tokens=options.max_tokens,
                temperature=options.temperature,
                stream=True,
                **answer_format,
            )
        except self._openai.APIStatusError as error:
            if error.status_code not in _REFUSALS or not answer_format:
                raise
            return False
        async with chunks:
            async for chunk in chunks:
                for choice in chunk.choices or ():
                    text.put(choice.delta.content or "")
        return True


def _import_openai() -> Any:
    try:
        import openai
    except ImportError as error:
        raise ReasonerError("backend openai: the Python package openai is missing") from error
    return openai
