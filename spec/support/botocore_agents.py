"""What boto3 says of itself in the User-Agents of its calls: the oracle of user_agent_spec.lua.

Reads a JSON list of cases from the file named: service, env, session, client and config (arguments), and what to
do: { "call" | "paginate" | "wait", name, params } or { "upload", size }. Prints for each the User-Agents sent, as
JSON. The calls go where env's AWS_ENDPOINT_URL says.
"""

import io
import json
import os
import sys

import boto3
import botocore.config
import botocore.exceptions


def do(client, what, name, params=None):
    if what == "paginate":
        list(client.get_paginator(name).paginate(**params))
    elif what == "wait":
        client.get_waiter(name).wait(**params)
    elif what == "upload":
        client.upload_fileobj(io.BytesIO(b"x" * name), "b", "k")
    else:
        getattr(client, name)(**params)


def run(case):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(case["env"])
    agents = []
    session = boto3.Session(region_name="us-east-1", **case.get("session", {}))
    session.events.register("before-send", lambda request, **_: agents.append(request.headers["User-Agent"]))
    if case["config"].get("signature_version") == "unsigned":
        case["config"]["signature_version"] = botocore.UNSIGNED
    try:
        client = session.client(case["service"], config=botocore.config.Config(**case["config"]), **case["client"])
        do(client, *case["act"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        print(case["name"], error, file=sys.stderr)
    return [agent if isinstance(agent, str) else agent.decode("latin-1") for agent in agents]


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
json.dump([run(case) for case in cases], sys.stdout)
