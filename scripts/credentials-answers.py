#!/usr/bin/env python3
"""Writes spec/fixtures/credentials-answers.json: what botocore makes of the odd answers of those that hand out
credentials, and of odd files, for spec/credentials_answers_spec.lua.

    python3 scripts/credentials-answers.py > spec/fixtures/credentials-answers.json

The server is the one of the specs, with the same replies. "{URL}" is its address and the number of the case,
"{PROXY}" the same as the address of a proxy, "{HOME}" the home folder, "{IN:60}" the time a minute from now. The cases of `aws login` need awscrt.
"""

import datetime
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import botocore.config
import botocore.credentials
import botocore.session
import botocore.tokens
import botocore.utils
import urllib3

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAR = "2099-01-01T00:00:00Z"
COMMON = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": "{URL}/sts",
          "AWS_ENDPOINT_URL_SSO": "{URL}/portal", "AWS_ENDPOINT_URL_SSO_OIDC": "{URL}/oidc",
          "AWS_ENDPOINT_URL_SIGNIN": "{URL}/signin", "AWS_DEFAULT_REGION": "us-west-2",
          "AWS_MAX_ATTEMPTS": "1", "AWS_LOGIN_CACHE_DIRECTORY": "{HOME}/.aws/login/cache"}
KEYS = {"AccessKeyId": "AK", "SecretAccessKey": "hush", "Token": "t", "Expiration": FAR, "AccountId": "5"}
CASES = []


def case(name, replies=(), config="", env=None, files=None, profile=None, before=()):
    """`before` is what happens before it is asked: clients that are made, [how, region]."""
    CASES.append({"name": name, "replies": [dict(reply) for reply in replies], "config": config, "env": env or {},
                  "files": files or {}, "profile": profile, "before": before})


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


# ---- the metadata service of an instance ----

container_later = []  # what is odd in the same way

TOKEN, ROLE, GOOD = {"body": "imds-token", "close": True}, {"body": "the-role", "close": True}, {"body": json.dumps(KEYS)}


def imds(name, replies, env=None):
    patience = {} if "slow" in name or "hang" in name else {"AWS_METADATA_SERVICE_TIMEOUT": "30"}
    case("imds: " + name, replies, env={"AWS_EC2_METADATA_DISABLED": "false",
         "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{URL}", **patience, **(env or {})})


for v1 in ("false", "true"):
    for attempts in ("1", "2"):
        for what in ({"status": 200, "body": "imds-token"}, {"status": 400}, {"status": 403},
                     {"status": 404}, {"status": 405}, {"status": 500}, {"hang": True}, {"reset": True}):
            imds(f"token {what}, v1 disabled {v1}, {attempts} attempts",
                 [{**what, "method": "PUT", "always": True}, ROLE, GOOD],
                 {"AWS_EC2_METADATA_V1_DISABLED": v1, "AWS_METADATA_SERVICE_NUM_ATTEMPTS": attempts})
