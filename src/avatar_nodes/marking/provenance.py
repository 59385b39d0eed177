"""Signs MP4 files with C2PA content credentials, and reads such credentials back.

Needs the extra `c2pa`. With a certificate of one's own making a reader can tell that a file is
unchanged since it was signed, but not by whom: for that, sign with one that readers trust.
"""

from __future__ import annotations

import datetime
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.marking.metadata import DIGITAL_SOURCE_TYPE

_TYPE = "video/mp4"
_NAME = "avatar_nodes"
_ALGORITHM = b"es256"
_CERTIFICATE, _KEY = "certificate.pem", "key.pem"
_VALID_DAYS = 3650
_UNTRUSTED = "signingCredential.untrusted"


class ProvenanceError(ConfigurationError):
    """Credentials that cannot be made or read; one line."""


@dataclass(frozen=True)
class SigningIdentity:
    """The signer: a certificate chain, its own first, and its private key (ES256, PEM)."""

    certificates: bytes
    key: bytes

    @classmethod
    def from_files(cls, certificates: Path, key: Path) -> SigningIdentity:
        """Raises ProvenanceError: a file cannot be read."""
        try:
            return cls(certificates.read_bytes(), key.read_bytes())
        except OSError as error:
            raise ProvenanceError(f"{error.filename}: {error.strerror}") from None

    @classmethod
    def own(cls, folder: Path) -> SigningIdentity:
        """The one of this machine, self-made at its first use, kept in `folder`.

        Raises:
            ProvenanceError: it cannot be made or read.
        """
        certificate, key = folder / _CERTIFICATE, folder / _KEY
        if certificate.exists() and key.exists():
            return cls.from_files(certificate, key)
        made = cls(*_make_certificates())
        try:
            folder.mkdir(parents=True, exist_ok=True)
            key.touch(mode=0o600)
            key.write_bytes(made.key)
            certificate.write_bytes(made.certificates)
        except OSError as error:
            raise ProvenanceError(f"{error.filename}: {error.strerror}") from None
        return made


@dataclass(frozen=True)
class Credentials:
    """Content credentials of a file."""

    unchanged: bool
    """The file is as it was when it was signed."""
    trusted: bool
    """The signer is on the reader's list of trusted ones."""
    signer: str
    problems: tuple[str, ...]


def sign_file(path: Path, identity: SigningIdentity) -> None:
    """Add credentials to an MP4 file, which say that a trained model made it.

    Raises:
        ProvenanceError: the library is missing, the file is no MP4, or the disk is full; the file
            is as it was then.
    """
    c2pa = _library()
    assertion = {"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE}
    manifest = {
        "claim_generator_info": [{"name": _NAME}],
        "title": path.name,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [assertion]}}],
    }
    signed = path.with_name(path.name + ".signed")
    try:
        info = c2pa.C2paSignerInfo(
            alg=_ALGORITHM, sign_cert=identity.certificates, private_key=identity.key, ta_url=None
        )
        with path.open("rb") as source, signed.open("w+b") as target:
            c2pa.Builder(json.dumps(manifest)).sign(
                c2pa.Signer.from_info(info), _TYPE, source, target
            )
        signed.replace(path)
    except (OSError, c2pa.C2paError) as error:
        raise ProvenanceError(f"{path}: {_line(error)}") from None
    finally:
        signed.unlink(missing_ok=True)


def credentials_of(path: Path) -> Credentials | None:
    """The credentials of an MP4 file; None: it has none, or the library is not here.

    Raises:
        ProvenanceError: they are damaged.
    """
    try:
        c2pa = _library()
    except ProvenanceError:
        return None
    try:
        with path.open("rb") as file:
            found = json.loads(c2pa.Reader(_TYPE, file).json())
    except c2pa.C2paError as error:
        if "ManifestNotFound" in type(error).__name__ or "no JUMBF" in str(error):
            return None
        raise ProvenanceError(f"{path}: {_line(error)}") from None
    problems = tuple(str(each["code"]) for each in found.get("validation_status") or ())
    active = found["manifests"][found["active_manifest"]]
    signer = str(active.get("signature_info", {}).get("common_name", ""))
    others = tuple(problem for problem in problems if problem != _UNTRUSTED)
    return Credentials(not others, _UNTRUSTED not in problems, signer, problems)


def _line(error: Exception) -> str:
    return str(error).replace("\n", "; ") or type(error).__name__


def _library() -> Any:
    try:
        return importlib.import_module("c2pa")
    except ImportError as error:
        raise ProvenanceError(f"C2PA: {error}: pip install c2pa-python") from None


def _make_certificates() -> tuple[bytes, bytes]:
    """An authority of our own, and a certificate by it: C2PA allows no self-signed signer."""
    _library()
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate(root_key.public_key(), root_key, "avatar_nodes self-made authority", "")
    own = _certificate(
        key.public_key(), root_key, "avatar_nodes self-made", "avatar_nodes self-made authority"
    )
    purpose = x509.ExtendedKeyUsageOID.EMAIL_PROTECTION  # one of those that C2PA allows
    own = own.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    chain = b"".join(_signed(each, root_key) for each in (own, root))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return chain, pem


def _certificate(public_key: Any, issuer_key: Any, name: str, issuer: str) -> Any:
    """A certificate to be signed; without an issuer it is an authority's own."""
    from cryptography import x509

    def called(common_name: str) -> x509.Name:
        fields = ((x509.NameOID.COMMON_NAME, common_name), (x509.NameOID.ORGANIZATION_NAME, _NAME))
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in fields])

    now, authority = datetime.datetime.now(datetime.timezone.utc), not issuer
    usage = dict.fromkeys(
        "content_commitment key_encipherment data_encipherment key_agreement encipher_only"
        " decipher_only".split(),
        False,
    )
    usage |= {"digital_signature": not authority, "key_cert_sign": authority}
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer or name))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage, crl_sign=authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(identifier, critical=False)
    )


def _signed(certificate: Any, key: Any) -> bytes:
    from cryptography.hazmat.primitives import hashes, serialization

    return bytes(certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
