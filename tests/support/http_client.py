"""HTTP as an attacker writes it: any header, any body, no help."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit


class Reply:
    """Status, headers and body of an answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str, method: str = "GET", path: str = "/", *, body: Any = None,
    headers: dict[str, str] | None = None,
) -> Reply:  # fmt: skip
    """One request on a connection of its own; a dictionary as body is sent as JSON. The
    certificate is not looked at."""
    at = urlsplit(url)
    assert at.hostname is not None
    connection: http.client.HTTPConnection
    if at.scheme == "https":
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(at.hostname, at.port, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
    if isinstance(body, dict):
        body = json.dumps(body)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        return Reply(connection.getresponse())
    finally:
        connection.close()
