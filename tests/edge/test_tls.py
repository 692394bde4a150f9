"""Certificates: usable ones, and what is said of others."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from relay.edge.tls import TlsError, make_self_signed, server_context


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return make_self_signed(tmp_path / "tls", ["mx.shop.example", "127.0.0.1", "店.example"])


# R-UI-15
def test_a_self_signed_certificate_is_trusted_by_who_has_it_and_its_key_is_private(pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    assert server_context(certificate, key).minimum_version == ssl.TLSVersion.TLSv1_2
    (held,) = ssl.create_default_context(cafile=certificate).get_ca_certs()
    assert held["subjectAltName"] == (
        ("DNS", "mx.shop.example"), ("IP Address", "127.0.0.1"), ("DNS", "xn--hxt.example"),
    )  # fmt: skip
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_making_one_again_replaces_it(pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    before = certificate.read_bytes(), key.read_bytes()
    make_self_signed(certificate.parent, ["mx.shop.example"])
    assert certificate.read_bytes() != before[0]
    assert key.read_bytes() != before[1]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    server_context(certificate, key)


def test_a_missing_file_is_named_with_the_fix(pair: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = pair
    with pytest.raises(TlsError, match=r"certificate .*gone\.pem does not exist: set tls\.certificate"):
        server_context(tmp_path / "gone.pem", key)
    with pytest.raises(TlsError, match=r"key .*gone\.pem does not exist: set tls\.key"):
        server_context(certificate, tmp_path / "gone.pem")


def test_an_unreadable_file_is_named_with_the_fix(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"certificate .* cannot be read \(Is a directory\): check owner and mode"):
        server_context(tmp_path, pair[1])


def test_a_key_of_another_certificate_is_told_apart(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, other_key = make_self_signed(tmp_path / "other", ["other.example"])
    with pytest.raises(TlsError, match="does not belong to"):
        server_context(pair[0], other_key)


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_no_pem_is_told_apart(pair: tuple[Path, Path], which: int) -> None:
    pair[which].write_text("not a certificate")
    with pytest.raises(TlsError, match="not valid PEM"):
        server_context(*pair)


def test_a_key_with_a_passphrase_is_refused_without_asking(pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(TlsError, match="without a passphrase"):
        server_context(certificate, key)
