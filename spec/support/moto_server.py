"""moto_server.py: moto's server, a throw-away AWS, on a free port of this machine. Prints the port."""

import logging
import os

import child

# moto calls itself through boto3 now and then, and must not use the caller's account for it.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing", AWS_EC2_METADATA_DISABLED="true")

from moto.server import ThreadedMotoServer  # noqa: E402

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
child.tell(server.get_host_and_port()[1])
child.stay()
