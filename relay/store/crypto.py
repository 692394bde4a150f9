"""Envelope encryption and keyed hashes (R-REC-04).

    master key (a file)  wraps  the root secret, each holder's key, DKIM keys
    holder's key         wraps  message keys, seals the holder's addresses and names
    message key          seals  one message's original, relayed form and meta data, keys its content hash
    body key             seals  an original that several messages of one transaction share; stands in their meta data

"Wraps" and "seals" both mean "encrypts with AES-256-GCM"; a wrapped value is itself a key. The identity of the row is
the associated data, so that a value that was moved to another row cannot be decrypted. Destroying the key of a holder
makes everything below it unreadable. Addresses and Message-IDs are looked up by a keyed BLAKE2b hash. The keys of the
hash are derived from the root secret, and the hash covers the marketplace or the pair, so that equal values of two
marketplaces or pairs have different hashes.
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
    """Raised if an encrypted value cannot be decrypted, because its key is destroyed or the value was changed."""


def identity(*words: str) -> bytes:
    """Returns the associated data that binds an encrypted value to its table and its row.

    `words` are the name of the table and the values of the row's key.
    """
    return "\0".join(words).encode()


class Key:
    """One AES-256-GCM key. An encrypted ("sealed") value is a nonce and the ciphertext.

    A key may be used in several threads.
    """

    __slots__ = ("_cipher", "_entropy")

    def __init__(self, secret: bytes, entropy: Entropy) -> None:
        self._cipher = AESGCM(secret)
        self._entropy = entropy

    def seal(self, row: bytes, plain: bytes) -> bytes:
        return self.seal_all([(row, plain)])[0]

    def seal_all(self, values: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Returns the encrypted values; each is given as its row and its plain octets.

        The nonces are drawn from the system together, because the interpreter changes to another thread at each draw.
        """
        drawn = self._entropy(_NONCE_BYTES * len(values))
        nonces = [drawn[at : at + _NONCE_BYTES] for at in range(0, len(drawn), _NONCE_BYTES)]
        return [
            nonce + self._cipher.encrypt(nonce, plain, row) for nonce, (row, plain) in zip(nonces, values, strict=True)
        ]

    def open(self, row: bytes, sealed: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row)
        except (InvalidTag, ValueError) as error:
            raise UnreadableError("a sealed value does not open with its key") from error


