"""The certificate that the server makes for itself."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

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


def test_a_broken_one_is_made_anew(tmp_path: Path) -> None:
    pair = own_certificate("0.0.0.0", tmp_path)
    pair.certificate.write_text("broken")
    own_certificate("0.0.0.0", tmp_path).check()
