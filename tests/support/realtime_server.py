"""A speech-to-speech server over WebSocket, as OpenAI's Realtime API is: it hears by loudness, and
answers everything with one sound and one text. Tests may also speak its events by hand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import threading
from typing import Any

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

RATE = 24_000
_LOUD = 300.0
_SILENCE_MS = 300
Event = dict[str, Any]


def tone(seconds: float, hertz: float = 300.0) -> np.ndarray:
    """int16 [n] at RATE."""
    wave = np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return (9_000 * wave).astype(np.int16)


def audio_events(
    sound: np.ndarray, response: str, item: str, *, bytes_each: int = 4801,
    spelling: str = "response.output_audio.delta",
) -> list[Event]:  # fmt: skip
    """The sound in pieces that are cut within samples."""
    data = sound.astype("<i2").tobytes()
    return [
        {
            "type": spelling, "response_id": response, "item_id": item, "output_index": 0,
            "content_index": 0,
            "delta": base64.b64encode(data[first : first + bytes_each]).decode(),
        }
        for first in range(0, len(data), bytes_each)
    ]  # fmt: skip


class RealtimeServer:
    """Listens on a port of its own until `close`.

    Args:
        answer: the sound of every answer.
        beta: it speaks and wants the protocol as it was before OpenAI's general release.
        piece_s: time between two pieces of an answer.
        converses: it hears and answers; else only what the test says (`say`) goes out.
    """

    def __init__(
        self, *, answer: np.ndarray | None = None, beta: bool = False, piece_s: float = 0.0,
        converses: bool = True,
    ) -> None:  # fmt: skip
        self.answer = tone(2.0) if answer is None else answer
        self.beta, self.piece_s, self.converses = beta, piece_s, converses
        self.text, self.heard = "I am a lamp. It is nice here.", "who are you"
        self.events: list[Event] = []
        """What clients have sent, without the sound."""
        self.sound = bytearray()
        """What they have sent as sound."""
        self.requests: list[tuple[str, str]] = []
        """Path and authorization of each connection."""
        self.refuse_with = 0
        """HTTP status that the next connections get; 0: they are taken."""
        self.socket: ServerConnection | None = None
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._run, name="realtime server")
        self._thread.start()
        assert self._ready.wait(10.0)

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/v1/realtime"

    def of(self, kind: str) -> list[Event]:
        return [event for event in list(self.events) if event["type"] == kind]

    def say(self, *events: Event | str | bytes) -> None:
        """To the client that came last; texts and bytes as they are."""

        async def send() -> None:
            assert self.socket is not None
            for event in events:
                await self.socket.send(json.dumps(event) if isinstance(event, dict) else event)

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(10.0)

    def drop(self) -> None:
        """The connection breaks, without a word."""

        async def abort() -> None:
            assert self.socket is not None
            self.socket.transport.abort()

        asyncio.run_coroutine_threadsafe(abort(), self._loop).result(10.0)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> Server:
        return await serve(self._talk, "127.0.0.1", 0, process_request=self._admit, max_size=None)

    def _admit(self, socket: ServerConnection, request: Any) -> Any:
        self.requests.append((request.path, request.headers.get("Authorization", "")))
        if self.refuse_with:
            return socket.respond(self.refuse_with, "no such key\n")
        return None

    async def _talk(self, socket: ServerConnection) -> None:
        self.socket = socket
        visit = _Visit(self, socket, self._numbers)
        with contextlib.suppress(ConnectionClosed):
            session = {"modalities": ["audio"]} if self.beta else {"type": "realtime"}
            await visit.send("session.created", session={"id": "s", **session})
            async for message in socket:
                event = json.loads(message)
                if event["type"] == "input_audio_buffer.append":
                    data = base64.b64decode(event["audio"])
                    self.sound += data
                    if self.converses:
                        await visit.hear(np.frombuffer(data, "<i2"))
                else:
                    self.events.append(event)
                    await visit.obey(event)
        visit.stop()


class _Visit:
    """One connection."""

    def __init__(
        self, server: RealtimeServer, socket: ServerConnection, numbers: itertools.count[int]
    ) -> None:
        self._server, self._socket, self._numbers = server, socket, numbers
        self._ms = self._quiet_ms = 0.0
        self._item = ""
        self._answer: asyncio.Task[None] | None = None
        self._id = ""

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, "event_id": "e", **fields}))

    def stop(self) -> None:
        if self._answer is not None:
            self._answer.cancel()

    async def hear(self, sound: np.ndarray) -> None:
        """Voice activity by loudness."""
        self._ms += len(sound) * 1000.0 / RATE
        loud = np.sqrt(np.mean(np.square(sound.astype(np.float64)))) > _LOUD
        self._quiet_ms = 0.0 if loud else self._quiet_ms + len(sound) * 1000.0 / RATE
        if loud and not self._item:
            self._item = f"item_{next(self._numbers)}"
            await self.send("input_audio_buffer.speech_started", item_id=self._item,
                            audio_start_ms=round(self._ms))  # fmt: skip
            await self._cancel()
        elif self._item and self._quiet_ms > _SILENCE_MS:
            item, self._item = self._item, ""
            await self.send("input_audio_buffer.speech_stopped", item_id=item,
                            audio_end_ms=round(self._ms - self._quiet_ms))  # fmt: skip
            await self.send("input_audio_buffer.committed", item_id=item)
            await self.send("conversation.item.added", item={"id": item})
            heard = "conversation.item.input_audio_transcription"
            await self.send(f"{heard}.delta", item_id=item, delta=self._server.heard[:5])
            await self.send(f"{heard}.completed", item_id=item, transcript=self._server.heard)
            self._begin({})

    async def obey(self, event: Event) -> None:
        kind = event["type"]
        if kind == "session.update":
            if ("audio" in event["session"]) == self._server.beta:
                error = {"code": "unknown_parameter", "message": "Unknown parameter",
                         "event_id": event.get("event_id")}  # fmt: skip
                await self.send("error", error=error)
            else:
                await self.send("session.updated", session=event["session"])
        elif kind == "response.create" and self._server.converses:
            self._begin(event.get("response", {}))
        elif kind == "response.cancel" and self._server.converses:
            if self._answer is None or self._answer.done():
                error = {"code": "response_cancel_not_active", "message": "no active response",
                         "event_id": event.get("event_id")}  # fmt: skip
                await self.send("error", error=error)
            await self._cancel()

    def _begin(self, wanted: Event) -> None:
        self._id = f"resp_{next(self._numbers)}"
        self._answer = asyncio.create_task(self._respond(self._id, wanted.get("metadata")))

    async def _cancel(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.cancel()
            await self.send("response.done", response={"id": self._id, "status": "cancelled"})

    async def _respond(self, response: str, metadata: Any) -> None:
        names = ("response.audio", "response.audio_transcript") if self._server.beta else (
            "response.output_audio", "response.output_audio_transcript"
        )  # fmt: skip
        item = f"item_{next(self._numbers)}"
        created = {"id": response, "status": "in_progress", "metadata": metadata}
        await self.send("response.created", response=created)
        await self.send("response.output_item.added", response_id=response, item={"id": item})
        pieces = audio_events(self._server.answer, response, item, spelling=f"{names[0]}.delta")
        words = self._server.text.split(" ")
        for number, piece in enumerate(pieces):
            if number < len(words):
                await self.send(f"{names[1]}.delta", response_id=response, item_id=item,
                                delta=words[number] + " ")  # fmt: skip
            await self._socket.send(json.dumps(piece))
            await asyncio.sleep(self._server.piece_s)
        await self.send(f"{names[0]}.done", response_id=response, item_id=item)
        await self.send("rate_limits.updated", rate_limits=[])
        await self.send("response.done", response={"id": response, "status": "completed"})
