"""The client of Rspamd over HTTP: a message is posted to /checkv2, and the action in the answer is the verdict.

If a message exceeds Rspamd's setting `max_message`, Rspamd closes the connection without an answer, which looks like a
crash. Therefore that limit must be above `limits.message_bytes`.
"""

import ssl
from collections.abc import Collection
from http import HTTPStatus

import httpx2
import msgspec

from relay.core.model.facts import Scan, ScanOutcome
from relay.edge.scan.answer import AnswerError, TooBigError, printable


class _Answer(msgspec.Struct):
    """The used fields of an answer. `action` may be any name from Rspamd's configuration."""

    action: str
    score: float


class Rspamd:
    """A client of Rspamd.

    `address` is the URL of a normal worker or a proxy worker, or, with `password`, of a controller. A message is spam
    if the action is in `spam_actions`.
    """

    def __init__(self, address: str, *, spam_actions: Collection[str], password: str = "") -> None:
        self._url = address.rstrip("/") + "/checkv2"
        self._spam_actions = frozenset(spam_actions)
        self._client = httpx2.AsyncClient(
            headers={"Content-Type": "message/rfc822", **({"Password": password} if password else {})},
            verify=ssl.create_default_context(),
            # The caller limits the total time; a proxy of the environment must not see mail.
            timeout=None,
            trust_env=False,
        )

    async def ask(self, content: bytes) -> Scan:
        """Returns the verdict about a message. Raises httpx2.HTTPError, AnswerError, TooBigError."""
        response = await self._client.post(self._url, content=content)
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise TooBigError
        if response.status_code != HTTPStatus.OK:
            raise AnswerError(f"HTTP {response.status_code}")
        try:
            answer = msgspec.json.decode(response.content, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise AnswerError("no verdict in the answer") from None
        if answer.action not in self._spam_actions:
            return Scan(scanner="rspamd", outcome=ScanOutcome.CLEAN)
        found = printable(f"{answer.action}, score {answer.score:.1f}")
        return Scan(scanner="rspamd", outcome=ScanOutcome.SPAM, found=found)

    async def close(self) -> None:
        await self._client.aclose()
