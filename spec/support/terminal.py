"""terminal.py: runs a program in a terminal of its own and plays a user's part.

Reads JSON from standard input: { "words": [...], "env": {...}, "rows": 24, "columns": 80, "steps": [[keys, pattern], ...] }.
For each step it types the keys and waits until the pattern (a regular expression) is found in what the program has
written since; a number instead of a pattern just lets so many seconds pass. Writes JSON: { "shown": [what was written in each step], "code": exit code or null }. Colours and cursor
movements are taken out. A step that waits in vain ends the play, with what there was.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT_SECONDS = 60
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[=>]|\x1b\][^\x07]*\x07")


def plain(raw):
    return ESCAPES.sub(b"", raw).replace(b"\r", b"").decode("utf-8", "replace")


def wait_for(fd, pattern):
    raw = b""
    end = time.monotonic() + LIMIT_SECONDS
    while not re.search(pattern, plain(raw)):
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        if not ready:
            return plain(raw), False
        try:
            data = os.read(fd, 65536)
        except OSError:  # Linux: the program has ended
            data = b""
        if not data:
            return plain(raw), re.search(pattern, plain(raw)) is not None
        raw += data
    return plain(raw), True


def ended(pid):
    """The exit code of the program (128 + the signal that killed it), which gets a moment to end."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


play = json.load(sys.stdin)
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(play.get("env", {}), TERM="xterm")
    os.execvp(play["words"][0], play["words"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", play.get("rows", 24), play.get("columns", 80), 0, 0))
shown = []
for keys, pattern in play["steps"]:
    os.write(fd, keys.encode())
    if not isinstance(pattern, str):
        time.sleep(pattern)
        shown.append("")
        continue
    text, found = wait_for(fd, pattern)
    shown.append(text)
    if not found:
        break
code = ended(pid) if len(shown) == len(play["steps"]) and found else None
if code is None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
json.dump({"shown": shown, "code": code}, sys.stdout)
