"""Runs `relay ...` as `python -m relay.demo.parent_watchdog ...`, and stops it when the parent process ends.

The parent process holds the other end of standard input. When that end is closed for any reason, this process sends
itself SIGTERM, so that a demo that is killed leaves no daemon behind.
"""

import os
import runpy
import signal
import threading


def _stop_when_the_parent_ends() -> None:
    # sys.stdin is not used: a thread that holds its lock makes the interpreter abort at its end.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_when_the_parent_ends, daemon=True).start()
    runpy.run_module("relay", run_name="__main__", alter_sys=True)
