"""The bytes of a big message while it is received, in an encrypted file without a name.

The disk never holds a text that can be read without the process (R-REC-04), because the key of each file is random,
stays in memory and is lost with the object. The file has no name, so that the system frees it when the process ends in
any way (docs/decisions/0016-unread-mail.md).
"""

import tempfile
from io import BytesIO, FileIO
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BITS: Final = 256
_NONCE_BYTES: Final = 12


class Spool:
    """The pieces of one message in a file.

    Calls must not overlap, but may be made in different threads. Each method raises OSError if the file cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        """Creates the file in `directory` with mode 0600, and deletes its name at once; the open file remains."""
        descriptor, name = tempfile.mkstemp(dir=directory)
        self._file = FileIO(descriptor, "r+")
        Path(name).unlink()
        self._cipher = AESGCM(AESGCM.generate_key(_KEY_BITS))
        self._sealed_bytes: list[int] = []

    def add(self, piece: bytes) -> None:
        """Encrypts the next piece and writes it.

        The number of the piece is the nonce of its encryption. This is safe because each file has a key of its own.
        """
        sealed = self._cipher.encrypt(_nonce(len(self._sealed_bytes)), piece, None)
        view = memoryview(sealed)
        while view:
            view = view[self._file.write(view) :]
        self._sealed_bytes.append(len(sealed))

    def read(self, last: bytes) -> bytes:
        """Returns all pieces and then `last` as one bytes object, which is not copied again."""
        whole = BytesIO()
        self._file.seek(0)
        for number, size_bytes in enumerate(self._sealed_bytes):
            whole.write(self._cipher.decrypt(_nonce(number), self._read(size_bytes), None))
        whole.write(last)
        return whole.getvalue()

    def _read(self, size_bytes: int) -> bytes:
        pieces = []
        while size_bytes:
            piece = self._file.read(size_bytes)
            if not piece:
                raise OSError("a file of received mail is shorter than what was written to it")
            pieces.append(piece)
            size_bytes -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")
