"""`python -m relay.demo.parent_watchdog ...` is `relay ...` on a leash: when whoever holds the other end of its
standard input is gone, however that came, it is told to stop. So a demo that is killed leaves no daemon behind.
"""

import os
import runpy
import signal
import threading


def _stop_when_the_parent_ends() -> None:
    # Not sys.stdin: its lock, held by a thread, aborts the interpreter's own end.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_when_the_parent_ends, daemon=True).start()
    runpy.run_module("relay", run_name="__main__", alter_sys=True)
