"""Envelope encryption and keyed hashes (R-REC-04).

    master key (a file)  wraps  the root secret, each holder's key, DKIM keys
    holder's key         wraps  message keys, seals the holder's addresses and names
    message key          seals  one message's original, relayed form and meta data, keys its content hash
    body key             seals  an original that several messages of one transaction share; stands in their meta data

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
MASTER_ID_BYTES: Final = 4
_OLD: Final = b"old:"
_CACHED_KEYS: Final = 4_096

Entropy = Callable[[int], bytes]


class UnreadableError(StoreError):
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

    The first key is the current one. A line that begins with `old:` is a former one, which still unwraps the values
    that it wrapped; any other line is a key that waits for its rotation. Each key's id is computed from the key. When
    another process has changed the file, it is read again before a key is used next, so that a running daemon follows.
    """

    def __init__(self, secrets: Sequence[bytes], path: Path | None = None) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._take(secrets)

    @property
    def source(self) -> str:
        """The name of the file, for messages."""
        return str(self._path or "memory")

    @property
    def ids(self) -> Sequence[bytes]:
        """The ids of all keys, the current one first."""
        self._refresh()
        return list(self._ciphers)

    @property
    def waiting(self) -> bytes | None:
        """The id of the key that the next rotation makes the current one, None if no key waits."""
        lines = _read(self._path)[1][1:] if self._path else []
        return next((_key_id(_secret(line)) for line in lines if not line.startswith(_OLD)), None)

    def _take(self, secrets: Sequence[bytes]) -> None:
        if not secrets or any(len(secret) != KEY_BYTES for secret in secrets):
            raise StoreError(
                f"{self.source}: a master key is {KEY_BYTES} bytes in base64; restore the file from its backup"
            )
        self._ciphers = {_key_id(secret): Key(secret, os.urandom) for secret in secrets}

    @classmethod
    def create(cls, path: Path) -> "MasterKeys":
        """Creates the file with one fresh key. Raises StoreError, also if the file exists."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            _write(descriptor, [base64.b64encode(os.urandom(KEY_BYTES))])
        except FileExistsError as error:
            raise StoreError(f"{path}: there is a master key already; remove `master_key`'s file by hand") from error
        except OSError as error:
            raise StoreError(f"{path}: cannot make the master key: {error.strerror}; check its directory") from error
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> "MasterKeys":
        """Returns the keys of the file. Raises StoreError, which names the file and the fix."""
        return cls([_secret(line) for line in _read(path)[1]], path)

    def _refresh(self) -> None:
        """Reads the file again if it has changed. An unreadable file changes nothing; `relay check` names it."""
        if self._path is None:
            return
        try:
            if _signature(self._path.stat()) != self._seen:
                self._seen, lines = _read(self._path)
                self._take([_secret(line) for line in lines])
        except (OSError, StoreError):
            return

    # ------------------------------------------------------------ rotation

    def add(self) -> bytes:
        """Adds a fresh key to the end of the file and returns its id. Raises StoreError."""
        secret = os.urandom(KEY_BYTES)
        self._replace(lambda lines: [*lines, base64.b64encode(secret)])
        return _key_id(secret)

    def make_current(self, key_id: bytes) -> None:
        """Puts a key that waits first in the file; the one in its place becomes a former one. Raises StoreError."""

        def change(lines: list[bytes]) -> list[bytes]:
            fresh = [line for line in lines if _key_id(_secret(line)) == key_id]
            others = [line for line in lines if line not in fresh]
            return [*fresh, *(_OLD + line if line == lines[0] else line for line in others)]

        self._replace(change)

    def remove(self, key_id: bytes) -> None:
        """Takes a former key out of the file. Raises StoreError."""
        self._replace(
            lambda lines: [one for one in lines if not one.startswith(_OLD) or _key_id(_secret(one)) != key_id]
        )

    def _replace(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Replaces the file, with its owner and mode, in one step that a crash cannot cut in two."""
        if self._path is None:
            raise StoreError("master keys in memory cannot be changed")
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise StoreError(f"{fresh}: another rotation is writing it, or was cut off; if so, remove it") from error
        except OSError as error:
            raise StoreError(f"{fresh}: cannot write master keys: {error.strerror}; check its directory") from error
        try:
            owner = self._path.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
            _write(descriptor, change(_read(self._path)[1]))
            fresh.replace(self._path)
            _sync(self._path.parent)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreError(f"{fresh}: cannot write master keys: {error.strerror}; check its directory") from error
        self._refresh()

    # ------------------------------------------------------------ wrapping

    def wrap(self, row: bytes, secret: bytes) -> bytes:
        """Returns the secret, sealed by the current key, with the id of that key before it."""
        self._refresh()
        key_id, cipher = next(iter(self._ciphers.items()))
        return key_id + cipher.seal(row, secret)

    def unwrap(self, row: bytes, wrapped: bytes) -> bytes:
        """Returns the secret that was wrapped. Raises UnreadableError."""
        key_id = wrapped[:MASTER_ID_BYTES]
        if key_id not in self._ciphers:
            self._refresh()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnreadableError(f"master key {key_id.hex()} is not in {self.source}")
        return cipher.open(row, wrapped[MASTER_ID_BYTES:])


def _read(path: Path) -> tuple[tuple[int, ...], list[bytes]]:
    """Returns the signature of the file and its lines. Raises StoreError, which names the file and the fix."""
    try:
        status = path.stat()
        lines = path.read_bytes().split()
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no master key; `relay init` makes one, or restore it from its backup") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot read the master key: {error.strerror}; check owner and mode") from error
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise StoreError(f"{path}: others may read the master key; run `chmod 600 {path}`")
    try:
        for line in lines:
            _secret(line)
    except binascii.Error as error:
        raise StoreError(f"{path}: a master key is not base64; restore the file from its backup") from error
    return _signature(status), lines


def _secret(line: bytes) -> bytes:
    return base64.b64decode(line.removeprefix(_OLD), validate=True)


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _write(descriptor: int, lines: Sequence[bytes]) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(line + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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

    def signature_hash(self, pair_id: str, *words: str) -> bytes:
        return _keyed_hash(self.secret("signature"), identity(pair_id, *words))


def content_hash(message_key: bytes, content: bytes) -> bytes:
    """Returns the hash of the content for the ledger.

    It is keyed by a key that erasure destroys, so that a short text cannot be guessed afterwards.
    """
    return hashlib.blake2b(content, key=message_key, digest_size=32, person=b"content hash").digest()


def _keyed_hash(secret: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, key=secret, digest_size=32).digest()


def _key_id(secret: bytes) -> bytes:
    return hmac.digest(secret, b"master key id", hashlib.sha256)[:MASTER_ID_BYTES]
