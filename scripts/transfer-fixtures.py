#!/usr/bin/env python3
"""transfer-fixtures.py: writes spec/fixtures/transfer.json, the requests that boto3 makes for each of a table of
transfers, and spec/fixtures/transfer_args.json, which ExtraArgs it allows and what each of them changes in which
request. They go to a small server here that says yes to everything. Run it again when boto3 is upgraded."""

import hashlib
import http.server
import io
import json
import os
import re
import tempfile
import threading
import urllib.parse

import boto3
import botocore.httpchecksum
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from s3transfer.manager import TransferManager

MIB = 1024 * 1024
FIVE = {"multipart_threshold": 5 * MIB, "multipart_chunksize": 5 * MIB}
KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
OWNER = {"RequestPayer": "requester", "ExpectedBucketOwner": "123456789012"}
UPLOAD = {
    **KEY,
    **OWNER,
    "ACL": "private",
    "CacheControl": "no",
    "ContentType": "a/b",
    "Metadata": {"a": "b"},
    "StorageClass": "STANDARD",
    "Tagging": "a=b",
}
COPY = {
    **UPLOAD,
    "MetadataDirective": "REPLACE",
    "TaggingDirective": "REPLACE",
    "CopySourceIfMatch": '"q"',
    "CopySourceIfModifiedSince": 1000,
    "CopySourceSSECustomerAlgorithm": "AES256",
    "CopySourceSSECustomerKey": "j" * 32,
}
HEADERS = {"range", "if-match", "content-type", "cache-control", "if-none-match", "if-modified-since"}
UNTOLD = {"x-amz-date", "x-amz-content-sha256", "x-amz-user-agent"}
UNTOLD_ARGS = UNTOLD | {"host", "user-agent", "accept", "accept-encoding", "authorization", "amz-sdk-invocation-id",
                        "amz-sdk-request", "connection", "content-length", "expect", "transfer-encoding"}

recorded, lock, size = [], threading.Lock(), 0


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "ETag": '"e"', **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = urllib.parse.urlsplit(self.path)
        query = [list(pair) for pair in sorted(urllib.parse.parse_qsl(url.query, True)) if pair[0] != "x-id"]
        with lock:
            recorded.append(
                {
                    "method": self.command,
                    "path": url.path,
                    "query": query,
                    "headers": {
                        name: value
                        for name, value in headers.items()
                        if name in HEADERS or name.startswith("x-amz-") and name not in UNTOLD
                    },
                    "all_headers": {name: value for name, value in headers.items() if name not in UNTOLD_ARGS},
                    "by": (re.findall(r"Credential=(\w+)/", headers.get("authorization", "")) or [""])[0],
                    "length": length if self.command == "PUT" else 0,
                    "parts": [
                        dict(re.findall(r"<(\w+)>([^<]*)</", part))
                        for part in re.findall(r"<Part>(.*?)</Part>", body.decode("latin-1") if length < 9999 else "")
                    ],
                }
            )
        getattr(self, self.command.lower())()

    do_HEAD = do_GET = do_PUT = do_POST = do_DELETE = handle_any

    def head(self):
        self.answer(200, headers={"Content-Length": size})

    def get(self):
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not wanted:
            return self.answer(200, b"x" * size)
        first, last = int(wanted[1]), int(wanted[2] or size - 1)
        self.answer(206, b"x" * (last - first + 1), {"Content-Range": f"bytes {first}-{last}/{size}"})

    def put(self):
        if self.headers.get("x-amz-copy-source"):
            kind = "CopyPartResult" if "partNumber" in self.path else "CopyObjectResult"
            return self.answer(200, f'<{kind}><ETag>"e"</ETag></{kind}>'.encode())
        sums = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-checksum-")}
        self.answer(200, headers=sums)

    def post(self):
        kind = "InitiateMultipartUploadResult" if "uploads" in self.path else "CompleteMultipartUploadResult"
        self.answer(200, f"<{kind}><UploadId>id</UploadId></{kind}>".encode())

    def delete(self):
        self.answer(204)


