"""Speech from a server that speaks OpenAI's `/v1/audio/speech` (CosyVoice, Kokoro-FastAPI, vLLM,
openedai-speech and others), sample by sample as it arrives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.sound.wav_stream import PcmFormat, WavError, stream_pcm, stream_wav
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser, SynthesisError

FORMATS = ("wav", "pcm")

_PCM_RATE = 24_000
_WHOLE_ANSWER_S = 120.0
_SHOWN_OF_ANSWER = 120


class HttpSynthesiser(Synthesiser):
    """A client of one server. Requests run on an event loop of their own, so that any wait, for a
    connection, an answer or the next byte, ends at once when the stream is cancelled.

    Args:
        url: base URL of the API, up to and without `/audio/speech` (`http://127.0.0.1:8880/v1`).
        voice, model: as the server names them.
        speed: 1.0 is the voice's own.
        api_key: sent as bearer token; empty: none is needed.
        response_format: `wav`, or `pcm` (16 bit mono of 24 kHz, or the `rate` that the answer's
            content type gives).
        timeout_s: how long to wait for a connection, the answer, or the next bytes of it [s].

    Raises:
        SynthesisError: at construction: the `openai` package is missing, or the URL is none.
    """

    name = "http"

    def __init__(
        self,
        *,
        url: str,
        voice: str,
        model: str,
        speed: float = 1.0,
        api_key: str = "",
        response_format: str = "wav",
        timeout_s: float = 5.0,
        sample_rate: int = GRAPH_RATE,
    ) -> None:
        super().__init__(sample_rate=sample_rate)
        if not url.startswith(("http://", "https://")):
            raise SynthesisError(f"http: expected a URL such as http://127.0.0.1:8880/v1: {url!r}")
        if response_format not in FORMATS:
            raise SynthesisError(f"http: response format {response_format!r}, expected wav or pcm")
        self._url = url
        self._request = {
            "model": model, "voice": voice, "speed": speed, "response_format": response_format
        }  # fmt: skip
        self._client = _client(url, api_key, timeout_s)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="http loop", daemon=True
        )
        self._thread.start()

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """See `Synthesiser.speak`. The API knows no language: the voice has its own."""
        answer = _Answer()
        request = asyncio.run_coroutine_threadsafe(self._ask(text, answer), self._loop)

        def end() -> None:
            request.cancel()
            answer.parts.put(b"")

        stream.on_cancel(end)
        try:
            for samples, rate in self._decode(answer):
                if not emit(samples, rate):
                    return
        except WavError as error:
            if not stream.cancelled:
                raise SynthesisError(f"http: {self._url} answered {error}") from None
        finally:
            end()

    def close(self) -> None:
        """See `Synthesiser.close`; connections are closed too."""
        super().close()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end_client(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end_client(self) -> None:
        await self._client.close()
        await self._loop.shutdown_default_executor()

    async def _ask(self, text: str, answer: _Answer) -> None:
        """Put the answer's bytes into `answer`, then nothing (it is over) or what went wrong."""
        try:
            await asyncio.wait_for(self._receive(text, answer), _WHOLE_ANSWER_S)
            answer.parts.put(b"")
        except asyncio.CancelledError:
            answer.parts.put(b"")
            raise
        except Exception as error:  # of openai, or of the HTTP client beneath it
            line = " ".join(str(error).split())[:_SHOWN_OF_ANSWER]
            what = f"{type(error).__name__}: {line}" if line else type(error).__name__
            answer.parts.put(SynthesisError(f"http: {self._url}: {what}"))

    async def _receive(self, text: str, answer: _Answer) -> None:
        create = self._client.audio.speech.with_streaming_response.create
        async with create(input=text, **self._request) as response:
            answer.content_type = response.headers.get("content-type", "")
            async for part in response.iter_bytes():
                if part:
                    answer.parts.put(part)

    def _decode(self, answer: _Answer) -> Iterator[tuple[np.ndarray, int]]:
        first = answer.read()
        kind = answer.content_type.partition(";")[0].strip().lower()
        if kind.startswith("text/") or kind.endswith("json"):
            shown = first[:_SHOWN_OF_ANSWER].decode("utf-8", "replace")
            raise SynthesisError(f"http: {self._url} answered {kind} in place of sound: {shown}")
        parts = iter([first])

        def again() -> bytes:
            return next(parts, b"") or answer.read()

        if self._request["response_format"] == "wav" or first.startswith(b"RIFF"):
            yield from stream_wav(again)
            return
        layout = PcmFormat(answer.rate or _PCM_RATE)
        for samples in stream_pcm(again, layout):
            yield samples, layout.sample_rate


class _Answer:
    """A server's answer, as far as it has come."""

    def __init__(self) -> None:
        self.content_type = ""
        self.parts: SimpleQueue[bytes | Exception] = SimpleQueue()
        self._over = False

    @property
    def rate(self) -> int | None:
        """Sample rate that the content type names (`audio/L16;rate=24000`)."""
        for field in self.content_type.split(";")[1:]:
            name, _, value = field.partition("=")
            if name.strip().lower() == "rate" and value.strip().isdigit():
                return int(value)
        return None

    def read(self) -> bytes:
        """Wait for more; empty: it is over. Raises what kept it from being complete."""
        if self._over:
            return b""
        part = self.parts.get()
        self._over = not isinstance(part, bytes) or not part
        if isinstance(part, Exception):
            raise part
        return part


def _client(url: str, api_key: str, timeout_s: float) -> Any:
    try:
        from openai import AsyncOpenAI
    except ImportError as error:
        raise SynthesisError(
            "http: the Python package openai is missing: pip install openai"
        ) from error
    # The client insists on a key; servers of one's own take any.
    return AsyncOpenAI(base_url=url, api_key=api_key or "none", timeout=timeout_s, max_retries=0)