for attempts in ("1", "3"):
    for bad in ({"body": ""}, {"status": 404}, {"status": 500}, {"reset": True}):
        imds(f"role {bad}, {attempts} attempts", [TOKEN, bad, ROLE, GOOD],
             {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": attempts})
    for bad in ({"body": ""}, {"status": 404}, {"body": "{"}, {"body": "[]"}, {"reset": True},
                {"body": json.dumps({"Code": "AssumeRoleUnauthorizedAccess", "Message": "no"})},
                *({"body": json.dumps(without(KEYS, key))} for key in KEYS)):
        imds(f"keys {bad}, {attempts} attempts", [TOKEN, ROLE, bad, GOOD],
             {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": attempts})
for value in ("1", "yes", "true", "True", "TRUE", "", " true", "false"):
    imds(f"disabled = {value!r}", [TOKEN, ROLE, GOOD], {"AWS_EC2_METADATA_DISABLED": value})
for value in ("ipv6", "IPv6", "IPV4", "ipv5", ""):
    imds(f"custom endpoint, mode {value!r}", [TOKEN, ROLE, GOOD],
         {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": value})
for status in (204, 301, 302, 400, 401, 403, 404, 410, 429, 500, 503):
    bad = {"status": status, "headers": {"Location": "{URL}/elsewhere"} if 300 < status < 400 else {}, "body": "x" * (
        status != 204)}
    for attempts in ("1", "2"):
        for step in (1, 2, 3):
            replies = [{**TOKEN, "method": "PUT"}, ROLE, GOOD]
            replies.insert(step - 1, bad)
            imds(f"{status} at step {step}, {attempts} attempts", replies,
                 {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": attempts})
for step in (1, 2, 3):
    for name, more in (("", {}), (", 4 s", {"AWS_METADATA_SERVICE_TIMEOUT": "4"}),
                       (", 2 attempts", {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "2"})):
        replies = [{**TOKEN, "method": "PUT"}, ROLE, GOOD]
        slow = {**replies[step - 1], "delay": 1.5}
        replies[step - 1:step] = [slow, replies[step - 1]] if "attempts" in name else [slow]
        imds(f"slow at step {step}{name}", replies, more)
for name, bad in (("timeout = 4", [{**TOKEN, "delay": 1.5}]), ("num_attempts = 2", [{"reset": True}, TOKEN])):
    case(f"imds: {name} in the file", [*bad, ROLE, GOOD], "[default]\nmetadata_service_" + name + "\n",
         {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{URL}"})
for token in ("", " ", " t ", "a b"):
    for v1 in ("false", "true"):
        imds(f"token {token!r}, v1 disabled: {v1}", [{"body": token}, ROLE, GOOD],
             {"AWS_EC2_METADATA_V1_DISABLED": v1})
for name in ("a role", "a/b", "a+b=c,d.e@f-g_h", "..", "a\n", "a\\b", "<a>", "a\"b"):  # others are quoted here
    imds(f"role {name!r}", [TOKEN, {"body": name}, GOOD])
for key in KEYS:
    odd = {"Token": (None,), "AccountId": (None, {}), "Expiration": (None, 5, True, {}, 4070908800)}
    for value in ("", "soon", "2099-01-01T00:00:00+01:00", "2099-01-01T00:00:00.5Z", *odd.get(key, ())):
        imds(f"{key} = {value!r}", [TOKEN, ROLE, {"body": json.dumps({**KEYS, key: value})}])
        container_later.append((f"{key} = {value!r}", [{"body": json.dumps({**KEYS, key: value})}]))
for text in ('"x"', "{}", "[{}]", " ", "{} {}", "{'a': 1}", '{"AccessKeyId": NaN}'):
    imds(f"keys {text!r}", [TOKEN, ROLE, {"body": text}])
    container_later.append((f"answer {text!r}", [{"body": text, "always": True}]))
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "hush"}
for name, value in (("SERVICE_ENDPOINT", "not a url"), ("SERVICE_ENDPOINT", "{URL}/a path"),
                    ("SERVICE_ENDPOINT_MODE", "ipv5")):
    imds(f"{name} = {value!r} and keys in the environment", [], {"AWS_EC2_METADATA_" + name: value, **ENV_KEYS})
for name in ("TIMEOUT", "NUM_ATTEMPTS"):
    imds(f"{name} is no number, and keys in the environment", [],
         {"AWS_METADATA_SERVICE_" + name: "soon", **ENV_KEYS})

# ---- a container ----


def container(name, replies, env=None, files=None):
    case("container: " + name, replies, env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{URL}/c?d=e", **(env or {})},
         files=files)


for bad in ({"status": 404}, {"status": 500}, {"body": "{"}, {"body": ""}, {"reset": True}):
    for times in (1, 2, 3):
        container(f"{times} times {bad}", [{**bad, "times": times}, GOOD])
for name, replies in container_later:
    container(name, replies)
for key in KEYS:
    container(f"no {key}", [{"body": json.dumps(without(KEYS, key))}])
for text in ("Bearer x", "a\rb", "a\nb", "a\n", " a ", ""):
    container(f"token {text!r}", [GOOD], {"AWS_CONTAINER_AUTHORIZATION_TOKEN": text})
    container(f"token {text!r} in a file", [GOOD],
              {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE":
               "{HOME}/token"}, {"token": text})
container("no such file of a token", [GOOD],
          {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{HOME}/nothing", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x"})
container("and an instance", [GOOD], {"AWS_EC2_METADATA_DISABLED": "false"})

# ---- roles ----

BASE = "[profile base]\naws_access_key_id = AKBASE\naws_secret_access_key = hush\n"
ARN = "arn:aws:iam::123456789012:role/r"


def sts(arn="arn:aws:sts::123456789012:assumed-role/r/s"):
    result = (f"<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser><Credentials>"
              "<AccessKeyId>AKSTS</AccessKeyId><SecretAccessKey>hush</SecretAccessKey><SessionToken>t</SessionToken>"
              f"<Expiration>{FAR}</Expiration></Credentials>")
    return {"body": "<Response>" + "".join(f"<{name}Result>{result}</{name}Result>" for name in
                                           ("AssumeRole", "AssumeRoleWithWebIdentity")) + "</Response>"}


DENIED = {"status": 403, "body": "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no way</Message></Error>"
          "</ErrorResponse>"}


def role(name, more, env=None, replies=None):
    case("role: " + name, replies or [sts()], f"[profile p]\nrole_arn = {ARN}\n{more}\n{BASE}", env, profile="p")


for text in ("900", " 900 ", "+900", "-5", "1.5", "", "0x10", "900s", "0900", "999999", "1_800", "1__800", "_900",
             "900_", "1_8_0_0", "+1_800"):
    role(f"duration {text!r}", f"source_profile = base\nduration_seconds = {text}")
for text in ("", "x", "ext"):
    role(f"external id {text!r}", f"source_profile = base\nexternal_id = {text}")
    role(f"session name {text!r}", f"source_profile = base\nrole_session_name = {text}")
for source in ("Environment", "environment", "ENVIRONMENT", "EcsContainer", "ecscontainer",
               "Ec2InstanceMetadata", "ec2instancemetadata", "env", ""):
    role(f"source {source!r}", f"credential_source = {source}",
         {**ENV_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{URL}/c",
          "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{URL}/imds"},
         [{**sts(), "target": "/sts"}, {**GOOD, "target": "/c$"},
          {**TOKEN, "target": "/imds/latest/api/token"}, {**ROLE, "target": "/security-credentials/$"},
          {**GOOD, "target": "/the-role$"}])
role("refused", "source_profile = base", replies=[DENIED])
for arn in ("nonsense", "arn:aws:sts::42:x", "arn:aws:sts:::x", ""):
    role(f"answer with the ARN {arn!r}", "source_profile = base", replies=[sts(arn)])


def web(name, config="", env=None, replies=None, profile=None, token="the-token"):
    case("web identity: " + name, replies or [sts()], "[profile p]\n" + config + "\n[default]\n", env,
         {"token": token}, profile)


FILE = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{HOME}/token"}
web("no region", env={**FILE, "AWS_ROLE_ARN": ARN, "AWS_DEFAULT_REGION": None})
web("refused", env={**FILE, "AWS_ROLE_ARN": ARN}, replies=[DENIED])
web("an empty token", env={**FILE, "AWS_ROLE_ARN": ARN}, token="")
web("a token with a newline", env={**FILE, "AWS_ROLE_ARN": ARN}, token="the-token\n")
OWN = f"role_arn = {ARN}-own\nrole_session_name = own\nweb_identity_token_file = {{HOME}}/token"
for variable in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"):
    for value in ("", "{HOME}/nothing" if "FILE" in variable else ARN if "ARN" in variable else "env"):
        for profile in (None, "p"):
            web(f"{variable} = {value!r} over a profile, in code: {profile}", OWN,
                {variable: value, "AWS_PROFILE": "p"}, profile=profile)

# ---- where STS is, and in which region it is asked ----

TLS = {"AWS_ENDPOINT_URL_STS": None, "HTTPS_PROXY": "{PROXY}"}  # what goes to AWS ends at the proxy
ROLES = {
    "a role": ("source_profile = base", BASE),
    "a role of the environment": ("credential_source = Environment", ""),
    "a web identity": ("web_identity_token_file = {HOME}/token", ""),
    "a role of a role": ("source_profile = b", f"[profile b]\nrole_arn = {ARN}-b\nsource_profile = base\n{BASE}"),
}
REGIONS = {
    "none": ("", "", {}),
    "in the role's profile": ("region = eu-west-1\n", "", {}),
    "in another profile": ("", "region = eu-west-2\n", {}),
    "in a variable": ("region = eu-west-1\n", "", {"AWS_DEFAULT_REGION": "sa-east-1"}),
}
ENDPOINTS = {
    "STS's variable": ({}, ""),
    "the general variable": ({"AWS_ENDPOINT_URL_STS": None, "AWS_ENDPOINT_URL": "{URL}/sts"}, ""),
    "the section of services": ({"AWS_ENDPOINT_URL_STS": None}, "services = s\n"),
    "the profile": ({"AWS_ENDPOINT_URL_STS": None}, "endpoint_url = {URL}/sts\n"),
}
AT_AWS = {
    "nowhere": (TLS, ""),
    "nowhere, legacy": (TLS, "sts_regional_endpoints = legacy\n"),
    "nowhere, FIPS": (TLS, "use_fips_endpoint = true\n"),
    "ignored": ({"HTTPS_PROXY": "{PROXY}"}, "ignore_configured_endpoint_urls = true\n"),
}


def region(what, where, endpoint, env, setting, *before):
    source, others = ROLES[what]
    own, other, more = REGIONS[where]
    config = f"[profile p]\nrole_arn = {ARN}\n{own}{setting}{source}\n{others}{other if others else ''}"
    case(f"STS for {what}, region {where}, endpoint: {endpoint}, clients: {before}", [{**sts(), "times": 2}],
         config + "[services s]\nsts =\n  endpoint_url = {URL}/sts\n",
         {"AWS_DEFAULT_REGION": None, **(ENV_KEYS if "env" in what else {}), **env, **more}, {"token": "the-token"},
         "p", before)


for what in ROLES:
    for where in REGIONS:
        for endpoint, (env, setting) in ENDPOINTS.items():
            region(what, where, endpoint, env, setting)
        region(what, where, "STS's variable", {}, "", ["plain", "ap-south-1"])
for before in ((["keys", "ap-south-1"],), (["unsigned", "ap-south-1"],), (["asked", "ap-south-1"],),
               (["plain", "ap-south-1"], ["plain", "ap-east-1"]), (["keys", "ap-south-1"], ["plain", "ap-east-1"]),
               (["unsigned", "ap-south-1"], ["asked", "ap-east-1"])):
    region("a role", "in the role's profile", "STS's variable", {}, "", *before)
for what in ("a role", "a web identity"):
    for where in ("none", "in a variable"):
        for endpoint, (env, setting) in AT_AWS.items():
            region(what, where, endpoint, env, setting)

# ---- SSO ----

SSO = "sso_account_id = 111122223333\nsso_role_name = Dev\n"
URL = "sso_start_url = https://corp/start\nsso_region = eu-central-1\n"
FOLDER = ".aws/sso/cache/"
PORTAL = {"target": "/portal", "body": json.dumps({"roleCredentials": {
    "accessKeyId": "AKSSO", "secretAccessKey": "hush", "sessionToken": "t", "expiration": 4070908800000}})}
REGISTERED = {"clientId": "id", "clientSecret": "hush", "refreshToken": "r", "registrationExpiresAt": FAR}
RENEWED = {"target": "/oidc", "body": json.dumps({"accessToken": "new", "expiresIn": 3600, "refreshToken": "r2"})}
REFUSED = {"target": "/oidc", "status": 400, "body": json.dumps({"error": "invalid_grant", "error_description":
                                                                "said so"})}


def sso(name, token, replies=(), legacy=False):
    text = json.dumps(token) if not isinstance(token, str) else token
    stem = hashlib.sha1(b"https://corp/start" if legacy else b"corp").hexdigest()
    config = "[profile p]\n" + SSO + (URL if legacy else "sso_session = corp\n[sso-session corp]\n" + URL)
    case(f"sso{', old form' if legacy else ''}: " + name, [*replies, PORTAL], config,
         files={FOLDER + stem + ".json": text}, profile="p")


for legacy in (False, True):
    for left in (-10, 60, 800, 1000):
        token = {"accessToken": "old", "expiresAt": f"{{IN:{left}}}", "region": "r"}
        sso(f"{left} s left", token, [RENEWED], legacy)
        sso(f"{left} s left, registered", {**token, **REGISTERED}, [RENEWED], legacy)
        sso(f"{left} s left, refused", {**token, **REGISTERED}, [REFUSED], legacy)
        sso(f"{left} s left, registered no more", {**token, **REGISTERED, "registrationExpiresAt":
                                                   "2020-01-01T00:00:00Z"}, [RENEWED], legacy)
    for key in REGISTERED:
        sso(f"no {key}", {**token, "expiresAt": "{IN:60}", **without(REGISTERED, key)}, [RENEWED], legacy)
    for text in ("", "{", "{}", {"accessToken": "a"}, {"expiresAt": FAR}):
        sso(f"file {text!r}", text, [], legacy)
    for time_ in ("2099-01-01T00:00:00UTC", "2099-01-01T00:00:00+00:00", "2099-01-01T00:00:00.5Z"):
        sso(f"time {time_}", {"accessToken": "old", "expiresAt": time_}, [], legacy)
    for error in ("UnauthorizedException", "ResourceNotFoundException"):
        sso(error, {"accessToken": "old", "expiresAt": FAR}, [
            {"target": "/portal", "status": 401, "headers": {"x-amzn-ErrorType": error}, "body": '{"message":"no"}'}],
            legacy)

# ---- aws login ----

def login(name, changes=None, left=60, replies=()):
    token = {"clientId": "c", "refreshToken": "r", "dpopKey": KEY, "idToken": "kept", "accessToken": {
        "accessKeyId": "AKOLD", "secretAccessKey": "hush", "sessionToken": "t", "accountId": "7",
        "expiresAt": f"{{IN:{left}}}"}}
    token.update(changes or {})
    token = {key: value for key, value in token.items() if value is not None}
    case("login: " + name, replies, "[profile p]\nlogin_session = me\n", files={
        ".aws/login/cache/" + hashlib.sha256(b"me").hexdigest() + ".json": json.dumps(token)}, profile="p")


KEY = """-----BEGIN EC PRIVATE KEY-----
MHcCAQEEICG4biTCPii9dh1s0q3H7hXcf44u0X8tmjmdo8KuPMfsoAoGCCqGSM49
AwEHoUQDQgAETPHQdT3BzE5j+XcRMb2dPPxSQLaxrjNpdYOtqj3ilIsx0rq0D5yG
SKNXCmpsb4WtXIPXIM8fTV8q6qci+0kC4g==
-----END EC PRIVATE KEY-----
"""
SIGNED_IN = {"body": json.dumps({"accessToken": {"accessKeyId": "AKNEW", "secretAccessKey": "new", "sessionToken":
                                 "new"}, "tokenType": "aws_sigv4", "expiresIn": 3000, "refreshToken": "r2"})}
for left in (-100, 60, 280, 320, 1000):
    login(f"{left} s left", None, left, [SIGNED_IN])
for key in ("clientId", "refreshToken", "dpopKey", "accessToken"):
    login(f"no {key}", {key: None})
login("a key that is none", {"dpopKey": "SECRET"})
for why in ("TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED", "INSUFFICIENT_PERMISSIONS", "OTHER"):
    login(why, None, 60, [{"status": 400, "headers": {"x-amzn-ErrorType": "AccessDeniedException"},
                           "body": json.dumps({"error": why, "message": "no"})}])

# ---- programs and files ----

for words in ("a b", "'a b' c", '"a b" c', 'a\\ b', '"a\\"b"', "'a\\b'", '"a\\nb"', 'a"b c"d', "''", '"" x', "a''b",
              "a # b", "$HOME ~ *", 'x"', "x'", "x\\", "a  \t b", '"a\'b"', "'a\"b'", "é 'ü ö'", "a;b|c", "\\'"):
    case(f"program: {words}", config="[profile p]\ncredential_process = '{HOME}/show' " + words + "\n", profile="p",
         files={"show": "#!/usr/bin/env python3\nimport json,sys\nprint(json.dumps({'Version':1,'AccessKeyId':"
                        "json.dumps(sys.argv[1:]),'SecretAccessKey':'hush'}))\n"})
for said in ('{"Version":1}', '{"Version":"1"}', '{"Version":2}', "{}", '{"Version":1,"AccessKeyId":"a"}',
             '{"Version":1,"SecretAccessKey":"a"}', '{"Version":1.0,"AccessKeyId":"a","SecretAccessKey":"b"}',
             '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","AccountId":""}',
             '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":null}',
             f'{{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"{FAR}","AccountId":"8"}}'):
    case(f"program says {said}", config="[profile p]\ncredential_process = cat '{HOME}/said'\naws_account_id = 9\n",
         profile="p", files={"said": said})
for text in ("AWSAccessKeyId=a\nAWSSecretKey=b\n", " AWSAccessKeyId = a \r\n\tAWSSecretKey\t=\tb=c ", "", "x\n=\n",
             "AWSAccessKeyId=a\nAWSSecretKey=b\nAWSAccessKeyId=c", "AWSAccessKeyId=\nAWSSecretKey=b",
             "AWSAccessKeyId=a", "AWSSecretKey=b", "awsaccesskeyid=a\nAWSSecretKey=b",
             "# AWSAccessKeyId=a\nAWSAccessKeyId=d\nAWSSecretKey=b", "AWSAccessKeyId=a\rAWSSecretKey=b",
             "AWSAccessKeyId=a\nAWSSecretKey='b'"):
    case(f"ec2 file {text!r}", env={"AWS_CREDENTIAL_FILE": "{HOME}/ec2"}, files={"ec2": text})
case("ec2 file is nowhere", env={"AWS_CREDENTIAL_FILE": "{HOME}/ec2"})
PAIR = "aws_access_key_id = a\naws_secret_access_key = b\n"
for text in ("[Credentials]\n" + PAIR, "[credentials]\n" + PAIR, "[Boto]\n" + PAIR, "", PAIR, "[Credentials\n",
             "[Credentials]\naws_access_key_id = a\n", "[Credentials]\naws_secret_access_key = b\n",
             "[Credentials]\nAWS_ACCESS_KEY_ID = a\naws_secret_access_key: b ; c\n",
             "[Credentials]\n" + PAIR + "aws_session_token = t\n", "[Credentials]\n" + PAIR + "aws_account_id = 4\n",
             "[Credentials]\n" + PAIR + "aws_security_token = t\n"):
    case(f"boto file {text!r}", env={"BOTO_CONFIG": "{HOME}/boto"}, files={"boto": text})
    case(f"~/.boto {text!r}", files={".boto": text})
case("boto file is nowhere", env={"BOTO_CONFIG": "{HOME}/boto"}, files={".boto": "[Credentials]\n" + PAIR})


# ---- which addresses a container's credentials may come from ----

NEAR = ["localhost", "127.0.0.1", "127.1.2.3", "127.255.255.255", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]",
        "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]
FAR_AWAY = ["example.com", "localhost.evil.test", "evil-localhost", "127.0.0.1.evil.test", "2130706433", "0x7f000001",
            "0177.0.0.1", "127.1", "127.0.1", "127.0.0.01", "127.0.0.256", "0.0.0.0", "0", "[::]", "[::2]", "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:169.254.170.2]", "169.254.170.20", "169.254.170.24",
            "169.254.170.002", "0xa9.254.170.2", "2852039170", "169.254.43522", "169.254.169.254", "[fd00:ec2::24]",
            "[fd00:0ec2::23]", "[fd00:ec2:0::23]", "[fd00:ec2::0023]", "[fd00:ec2::254]", "[fd00:ec2::0.0.0.35]",
            "10.0.0.1", "128.0.0.1", "126.255.255.255", "1.0.0.127", "\u2460\u2461\u2466.0.0.1", "\uff4cocalhost",
            "localhost%00.evil.test", "local host", "[::1]evil.test", "evil.test[::1]", "[::1", "::1", "[127.0.0.1]",
            "[localhost]", "[::1%25lo]", "127.0.0.1%20", "localhost:80:80", "localhost:0x50", "localhost:65536",
            "localhost:-1", "localhost\t", "localhost_", "local.host", ".localhost", "localhost..", ""]
HOSTS = NEAR + FAR_AWAY
URLS = [form.replace("{}", host) for host in HOSTS for form in (
    "http://{}/", "http://{}:8080/x?y=z", "https://{}/", "http://{}./", "http://u:p@{}/", "http://{}")]
URLS += [form.replace("{}", host) for host in NEAR for form in (
    "HTTP://{}/", "Https://{}", "http://{}?a=b", "http://{}#@evil.test/", "http://{}@evil.test/", "http://evil.test@{}/",
    "http://{}:80@evil.test/", "http://evil.test/@{}/", "http://evil.test?@{}/", "http://evil.test#@{}/",
    "http://evil.test\\@{}/", "http://{}\\@evil.test/", "http:///{}/", "http:/{}/", "http:{}", "//{}/", "{}/path", "{}", "ftp://{}/",
    "file://{}/etc/passwd", "gopher://{}/", " http://{}/", "http ://{}/", "http://{}:/", "http://{}:00080/")]
URLS += [url.upper() for url in URLS[:len(NEAR) * 6]]


def address(url):
    """Whether it is asked for credentials."""
    asked = []

    class Session:
        def send(self, request):
            if not urllib3.util.parse_url(request.url).host:
                raise ValueError("no host")
            asked.append(request.url)
            raise RuntimeError

    provider = botocore.credentials.ContainerProvider(
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}, botocore.utils.ContainerMetadataFetcher(Session()))
    try:
        provider.load()
    except Exception:
        pass
    return bool(asked)


# ---- what an instance hands out that ends too soon ----

NOW = datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.timezone.utc)


def extended(left, jitter):
    """For how many seconds keys are taken to be good that are so for these."""
    botocore.utils.get_current_datetime = lambda *args, **kwargs: NOW.replace(tzinfo=None)
    botocore.utils.random.randint = lambda low, high: {"low": low, "high": high}[jitter]
    fetcher = botocore.utils.InstanceMetadataFetcher(config={
        "ec2_credential_refresh_window": botocore.credentials._DEFAULT_ADVISORY_REFRESH_TIMEOUT})
    form = "%Y-%m-%dT%H:%M:%SZ"
    keys = {"expiry_time": (NOW + datetime.timedelta(seconds=left)).strftime(form)}
    fetcher._evaluate_expiration(keys)
    return int((datetime.datetime.strptime(keys["expiry_time"], form) - NOW.replace(tzinfo=None)).total_seconds())


# ---- running them ----

def fill(text, url, home):
    base, number = url.rsplit("/", 1)
    text = text.replace("{URL}", url).replace("{HOME}", home)
    text = text.replace("{PROXY}", base.replace("//", f"//{number}:x@"))
    return re.sub(r"\{IN:(-?\d+)\}", lambda m: time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + int(m[1]))), text)


def summary(request):
    headers = {name.lower(): value for name, value in request["headers"]}
    out = {"method": request["method"], "target": re.sub(r"^/\d+", "", request["target"])}
    auth = headers.get("authorization", "")
    signed = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^,]+),", auth)
    out["authorization"] = "/".join(signed.groups()) if signed else auth
    for name in ("x-amz-security-token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token"):
        out[name] = headers.get(name)
    if not re.match("/sts", out["target"]):
        out["accept"] = headers.get("accept") if headers.get("accept") != "*/*" else None
    text = re.sub(r"(botocore|luaws)-session-\d+", "(generated)", request["body"])
    out["body"] = sorted(text.split("&")) if "=" in text else json.loads(text) if text else None
    return {name: value for name, value in out.items() if value}


def make_client(session, how, region):
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"} if how == "keys" else {}
    config = botocore.config.Config(signature_version=botocore.UNSIGNED) if how == "unsigned" else None
    if how == "asked":
        session.get_credentials()
    session.create_client("sqs", region_name=region, config=config, **keys)


def run(this, url):
    home = tempfile.mkdtemp()
    os.makedirs(home + "/.aws/sso/cache")
    os.makedirs(home + "/.aws/login/cache")
    for name, text in {".aws/config": this["config"], **this["files"]}.items():
        with open(f"{home}/{name}", "w", newline="") as file:
            file.write(fill(text, url, home))
        os.chmod(f"{home}/{name}", 0o700)
    os.environ.clear()
    for name, value in {**COMMON, **this["env"]}.items():
        if value is not None:
            os.environ[name] = fill(value, url, home)
    os.environ.update(HOME=home, PATH="/usr/bin:/bin")
    botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR = home + "/.aws/sso/cache"
    botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR = home + "/.aws/sso/cache"
    try:
        session = botocore.session.Session(profile=this["profile"])
        for how, region in this["before"]:
            make_client(session, how, region)
        found = session.get_credentials()
        expect = {}
        if found is not None:
            frozen = found.get_frozen_credentials()
            expect = {"access_key": frozen.access_key, "secret_key": frozen.secret_key, "token": frozen.token,
                      "account_id": frozen.account_id, "method": found.method}
    except Exception as e:
        expect = {"kind": type(e).__name__, "message": str(e).replace(home, "{HOME}").replace(url, "{URL}")}
    expect = {name: value for name, value in expect.items() if value}
    kept = [json.load(open(path)) for path in glob.glob(home + "/.aws/*/cache/*.json")] if re.match(
        "sso.* s left|login: .* s left", this["name"]) else []
    shutil.rmtree(home)
    for token in kept:
        for part in (token, token.get("accessToken")):
            if isinstance(part, dict) and part.get("expiresAt"):
                part["expiresAt"] = re.sub(r"^20[2-8]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$", "(time)", part["expiresAt"])
    if kept:
        expect["kept"] = kept[0]
    return expect


def main():
    botocore.utils.ContainerMetadataFetcher.SLEEP_TIME = 0
    folder = tempfile.mkdtemp()
    server = subprocess.Popen([sys.executable, ROOT + "/spec/support/http_server.py", folder],
                              stdout=subprocess.PIPE, text=True)
    base = f"http://127.0.0.1:{int(server.stdout.readline())}"
    for number, this in enumerate(CASES, 1):
        for reply in this["replies"]:
            reply["target"] = f"^/{number}(?=/).*" + reply.get("target", "")
    with open(folder + "/plan.json", "w") as file:
        json.dump([reply for this in CASES for reply in this["replies"]], file)
    for number, this in enumerate(CASES, 1):
        this["expect"] = {**run(this, f"{base}/{number}"), "requests": []}
    for line in open(folder + "/requests.jsonl", encoding="latin-1"):
        request = json.loads(line)
        request["body"] = open(f"{folder}/body-{request['number']}").read()
        number = int(request.get("proxy_user") or re.match(r"/(\d+)", request["target"])[1])
        CASES[number - 1]["expect"]["requests"].append(summary(request))
    server.stdout.close()
    server.wait()
    shutil.rmtree(folder)
    urls = [[url, address(url)] for url in dict.fromkeys(URLS)]
    extension = [[left, extended(left, "low"), extended(left, "high")] for left in (
        -86400, -1, 0, 1, 599, 600, 899, 900, 1019, 1020, 1021, 1260, 1499, 1500, 1501, 3600)]
    print(json.dumps({"env": COMMON, "extension": extension})[:-1] + ', "urls": [\n' + ",\n".join(map(json.dumps, urls)) + "\n]" + ', "cases": [\n' + ",\n".join(map(json.dumps, CASES)) + "\n]}")


if __name__ == "__main__":
    sys.exit(main())
