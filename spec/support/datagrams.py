"""An agent that listens to datagrams: writes each, as a line, to the file that is its only argument."""

import socket
import sys
import threading

sys.path.insert(0, "spec/support")
import child  # noqa: E402

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0))


def listen():
    with open(sys.argv[1], "ab", buffering=0) as file:
        while True:
            file.write(sock.recv(65536) + b"\n")


threading.Thread(target=listen, daemon=True).start()
child.tell(sock.getsockname()[1])
child.stay()
