"""Ends a process when its parent ends, even if the parent is killed."""

import os
import threading
import time

POLL_S = 0.5


def exit_with_parent() -> None:
    """Starts a thread that exits this process with status 1 soon after its parent has ended.

    The kernel's PR_SET_PDEATHSIG does not serve here: it fires when the *thread* that started the process ends, and
    our processes are started from short-lived threads.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, name="exit-with-parent", daemon=True).start()
