"""duplex_server.py FOLDER [OPTIONS]: the HTTP/2 server of specs that send events. Prints its port. See duplex.lua.

It checks what it receives by itself, with Python's own hashes: the signature of the request, the frames, their
sums, and the chain of signatures. Needs Debian's python3-h2. FOLDER/plan.json says how to answer;
FOLDER/streams.jsonl gets a line for every stream that is over. OPTIONS is JSON: tls = {cert, key}, alpn.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

import child

folder = sys.argv[1]
options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
lock = threading.Lock()
SECRET = "the-secret"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


# ---- messages ----

def read_value(kind, data, at):
    if kind in (0, 1):
        return kind == 0, at
    if kind in (6, 7):
        (length,) = struct.unpack_from(">H", data, at)
        value = data[at + 2:at + 2 + length]
        if len(value) != length:
            raise ValueError("a header is cut off")
        return value.decode() if kind == 7 else value.hex(), at + 2 + length
    size, form = {2: (1, ">b"), 3: (2, ">h"), 4: (4, ">i"), 5: (8, ">q"), 8: (8, ">q")}[kind]
    return struct.unpack_from(form, data, at)[0], at + size


def read_message(data):
    """(headers, payload, headers' bytes by name) of the one message that data is."""
    total, header_bytes, prelude_sum = struct.unpack_from(">III", data)
    if total != len(data):
        raise ValueError("a message of %d bytes says that it has %d" % (len(data), total))
    if binascii.crc32(data[:8]) != prelude_sum:
        raise ValueError("the sum of a prelude is wrong")
    if binascii.crc32(data[:-4]) != struct.unpack(">I", data[-4:])[0]:
        raise ValueError("the sum of a message is wrong")
    at, end, headers, raw = 12, 12 + header_bytes, {}, {}
    while at < end:
        start, length = at, data[at]
        name = data[at + 1:at + 1 + length].decode()
        kind = data[at + 1 + length]
        value, at = read_value(kind, data, at + 2 + length)
        if name in headers:
            raise ValueError("header %s twice" % name)
        headers[name], raw[name] = [kind, value], data[start:at]
    if at != end:
        raise ValueError("headers of %d bytes say that they have %d" % (at - 12, header_bytes))
    return headers, data[end:-4], raw


class Signatures:
    """The chain that begins with the signature of the request, which is checked first."""

    def __init__(self, headers):
        self.headers = dict(headers)
        authorization = self.headers["authorization"]
        algorithm, rest = authorization.split(" ", 1)
        if algorithm != "AWS4-HMAC-SHA256":
            raise ValueError("algorithm %s" % algorithm)
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        self.scope = parts["Credential"].split("/", 1)[1]
        self.prior = parts["Signature"]
        if self.headers.get("x-amz-content-sha256") != "STREAMING-AWS4-HMAC-SHA256-EVENTS":
            raise ValueError("x-amz-content-sha256 is %s" % self.headers.get("x-amz-content-sha256"))
        if "x-amz-content-sha256" not in parts["SignedHeaders"].split(";"):
            raise ValueError("x-amz-content-sha256 is not signed")
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], self.scope,
                          sha256(self.canonical(parts["SignedHeaders"]).encode())])
        if self.sign(self.scope, text) != self.prior:
            raise ValueError("the signature of the request is wrong")

    def canonical(self, signed):
        path, _, query = self.headers[":path"].partition("?")
        values = dict(self.headers, host=self.headers[":authority"])
        lines = "".join("%s:%s\n" % (name, " ".join(values[name].split())) for name in signed.split(";"))
        return "\n".join([self.headers[":method"], urllib.parse.quote(path, safe="/-_.~"),
                          "&".join(sorted(query.split("&"))) if query else "", lines, signed,
                          self.headers["x-amz-content-sha256"]])

    @staticmethod
    def sign(scope, text):
        day, region, service, _ = scope.split("/")
        key = mac(mac(mac(mac(("AWS4" + SECRET).encode(), day), region), service), "aws4_request")
        return mac(key, text).hex()

    def check(self, headers, payload, raw):
        if set(headers) != {":date", ":chunk-signature"}:
            raise ValueError("an envelope has the headers %s" % sorted(headers))
        if headers[":date"][0] != 8 or headers[":chunk-signature"][0] != 6:
            raise ValueError("the headers of an envelope have other types")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(headers[":date"][1] // 1000))
        scope = "/".join([stamp[:8]] + self.scope.split("/")[1:])
        text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, self.prior, sha256(raw[":date"]),
                          sha256(payload)])
        self.prior = self.sign(scope, text)
        if headers[":chunk-signature"][1] != self.prior:
            raise ValueError("the signature of an event is wrong")


