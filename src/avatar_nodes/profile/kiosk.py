"""The section of the web page that visitors and operators meet the avatar on."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from avatar_nodes.profile.section import Section

_ICE_SERVER = re.compile(
    r"(stun:{at}|turn:{at}(\?transport=(udp|tcp))?|turns:{at}(\?transport=tcp)?)".replace(
        "{at}", r"[^@?:/\s]+(:\d{1,5})?"
    )
)


def _ice_server(url: str) -> str:
    if not _ICE_SERVER.fullmatch(url):
        got = "an address with a user in it" if "@" in url else repr(url)
        raise ValueError(
            "expected stun:HOST:PORT, turn:HOST:PORT, turn:HOST:PORT?transport=tcp or"
            " turns:HOST:PORT (user and credential come from AVATAR_TURN_USER and"
            f" AVATAR_TURN_CREDENTIAL), got {got}"
        )
    return url


IceServer = Annotated[str, AfterValidator(_ice_server)]


class KioskSection(Section):
    """The web page. Tokens come from the environment: AVATAR_KIOSK_TOKEN for visitors,
    AVATAR_OPERATOR_TOKEN for operators."""

    enabled: bool = Field(default=False, description="Serve the page (modes converse and puppet).")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen at. Any that others reach (`0.0.0.0`: every one) needs a"
        " token, and is served by HTTPS.",
    )
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0: any free one.")
    title: str = Field(default="", description="What the page is called; empty: the persona.")
    max_viewers: int = Field(
        default=1, ge=1, le=64, description="Visitors' pages that are served at a time."
    )
    idle_seat_s: float = Field(
        default=300.0,
        ge=0.0,
        le=86400.0,
        description="A visitor who has neither spoken nor written for this long makes room when"
        " another one comes; 0: never (mode converse) [s].",
    )
    certificate: str = Field(
        default="",
        description="PEM file of an own certificate; empty: a self-signed one is made where HTTPS"
        " is needed.",
    )
    key: str = Field(default="", description="PEM file of the certificate's key.")
    hosts: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="Further names under which the page may be reached while there is no token;"
        " with one, any name will do.",
    )
    proxies: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list,
        description="Addresses of reverse proxies before the page (`127.0.0.1`, `10.0.0.0/8`),"
        " whose X-Forwarded-For and X-Forwarded-Proto are believed; empty: nobody's.",
    )
    ice_servers: list[IceServer] = Field(
        default_factory=list,
        description="STUN and TURN servers for viewers beyond this network (`stun:host:3478`,"
        " `turn:host:3478`, `turn:host:3478?transport=tcp`, `turns:host:5349`). User and credential"
        " of TURN come from the environment: AVATAR_TURN_USER, AVATAR_TURN_CREDENTIAL.",
    )
    media_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="First UDP port of WebRTC's media, for a firewall to let through; 0: any.",
    )
    media_ports: int = Field(
        default=100,
        ge=1,
        le=10000,
        description="How many ports from `media_port` on: one for each viewer.",
    )
    max_upload_mb: int = Field(
        default=8, ge=1, le=64, description="Largest reference picture that is taken [MB]."
    )
    label: bool = Field(
        default=True, description="Visible label on the page's pictures (words: section `marking`)."
    )
    watermark: bool = Field(default=True, description="Invisible watermark in the page's pictures.")
    forget_on_leave: bool = Field(
        default=True, description="The dialogue is forgotten when the last visitor has left."
    )
