"""A chat server over HTTP whose model's name says how it misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HostileServer:
    """Listens on a port of its own until `close`; `requests` are the bodies that came."""

    def __init__(self, texts: dict[str, Sequence[str]] | None = None) -> None:
        """`texts`: models that behave well, with the pieces that each answers."""
        self.texts = dict(texts or {})
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        """What came with each request as authorization."""
        self.gone = threading.Event()
        """A client left while its answer was being written or waited for."""
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, name="hostile server")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()  # waits for the handlers
        self._thread.join()


def _handler(server: HostileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            server.keys.append(self.headers.get("Authorization", ""))
            server.requests.append(body)
            model = body["model"]
            if model in server.texts:
                self._texts(server.texts[model])
            else:
                behaviour: Callable[[dict[str, Any]], None] = getattr(self, f"_{model}")
                behaviour(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _head(self, status: int = 200, kind: str = "text/event-stream") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Connection", "close")
            self.end_headers()

        def _chunk(self, text: str) -> None:
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            data = {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "m",
                "choices": [choice],
            }
            self._raw(f"data: {json.dumps(data)}\n\n".encode())

        def _raw(self, data: bytes) -> None:
            try:
                self.wfile.write(data)
                self.wfile.flush()
            except OSError:
                server.gone.set()

        def _texts(self, pieces: Sequence[str]) -> None:
            self._head()
            for piece in pieces:
                self._chunk(piece)
            self._raw(b"data: [DONE]\n\n")

        def _stall(self) -> None:
            """Silence, until the client leaves or the test ends."""
            self.connection.settimeout(0.05)
            while not server.closing.is_set():
                try:
                    if not self.connection.recv(1):
                        server.gone.set()
                        return
                except TimeoutError:
                    continue
                except OSError:
                    server.gone.set()
                    return

        def _silent(self, body: dict[str, Any]) -> None:
            self._stall()

        def _stalls_after_headers(self, body: dict[str, Any]) -> None:
            self._head()
            self._stall()

        def _stalls_in_the_reply(self, body: dict[str, Any]) -> None:
            self._head()
            self._chunk('{"action_prompt": "A person raises a thumb.", "reply": "I begin. And th')
            self._stall()

        def _breaks_off(self, body: dict[str, Any]) -> None:
            self._head()
            self._chunk('{"action_prompt": "A person raises a thumb.", "reply": "I be')

        def _garbage(self, body: dict[str, Any]) -> None:
            self._head()
            self._raw(bytes(range(256)) * 20)

        def _no_events(self, body: dict[str, Any]) -> None:
            self._head(kind="text/html")
            self._raw(b"<html><body>Sign in to continue</body></html>")

        def _broken_event(self, body: dict[str, Any]) -> None:
            self._head()
            self._raw(b"data: {broken\n\n")

        def _odd_event(self, body: dict[str, Any]) -> None:
            self._head()
            self._raw(b'data: {"choices": [{"delta": null}]}\n\ndata: [DONE]\n\n')

        def _fails(self, body: dict[str, Any]) -> None:
            self._head(500, "application/json")
            self._raw(b'{"error": {"message": "out of memory"}}')

        def _refuses_what_is_long(self, body: dict[str, Any]) -> None:
            if "long" in body["messages"][-1]["content"]:
                self._head(400, "application/json")
                self._raw(b'{"error": {"message": "the context is too long"}}')
            else:
                self._texts(server.texts["good"])

        def _unknown(self, body: dict[str, Any]) -> None:
            self._head(404, "application/json")
            self._raw(b'{"error": {"message": "no such model"}}')

        def _endless(self, body: dict[str, Any]) -> None:
            self._head()
            self._chunk('{"action_prompt": "A person raises a thumb.", "reply": "')
            while not (server.gone.is_set() or server.closing.is_set()):
                self._chunk("and " * 200)

        def _drips(self, body: dict[str, Any]) -> None:
            self._head()
            while not (server.gone.is_set() or server.closing.wait(0.05)):
                self._chunk(" ")

        def _plain_only(self, body: dict[str, Any]) -> None:
            if "response_format" in body:
                self._head(422, "application/json")
                self._raw(b'{"error": {"message": "response_format is not supported"}}')
            else:
                self._texts(server.texts["good"])

    return Handler
