"""Finds the page's certificate: the operator's own, or one made here."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from avatar_nodes.web.web_error import ServerError

_VALID_DAYS = 825
_RENEW_DAYS = 30


@dataclass(frozen=True)
class Certificate:
    """Two PEM files."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raises ServerError: they cannot be read, or do not belong together."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or str(error)
            raise ServerError(f"certificate {self.certificate}, key {self.key}: {reason}") from None


def own_certificate(host: str, folder: Path | None = None) -> Certificate:
    """A self-signed certificate for this machine, kept for the next start, so that a browser that
    was told to trust it goes on to do so.

    folder: where it is kept; None: the user's state folder.

    Raises ServerError: it cannot be written.
    """
    if folder is None:
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(state).expanduser() / "avatar_nodes"
    pair = Certificate(folder / "kiosk_certificate.pem", folder / "kiosk_key.pem")
    names = _names(host)
    if _still_good(pair, names):
        return pair
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = os.open(pair.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(private, "wb") as file:
            file.write(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        signed = _signed(key, names)
        pair.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise ServerError(f"{folder}: {error.strerror}: no place for a certificate") from None
    return pair


def _signed(key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName]) -> x509.Certificate:
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Avatar kiosk")])
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )


def _names(host: str) -> list[x509.GeneralName]:
    """Names that this machine is reached by: its name, and the address that it listens at."""
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    try:
        address = ipaddress.ip_address(host)
        if not address.is_unspecified:
            names.append(x509.IPAddress(address))
    except ValueError:
        names.append(x509.DNSName(host))
    return list(dict.fromkeys(names))


def _still_good(pair: Certificate, names: list[x509.GeneralName]) -> bool:
    try:
        pair.check()
        known = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except (ServerError, OSError, ValueError):
        return False
    left = known.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    alternative = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return left.days > _RENEW_DAYS and set(names) <= set(alternative)
