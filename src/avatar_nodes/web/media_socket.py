"""Sends media without WebRTC: JPEG and PCM with their times over one WebSocket, and MJPEG."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import numpy as np
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.media_hub import MediaReader
from avatar_nodes.web.session_socket import UNKNOWN_SESSION, end_with_session
from avatar_nodes.web.sessions import Session
from avatar_nodes.web.web_error import WebError

_HEAD = struct.Struct("<Bxxxd")
_FRAME, _SOUND = 0, 1
_LONGEST_SOUND = 32_000
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
    except (WebSocketDisconnect, RuntimeError):
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
    kiosk = Kiosk.of(request)
    session = await kiosk.sessions.open()
    session.attached = True
    return picture_parts(kiosk.media.join(depth=2), on_end=lambda: kiosk.sessions.end(session))


def picture_parts(
    reader: MediaReader, on_end: Callable[[], Awaitable[None]] | None = None
) -> Response:
    """The reader's pictures as MJPEG, until the other side is gone."""

    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                jpeg = (await reader.next()).jpeg
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                yield head.encode() + jpeg + b"\r\n"
        finally:
            reader.close()
            if on_end is not None:
                with anyio.CancelScope(shield=True):
                    await on_end()

    return StreamingResponse(parts(), media_type="multipart/x-mixed-replace; boundary=frame")
