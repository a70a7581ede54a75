#!/usr/bin/env python3
"""Writes spec/fixtures/credentials.json: which credentials botocore finds in many combinations of
files, environment and arguments, and what it asks whom on the way, for
spec/credentials_botocore_spec.lua.

    python3 scripts/credentials-fixtures.py > spec/fixtures/credentials.json

A server on this machine plays STS, the SSO portal, a container's endpoint and an instance's
metadata service. In files and environment "{URL}" is its address and "{HOME}" the home folder.
"""

import hashlib
import http.server
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import urllib.parse

import botocore.credentials
import botocore.session
import botocore.tokens
import botocore.utils

EXPIRY = "2099-01-01T00:00:00Z"


def sts():
    """What AssumeRole and AssumeRoleWithWebIdentity are both content with."""
    result = ("<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn>"
              "<AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser><Credentials>"
              "<AccessKeyId>AKSTS</AccessKeyId><SecretAccessKey>sts-secret</SecretAccessKey>"
              f"<SessionToken>sts-token</SessionToken><Expiration>{EXPIRY}</Expiration>"
              "</Credentials>")
    return ("<Response>" + "".join(
        f"<{name}Result>{result}</{name}Result>"
        for name in ("AssumeRole", "AssumeRoleWithWebIdentity")) + "</Response>")


def keys(name):
    return json.dumps({"AccessKeyId": "AK" + name, "SecretAccessKey": name + "-secret",
                       "Token": name + "-token", "Expiration": EXPIRY, "AccountId": "555"})


# What the server answers: the first whose target matches.
REPLIES = [
    {"target": "/role", "body": sts()},
    {"target": "/portal/federation", "body": json.dumps({"roleCredentials": {
        "accessKeyId": "AKSSO", "secretAccessKey": "sso-secret", "sessionToken": "sso-token",
        "expiration": 4070908800000}})},
    {"target": "/container", "body": keys("CONTAINER")},
    {"target": "/imds/latest/api/token", "method": "PUT", "body": "imds-token"},
    {"target": "/imds/latest/meta-data/iam/security-credentials/$", "body": "the-role"},
    {"target": "/imds/latest/meta-data/iam/security-credentials/the-role$", "body": keys("IMDS")},
]


class Handler(http.server.BaseHTTPRequestHandler):
    requests = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self.requests.append(summary(self.command, self.path, self.headers, body))
        for reply in REPLIES:
            if re.search(reply["target"], self.path) and reply.get("method", self.command) == self.command:
                self.send(200, reply["body"])
                return
        self.send(404, "")

    def send(self, status, text):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *args):
        pass


def summary(method, target, headers, body):
    """What is compared of a request."""
    out = {"method": method, "target": target}
    form = dict(urllib.parse.parse_qsl(body))
    if re.match(r"(botocore|luaws)-session-\d+$", form.get("RoleSessionName", "")):
        form["RoleSessionName"] = "(generated)"
    out["form"] = form
    auth = headers.get("authorization") or ""
    signed = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^,]+),", auth)
    out["authorization"] = "/".join(signed.groups()) if signed else auth
    for name in ("x-amz-security-token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token",
                 "x-aws-ec2-metadata-token-ttl-seconds"):
        out[name] = headers.get(name)
    return {name: value for name, value in out.items() if value}


STATIC = "aws_access_key_id = AKFILE\naws_secret_access_key = file-secret\n"
BASE = "[profile base]\naws_access_key_id = AKBASE\naws_secret_access_key = base-secret\n"
ROLE = "role_arn = arn:aws:iam::1:role/first\n"
SSO = "sso_account_id = 111122223333\nsso_role_name = Dev\n"
SSO_URL = "sso_start_url = https://corp/start\nsso_region = eu-central-1\n"
SESSION = "[sso-session corp]\n" + SSO_URL
PROGRAM = ("credential_process = printf '{\"Version\":1,\"AccessKeyId\":\"AKPROGRAM\","
           "\"SecretAccessKey\":\"program-secret\",\"AccountId\":\"777\"}'\n")
TOKEN = "web_identity_token_file = {HOME}/token\n"