# ---- streams ----

class Stream:
    def __init__(self, connection, number, headers, plan):
        self.connection, self.number, self.headers, self.plan = connection, number, headers, plan
        self.data, self.out, self.events, self.errors = b"", bytearray(), [], []
        self.count = self.bytes = 0
        self.head_sent = self.input_ended = self.end_wanted = self.output_ended = self.logged = False
        self.last_was_empty = False
        self.signatures = None
        if "authorization" in dict(headers) and dict(headers)["authorization"].startswith("AWS4"):
            try:
                self.signatures = Signatures(headers)
            except (ValueError, KeyError) as error:
                self.errors.append("request: %r" % (error,))

    def begin(self):
        if not self.plan.get("head_after"):
            self.send_head()
            self.send("".join(self.plan.get("first", [])))

    def send_head(self):
        self.head_sent = True
        status, body = self.plan.get("status", 200), self.plan.get("body", "")
        headers = [(":status", str(status))] + [(k, v) for k, v in self.plan.get("headers", {}).items()]
        self.connection.h2.send_headers(self.number, headers)
        if status >= 300:
            self.out += body.encode("latin-1")
            self.end_wanted = True
        self.flush()

    def send(self, text):
        self.out += text.encode("latin-1")
        self.flush()

    def flush(self):
        connection = self.connection.h2
        if not self.head_sent:
            return
        while self.out and not self.output_ended:
            room = min(connection.local_flow_control_window(self.number), connection.max_outbound_frame_size)
            if room <= 0:
                return
            connection.send_data(self.number, bytes(self.out[:room]))
            del self.out[:room]
        if self.end_wanted and not self.output_ended:
            self.output_ended = True
            connection.end_stream(self.number)
            if self.plan.get("reset_after_end"):
                connection.reset_stream(self.number, 0)

    def end(self):
        self.end_wanted = True
        self.flush()

    def receive(self, data):
        self.data += data
        self.bytes += len(data)
        while len(self.data) >= 4:
            (total,) = struct.unpack_from(">I", self.data)
            if len(self.data) < total:
                return
            message, self.data = self.data[:total], self.data[total:]
            try:
                self.message(message)
            except (ValueError, KeyError, struct.error) as error:
                self.errors.append("message %d: %r" % (self.count, error))

    def message(self, data):
        headers, payload, raw = read_message(data)
        if self.signatures:
            if self.last_was_empty:
                raise ValueError("a message after the last")
            self.signatures.check(headers, payload, raw)
            if not payload:
                self.last_was_empty = True
                return
            headers, payload, raw = read_message(payload)
        self.count += 1
        if not self.plan.get("forget"):
            self.events.append({"headers": headers, "payload": base64.b64encode(payload).decode()})
        self.answer(payload)

    def answer(self, payload):
        plan = self.plan
        if self.count == plan.get("head_after"):
            self.send_head()
        if plan.get("echo"):
            self.send_echo(payload)
        for step in plan.get("steps", []):
            if step["after"] == self.count:
                self.send("".join(step.get("frames", [])))
                if "reset" in step:
                    self.connection.h2.reset_stream(self.number, step["reset"])
                if step.get("cut"):
                    self.connection.cut = True
                if step.get("end"):
                    self.end()
                if step.get("freeze"):
                    self.connection.write()
                    time.sleep(step["freeze"])

    def send_echo(self, payload):
        """An event that holds what came, and how many came before."""
        text = json.dumps({"n": self.count, "sha256": sha256(payload)}).encode()
        if self.plan["echo"].get("member"):
            text = json.dumps({self.plan["echo"]["member"]: base64.b64encode(text).decode()}).encode()
        headers = b"".join(bytes([len(name)]) + name + b"\7" + struct.pack(">H", len(value)) + value
                           for name, value in ((b":message-type", b"event"),
                                               (b":event-type", self.plan["echo"]["event"].encode())))
        start = struct.pack(">II", 16 + len(headers) + len(text), len(headers))
        message = start + struct.pack(">I", binascii.crc32(start)) + headers + text
        self.out += (message + struct.pack(">I", binascii.crc32(message))) * self.plan["echo"].get("times", 1)
        self.flush()

    def ended(self):
        self.input_ended = True
        if self.data:
            self.errors.append("the body ends within a message")
        if self.signatures and not self.last_was_empty:
            self.errors.append("no last message")
        if not self.plan.get("stays"):
            if not self.head_sent:
                self.send_head()
            self.send("".join(self.plan.get("last", [])))
            self.end()
        self.log("ended")

    def log(self, how):
        if self.logged:
            return
        self.logged = True
        line = {"headers": self.headers, "events": self.events, "errors": self.errors, "count": self.count,
                "bytes": self.bytes, "end": how, "signed": self.signatures is not None,
                "pings": self.connection.pings, "connection": self.connection.number}
        with lock, open(os.path.join(folder, "streams.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


# ---- connections ----

class Connection:
    numbers = 0

    def __init__(self, sock):
        with lock:
            Connection.numbers += 1
            self.number = Connection.numbers
        self.sock, self.streams, self.pings, self.cut = sock, {}, 0, False
        self.unacknowledged, self.hold_until = [], 0
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))

    def run(self):
        try:
            self.h2.initiate_connection()
            self.write()
            while self.turn():
                pass
            how = "closed"
        except (OSError, h2.exceptions.ProtocolError) as error:
            how = "broken: %r" % error
        finally:
            if self.cut:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
        for stream in self.streams.values():
            stream.log(how)

    def write(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def turn(self):
        self.sock.settimeout(max(0.01, self.hold_until - time.time()) if self.unacknowledged else None)
        try:
            data = self.sock.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            data = None
        if data == b"":
            return False
        for event in self.h2.receive_data(data) if data else ():
            try:
                self.event(event)
            except h2.exceptions.ProtocolError:
                pass  # an answer to what is closed already: one of the next events says so
        if self.unacknowledged and time.time() >= self.hold_until:
            for count, number in self.unacknowledged:
                self.acknowledge(count, number)
            self.unacknowledged = []
        if self.cut:
            return False
        self.write()
        return True

    def acknowledge(self, count, number):
        try:
            self.h2.acknowledge_received_data(count, number)
        except (h2.exceptions.StreamClosedError, KeyError):
            pass

    def event(self, event):
        number = getattr(event, "stream_id", None)
        stream = self.streams.get(number)
        if isinstance(event, h2.events.RequestReceived):
            plan = read_plan()
            if plan.get("hold"):
                self.hold_until = time.time() + plan["hold"]
            if plan.get("silent"):
                time.sleep(plan["silent"])
            self.streams[number] = Stream(self, number, event.headers, plan)
            self.streams[number].begin()
        elif isinstance(event, h2.events.DataReceived):
            if time.time() < self.hold_until:
                self.unacknowledged.append((event.flow_controlled_length, number))
            else:
                self.acknowledge(event.flow_controlled_length, number)
            stream.receive(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended()
        elif isinstance(event, h2.events.StreamReset):
            stream.log("reset %d" % event.error_code)
        elif isinstance(event, h2.events.WindowUpdated):
            for other in self.streams.values():
                other.flush()
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1


def read_plan():
    """A list of them is worked off, each once; the last stays."""
    path = os.path.join(folder, "plan.json")
    with lock:
        try:
            with open(path, encoding="latin-1") as file:
                plans = json.load(file)
        except FileNotFoundError:
            return {}
        if len(plans) > 1:
            with open(path + ".new", "w", encoding="latin-1") as file:
                json.dump(plans[1:], file, ensure_ascii=False)
            os.rename(path + ".new", path)
    return plans[0] if plans else {}


def serve(sock, context):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock = context.wrap_socket(sock, server_side=True)
    except (OSError, ssl.SSLError):
        sock.close()
        return
    Connection(sock).run()


def accept_all(listener, context):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock, context), daemon=True).start()


def main():
    context = None
    if options.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["tls"]["cert"], options["tls"]["key"])
        context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=accept_all, args=(listener, context), daemon=True).start()
    child.tell(listener.getsockname()[1])
    child.stay()


main()
