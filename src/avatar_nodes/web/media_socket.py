"""Sends media without WebRTC: JPEG and PCM with their times over one WebSocket, and MJPEG."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import AsyncIterator

import anyio
import numpy as np
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.media_hub import MediaReader, ReaderClosedError
from avatar_nodes.web.session_socket import UNKNOWN_SESSION, end_with_session
from avatar_nodes.web.sessions import Session, Sessions
from avatar_nodes.web.web_error import WebError

_HEAD = struct.Struct("<Bxxxd")
_FRAME, _SOUND = 0, 1
_LONGEST_SOUND = 32_000
PARTS = "multipart/x-mixed-replace; boundary=frame"
_FEW = 6
"""Slots that wait for a viewer: a picture later than that is of no use."""


async def media_socket(socket: WebSocket) -> None:
    """Out: a byte (0 a JPEG, 1 int16 samples), three unused ones, a double (milliseconds since
    1970), and the data. In: int16 mono samples at 16 kHz of the page's microphone."""
    kiosk = Kiosk.of(socket)
    await socket.accept()
    try:
        session = kiosk.sessions.get(socket.path_params["session"])
    except WebError as error:
        await socket.close(UNKNOWN_SESSION, str(error))
        return
    reader = kiosk.media.join(depth=_FEW)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_show, socket, reader)
            group.start_soon(end_with_session, socket, session, group.cancel_scope)
            await _hear(socket, session)
            group.cancel_scope.cancel()
    finally:
        reader.close()
        session.microphone.pause()


async def _show(socket: WebSocket, reader: MediaReader) -> None:
    try:
        while True:
            slot = await reader.next()
            time_ms = slot.stamp_ns / 1e6
            await socket.send_bytes(_HEAD.pack(_SOUND, time_ms) + slot.sound.tobytes())
            await socket.send_bytes(_HEAD.pack(_FRAME, time_ms) + slot.jpeg)
    except (WebSocketDisconnect, RuntimeError, ReaderClosedError):
        return  # the receiving side ends it all


async def _hear(socket: WebSocket, session: Session) -> None:
    while True:
        try:
            data = await socket.receive_bytes()
        except (WebSocketDisconnect, KeyError, RuntimeError):
            return
        if len(data) % 2 == 0 and len(data) <= _LONGEST_SOUND:
            session.microphone.push(np.frombuffer(data, "<i2").astype(np.int16))


async def motion_jpeg(request: Request) -> Response:
    """The picture alone, for an `<img>`, VLC or a camera viewer; it counts as a viewer."""
    if request.method == "HEAD":
        return Response(media_type=PARTS)
    kiosk = Kiosk.of(request)
    session = await kiosk.sessions.open()
    session.attached = True
    return Pictures(kiosk.media.join(depth=2), session, kiosk.sessions)


class Pictures(StreamingResponse):
    """The reader's pictures as MJPEG, until the other side is gone, or the session is over: which
    ends with them, also if not one was sent."""

    def __init__(
        self, reader: MediaReader, session: Session | None = None, sessions: Sessions | None = None
    ) -> None:
        super().__init__(_parts(reader), media_type=PARTS)
        self._reader = reader
        self._session = session
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._until_over)
                await super().__call__(scope, receive, send)
                group.cancel_scope.cancel()
        finally:
            self._reader.close()
            if self._session is not None and self._sessions is not None:
                with anyio.CancelScope(shield=True):
                    await self._sessions.end(self._session)

    async def _until_over(self) -> None:
        if self._session is not None:
            await self._session.over.wait()
            self._reader.close()


async def _parts(reader: MediaReader) -> AsyncIterator[bytes]:
    with contextlib.suppress(ReaderClosedError):
        while True:
            jpeg = (await reader.next()).jpeg
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            yield head.encode() + jpeg + b"\r\n"
