"""transfers.py BUILD [--quick] [--rounds N] [--json FILE]: compares transfers with those of boto3 and, where it is installed
or there is Go to build it with, s5cmd.

One large object and many small ones go up and down. The servers are an nginx that throws away what it gets and gives
a file back, so that the client is what is measured, and versitygw, which verifies and stores everything. To and from
nginx the curl command is the floor: one connection, no checksum, no signature. Every round runs every side once, one
after the other, each time another one first; the medians count. docs/performance.md says more.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from peer import free_ports

HERE = pathlib.Path(__file__).resolve().parent
S5CMD_VERSION = "v2.3.0"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}

# What S3 answers, to requests that are otherwise thrown away.
NGINX = """
daemon off; master_process off; worker_processes 1;
pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; client_max_body_size 0;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
    root {folder};
    location /bench/ {{
      default_type application/xml;
      set $kind $request_method;
      if ($args ~ uploads) {{ set $kind CREATE; }}
      if ($request_method = GET) {{ rewrite ^ /big last; }}
      if ($request_method = HEAD) {{ rewrite ^ /big last; }}
      if ($kind = CREATE) {{
        return 200 '<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>';
      }}
      if ($kind = POST) {{
        return 200 '<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>';
      }}
      add_header ETag '"e"';
      return 200 '';
    }}
    location = /big {{ }}
  }}
}}
"""


class Server:
    def __init__(self, name, command, url, ca=None):
        self.name, self.url, self.ca = name, url, ca
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL) if command else None


def start_servers(build, folder):
    """nginx, over HTTP and TLS, and versitygw where it was built."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=luaws bench",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "server.key",
                    "-out", folder / "server.pem"], check=True, capture_output=True)
    port, tls_port, gateway_port = free_ports(3)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, tls_port=tls_port))
    nginx = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
    servers = [Server("nginx", nginx, f"http://127.0.0.1:{port}"),
               Server("nginx, TLS", None, f"https://localhost:{tls_port}", folder / "server.pem")]
    gateway = build / "tools" / "versitygw"
    if gateway.exists():
        for name in ("data", "meta"):
            (folder / "gateway" / name).mkdir(parents=True)
        (folder / "gateway" / "data" / "bench").mkdir()
        servers.append(Server("versitygw", [
            gateway, "--port", f"127.0.0.1:{gateway_port}", "--access", KEYS["AWS_ACCESS_KEY_ID"], "--secret",
            KEYS["AWS_SECRET_ACCESS_KEY"], "--keep-alive", "--quiet", "posix", "--sidecar", folder / "gateway" / "meta",
            folder / "gateway" / "data"], f"http://127.0.0.1:{gateway_port}"))
    time.sleep(2)
    for server in servers:
        if server.process and server.process.poll() is not None:
            sys.exit(f"{server.name} does not start")
    return servers


def new_folder(room):
    """In memory where there is so much room: a disk would be measured for all sides alike."""
    memory = pathlib.Path("/dev/shm")
    there = memory.is_dir() and shutil.disk_usage(memory).free >= room
    return pathlib.Path(tempfile.mkdtemp(prefix="luaws-bench-", dir=memory if there else None))


def find_s5cmd(build):
    """Its path, or None."""
    there = shutil.which("s5cmd")
    tool = build / "tools" / "s5cmd"
    if there or tool.exists():
        return there or str(tool)
    if shutil.which("go"):
        print("building s5cmd", file=sys.stderr)
        module = build / "s5cmd"  # one that requires it: "go install" asks for more than there may be
        module.mkdir(exist_ok=True)
        (module / "go.mod").write_text(f"module bench\n\ngo 1.20\n\nrequire github.com/peak/s5cmd/v2 {S5CMD_VERSION}\n")
        (module / "main.go").write_text('package main\n\nimport _ "github.com/peak/s5cmd/v2/command"\n\nfunc main() {}\n')
        done = subprocess.run(["go", "build", "-mod=mod", "-o", tool, "github.com/peak/s5cmd/v2"], capture_output=True,
                              cwd=module)
        if done.returncode == 0:
            return str(tool)
    print("without s5cmd, which could not be had", file=sys.stderr)
    return None


