"""A stand-in for the hub, as its client asks it: one file of one revision, resumable."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class HubServer(ThreadingHTTPServer):
    """Serves `files`: `/owner/name/resolve/<revision>/<path>` to content.

    Args:
        cut_after: bytes after which the first download of each file breaks off; 0: none does.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], *, cut_after: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.cut_after = cut_after
        self.sent: list[tuple[str, int]] = []
        """What was asked for, and from which byte on."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *_: object) -> None:
        """Silent."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        content = self.server.files.get(self.path)
        if self.path == "/":
            content = b""
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(asked.group(1)) if asked else 0
        part = content[first:]
        self.send_response(206 if asked else 200)
        revision = self.path.split("/resolve/")[-1].split("/")[0]
        digest = hashlib.sha256(content).hexdigest()
        self.send_header("ETag", f'"{digest}"')
        self.send_header("X-Linked-Etag", f'"{digest}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Repo-Commit", revision)
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if not body:
            return
        self.server.sent.append((self.path, first))
        if self.server.cut_after and not first:
            self.wfile.write(part[: self.server.cut_after])
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.wfile.write(part)


@contextmanager
def hub_server(files: dict[str, bytes], *, cut_after: int = 0) -> Iterator[HubServer]:
    """A server that runs until the context is left."""
    with HubServer(files, cut_after=cut_after) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
