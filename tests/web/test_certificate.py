"""The certificate that the server makes for itself."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from support.web_show import serving

from avatar_nodes.web import certificate
from avatar_nodes.web.certificate import own_certificate


def _names(file: Path) -> list[str]:
    known = x509.load_pem_x509_certificate(file.read_bytes())
    names = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def test_it_is_kept(tmp_path: Path) -> None:
    first = own_certificate("0.0.0.0", tmp_path)
    first.check()
    before = first.certificate.read_bytes()
    assert own_certificate("0.0.0.0", tmp_path).certificate.read_bytes() == before


def test_it_names_the_address(tmp_path: Path) -> None:
    pair = own_certificate("192.168.7.9", tmp_path)
    assert "192.168.7.9" in _names(pair.certificate)
    assert "robot.example" in _names(own_certificate("robot.example", tmp_path).certificate)


def test_it_names_every_address_of_the_machine_where_all_are_listened_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def addresses(*texts: str) -> None:
        links = {"eth0": [SimpleNamespace(family=_family(text), address=text) for text in texts]}
        monkeypatch.setattr(certificate.psutil, "net_if_addrs", lambda: links)

    addresses("192.0.2.7", "2001:db8::7", "fe80::7%eth0", "127.0.0.1")
    monkeypatch.setattr(certificate.socket, "gethostname", lambda: "booth")
    pair = own_certificate("0.0.0.0", tmp_path)
    assert _names(pair.certificate) == [
        "localhost", "booth", "booth.local", "192.0.2.7", "2001:db8::7", "127.0.0.1",
    ]  # fmt: skip
    before = pair.certificate.read_bytes()
    addresses("192.0.2.7", "2001:db8::1234", "127.0.0.1")
    assert own_certificate("0.0.0.0", tmp_path).certificate.read_bytes() == before
    addresses("192.0.2.8", "127.0.0.1")
    assert "192.0.2.8" in _names(own_certificate("0.0.0.0", tmp_path).certificate)


@pytest.mark.parametrize("good", [True, False])
def test_a_key_that_others_could_read_becomes_its_owner_s(tmp_path: Path, good: bool) -> None:
    pair = own_certificate("0.0.0.0", tmp_path)
    pair.key.chmod(0o644)
    if not good:
        pair.certificate.write_text("broken")
    own_certificate("0.0.0.0", tmp_path).check()
    assert pair.key.stat().st_mode & 0o777 == 0o600


def test_an_own_key_that_others_may_read_is_said(tmp_path: Path) -> None:
    pair = own_certificate("0.0.0.0", tmp_path)
    for mode, lines in ((0o600, 0), (0o640, 1)):
        pair.key.chmod(mode)
        said: list[str] = []
        with serving(certificate=str(pair.certificate), key=str(pair.key), warn=said.append):
            assert len(said) == lines
            assert all("chmod 600" in line for line in said)


def _family(text: str) -> int:
    return socket.AF_INET6 if ":" in text else socket.AF_INET


def test_a_broken_one_is_made_anew(tmp_path: Path) -> None:
    pair = own_certificate("0.0.0.0", tmp_path)
    pair.certificate.write_text("broken")
    own_certificate("0.0.0.0", tmp_path).check()
