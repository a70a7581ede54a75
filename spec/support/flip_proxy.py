"""flip_proxy.py PORT up|down HEX [N]: a TCP proxy to a port of this machine that changes a bit of what passes: of the byte
that follows this text (in hexadecimal), the first or N-th time that it comes by on its way to the server (up) or from it
(down). Prints its port.
"""

import socket
import sys
import threading

import child

text = bytes.fromhex(sys.argv[3])
lock = threading.Lock()
left = int(sys.argv[4]) if len(sys.argv) > 4 else 1


def flip(data, tail):
    """The data, changed if it is its turn; tail is what came just before it."""
    global left
    with lock:
        found = (tail + data).find(text)
        at = found + len(text) - len(tail)
        if left == 0 or found < 0 or not 0 <= at < len(data):
            return data
        left -= 1
        if left:
            return data
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def pump(source, target, flips):
    tail = b""
    try:
        while data := source.recv(65536):
            target.sendall(flip(data, tail) if flips else data)
            tail = (tail + data)[-len(text) :]
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


def serve(listener):
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        for source, target, way in ((near, far, "up"), (far, near, "down")):
            threading.Thread(target=pump, args=(source, target, way == sys.argv[2]), daemon=True).start()


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    child.tell(listener.getsockname()[1])
    child.stay()


main()
