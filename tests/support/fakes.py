"""Fakes for the small ports: clocks that tests move, and an observer that counts."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class ManualClock:
    """A clock that stands still until a test moves it, forward or back."""

    at: datetime = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class LoopClock:
    """A clock whose monotonic time is the running event loop's."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


class CountingObserver:
    """An observer that counts."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def count(self, metric: str, **labels: str) -> None:
        self.counts[(metric, *(f"{key}={value}" for key, value in sorted(labels.items())))] += 1

    def duration_s(self, metric: str, seconds: float) -> None:
        pass

    def of(self, metric: str, **labels: str) -> int:
        """Returns how often `metric` was counted with at least these labels."""
        wanted = {f"{key}={value}" for key, value in labels.items()}
        return sum(count for (name, *had), count in self.counts.items() if name == metric and wanted <= {*had})
