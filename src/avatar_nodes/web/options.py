"""Settings of the web server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WebOptions:
    """Everything that the pages and their server need to know.

    Raises ServerError from AccessRules: see there.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    """0: any free one."""
    mode: str = "converse"
    """`converse`: visitors ask. `puppet`: an operator speaks, others watch."""
    title: str = "Avatar"
    listens: bool = True
    """The avatar hears browsers; false: a microphone of its own machine."""
    max_viewers: int = 1
    visitor_token: str = ""
    operator_token: str = ""
    certificate: str = ""
    """PEM file; empty: none on loopback, one made here elsewhere."""
    key: str = ""
    hosts: Sequence[str] = ()
    """Further names under which the page is reached."""
    ice_servers: Sequence[str] = ()
    """STUN and TURN servers (`stun:host:port`), for viewers beyond this network."""
    max_upload_mb: int = 8
    forget_on_leave: bool = True
    """The dialogue ends when the last visitor has left."""
    width: int = 256
    height: int = 256
    fps: int = 25
    sample_rate: int = 16000
    personas: Sequence[str] = field(default_factory=tuple)
    """Those an operator may choose from."""