class Bench:
    def __init__(self, build, folder, size, count):
        self.build, self.folder, self.size, self.count = build, folder, size, count
        self.spawn = str(build / "bench" / "bench_spawn")
        self.s5cmd = find_s5cmd(build)
        self.samples = {}
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), **KEYS}
        with open(folder / "big", "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        (folder / "small").mkdir()
        for i in range(count):
            (folder / "small" / f"{i:05}").write_bytes(os.urandom(4096))

    def commands(self, what, server):
        """{side: command}; what is downloaded goes to folder/out."""
        big, small, out = self.folder / "big", self.folder / "small", self.folder / "out"
        path = {"up": big, "down": out, "pipe": "-", "many_up": small, "many_down": out}[what]
        rest = [what, server.url, "bench", path, *([server.ca] if server.ca else [])]
        sides = {"luaws": [self.build / "luaws", HERE / "transfers.lua", *rest],
                 "boto3": [sys.executable, HERE / "transfers_boto3.py", *rest]}
        if not server.name.startswith("versitygw"):
            url, trust = f"{server.url}/bench/big", ["--cacert", server.ca] if server.ca else []
            sides["curl"] = ["curl", "-sSf", "-H", "Expect:", *trust, *(["-o", path, url] if what == "down" else
                                                                        ["-T", path, url])]
        if self.s5cmd:
            s5 = {"up": ["cp", big, "s3://bench/big"], "down": ["cp", "s3://bench/big", out],
                  "pipe": ["pipe", "s3://bench/big"], "many_up": ["cp", f"{small}/", "s3://bench/small/"],
                  "many_down": ["cp", "s3://bench/small/*", f"{out}/"]}[what]
            sides["s5cmd"] = [self.s5cmd, "--log", "error", "--endpoint-url", server.url,
                              *(["--no-verify-ssl"] if server.ca else []), *s5]
        return {side: [str(word) for word in command] for side, command in sides.items()}

    def run(self, what, server, side, command):
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copyfile(self.folder / "big", out)  # no side pays for memory that the machine never used before
        out.unlink()
        if what == "many_down":
            out.mkdir()
        with open(self.folder / "big", "rb") as big:
            cat = subprocess.Popen(["cat"], stdin=big, stdout=subprocess.PIPE) if what == "pipe" else None
            began = time.monotonic()
            done = subprocess.run([self.spawn, "1", *command], stdin=cat.stdout if cat else subprocess.DEVNULL,
                                  capture_output=True, text=True, env=self.env, cwd=self.folder)
            wall = time.monotonic() - began
            if cat:
                cat.kill()
        if done.returncode:
            sys.exit(f"{side}, {what}, {server.name}: {done.stdout}{done.stderr}")
        if what == "down" and out.stat().st_size != self.size:
            sys.exit(f"{side}, {what}, {server.name}: {out.stat().st_size} bytes")
        if what == "many_down" and len(os.listdir(out)) != self.count:
            sys.exit(f"{side}, {what}, {server.name}: {len(os.listdir(out))} files")
        told = json.loads(done.stdout.strip().splitlines()[-1])
        self.samples.setdefault((what, server.name), {}).setdefault(side, []).append(
            {"wall_s": wall, "cpu_s": told["cpu_us"] / 1e6, "rss_mib": told["rss_kib"] / 1024})

    def round(self, number, servers):
        for server in servers:
            for what in ("up", "down", "pipe", "many_up", "many_down"):
                if what.startswith("many") and server.name.startswith("nginx"):
                    continue  # it has no listing
                sides = list(self.commands(what, server).items())
                first = number % len(sides)
                for side, command in sides[first:] + sides[:first]:
                    self.run(what, server, side, command)

    def summaries(self):
        for (what, server), sides in self.samples.items():
            yield what, server, {side: {name: statistics.median(s[name] for s in samples) for name in samples[0]}
                                 for side, samples in sides.items()}


def print_table(bench):
    titles = {"up": "{} up", "down": "{} down", "pipe": "{} up from a pipe", "many_up": "{} files up",
              "many_down": "{} files down"}
    print("| | server | | time | rate | CPU | of boto3's | peak memory |\n|---|---|---|---|---|---|---|---|")
    for what, server, sides in bench.summaries():
        many = what.startswith("many")
        title = titles[what].format(bench.count if many else f"{bench.size >> 20} MiB")
        for side, s in sides.items():
            amount = f"{bench.count / s['wall_s']:.0f} files/s" if many else f"{bench.size / 1e6 / s['wall_s']:.0f} MB/s"
            print(f"| {title} | {server} | {side} | {s['wall_s']:.2f} s | {amount} | {s['cpu_s']:.2f} s | "
                  f"{s['cpu_s'] / sides['boto3']['cpu_s']:.2f} | {s['rss_mib']:.0f} MiB |")
            title = server = ""


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench transfers")
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="one round of a quarter of everything")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all numbers there")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 3)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # by way of finally
    size, count = (256 << 20, 500) if options.quick else (1 << 30, 2000)
    folder = new_folder(room=8 * size)
    servers = []
    try:
        bench = Bench(options.build.resolve(), folder, size, count)
        servers = start_servers(bench.build, folder)
        for i in range(rounds):
            print(f"round {i + 1} of {rounds}", file=sys.stderr)
            bench.round(i, servers)
    finally:
        for server in servers:
            if server.process:
                server.process.terminate()
                server.process.wait()
        shutil.rmtree(folder)
    print_table(bench)
    if options.json:
        rows = [{"what": what, "server": server, "sides": sides} for what, server, sides in bench.summaries()]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


main()
