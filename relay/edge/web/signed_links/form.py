"""The body of a POST request: a few small fields, in one of the two encodings of HTML forms and RFC 8058."""

from collections.abc import AsyncGenerator, Mapping
from typing import Final

from python_multipart.exceptions import FormParserError
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

_MOST_BYTES: Final = 16_384
_MOST_FIELDS: Final = 8
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"


class FormError(Exception):
    """Raised if the form cannot be read. `status` is the HTTP status of the answer: 400, 413 or 415."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def read(request: Request) -> Mapping[str, str]:
    """Returns the fields of the form. For a repeated field the first value counts. Raises FormError."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    stream = _capped(request)
    try:
        if content_type == _URLENCODED:
            parsed = await FormParser(request.headers, stream, max_fields=_MOST_FIELDS).parse()
        elif content_type == _MULTIPART:
            parsed = await MultiPartParser(request.headers, stream, max_files=0, max_fields=_MOST_FIELDS).parse()
        else:
            raise FormError(415)
    except (MultiPartException, FormParserError, ClientDisconnect, ValueError):
        raise FormError(400) from None
    return {name: value for name, value in reversed(parsed.multi_items()) if isinstance(value, str)}


async def _capped(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _MOST_BYTES:
            raise FormError(413)
        yield chunk
