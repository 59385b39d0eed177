"""A chat server over HTTP whose model's name says of which kind it is: what it refuses
(`chat_refusals.py`), what it writes (`chat_kinds.py`), or how it misbehaves (below)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.chat_kinds import ANSWERED, HALVES, OBJECT, UNANSWERED, Event, delta, ends, says
from support.chat_refusals import REFUSALS

_EVENTS: dict[str, list[Event]] = {
    **ANSWERED,
    **{name: events for name, (_, events) in UNANSWERED.items()},
    "halves": HALVES,
}


class HostileServer:
    """Listens on a port of its own until `close`; `requests` are the bodies that came."""

    def __init__(self, texts: dict[str, Sequence[str]] | None = None) -> None:
        """`texts`: models that behave well, with the pieces that each answers."""
        self.texts = dict(texts or {})
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        """What came with each request as authorization."""
        self.busy: list[dict[str, str]] = []
        """Headers of the 429 that the next requests are answered with."""
        self.step = threading.Semaphore(0)
        """Model `steps`: released once for each sentence that it may write."""
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
            refusal = REFUSALS[model](body) if model in REFUSALS else None
            if server.busy:
                self._refuse(429, {"error": {"message": "slow down"}}, server.busy.pop(0))
            elif refusal is not None:
                self._refuse(*refusal)
            elif not body.get("stream"):
                self._whole(OBJECT)
            elif model in REFUSALS:
                self._events(says(OBJECT))
            elif model in _EVENTS:
                self._events(_EVENTS[model])
            elif model in server.texts:
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

        def _refuse(self, status: int, error: Any, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self._raw(json.dumps(error).encode())

        def _whole(self, text: str) -> None:
            message = {"role": "assistant", "content": text}
            self._refuse(200, {"choices": [{"message": message, "finish_reason": "stop"}]})

        def _event(self, event: Event) -> None:
            data = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
            self._raw(f"data: {json.dumps(data | event)}\n\n".encode())

        def _events(self, events: Iterable[Event]) -> None:
            self._head()
            for event in events:
                self._event(event)
            self._raw(b"data: [DONE]\n\n")

        def _chunk(self, text: str) -> None:
            self._event(delta(content=text))

        def _raw(self, data: bytes) -> None:
            try:
                self.wfile.write(data)
                self.wfile.flush()
            except OSError:
                server.gone.set()

        def _texts(self, pieces: Sequence[str]) -> None:
            self._events(delta(content=piece) for piece in pieces)

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

        def _ignores_stream(self, body: dict[str, Any]) -> None:
            self._whole(OBJECT)

        def _cut_off(self, body: dict[str, Any]) -> None:
            begun = '{"action_prompt": "A person raises a thumb.", "reply": "I begin. And th'
            self._events([*says(begun), *ends("length")])

        def _thinks_long(self, body: dict[str, Any]) -> None:
            """Signs of life, but no word, for longer than a first word may take."""
            self._head()
            for _ in range(8):
                server.closing.wait(0.1)
                self._event(delta(reasoning_content="hm "))
            for event in says(OBJECT):
                self._event(event)
            self._raw(b"data: [DONE]\n\n")

        def _steps(self, body: dict[str, Any]) -> None:
            """Plain sentences, each when it may."""
            self._head()
            for sentence in ("One is here. ", "Two is here. ", "Three."):
                server.step.acquire(timeout=30.0)
                self._chunk(sentence)
            self._raw(b"data: [DONE]\n\n")

    return Handler
