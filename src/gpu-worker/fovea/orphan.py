"""Processes that end when the one that started them does, also when that was killed and could say nothing."""

import os
import threading
import time

POLL_S = 0.5


def end_with_parent() -> None:
    """From now on this process exits, whatever it is doing, soon after it has lost its parent.

    A thread looks for it. The kernel's own way (PR_SET_PDEATHSIG) follows the parent's *thread*, and those
    that start our processes come and go.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