def cases():
    for length in (0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 11 * MIB):
        for method in ("upload_file", "download_file", "copy", "upload_fileobj", "download_fileobj"):
            yield method, length, {}, FIVE
    for length in (10, 11 * MIB):
        yield from (
            ("upload_file", length, UPLOAD, FIVE),
            ("upload_file", length, {"ChecksumAlgorithm": "SHA256"}, FIVE),
            ("upload_file", length, {"ChecksumCRC32": "AAAAAA==", "ContentType": "x/y"}, FIVE),
            ("upload_file", length, {"ChecksumSHA1": "AAAAAA==", "MpuObjectSize": length}, FIVE),
            ("upload_file", length, {"ChecksumType": "COMPOSITE"}, FIVE),
            ("upload_stream", length, {"ContentType": "x/y"}, FIVE),
            ("download_file", length, {**KEY, **OWNER, "VersionId": "v", "ChecksumMode": "ENABLED"}, FIVE),
            ("copy", length, COPY, FIVE),
            ("copy", length, {"ChecksumAlgorithm": "CRC32C"}, FIVE),
            ("copy_version", length, {}, FIVE),
        )
    small = {"multipart_threshold": 5 * MIB, "multipart_chunksize": MIB}
    for method in ("upload_file", "upload_stream", "download_file", "copy"):
        yield method, 11 * MIB, {}, small
        yield method, 9 * MIB, {}, {}


class Stream:
    def __init__(self, data):
        self.read = io.BytesIO(data).read


def transfer(client, method, length, opts, folder):
    file, source = os.path.join(folder, "file"), {"Bucket": "from", "Key": "a b/c"}
    data = b"x" * length
    with open(file, "wb") as target:
        target.write(data)
    if method == "upload_file":
        client.upload_file(file, "bucket", "key", **opts)
    elif method == "upload_fileobj":
        client.upload_fileobj(io.BytesIO(data), "bucket", "key", **opts)
    elif method == "upload_stream":
        client.upload_fileobj(Stream(data), "bucket", "key", **opts)
    elif method == "download_file":
        client.download_file("bucket", "key", file, **opts)
    elif method == "download_fileobj":
        client.download_fileobj("bucket", "key", io.BytesIO(), **opts)
    elif method == "copy":
        client.copy(source, "bucket", "key", **opts)
    elif method == "copy_version":
        client.copy({**source, "VersionId": "v1"}, "bucket", "key", **opts)


# ---- each of the ExtraArgs ----

