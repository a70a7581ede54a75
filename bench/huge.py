"""huge.py BUILD [--bytes N]: one object of 100 GB up from a file without blocks, and down to /dev/null and into a pipe.

The server (huge_sink.go) verifies lengths, checksums and the list of parts, and keeps nothing. Prints time, CPU time
and peak memory of the client, and of the upload the number of parts and their size. It takes some minutes.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true"}


def move(build, what, url, path, size):
    command = [build / "bench" / "bench_spawn", "1", build / "luaws", HERE / "huge.lua", url, what, path]
    env = {"PATH": os.environ["PATH"], "HOME": os.path.dirname(path), **KEYS}
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
    count, tail = 0, b""
    while chunk := process.stdout.read1(1 << 20):
        count += len(chunk)
        tail = (tail + chunk)[-300:]
    if process.wait():
        sys.exit(f"{what}: failed")
    line = tail[tail.rindex(b"{"):]
    if what == "pipe" and count - len(line) != size:
        sys.exit(f"{what}: {count - len(line)} bytes")
    told = json.loads(line)
    wall = time.monotonic() - began
    return f"{wall:7.1f} s, {size / wall / 1e6:5.0f} MB/s, CPU {told['cpu_us'] / 1e6:6.1f} s, {told['rss_kib'] / 1024:.1f} MiB"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench huge")
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", type=int, default=100 * 10**9, help="instead of 100 GB")
    options = parser.parse_args()
    build, size = options.build.resolve(), options.bytes
    with tempfile.TemporaryDirectory(prefix="luaws-huge-") as folder:
        sink, path = os.path.join(folder, "sink"), os.path.join(folder, "big")
        subprocess.run(["go", "build", "-o", sink, HERE / "huge_sink.go"], check=True)
        with open(path, "wb") as file:
            file.truncate(size)
        server = subprocess.Popen([sink, str(size)], stdout=subprocess.PIPE, text=True)
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            print(f"up:   {move(build, 'up', url, path, size)};", "parts and the largest:", server.stdout.readline().strip())
            print(f"down: {move(build, 'down', url, path, size)}")
            print(f"pipe: {move(build, 'pipe', url, path, size)}", flush=True)
        finally:
            server.kill()
            server.wait()
        if rest := server.stdout.read():
            sys.exit(rest)


main()
