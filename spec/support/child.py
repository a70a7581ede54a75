"""What the servers of the spec share: telling the port, and ending with the spec.

A spec starts a server with io.popen and holds the read end of its standard output. The server prints one line,
its port, and lives for as long as somebody holds that end: when the spec is done, or is killed, it goes.
"""

import os
import select
import sys


def tell(*words):
    """Prints what the spec waits for, and shuts up for good."""
    print(*words, flush=True)


def wait():
    """Returns once nobody reads its output any more."""
    parent = os.getppid()
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    while not poll.poll(1000) and os.getppid() == parent:
        pass


def stay():
    """Returns, never: ends the process once nobody reads its output any more."""
    wait()
    os._exit(0)
