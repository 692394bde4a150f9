"""What signing makes of a change: it may be needed all the same, but whoever verifies will see it."""

from relay.core.mail.mime import Part
from relay.core.rewrite.plan import Change


def broken(root: Part, start: int, end: int) -> list[Change]:
    """The signatures over what stands in that range."""
    return [
        Change("signature no longer valid", part.path, part.body_start, part.end, "signed text changed")
        for part in root.walk()
        if part.content_type == "multipart/signed" and part.body_start <= start and end <= part.end
    ]
