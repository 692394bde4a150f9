"""ARC: the whole public validation suite, and what a chain must not be believed for."""

import asyncio
import re

from relay.edge.authenticate import arc
from relay.edge.authenticate.fields import Message
from tests.support.dns import Names
from tests.support.suites import suite


def names(records: dict[str, str]) -> Names:
    return Names({name.lower(): {"TXT": [text.encode()]} for name, text in (records or {}).items()})


def content(text: str) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", text.encode())


def test_every_case_of_the_validation_suite_gives_its_status() -> None:  # R-IN-08
    wrong, count = [], 0
    for document in suite("arc/arc-draft-validation-tests.yml"):
        for name, case in document["tests"].items():
            count += 1
            records = names(document["txt-records"])
            chain = asyncio.run(arc.verify(records, Message(content(case["message"]))))
            # An empty status stands for a chain that its newest seal has ended: nothing passes any more.
            if chain.outcome != (case["cv"] or "Fail").lower():
                wrong.append((name, case["cv"], chain.outcome))
    assert wrong == []
    assert count == 171