ALLOWED = {kind: list(getattr(TransferManager, f"ALLOWED_{kind.upper()}_ARGS")) for kind in ("upload", "download", "copy")}
VALUES = {
    "ACL": ["public-read"],
    "CacheControl": ["max-age=1"],
    "ChecksumAlgorithm": ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"],
    "ChecksumMode": ["ENABLED"],
    "ChecksumType": ["COMPOSITE", "FULL_OBJECT"],
    "ContentDisposition": ["inline"],
    "ContentEncoding": ["gzip"],
    "ContentLanguage": ["de"],
    "ContentType": ["a/b"],
    "CopySourceIfMatch": ['"q"'],
    "CopySourceIfModifiedSince": [1000],
    "CopySourceIfNoneMatch": ['"q"'],
    "CopySourceIfUnmodifiedSince": [1000],
    "ExpectedBucketOwner": ["123456789012"],
    "Expires": [1000],
    "Metadata": [{"a": "b", "c": "d e"}],
    "MetadataDirective": ["COPY", "REPLACE"],
    "MpuObjectSize": [7],
    "ObjectLockLegalHoldStatus": ["ON"],
    "ObjectLockMode": ["GOVERNANCE"],
    "ObjectLockRetainUntilDate": [2000000000],
    "RequestPayer": ["requester"],
    "ServerSideEncryption": ["aws:kms"],
    "StorageClass": ["STANDARD_IA"],
    "SSEKMSEncryptionContext": ["e30="],
    "Tagging": ["a=b&c=d"],
    "TaggingDirective": ["COPY", "REPLACE"],
    "WebsiteRedirectLocation": ["/x"],
}
SOURCE_KEY = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": "j" * 32}
COMBINED = {
    "upload": [KEY, {**KEY, **OWNER}, *({"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
                                        for algorithm in ("CRC32", "CRC64NVME", "SHA256")
                                        for kind in ("COMPOSITE", "FULL_OBJECT")),
               {"ChecksumCRC32": "AAAAAA==", "ChecksumAlgorithm": "SHA1"}, {**KEY, "ChecksumSHA256": "AAAAAA=="}],
    "download": [KEY, {**KEY, **OWNER, "VersionId": "v"}],
    "copy": [KEY, SOURCE_KEY, {**KEY, **SOURCE_KEY, **OWNER}, {"ChecksumAlgorithm": "SHA256", **OWNER},
             {"CopySourceIfMatch": '"q"', "CopySourceIfUnmodifiedSince": 1000}],
}
METHODS = {"upload": ["upload_file"], "download": ["download_file"], "copy": ["copy", "copy_version", "copy_for"]}
# What this Python has no code for: their values are not compared.
UNKNOWN = {"crc32c": 4, "crc64nvme": 8, "xxhash64": 8, "xxhash3": 8, "xxhash128": 16}


class MD5(botocore.httpchecksum.BaseChecksum):
    def __init__(self):
        sums = hashlib.md5()
        self.update, self.digest = sums.update, sums.digest


def add_algorithms():
    """boto3 needs another package for some, and refuses MD5."""
    made = {"md5": MD5}
    for name, length in UNKNOWN.items():
        methods = {"update": lambda self, chunk: None, "digest": lambda self, length=length: b"x" * length}
        made[name] = type(name, (botocore.httpchecksum.BaseChecksum,), methods)
    for name, algorithm in made.items():
        botocore.httpchecksum._CHECKSUM_CLS.setdefault(name, algorithm)
        if name not in botocore.httpchecksum._SUPPORTED_CHECKSUM_ALGORITHMS:
            botocore.httpchecksum._SUPPORTED_CHECKSUM_ALGORITHMS.append(name)


def operation(request):
    query = {name for name, _ in request["query"]}
    copies = "x-amz-copy-source" in request["all_headers"]
    part = "UploadPartCopy" if copies else "UploadPart"
    whole = "CopyObject" if copies else "PutObject"
    return {
        "POST": "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload",
        "PUT": part if "partNumber" in query else whole,
        "GET": "GetObject",
        "HEAD": "HeadObject",
        "DELETE": "AbortMultipartUpload",
    }[request["method"]]


def mask(name, value):
    algorithm = re.sub("^(x-amz-checksum-|checksum)", "", name.lower())
    return "*" if algorithm in UNKNOWN else value


def lines():
    """What was asked, in lines of operation and header, part of the query, or member of a part."""
    for request in recorded:
        name = operation(request)
        yield f"{name} by {request['by']} of {request['path']}"
        for header, value in request["all_headers"].items():
            yield f"{name} {header}: {mask(header, value)}"
        for key, value in request["query"]:
            yield f"{name} ?{key}={value}"
        for part in request["parts"]:
            for member, value in part.items():
                yield f"{name} part {part['PartNumber']} {member}={mask(member, value)}"


def args_of(kind):
    yield {}
    for name in ALLOWED[kind]:
        if name == "ChecksumAlgorithm" and kind == "copy":
            values = VALUES[name]
        elif "SSECustomerKey" in name and not name.endswith("MD5"):
            values = ["k" * 32]
        else:
            values = VALUES.get(name, ["AAAAAA==" if name.startswith("Checksum") else "AES256" if "Algorithm" in name else "x"])
        for value in values:
            yield {name: value}
    yield from COMBINED[kind]


def arg_cases(run):
    for kind, methods in METHODS.items():
        for method in methods:
            for length in (10, 5 * MIB + 1):
                plain = None
                for extra in args_of(kind) if method != "copy_for" else ({}, OWNER, {**KEY, **SOURCE_KEY}):
                    run(method, length, extra, FIVE)
                    told = set(lines())
                    plain = plain or told
                    before = plain if extra else set()
                    if extra or method == "copy_for":
                        yield {"method": method, "size": length, "extra_args": extra, "more": sorted(told - before),
                               "less": sorted(before - told)}


def write_lines(name, head, cases, tail):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(root, "spec/fixtures", name), "w") as file:
        file.write(head + ",\n".join(json.dumps(case, sort_keys=True) for case in cases) + tail)


def main():
    # The server reads `size`, which each run sets.
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client, other = (
        boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key="b",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        for key in ("a", "other")
    )
    fixtures = []
    with tempfile.TemporaryDirectory() as folder:

        def run(method, length, extra, config):
            global size
            size = length
            recorded.clear()
            opts = {"ExtraArgs": dict(extra), "Config": TransferConfig(**config)}
            if method == "copy_for":
                client.copy({"Bucket": "from", "Key": "a b/c"}, "bucket", "key", SourceClient=other, **opts)
            else:
                transfer(client, method, length, opts, folder)

        for method, length, extra, config in cases():
            run(method, length, extra, config)
            for request in recorded:
                del request["all_headers"], request["by"]
            fixtures.append(
                {
                    "method": method,
                    "size": length,
                    "extra_args": extra,
                    "config": config,
                    "requests": sorted(recorded, key=lambda request: json.dumps(request, sort_keys=True)),
                }
            )
        add_algorithms()
        write_lines("transfer_args.json", f'{{"allowed": {json.dumps(ALLOWED)}, "cases": [\n', arg_cases(run), "\n]}\n")
    write_lines("transfer.json", "[\n", fixtures, "\n]\n")


main()
