"""A chat model on an OpenAI-compatible server: vLLM, llama.cpp, Ollama, `transformers serve`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import math
import os
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from avatar_nodes.mind.chat_chunk import read_chunk, whole_answer
from avatar_nodes.mind.chat_contract import Message
from avatar_nodes.mind.reasoner import ReasonerError
from avatar_nodes.mind.server_dialect import Dialect, answer_formats
from avatar_nodes.mind.text_stream import TextStream

_PATIENCE_S = 5.0
_BUSY = (429, 503, 529)
_SHORT_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_CUT_OFF = {
    "length": "cut off after reasoner.max_tokens, {max_tokens} of thoughts and answer",
    "content_filter": "cut off by the server's filter",
}


@dataclass(frozen=True)
class ServerOptions:
    """Where the server is and what it is asked for.

    `api_key_env` names the environment variable with the key; empty or unset: no key is needed.
    `timeout_s` is for connecting and for each read, beyond which the connection is given up;
    `patience_s` is how long the visitor waits for a first word.
    """

    base_url: str
    model: str
    api_key_env: str = ""
    max_tokens: int = 256
    temperature: float = 0.6
    timeout_s: float = 20.0
    patience_s: float = 5.0


class OpenAIChat:
    """Streams answers; the requests run in an event loop on a thread of their own.

    What the server refuses is changed or left out, and once it has answered so, that is remembered
    (`server_dialect.py`). A busy server is asked again when it says, if the visitor can wait so
    long; until then it is left alone.

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
        self._dialect = Dialect(answer_formats(schema))
        self._busy_until = 0.0
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
        server = self._options.base_url
        try:
            chunks = await self._ask(messages)
            async with chunks:
                await self._hand_over(chunks, text)
        except _BusyError as error:
            text.fail("busy", f"{server}: {error}")
        except self._openai.APITimeoutError:
            text.fail("timeout", f"{server}: does not answer")
        except self._openai.APIStatusError as error:
            text.fail("server", f"{server}: {error.status_code} {error.message}")
        except Exception as error:  # garbage may break the client anywhere
            text.fail("server", f"{server}: {str(error) or type(error).__name__}")

    async def _ask(self, messages: list[Message]) -> Any:
        """The stream of the answer's events, once the server has accepted the request.

        Raises:
            _BusyError: it is busy for longer than the visitor waits.
            openai.APIError: it refuses for good, or cannot be reached.
        """
        deadline = time.monotonic() + self._options.patience_s
        dialect, asked_again = self._dialect, False
        await self._wait(self._busy_until - time.monotonic(), deadline)
        while True:
            try:
                chunks = await self._request(dialect, messages)
            except self._openai.APIStatusError as error:
                if error.status_code in _BUSY and not asked_again:
                    wait_s = _retry_after_s(error.response.headers)
                    asked_again = wait_s is None
                    await self._wait(_SHORT_WAIT_S if wait_s is None else wait_s, deadline)
                    continue
                if error.status_code in _BUSY:
                    raise _BusyError(f"{error.status_code} {error.message}") from error
                changed = dialect.after_refusal(error.status_code, error.body or error.message)
                if changed is None:
                    raise
                dialect = changed
            else:
                # What was refused before it was refused for its form.
                self._dialect = dialect
                return chunks

    async def _wait(self, wait_s: float, deadline: float) -> None:
        """Leave the server alone for so long."""
        if wait_s <= 0.0:
            return
        now = time.monotonic()
        self._busy_until = now + min(wait_s, _LONGEST_WAIT_S)
        if self._busy_until > deadline:
            raise _BusyError(f"it is busy for {wait_s:.1f} s more")
        await asyncio.sleep(wait_s)

    async def _request(self, dialect: Dialect, messages: list[Message]) -> Any:
        options = self._options
        body = {"model": options.model, "messages": dialect.messages(messages)}
        body |= dialect.parameters(max_tokens=options.max_tokens, temperature=options.temperature)
        return await self._client.post(
            "/chat/completions",
            body=body,
            cast_to=object,  # events as they are: the typed ones cannot be without a field
            stream=True,
            stream_cls=self._openai.AsyncStream[object],
        )

    async def _hand_over(self, chunks: Any, text: TextStream) -> None:
        """The events' text, and what they end with. A tool's arguments count as text: some servers
        bring the answer that way."""
        tool = finish = ""
        async for event in _events(chunks):
            chunk = read_chunk(event)
            if chunk.thought:
                text.thinks()
            if chunk.tool:
                text.put("\n")
            text.put(chunk.text + chunk.arguments)
            tool, finish = tool or chunk.tool, chunk.finish or finish
        if finish in _CUT_OFF:
            text.fail("cut_off", _CUT_OFF[finish].format(max_tokens=self._options.max_tokens))
        elif tool:
            text.fail("tool", f"it called {tool!r}, though no tool was offered")
        else:
            text.end()


class _BusyError(Exception):
    """A server that has no time, for longer than somebody waits for it."""


async def _events(chunks: Any) -> AsyncIterator[object]:
    """What the server sends; one that does not stream sends all of it in one piece."""
    if "json" in chunks.response.headers.get("content-type", ""):
        yield whole_answer(json.loads(await chunks.response.aread()))
        return
    async for event in chunks:
        yield event


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long a server wants to be left alone [s], above 0; None: it does not say."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "")
        with contextlib.suppress(ValueError):
            wait_s = float(value) * scale
            return wait_s if 0.0 < wait_s < math.inf else None
        with contextlib.suppress(ValueError):
            wait_s = (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds()
            return max(wait_s, 0.001)
    return None


def _import_openai() -> Any:
    try:
        import openai
    except ImportError as error:
        raise ReasonerError("backend openai: the Python package openai is missing") from error
    return openai
