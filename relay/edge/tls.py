"""TLS of the relay's listeners: reading the certificate, and making a self-signed one for a new installation."""

import ipaddress
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE: Final = timedelta(days=825)


class TlsError(Exception):
    """Raised if a certificate or a key cannot be used. The text names the file and the fix."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Returns the TLS context for listeners: TLS 1.2 or newer, and no client certificates. Raises TlsError."""
    for path, what in ((certificate, "certificate"), (key, "key")):
        try:
            path.open("rb").close()
        except FileNotFoundError:
            raise TlsError(f"TLS {what} {path} does not exist: set tls.{what}, or make one with `relay init`") from None
        except OSError as error:
            raise TlsError(f"TLS {what} {path} cannot be read ({error.strerror}): check owner and mode") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # OpenSSL would ask for a passphrase at the terminal. The empty answer makes it fail instead.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(f"TLS key {key} does not belong to certificate {certificate}: set a matching pair") from None
        raise TlsError(
            f"TLS certificate {certificate} or key {key} is not valid PEM without a passphrase: replace it"
        ) from None
    return context


def make_self_signed(directory: Path, hostnames: Sequence[str]) -> tuple[Path, Path]:
    """Writes `cert.pem` and `key.pem` (mode 0600) for host names or IP addresses, and returns both paths.

    Existing files are replaced. Raises OSError.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostnames[0][:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(hostname) for hostname in hostnames]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    directory.mkdir(parents=True, exist_ok=True)
    certificate_path, key_path = directory / "cert.pem", directory / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_private(
        key_path,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return certificate_path, key_path


def _general_name(hostname: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(hostname))
    except ValueError:
        return x509.DNSName(hostname.encode("idna").decode("ascii"))


def _write_private(path: Path, content: bytes) -> None:
    """Replaces a file. From its creation on, only its owner can read the new file."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
