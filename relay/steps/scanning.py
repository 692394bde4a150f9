"""Asking the scanners about a message (R-POL-17)."""

import asyncio
from dataclasses import dataclass

from relay.core.model.facts import Scan
from relay.core.model.message import Incoming
from relay.steps.services import Services


@dataclass(slots=True)
class Scans:
    """What the scanners find, asked once and only for a writer who is somebody: strangers' mail costs no scan."""

    services: Services
    incoming: Incoming
    found: tuple[Scan, ...] | None = None

    async def get(self) -> tuple[Scan, ...]:
        """All scanners side by side (R-POL-17). Raises UnavailableError where one is away and the setting says so."""
        if self.found is None:
            asked = await asyncio.gather(*(each.scan(self.incoming.content) for each in self.services.scanners))
            self.found = tuple(one for one in asked if one is not None)
        return self.found