# The profile's own keys, and what else there is.
PROFILES = {
    "nothing": ("", ""),
    "keys": (STATIC, ""),
    "keys, token, account": (STATIC + "aws_session_token = file-token\naws_account_id = 9\n", ""),
    "half a pair of keys": ("aws_access_key_id = AKFILE\n", ""),
    "the other half": ("aws_secret_access_key = file-secret\n", ""),
    "role": (ROLE + "source_profile = base\n", BASE),
    "role with everything": (ROLE + "source_profile = base\nexternal_id = ext\n"
                             "role_session_name = me\nduration_seconds = 1800\n", BASE),
    "role, bad duration": (ROLE + "source_profile = base\nduration_seconds = long\n", BASE),
    "role of keys beside it": (STATIC + ROLE, ""),
    "role of itself": (STATIC + ROLE + "source_profile = SELF\n", ""),
    "role of itself without keys": (ROLE + "source_profile = SELF\n", ""),
    "role of itself with half a pair": (
        "aws_access_key_id = AKFILE\n" + ROLE + "source_profile = SELF\n", ""),
    "role without source": (ROLE, ""),
    "role with two sources": (
        ROLE + "source_profile = base\ncredential_source = Environment\n", BASE),
    "role of nobody": (ROLE + "source_profile = nobody\n", ""),
    "role of an empty profile": (ROLE + "source_profile = b\n", "[profile b]\nregion = x\n"),
    "role of half a pair": (
        ROLE + "source_profile = b\n", "[profile b]\naws_secret_access_key = b\n"),
    "roles in a row": (ROLE + "source_profile = b\n", "[profile b]\n"
                       "role_arn = arn:aws:iam::1:role/second\nsource_profile = base\n" + BASE),
    "roles in a loop": (ROLE + "source_profile = b\n", "[profile b]\n"
                        "role_arn = arn:aws:iam::1:role/second\nsource_profile = c\n[profile c]\n"
                        "role_arn = arn:aws:iam::1:role/third\nsource_profile = b\n"),
    "a source that is a role with keys": (ROLE + "source_profile = b\n", "[profile b]\n" + STATIC +
                                          "role_arn = arn:aws:iam::1:role/second\n"),
    "a source that names itself": (
        ROLE + "source_profile = b\n",
        "[profile b]\nrole_arn = arn:aws:iam::1:role/second\nsource_profile = b\n"),
    "a source in the environment, in a row": (
        ROLE + "source_profile = b\n",
        "[profile b]\nrole_arn = arn:aws:iam::1:role/second\ncredential_source = Environment\n"),
    "role of the environment": (ROLE + "credential_source = Environment\n", ""),
    "role of the container": (ROLE + "credential_source = EcsContainer\n", ""),
    "role of the instance": (ROLE + "credential_source = Ec2InstanceMetadata\n", ""),
    "role of the moon": (ROLE + "credential_source = Moon\n", ""),
    "role of a program": (ROLE + "source_profile = b\n", "[profile b]\n" + PROGRAM),
    "role of SSO": (ROLE + "source_profile = b\n",
                    "[profile b]\nsso_session = corp\n" + SSO + SESSION),
    "role of a web identity": (
        ROLE + "source_profile = b\n",
        "[profile b]\nrole_arn = arn:aws:iam::1:role/second\n" + TOKEN),
    "web identity": (ROLE + TOKEN + "role_session_name = pod\n", ""),
    "web identity without role": (TOKEN, ""),
    "web identity and a source": (ROLE + TOKEN + "source_profile = base\n", BASE),
    "web identity without file": (ROLE + "web_identity_token_file = /nonexistent\n", ""),
    "SSO": ("sso_session = corp\n" + SSO, SESSION),
    "SSO, old form": (SSO + SSO_URL, ""),
    "SSO, both forms": ("sso_session = corp\n" + SSO + SSO_URL, SESSION),
    "SSO, at odds": ("sso_session = corp\nsso_region = x\n" + SSO, SESSION),
    "SSO, no such session": ("sso_session = other\n" + SSO, SESSION),
    "SSO, half a session": ("sso_session = corp\n" + SSO + "sso_region = eu-central-1\n",
                            "[sso-session corp]\nsso_start_url = https://corp/start\n"),
    "SSO, nothing but a role": ("sso_role_name = Dev\n", ""),
    "SSO, nobody logged in": ("sso_session = away\n" + SSO,
                              "[sso-session away]\n" + SSO_URL),
    "SSO and keys": ("sso_session = corp\n" + SSO + STATIC, SESSION),
    "program": (PROGRAM, ""),
    "program that fails": ("credential_process = sh -c 'echo sorry >&2; exit 3'\n", ""),
    "program and keys": (PROGRAM + STATIC, ""),
}

