"""The personal data that the process keeps in memory for speed, and the function that drops it.

The store keeps decrypted pairs and keys. The rewrite keeps compiled searches for addresses and names. Python's `re`
module keeps patterns that were compiled at run time. All three are limited in number, and `forget` limits them in time.
"""

import re
from typing import Final

from relay.core.rewrite import scrub
from relay.ports import Store

KEPT_S: Final = 600
"""The longest time in seconds for which personal data is kept in memory. The daemon calls `forget` at this interval.

To build the data again costs about a millisecond for each pair that has mail.
"""


def forget(store: Store) -> None:
    """Drops all personal data that the process keeps in memory.

    The erasure of a person calls this function too, in the process that carries out the erasure.
    """
    store.forget()
    scrub.forget()
    re.purge()
