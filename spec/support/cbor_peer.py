"""cbor_peer.py FOLDER: a service that speaks smithy-rpc-v2-cbor, by botocore's own reading and writing of it.

Makes models in FOLDER of services that were never: for every structure that the JSON services below take as
input, an operation that takes it and answers with the same. What it is asked is read by botocore's parser and written
back by botocore's serializer. Writes FOLDER/calls.json: made-up parameters for every operation, as rows of
[service, operation, parameters]; {"$bytes": base64}, {"$int": text} and {"$float": text} stand for what JSON has no
word for. Prints its port.
"""

import base64
import http.server
import json
import os
import random
import sys
import threading

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize

import child

SERVICES = ("cloudwatch", "gamelift", "compute-optimizer", "snowball", "comprehendmedical", "dynamodb", "kinesis", "ecs",
            "logs", "glue")
MAX_OPERATIONS = 30  # of a service
ROUNDS = 3
NAME = "echo-"
TEXTS = ("", "a", "text", "é日😀", "x" * 24, "\u0000\n\"\\")
LONG_TEXTS = ("y" * 300, "z" * 70000)
INTEGERS = (0, 1, 23, 24, 255, 256, 65535, 65536, 2**31 - 1, -1, -24, -25, -256, -257, -65537, -(2**31))
LONGS = INTEGERS + (2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, -(2**32) - 1, -(2**63))
FLOATS = (0.0, -0.0, 1.5, 0.1, 1e-300, 1e300, 65504.0, 3.4028234663852886e38, float("inf"), float("-inf"), float("nan"))
TIMES = (0, 1, 1700000000, 1700000000.123, 253402214400)  # its serializer has none before 1970

folder = sys.argv[1]
dice = random.Random(int(os.environ.get("CBOR_PEER_SEED", "7")))


# ---- models ----


def echo_model(name):
    """The model of a service that answers what it was asked."""
    model = botocore.loaders.Loader().load_service_model(name, "service-2")
    kept = {}
    for operation in sorted(model["operations"])[:MAX_OPERATIONS]:
        shape = model["operations"][operation].get("input", {}).get("shape")
        if not shape:
            continue
        kept[operation] = {
            "name": operation, "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": shape}, "output": {"shape": shape},
        }
    for shape in model["shapes"].values():
        # What is made up is no pattern, and no host's label.
        for limit in ("pattern", "min", "max", "enum", "idempotencyToken"):
            shape.pop(limit, None)
        for member in shape.get("members", {}).values():
            for limit in ("idempotencyToken", "hostLabel", "contextParam"):
                member.pop(limit, None)
    metadata = {
        "apiVersion": "2020-01-01", "endpointPrefix": NAME + name, "protocol": "smithy-rpc-v2-cbor",
        "protocols": ["smithy-rpc-v2-cbor"], "serviceFullName": "Echo of " + name, "serviceId": "Echo " + name,
        "signatureVersion": "v4", "targetPrefix": "Echo_" + name.replace("-", "_"), "uid": NAME + name,
    }
    return {"version": "2.0", "metadata": metadata, "operations": kept, "shapes": model["shapes"]}


def write_models():
    models = {}
    for name in SERVICES:
        model = echo_model(name)
        path = os.path.join(folder, NAME + name, "2020-01-01")
        os.makedirs(path)
        with open(os.path.join(path, "service-2.json"), "w", encoding="utf-8") as file:
            json.dump(model, file)
        models[NAME + name] = botocore.model.ServiceModel(model, NAME + name)
    return models


# ---- parameters ----


def make_up(shape, depth=0):
    kind = shape.type_name
    if kind == "structure":
        names = list(shape.members)
        if shape.is_tagged_union or getattr(shape, "metadata", {}).get("union"):
            names = [dice.choice(names)]
        elif depth > 3:
            names = [name for name in names if name in shape.required_members]
        else:
            names = [n for n in names if n in shape.required_members or dice.random() < 0.7]
        return {name: make_up(shape.members[name], depth + 1) for name in names}
    if kind == "list":
        size = 0 if depth > 4 else dice.choice((0, 1, 2, 3, 25)[: 5 - depth])
        return [make_up(shape.member, depth + 1) for _ in range(size)]
    if kind == "map":
        size = 0 if depth > 4 else dice.choice((0, 1, 2, 3))
        return {f"key{i}" + dice.choice(TEXTS[:5]): make_up(shape.value, depth + 1) for i in range(size)}
    if kind == "blob":
        return {"$bytes": base64.b64encode(dice.randbytes(dice.choice((0, 1, 23, 24, 255, 256, 1000)))).decode()}
    if kind == "boolean":
        return dice.random() < 0.5
    if kind == "integer":
        return {"$int": str(dice.choice(INTEGERS))}
    if kind == "long":
        return {"$int": str(dice.choice(LONGS))}
    if kind in ("float", "double"):
        return {"$float": repr(dice.choice(FLOATS))}
    if kind == "timestamp":
        return {"$float": repr(dice.choice(TIMES))}
    return dice.choice(LONG_TEXTS if dice.random() < 0.005 else TEXTS)


def write_calls(models):
    calls = []
    for service, model in models.items():
        for operation in model.operation_names:
            shape = model.operation_model(operation).input_shape
            calls += [[service, operation, make_up(shape)] for _ in range(ROUNDS)]
    with open(os.path.join(folder, "calls.json"), "w", encoding="utf-8") as file:
        json.dump(calls, file)


# ---- the service ----


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one piece
    models = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = self.answer(body)
        self.send_response(status)
        self.send_header("smithy-protocol", "rpc-v2-cbor")
        self.send_header("Content-Type", "application/cbor")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("x-amzn-RequestId", "cbor-1")
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, body):
        _, word, target, word2, operation = self.path.split("/")
        asked = (word, word2, self.headers["smithy-protocol"], self.headers["Content-Type"], self.headers["Accept"])
        if asked != ("service", "operation", "rpc-v2-cbor", "application/cbor", "application/cbor"):
            return 500, repr(asked).encode()
        model = next(m for m in self.models.values() if m.metadata["targetPrefix"] == target)
        operation = model.operation_model(operation)
        response = {"status_code": 200, "headers": {"smithy-protocol": "rpc-v2-cbor"}, "body": body}
        params = botocore.parsers.create_parser("smithy-rpc-v2-cbor").parse(response, operation.input_shape)
        del params["ResponseMetadata"]
        serializer = botocore.serialize.create_serializer("smithy-rpc-v2-cbor")
        return 200, serializer.serialize_to_request(params, operation)["body"]

    def log_message(self, *args):
        pass


def main():
    Handler.models = write_models()
    write_calls(Handler.models)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    child.tell(server.server_address[1])
    child.stay()


main()
