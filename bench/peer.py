"""An nginx of our own on free ports, which answers every call from memory or from a file."""
import pathlib
import shutil
import socket
import subprocess
import time

SYSTEM_FOLDER = pathlib.Path("/etc/ssl/certs")
SYSTEM_BUNDLE = SYSTEM_FOLDER / "ca-certificates.crt"

CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  types {{ text/xml xml; application/x-amz-json-1.0 json; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    root {folder};
    add_header x-amzn-requestid 7a62c49f-347e-4fc4-9331-6e8e7a96aa73;
    location /sqs {{
      default_type application/x-amz-json-1.0;
      return 200 '{{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/123456789012/orders"}}';
    }}
    # A static file takes no POST: the error page for that is the file.
    location /ec2 {{ return 405; error_page 405 =200 /files/describe_instances.xml; }}
    location /dynamodb {{ return 405; error_page 405 =200 /files/query.json; }}
    location /s3 {{ return 405; error_page 405 =200 /files/list_objects.xml; }}
    location /s3/bench/body {{ return 405; error_page 405 =200 /files/body.bin; }}
    location /files {{ }}
  }}
}}
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Peer:
    """Serves the canned answers in folder/files until closed. `ca_folder` and `ca_bundle` are the system's CAs and
    the one that the peer's certificate is signed by: itself."""

    def __init__(self, folder):
        self.folder = folder
        self._make_certificates()
        port, tls_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.tls_url = f"https://localhost:{tls_port}"
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port, tls_port=tls_port))
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self._process = subprocess.Popen(
            [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait(port)

    def _make_certificates(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=luaws bench",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.folder / "server.key",
             "-out", self.folder / "server.pem"],
            check=True, capture_output=True)
        own = (self.folder / "server.pem").read_text()
        self.ca_bundle = self.folder / "bundle.pem"
        self.ca_bundle.write_text((SYSTEM_BUNDLE.read_text() if SYSTEM_BUNDLE.exists() else "") + own)
        self.ca_folder = self.folder / "cas"
        self.ca_folder.mkdir()
        for entry in SYSTEM_FOLDER.glob("????????.[0-9]") if SYSTEM_FOLDER.exists() else ():
            (self.ca_folder / entry.name).symlink_to(entry.resolve())
        digest = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.folder / "server.pem"], check=True,
                                capture_output=True, text=True).stdout.strip()
        (self.ca_folder / f"{digest}.0").symlink_to(self.folder / "server.pem")

    def _wait(self, port):
        for _ in range(200):
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("nginx does not start: " + (self.folder / "error.log").read_text())

    def close(self):
        self._process.terminate()
        self._process.wait()
