"""Reading the content of messages and notices."""

import asyncio

from relay.ports import ReportSource
from relay.steps.offload import THREAD_BYTES, offload
from relay.store.base import StorePart
from relay.store.contents import Contents, open_contents, open_report


class ContentReader(StorePart):
    async def read(self, content_id: str, size_bytes: int) -> Contents:
        """Returns the decrypted content of a message, or of the item of a notice.

        `size_bytes` is the expected size; a big content is read and decrypted in another thread. Raises UnreadableError
        if the key is destroyed, or a part is missing or damaged.
        """
        read = self._engine.read if size_bytes <= THREAD_BYTES else self._engine.read_bulk
        rows = await read(self._sql["content"], content_id)
        return await offload(size_bytes, open_contents, content_id, rows, self._vault)

    async def read_report(self, report_id: str) -> tuple[bytes, ReportSource]:
        """Returns the decrypted bytes and the source of a report.

        Raises UnreadableError if the key is destroyed, or a part is missing or damaged.
        """
        rows = await self._engine.read(self._sql["content"], report_id)
        return await asyncio.to_thread(open_report, report_id, rows, self._vault)
