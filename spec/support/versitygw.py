"""versitygw.py PROGRAM FOLDER [CERTIFICATE KEY]: an S3 server that keeps objects in the folder and verifies signatures
and checksums, on a free port of this machine. Prints the port. The keys are "testing" and "testing-secret".
"""

import os
import signal
import socket
import subprocess
import sys
import time

import child


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(program, folder, tls):
    for _ in range(5):  # until nobody takes the port in between
        port = free_port()
        words = [program, "--port", f"127.0.0.1:{port}", "--access", "testing", "--secret", "testing-secret",
                 "--quiet"]
        # Over TLS it does not read the end of a body in chunks, and takes that for the next request on the connection.
        words += ["--cert", tls[0], "--key", tls[1]] if tls else ["--keep-alive"]
        words += ["posix", "--sidecar", folder + "/meta", folder + "/data"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        for _ in range(500):
            if process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return process, port
            except OSError:
                time.sleep(0.02)
        process.kill()
    sys.exit("versitygw does not start")


def main():
    folder = sys.argv[2]
    for name in ("meta", "data"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    process, port = start(sys.argv[1], folder, sys.argv[3:])
    signal.signal(signal.SIGTERM, lambda *_: (process.kill(), os._exit(0)))
    child.tell(port)
    child.wait()
    process.kill()


main()
