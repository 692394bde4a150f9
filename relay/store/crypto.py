"""Envelope encryption and keyed hashes (R-REC-04).

    master key (a file)  wraps  the root secret, each holder's key, DKIM keys
    holder's key         wraps  message keys, seals the holder's addresses and names
    message key          seals  one message's original, relayed form and meta data, keys its content hash

Everything is encrypted by AES-256-GCM with the row's identity as associated data, so that a value moved to another row
cannot be decrypted. Destroying a holder's key erases everything below it. Addresses and Message-IDs are looked up by a
keyed BLAKE2b hash. Its keys are derived from the root secret, and it covers the marketplace or the pair, so that equal
values of two marketplaces or pairs have different hashes.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from relay.ports import StoreError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID_BYTES: Final = 4
_CACHED_KEYS: Final = 4_096

Entropy = Callable[[int], bytes]


class UnreadableError(Exception):
    """A sealed value cannot be decrypted: its key is gone, or it was changed."""


def identity(*words: str) -> bytes:
    """Returns the associated data that binds a sealed value to its table and its row."""
    return "\0".join(words).encode()


class Key:
    """One AES-256-GCM key. A sealed value is the nonce and the ciphertext. It may be used in several threads."""

    __slots__ = ("_cipher", "_entropy")

    def __init__(self, secret: bytes, entropy: Entropy) -> None:
        self._cipher = AESGCM(secret)
        self._entropy = entropy

    def seal(self, row: bytes, plain: bytes) -> bytes:
        nonce = self._entropy(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, row)

    def open(self, row: bytes, sealed: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row)
        except (InvalidTag, ValueError) as error:
            raise UnreadableError("a sealed value does not open with its key") from error


class MasterKeys:
    """The master keys of an installation: lines of base64 in a file that only its owner may read (made with mode 0600).

    The first key is the current one; the others can still unwrap the values that they wrapped. Each key's id is
    computed from the key.
    """

    def __init__(self, secrets: Sequence[bytes], *, source: str = "memory") -> None:
        if not secrets or any(len(secret) != KEY_BYTES for secret in secrets):
            raise StoreError(f"{source}: a master key is {KEY_BYTES} bytes in base64; restore the file from its backup")
        self.source = source
        self._ciphers = {_key_id(secret): Key(secret, os.urandom) for secret in secrets}
        self._current = _key_id(secrets[0])

    @classmethod
    def create(cls, path: Path) -> "MasterKeys":
        """Creates the file with one fresh key. Raises StoreError, also if the file exists."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as error:
            raise StoreError(f"{path}: there is a master key already; remove `master_key`'s file by hand") from error
        except OSError as error:
            raise StoreError(f"{path}: cannot make the master key: {error.strerror}; check its directory") from error
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> "MasterKeys":
        """Returns the keys of the file. Raises StoreError, which names the file and the fix."""
        try:
            mode = path.stat().st_mode
            lines = path.read_bytes().split()
        except FileNotFoundError as error:
            raise StoreError(f"{path}: no master key; `relay init` makes one, or restore it from its backup") from error
        except OSError as error:
            raise StoreError(f"{path}: cannot read the master key: {error.strerror}; check owner and mode") from error
        if stat.S_IMODE(mode) & 0o077:
            raise StoreError(f"{path}: others may read the master key; run `chmod 600 {path}`")
        try:
            secrets = [base64.b64decode(line, validate=True) for line in lines]
        except binascii.Error as error:
            raise StoreError(f"{path}: a master key is not base64; restore the file from its backup") from error
        return cls(secrets, source=str(path))

    def wrap(self, row: bytes, secret: bytes) -> bytes:
        """Returns the secret, sealed by the current key, with the id of that key before it."""
        return self._current + self._ciphers[self._current].seal(row, secret)

    def unwrap(self, row: bytes, wrapped: bytes) -> bytes:
        """Returns the secret that was wrapped. Raises UnreadableError."""
        cipher = self._ciphers.get(wrapped[:_ID_BYTES])
        if cipher is None:
            raise UnreadableError(f"master key {wrapped[:_ID_BYTES].hex()} is not in {self.source}")
        return cipher.open(row, wrapped[_ID_BYTES:])


class Vault:
    """The keys that one open store works with.

    Unwrapped holder keys are kept in memory with their wrapped form, which is read with every look-up: when another
    process has changed or destroyed a key, the old one is dropped here.
    """

    def __init__(self, master: MasterKeys, entropy: Entropy) -> None:
        self.master = master
        self.entropy = entropy
        self._root = b""
        self._holders: dict[str, tuple[bytes, Key]] = {}
        self._derived: dict[str, bytes] = {}

    def unlock(self, wrapped_root: bytes) -> None:
        """Takes the root secret. Raises StoreError if the master key is not the one of this database."""
        try:
            self._root = self.master.unwrap(identity("secret", "root"), wrapped_root)
        except UnreadableError as error:
            raise StoreError(
                f"{self.master.source}: not the master key of this database ({error}); restore the file from its backup"
            ) from error

    def new_root(self) -> bytes:
        return self.master.wrap(identity("secret", "root"), self.entropy(KEY_BYTES))

    def secret(self, name: str) -> bytes:
        """Returns the secret of this name, derived from the root secret. Raises StoreError before `unlock`."""
        if name not in self._derived:
            if not self._root:
                raise StoreError("the store is not open")
            self._derived[name] = hmac.digest(self._root, f"secret\0{name}".encode(), "sha256")
        return self._derived[name]

    def new_holder(self, holder_id: str) -> bytes:
        """Returns a fresh key for a holder, wrapped by the master key."""
        return self.master.wrap(identity("holder_key", holder_id), self.entropy(KEY_BYTES))

    def holder(self, holder_id: str, wrapped: bytes | None) -> Key:
        """Returns the key of a party or a marketplace.

        `wrapped` is the key as it is stored now, None if it is destroyed. Raises UnreadableError when it is destroyed
        or is not this holder's.
        """
        if wrapped is None:
            self._holders.pop(holder_id, None)
            raise UnreadableError("the holder's key is destroyed")
        known = self._holders.get(holder_id)
        if known is not None and known[0] == wrapped:
            return known[1]
        key = self.key(self.master.unwrap(identity("holder_key", holder_id), wrapped))
        while len(self._holders) >= _CACHED_KEYS:
            self._holders.pop(next(iter(self._holders)), None)
        self._holders[holder_id] = wrapped, key
        return key

    def forget(self) -> None:
        """Drops the holder keys that are kept in memory."""
        self._holders.clear()

    def key(self, secret: bytes) -> Key:
        return Key(secret, self.entropy)

    def address_hash(self, marketplace_id: str, folded: str) -> bytes:
        return _keyed_hash(self.secret("address"), identity(marketplace_id, folded))

    def message_id_hash(self, pair_id: str, message_id: str) -> bytes:
        return _keyed_hash(self.secret("message_id"), identity(pair_id, message_id))


def content_hash(message_key: bytes, content: bytes) -> bytes:
    """Returns the hash of the content for the ledger.

    It is keyed by a key that erasure destroys, so that a short text cannot be guessed afterwards.
    """
    return hashlib.blake2b(content, key=message_key, digest_size=32, person=b"content hash").digest()


def _keyed_hash(secret: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, key=secret, digest_size=32).digest()


def _key_id(secret: bytes) -> bytes:
    return hmac.digest(secret, b"master key id", hashlib.sha256)[:_ID_BYTES]
