"""Personal data that the process keeps in memory for speed, and dropping it.

The store keeps decrypted pairs and unwrapped keys; the rewrite keeps searches for addresses and names; Python's `re`
keeps patterns that were compiled at run time. All three are bounded in number; `forget` bounds them in time.
"""

import re
from typing import Final

from relay.core.rewrite import scrub
from relay.ports import Store

KEPT_S: Final = 600
"""Nothing is kept for longer than this. The daemon calls `forget` that often; to build everything again costs about a
millisecond for each pair that has mail."""


def forget(store: Store) -> None:
    """Drops all of it. The erasure of a person calls this too, in the process in which it runs."""
    store.forget()
    scrub.forget()
    re.purge()
