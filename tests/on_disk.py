"""What tests of files need: writers that are killed, and what they leave."""

import contextlib
import os
import signal


def hidden_files(folder):
    """Returns the names in a folder that begin with a dot, as those of temporary files do."""
    return [name for name in os.listdir(folder) if name.startswith(".")]


@contextlib.contextmanager
def killed_child(work):
    """Runs `work` in a forked process, which is killed with SIGKILL at the end of the block."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