ENVIRONMENTS = {
    "nothing": {},
    "keys": {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "env-secret",
             "AWS_SESSION_TOKEN": "env-token", "AWS_ACCOUNT_ID": "4"},
    "half a pair of keys": {"AWS_ACCESS_KEY_ID": "AKENV"},
    "empty keys": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    "web identity": {"AWS_WEB_IDENTITY_TOKEN_FILE": "{HOME}/token",
                     "AWS_ROLE_ARN": "arn:aws:iam::1:role/of-env", "AWS_ROLE_SESSION_NAME": "env"},
    "a role's name alone": {"AWS_ROLE_ARN": "arn:aws:iam::1:role/of-env"},
    "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{URL}/container?x=y",
                  "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let-me-in"},
    "instance": {"AWS_EC2_METADATA_DISABLED": "false",
                 "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{URL}/imds/"},
}
COMMON = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": "{URL}/role",
          "AWS_ENDPOINT_URL_SSO": "{URL}/portal", "AWS_DEFAULT_REGION": "us-west-2",
          "AWS_MAX_ATTEMPTS": "1"}


# A session of SSO that makes no sense is no matter where credentials come from elsewhere; botocore
# stumbles over it when it makes the client for STS.
SKIPPED = {("SSO, no such session", "web identity"), ("SSO, half a session", "web identity")}


def cases():
    for profile, (own, others) in PROFILES.items():
        for environment, env in ENVIRONMENTS.items():
            for chosen in ("default", "variable", "code"):
                if (profile, environment) in SKIPPED and chosen != "code":
                    continue
                name = "default" if chosen == "default" else "p"
                head = "[default]\n" if chosen == "default" else "[profile p]\n"
                case = {
                    "name": f"{profile}; environment: {environment}; profile by {chosen}",
                    "config": head + own.replace("SELF", name) + others,
                    "env": dict(env),  # over COMMON
                }
                if chosen == "variable":
                    case["env"]["AWS_PROFILE"] = "p"
                if chosen == "code":
                    case["profile"] = "p"
                yield case


def write_home(home, config):
    os.makedirs(home + "/.aws/sso/cache")
    with open(home + "/.aws/config", "w") as file:
        file.write(config)
    with open(home + "/token", "w") as file:
        file.write("the-web-identity")
    for name in ("corp", "https://corp/start"):
        path = home + "/.aws/sso/cache/" + hashlib.sha1(name.encode()).hexdigest() + ".json"
        with open(path, "w") as file:
            json.dump({"accessToken": "the-access-token", "expiresAt": EXPIRY}, file)


def words(message, home):
    """Without what differs from run to run, and without a slip of the pen."""
    return message.replace(home, "{HOME}").replace("role_arnconfig", "role_arn config").strip()


def run(case, url):
    home = tempfile.mkdtemp()

    def fill(text):
        return text.replace("{URL}", url).replace("{HOME}", home)

    write_home(home, fill(case["config"]))
    os.environ.clear()
    env = dict(COMMON, **case["env"])
    os.environ.update({name: fill(value) for name, value in env.items()},
                      HOME=home, PATH="/usr/bin:/bin")
    cache = home + "/.aws/sso/cache"
    botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = cache
    botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = cache
    Handler.requests.clear()
    try:
        session = botocore.session.Session(profile=case.get("profile"))
        found = session.get_credentials()
        if found is None:
            expect = {}
        else:
            frozen = found.get_frozen_credentials()
            expect = {"access_key": frozen.access_key, "secret_key": frozen.secret_key,
                      "token": frozen.token, "account_id": frozen.account_id,
                      "method": found.method}
            expect = {name: value for name, value in expect.items() if value}
    except Exception as e:
        expect = {"kind": type(e).__name__, "message": words(str(e), home)}
    expect["requests"] = list(Handler.requests)
    shutil.rmtree(home)
    return expect


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    out = []
    for case in cases():
        case["expect"] = run(case, url)
        out.append(json.dumps(case))
    print(json.dumps({"replies": REPLIES, "env": COMMON})[:-1] + ', "cases": [\n' +
          ",\n".join(out) + "\n]}")


if __name__ == "__main__":
    sys.exit(main())
