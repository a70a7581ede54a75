"""http_server.py FOLDER [OPTIONS]: the HTTP server that specs script. Prints its port. See server.lua.

FOLDER/plan.json says how to answer; it is read again whenever it was replaced. FOLDER/requests.jsonl gets a line
for every request before it is answered, and FOLDER/body-N its body. Both files hold bytes, read and written as
Latin-1, so that anything may stand in them. OPTIONS is JSON: tls, deaf.
"""

import base64
import itertools
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time

import child

folder = sys.argv[1]
options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
lock = threading.Lock()
request_numbers = itertools.count(1)
connection_numbers = itertools.count(1)

UNEXPECTED = {"status": 500, "headers": {"x-unexpected": "true"}, "body": "no reply is planned for this request"}
REASONS = {100: "Continue", 200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified"}


class Gone(Exception):
    """The other end went away."""


class Plan:
    """The replies still to be given."""

    # Kept open for as long as it is the plan, so that no newer file has its inode.
    file = None
    replies = []

    def choose(self, head):
        method, target = head["method"], head["target"]
        wanted = next((value for name, value in head["headers"] if name.lower() == "range"), None)
        path = os.path.join(folder, "plan.json")
        with lock:
            try:
                stat = os.stat(path)
            except FileNotFoundError:
                return None
            if self.file is None or not os.path.samestat(stat, os.fstat(self.file.fileno())):
                if self.file:
                    self.file.close()
                self.file = open(path, encoding="latin-1")
                self.replies = json.load(self.file)
                for reply in self.replies:
                    reply["pattern"] = re.compile(reply.get("target", ""))
                    reply.setdefault("times", 1)
            for reply in self.replies:
                if reply.get("range", wanted) != wanted:
                    continue
                if reply.get("method", method) != method or not reply["pattern"].search(target):
                    continue
                reply["times"] -= 1
                if reply["times"] <= 0 and not reply.get("always"):
                    self.replies.remove(reply)
                return reply
        return None


plan = Plan()


class Connection:
    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.pending = b""

    def read(self, size):
        """What is there to read, at least one byte and at most size."""
        if not self.pending:
            self.pending = self.sock.recv(65536)
            if not self.pending:
                raise Gone
        data, self.pending = self.pending[:size], self.pending[size:]
        return data

    def line(self):
        while b"\n" not in self.pending:
            more = self.sock.recv(65536)
            if not more:
                raise Gone
            self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return line.rstrip(b"\r")

    def exactly(self, size):
        parts = []
        while size:
            part = self.read(size)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def reset(self):
        """Breaks the connection off with a TCP reset."""
        raw = self.sock
        if isinstance(raw, ssl.SSLSocket):
            raw = socket.socket(fileno=self.sock.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        raise Gone

    def hang(self):
        """Says nothing more until the other end gives up."""
        while self.sock.recv(65536):
            pass
        raise Gone

    def give_up(self, how):
        if how == "reset":
            self.reset()
        if how == "hang":
            self.hang()
        raise Gone

    def request(self):
        """Reads the head of a request."""
        line = self.line()
        while not line:
            line = self.line()
        method, target, version = line.decode("latin-1").split(" ", 2)
        headers = []
        while True:
            line = self.line()
            if not line:
                break
            name, _, value = line.decode("latin-1").partition(":")
            headers.append([name, value.strip()])
        return {"method": method, "target": target, "version": version, "headers": headers}

    def body(self, head, speed):
        """Reads the body: (as sent, without chunked framing). Slowly, if speed says how many bytes a second."""
        fields = {name.lower(): value for name, value in head["headers"]}
        if fields.get("transfer-encoding", "").lower().endswith("chunked"):
            raw, plain = [], []
            while True:
                line = self.line()
                size = int(line.split(b";")[0], 16)
                raw.append(line + b"\r\n")
                if size == 0:
                    break
                data = self.exactly(size)
                plain.append(data)
                raw.append(data + b"\r\n")
                self.line()
            line = b"-"
            head["trailers"] = []
            while line:
                line = self.line()
                raw.append(line + b"\r\n")
                if line:
                    name, _, value = line.decode("latin-1").partition(":")
                    head["trailers"].append([name, value.strip()])
            return b"".join(raw), b"".join(plain)
        left = int(fields.get("content-length", 0))
        parts = []
        while left:
            part = self.read(min(left, 65536))
            parts.append(part)
            left -= len(part)
            if speed:
                time.sleep(len(part) / speed)
        plain = b"".join(parts)
        return plain, plain

    def answer(self, head, reply):
        time.sleep(reply.get("delay", 0))
        if reply.get("hang"):
            self.hang()
        if reply.get("reset"):
            self.reset()
        if "raw" in reply:
            self.sock.sendall(reply["raw"].encode("latin-1"))
            self.give_up(reply.get("then", "close"))

        status = reply.get("status", 200)
        pieces = reply.get("pieces")
        if pieces is None:
            pieces = [reply.get("body", "")]
        size = sum(len(piece) for piece in pieces if isinstance(piece, str))
        headers = reply.get("headers") or {}
        if isinstance(headers, dict):
            headers = list(headers.items())
        names = {name.lower() for name, _ in headers}
        if reply.get("chunked"):
            headers.append(("Transfer-Encoding", "chunked"))
        elif "content-length" not in names and not reply.get("until_close") and status not in (204, 304):
            headers.append(("Content-Length", str(size)))
        close = reply.get("close") or reply.get("until_close")
        if close:
            headers.append(("Connection", "close"))
        reason = reply.get("reason", REASONS.get(status, "Whatever"))
        text = f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        self.sock.sendall(text.encode("latin-1"))

        if head["method"] != "HEAD" and status not in (204, 304):
            self.send_body(pieces, reply)
        if close:
            raise Gone

    def send_body(self, pieces, reply):
        """Sends strings, waits at numbers, and breaks off where the reply says so."""
        cut = reply.get("cut")
        for piece in pieces:
            if not isinstance(piece, str):
                time.sleep(piece)
                continue
            data = piece.encode("latin-1")
            last = cut is not None and cut["after"] <= len(data)
            if last:
                data = data[: cut["after"]]
            elif cut is not None:
                cut = {**cut, "after": cut["after"] - len(data)}
            if reply.get("chunked") and data:
                data = b"%x\r\n%s\r\n" % (len(data), data)
            self.sock.sendall(data)
            if last:
                self.give_up(cut.get("how", "close"))
        if reply.get("chunked"):
            trailers = "".join(f"{name}: {value}\r\n" for name, value in (reply.get("trailers") or {}).items())
            self.sock.sendall(f"0\r\n{trailers}\r\n".encode("latin-1"))

    def tunnel(self, target):
        """CONNECT: passes bytes on, to this machine only."""
        host, _, port = target.rpartition(":")
        if host not in ("127.0.0.1", "localhost", "[::1]"):
            self.sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            raise Gone
        other = socket.create_connection((host.strip("[]"), int(port)))
        self.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def pump(source, sink):
            try:
                while True:
                    data = source.recv(65536)
                    if not data:
                        break
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        if self.pending:
            other.sendall(self.pending)
        back = threading.Thread(target=pump, args=(other, self.sock), daemon=True)
        back.start()
        pump(self.sock, other)
        back.join()
        other.close()
        raise Gone

    def serve(self):
        while True:
            head = self.request()
            reply = plan.choose(head)
            expects = any(n.lower() == "expect" and v.lower() == "100-continue" for n, v in head["headers"])
            if reply is None and head["method"] == "CONNECT":
                record(self, head, b"", b"", True, False)
                self.tunnel(head["target"])
            if reply and reply.get("early"):
                record(self, head, b"", b"", False, False)
                self.answer(head, reply)
                self.hang()
            if expects and not (reply and reply.get("no_continue")):
                extra = (reply or {}).get("continue_headers") or {}
                lines = "".join(f"{name}: {value}\r\n" for name, value in extra.items())
                self.sock.sendall(f"HTTP/1.1 100 Continue\r\n{lines}\r\n".encode("latin-1"))
            try:
                raw, plain = self.body(head, reply and reply.get("read_speed"))
            except (Gone, OSError):
                record(self, head, b"", b"", False, reply is None)
                raise
            record(self, head, raw, plain, True, reply is None)
            self.answer(head, reply or UNEXPECTED)


def record(connection, head, raw, plain, complete, unexpected):
    with lock:
        number = next(request_numbers)
        with open(os.path.join(folder, f"body-{number}"), "wb") as file:
            file.write(plain)
        with open(os.path.join(folder, f"raw-{number}"), "wb") as file:
            file.write(raw)
        line = {
            **head,
            "number": number,
            "connection": connection.number,
            "time": time.time(),
            "complete": complete,
            "unexpected": unexpected,
        }
        for name, value in head["headers"]:
            if name.lower() == "proxy-authorization" and value.startswith("Basic "):
                line["proxy_user"] = base64.b64decode(value[6:]).decode("latin-1").split(":")[0]
        if isinstance(connection.sock, ssl.SSLSocket):
            line["tls"] = connection.sock.version()
            line["server_name"] = getattr(connection.sock, "server_name_asked", None) or ""
            subject = (connection.sock.getpeercert() or {}).get("subject", ())
            line["client_subject"] = ", ".join("=".join(pair) for group in subject for pair in group)
        text = json.dumps(line, ensure_ascii=False).encode("latin-1")
        with open(os.path.join(folder, "requests.jsonl"), "ab") as file:
            file.write(text + b"\n")


def handle(sock, number, context):
    connection = None
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        connection = Connection(sock, number)
        connection.serve()
    except (Gone, OSError, ValueError):
        pass
    finally:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sock.close()


def tls_context(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["cert"], tls["key"])
    context.set_alpn_protocols(["http/1.1"])

    def asked(sock, name, _):
        sock.server_name_asked = name

    context.sni_callback = asked
    if "client_ca" in tls:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(tls["client_ca"])
    if tls.get("version"):
        version = getattr(ssl.TLSVersion, tls["version"])
        context.minimum_version = context.maximum_version = version
    return context


def accept_all(listener, context):
    while True:
        sock, _ = listener.accept()
        number = next(connection_numbers)
        with open(os.path.join(folder, "connections"), "ab") as file:
            file.write(b".")
        threading.Thread(target=handle, args=(sock, number, context), daemon=True).start()


def main():
    family = socket.AF_INET6 if options.get("ipv6") else socket.AF_INET
    host = "::1" if options.get("ipv6") else "127.0.0.1"
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, 0))
    port = listener.getsockname()[1]
    if options.get("refuse"):
        # The port stays ours, and nobody listens on it.
        child.tell(port)
        child.stay()
    if options.get("deaf"):
        # The queue of connections to accept is full, so that the next one waits for ever.
        listener.listen(0)
        full = [socket.socket(family) for _ in range(3)]
        for sock in full:
            sock.setblocking(False)
            sock.connect_ex((host, port))
        time.sleep(0.05)
        child.tell(port)
        child.stay()
    listener.listen(512)
    context = tls_context(options["tls"]) if options.get("tls") else None
    threading.Thread(target=accept_all, args=(listener, context), daemon=True).start()
    child.tell(port)
    child.stay()


main()
