#!/usr/bin/env python3
"""transfer-fixtures.py: writes spec/fixtures/transfer.json, the requests that boto3 makes for each of a table of
transfers. They go to a small server here that says yes to everything. Run it again when boto3 is upgraded."""

import http.server
import io
import json
import os
import re
import tempfile
import threading
import urllib.parse

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

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


def main():
    global size
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(s3={"addressing_style": "path"}),
    )
    fixtures = []
    with tempfile.TemporaryDirectory() as folder:
        for method, length, extra, config in cases():
            size = length
            recorded.clear()
            opts = {"ExtraArgs": dict(extra), "Config": TransferConfig(**config)}
            transfer(client, method, length, opts, folder)
            fixtures.append(
                {
                    "method": method,
                    "size": length,
                    "extra_args": extra,
                    "config": config,
                    "requests": sorted(recorded, key=lambda request: json.dumps(request, sort_keys=True)),
                }
            )
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(root, "spec/fixtures/transfer.json"), "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case, sort_keys=True) for case in fixtures) + "\n]\n")


main()