class MasterKeys:
    """The master keys of an installation: lines of base64 in a file with mode 0600, which only its owner may read.

    The first key is the current one. A line that begins with `old:` is a former key, which still decrypts the values
    that it has encrypted. Any other line is a new key that waits for its rotation. The id of a key is computed from the
    key. If another process has changed the file, it is read again before a key is used, so that a running daemon has
    the new keys.
    """

    def __init__(self, secrets: Sequence[bytes], path: Path | None = None) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._take(secrets)

    @property
    def source(self) -> str:
        """Returns the name of the key file for error texts."""
        return str(self._path or "memory")

    @property
    def ids(self) -> Sequence[bytes]:
        """Returns the ids of all keys, the current key first."""
        self._refresh()
        return list(self._ciphers)

    @property
    def waiting(self) -> bytes | None:
        """Returns the id of the new key that the next rotation makes the current one, or None. Raises StoreError."""
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
        """Creates the key file with one new key, and returns the keys. Raises StoreError, also if the file exists."""
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
        """Returns the keys of the file. Raises StoreError with the name of the file and the fix."""
        return cls([_secret(line) for line in _read(path)[1]], path)

    def _refresh(self) -> None:
        """Reads the key file again if it has changed.

        If the file cannot be read, the keys in memory stay in use, and `relay check` reports the problem.
        """
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
        """Adds a new key to the end of the file and returns its id. Raises StoreError if the file cannot be written."""
        secret = os.urandom(KEY_BYTES)
        self._replace(lambda lines: [*lines, base64.b64encode(secret)])
        return _key_id(secret)

    def make_current(self, key_id: bytes) -> None:
        """Moves the new key to the first line of the file; the key that was there becomes a former key.

        Raises StoreError if the file cannot be written.
        """

        def change(lines: list[bytes]) -> list[bytes]:
            fresh = [line for line in lines if _key_id(_secret(line)) == key_id]
            others = [line for line in lines if line not in fresh]
            return [*fresh, *(_OLD + line if line == lines[0] else line for line in others)]

        self._replace(change)

    def remove(self, key_id: bytes) -> None:
        """Removes a former key from the file. Does nothing for any other key.

        Raises StoreError if the file cannot be written.
        """
        self._replace(
            lambda lines: [one for one in lines if not one.startswith(_OLD) or _key_id(_secret(one)) != key_id]
        )

    def _replace(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Replaces the key file by its changed lines in one atomic step, with the same owner and mode 0600.

        A crash leaves either the old or the new file. Raises StoreError if the file cannot be written.
        """
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
        """Returns the secret encrypted with the current key, with the id of this key in front."""
        self._refresh()
        key_id, cipher = next(iter(self._ciphers.items()))
        return key_id + cipher.seal(row, secret)

    def unwrap(self, row: bytes, wrapped: bytes) -> bytes:
        """Returns the decrypted secret.

        Raises UnreadableError if its key is not in the file or the value was changed.
        """
        key_id = wrapped[:MASTER_ID_BYTES]
        if key_id not in self._ciphers:
            self._refresh()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnreadableError(f"master key {key_id.hex()} is not in {self.source}")
        return cipher.open(row, wrapped[MASTER_ID_BYTES:])


def _read(path: Path) -> tuple[tuple[int, ...], list[bytes]]:
    """Returns the signature of the file (inode, time, size) and its lines.

    Raises StoreError with the name of the file and the fix.
    """
    try:
        status = path.stat()
        lines = path.read_bytes().split()
    except FileNotFoundError as error:
        fix = "restore it from its backup; `relay init` makes one only for a new installation"
        raise StoreError(f"{path}: no master key; {fix}") from error
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

    Decrypted holder keys are kept in memory together with their encrypted form. Each look-up reads the encrypted form
    from the database; therefore a key that another process has changed or destroyed is dropped here.
    """

    def __init__(self, master: MasterKeys, entropy: Entropy) -> None:
        self.master = master
        self.entropy = entropy
        self._root = b""
        self._holders: dict[str, tuple[bytes, Key]] = {}
        self._derived: dict[str, bytes] = {}

    def unlock(self, wrapped_root: bytes) -> None:
        """Decrypts and keeps the root secret. Raises StoreError if the master key does not belong to this database."""
        try:
            self._root = self.master.unwrap(identity("secret", "root"), wrapped_root)
        except UnreadableError as error:
            raise StoreError(
                f"{self.master.source}: not the master key of this database ({error}); restore the file from its backup"
            ) from error

    def new_root(self) -> bytes:
        return self.master.wrap(identity("secret", "root"), self.entropy(KEY_BYTES))

    def secret(self, name: str) -> bytes:
        """Returns the secret that is derived from the root secret and `name`. Raises StoreError before `unlock`."""
        if name not in self._derived:
            if not self._root:
                raise StoreError("the store is not open")
            self._derived[name] = hmac.digest(self._root, f"secret\0{name}".encode(), "sha256")
        return self._derived[name]

    def new_holder(self, holder_id: str) -> bytes:
        """Returns a new random key for a holder, encrypted with the master key."""
        return self.master.wrap(identity("holder_key", holder_id), self.entropy(KEY_BYTES))

    def holder(self, holder_id: str, wrapped: bytes | None) -> Key:
        """Returns the key of a party or a marketplace.

        `wrapped` is the encrypted key as it is stored now, None if it is destroyed. Raises UnreadableError if the key
        is destroyed or belongs to another holder.
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

    The hash is keyed with the message key. After an erasure has destroyed this key, nobody can find a short text by
    hashing guesses.
    """
    return hashlib.blake2b(content, key=message_key, digest_size=32, person=b"content hash").digest()


def _keyed_hash(secret: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, key=secret, digest_size=32).digest()


def _key_id(secret: bytes) -> bytes:
    return hmac.digest(secret, b"master key id", hashlib.sha256)[:MASTER_ID_BYTES]
