"""What botocore sends for a row of calls, and what it makes of the answers: the oracle of the service specs.

Reads a JSON list of calls from the file named, prints a JSON list. A call has service, method, params and maybe
region, config, client (further arguments), answers (each { status, headers, body }; the last is repeated).
What comes back has requests (each { method, url, headers, body }), and result or error. Bytes are latin-1 text.
"""

import datetime
import functools
import json
import sys

import botocore.awsrequest
import botocore.config
import botocore.endpoint
import botocore.exceptions
import botocore.session

botocore.endpoint.time.sleep = lambda seconds: None  # what is tried again is so at once


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if hasattr(value, "read"):
        return value.read().decode("latin-1")
    return value


class Raw:
    """The little of a urllib3 response that botocore reads."""

    def __init__(self, body):
        self.body = body

    def stream(self, *args, **kwargs):
        yield self.body

    def read(self, *args):
        body, self.body = self.body, b""
        return body


@functools.cache
def session_with(token):
    """Sessions keep the models that they have read."""
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "the-secret", token)
    return session


def run(call):
    session = session_with(call.get("token"))
    config = botocore.config.Config(**call.get("config", {}))
    client = session.create_client(
        call["service"], region_name=call.get("region", "us-east-1"), config=config, **call.get("client", {}))
    answers = list(call.get("answers") or [{}])
    requests = []

    def send(request, **kwargs):
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        requests.append({
            "method": request.method, "url": request.url, "body": (body or b"").decode("latin-1"),
            "headers": {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()},
        })
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return botocore.awsrequest.AWSResponse(
            request.url, answer.get("status", 200), botocore.awsrequest.HeadersDict(answer.get("headers") or {}),
            Raw(answer.get("body", "").encode("latin-1")))

    client.meta.events.register_last("before-send", send)
    out = {"requests": requests}
    try:
        result = plain(getattr(client, call["method"])(**call.get("params") or {}))
        json.dumps(result)  # its parser's own objects may be left where no text was
        out["result"] = result
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        out["error"] = str(error)
        if call.get("with_response"):
            out["response"] = plain(getattr(error, "response", None))
        out["kind"] = "ClientError" if isinstance(error, botocore.exceptions.ClientError) else type(error).__name__
    except Exception as error:  # an answer that botocore stumbles over
        out["broken"] = repr(error)
    return out


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        json.dump([run(call) for call in json.load(file)], sys.stdout, default=str)
