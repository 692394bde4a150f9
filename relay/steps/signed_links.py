"""Signed links as they stand in mail (`core.link`)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.core.signed_link import Link, Purpose, mint


@dataclass(frozen=True, slots=True)
class SignedLinkUrls:
    """`base_url` is where the daemon's web edge is reached from outside, without a slash at its end; `key` is the
    "link" secret, `life_s` how long a link works."""

    base_url: str
    key: bytes
    life_s: float

    @property
    def prefix(self) -> str:
        """What each link of ours begins with: none of one side may reach the other (R-REW-09)."""
        return f"{self.base_url}/l/"

    def url(self, purpose: Purpose, party_id: str, subject_id: str, now: datetime) -> str:
        link = Link(
            purpose=purpose, party_id=party_id, subject_id=subject_id, expires_at=now + timedelta(seconds=self.life_s)
        )
        return self.prefix + mint(link, self.key)
