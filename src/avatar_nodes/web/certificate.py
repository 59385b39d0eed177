"""Finds the page's certificate: the operator's own, or one made here."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import psutil
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
    """A self-signed certificate for this machine's names and addresses, kept for the next start, so
    that a browser that was told to trust it goes on to do so. Its key is its owner's alone.

    folder: where it is kept; None: the user's state folder.

    Raises ServerError: it cannot be written.
    """
    if folder is None:
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(state).expanduser() / "avatar_nodes"
    pair = Certificate(folder / "kiosk_certificate.pem", folder / "kiosk_key.pem")
    names = _names(host)
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        if _still_good(pair, names):
            pair.key.chmod(0o600)
            return pair
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = os.open(pair.key, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(private, "wb") as file:
            os.fchmod(private, 0o600)  # of one that was there already
            file.truncate()
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
    """Names that this machine is reached by: its name, here and by mDNS, and the address that it
    listens at, or all that it has."""
    own = socket.gethostname()
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in ("localhost", own)]
    if "." not in own:
        names.append(x509.DNSName(f"{own}.local"))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        names.append(x509.DNSName(host))
    else:
        heard = _own_addresses() if address.is_unspecified else [address]
        names += [x509.IPAddress(each) for each in heard]
    return list(dict.fromkeys(names))


def _own_addresses() -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """This machine's, without those that mean nothing elsewhere than on one cable."""
    texts = [each.address for link in psutil.net_if_addrs().values() for each in link
             if each.family in (socket.AF_INET, socket.AF_INET6)]  # fmt: skip
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
    return [address for address in addresses if not address.is_link_local]


def _still_good(pair: Certificate, names: list[x509.GeneralName]) -> bool:
    try:
        pair.check()
        known = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    except (ServerError, OSError, ValueError):
        return False
    # Addresses of IPv6 change by the day where they are to hide who it is.
    wanted = {
        name for name in names
        if not (isinstance(name, x509.IPAddress) and name.value.version == 6)
    }  # fmt: skip
    left = known.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    alternative = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return left.days > _RENEW_DAYS and wanted <= set(alternative)
