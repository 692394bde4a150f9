"""Stand-ins for the small ports: clocks that tests move, an observer that adds up."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class ManualClock:
    """Stands still until a test moves it, either way."""

    at: datetime = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class LoopClock:
    """The running loop's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


class CountingObserver:
    """An observer that adds up."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def count(self, metric: str, **labels: str) -> None:
        self.counts[(metric, *(f"{key}={value}" for key, value in sorted(labels.items())))] += 1

    def duration_s(self, metric: str, seconds: float) -> None:
        pass

    def of(self, metric: str, **labels: str) -> int:
        """How often it was counted with these labels, whatever its others."""
        wanted = {f"{key}={value}" for key, value in labels.items()}
        return sum(count for (name, *had), count in self.counts.items() if name == metric and wanted <= {*had})
