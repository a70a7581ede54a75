#!/usr/bin/env python3
"""Writes spec/fixtures/settings.json: what botocore makes of many combinations of files,
environment and arguments, for spec/c/test_settings.c.

    python3 scripts/settings-fixtures.py > spec/fixtures/settings.json

Where luaws departs from botocore on purpose, botocore is made to depart, too: see depart().
"""

import configparser
import itertools
import json
import os
import shutil
import sys
import tempfile

import botocore.config
import botocore.credentials
import botocore.session
from botocore import UNSIGNED
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

MESSAGES = {  # kinds whose text is botocore's, word for word
    "ProfileNotFound", "PartialCredentialsError", "InvalidRegionError",
    "InvalidRetryModeError", "InvalidMaxRetryAttemptsError",
    "InvalidRetryConfigurationError", "InvalidS3AddressingStyleError",
    "InvalidDefaultsMode", "InvalidIMDSEndpointModeError", "InvalidIMDSEndpointError",
    "InvalidSTSRegionalEndpointsConfigError",
    "InvalidS3UsEast1RegionalEndpointConfigError",
}
KINDS = {  # what is no botocore exception there has a name here
    "ParserError": "CredentialRetrievalError",
    "JSONDecodeError": "CredentialRetrievalError",
    "FileNotFoundError": "CredentialRetrievalError",
    "IndexError": "CredentialRetrievalError",
    "KeyError": "PartialCredentialsError",
    "AttributeError": "InvalidConfigError",
}
CONFIG_KEYS = [
    "connect_timeout", "read_timeout", "max_pool_connections", "retries", "s3",
    "inject_host_prefix", "user_agent_appid", "request_min_compression_size_bytes",
    "disable_request_compression", "request_checksum_calculation",
    "response_checksum_validation", "account_id_endpoint_mode",
    "auth_scheme_preference", "sigv4a_signing_region_set", "client_cert", "proxies",
    "proxies_config", "client_context_params", "user_agent_extra", "region_name",
    "s3_disable_express_session_auth",
]


def depart():
    """[DEFAULT] does not leak; the retry mode is standard; parameter_validation is a
    boolean and request_min_compression_size_bytes a number wherever they come from."""

    class Parser(configparser.RawConfigParser):
        def options(self, section):
            return list(self._sections[section])

    configparser.RawConfigParser = Parser
    v = BOTOCORE_DEFAUT_SESSION_VARIABLES
    v["retry_mode"] = ("retry_mode", "AWS_RETRY_MODE", "standard", None)
    flag = lambda t: str(t).lower() == "true"
    v["parameter_validation"] = ("parameter_validation", None, True, flag)


def error(e):
    kind = KINDS.get(type(e).__name__, type(e).__name__)
    out = {"error": kind}
    if kind in MESSAGES and type(e).__name__ == kind:
        out["message"] = str(e)
    return out


def attempt(fn):
    try:
        return fn()
    except Exception as e:  # noqa: BLE001: all of them are outcomes
        return error(e)


def number(value):
    try:
        return int(value)
    except (TypeError, ValueError):
        return {"error": "InvalidConfigError"}


def variables(new):
    out = {}
    session = new()
    for name in list(BOTOCORE_DEFAUT_SESSION_VARIABLES) + ["s3", "proxies_config"]:
        value = attempt(lambda: session.get_config_variable(name))
        if isinstance(value, dict) and "error" in value:
            session = new()  # one that failed may half work the second time
        if name == "request_min_compression_size_bytes" and not isinstance(value, dict):
            value = number(value)
        out[name] = value
    return out


def credentials(session):
    found = session.get_credentials()
    if found is None:
        return None
    frozen = found.get_frozen_credentials()
    out = {
        "access_key": frozen.access_key, "secret_key": frozen.secret_key,
        "token": frozen.token or None, "account_id": frozen.account_id or None,
        "method": found.method,
    }
    expiry = getattr(found, "_expiry_time", None)
    if expiry:
        out["expiry"] = int(expiry.timestamp())
    return out


def endpoint_url(session, service):
    store = session.get_component("config_store")
    session._add_configured_endpoint_provider(client_name=service, config_store=store)
    return session.get_config_variable("endpoint_url")


def client_config(session, case):
    table = dict(case.get("client") or {})
    if table.get("signature_version") == "unsigned":
        table["signature_version"] = UNSIGNED
    config = botocore.config.Config(**table) if "client" in case else None
    client = session.create_client(
        case.get("service", "ec2"), config=config, region_name=case.get("region_name"),
        aws_access_key_id="AKID", aws_secret_access_key="SECRET",
    )
    made = client.meta.config
    out = {k: getattr(made, k) for k in CONFIG_KEYS}
    if case.get("service") in ("s3", "sts"):
        del out["region_name"]  # decided by the legacy resolver, not by settings
    if out["s3"] is not None:
        out["s3"] = {k: v for k, v in out["s3"].items() if k != "bogus"}
    return {k: v for k, v in out.items() if v is not None}


def run(case, defaults):
    home = tempfile.mkdtemp()
    try:
        os.environ.clear()
        os.environ.update({k: v.replace("@HOME@", home) for k, v in case["env"].items()})
        os.environ["HOME"] = home
        os.environ["PATH"] = "/usr/bin:/bin"
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        if "AWS_REGION" in os.environ:  # departure: read after AWS_DEFAULT_REGION
            os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
        for name, text in case["files"].items():
            path = os.path.join(home, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(text.replace("@HOME@", home).encode().replace(b"@FF@", b"\xff"))
        new = lambda: botocore.session.Session(profile=case.get("profile"))
        expect = {}
        full = attempt(lambda: new().full_config)
        if full.get("profiles") or "error" in full or len(full) > 1:
            expect["full_config"] = full
        got = variables(new)
        expect["variables"] = {
            k: v for k, v in got.items() if defaults is None or v != defaults.get(k, 0)
        }
        if "credentials" not in case.get("skip", []):
            expect["credentials"] = attempt(lambda: credentials(new()))
        expect["endpoint_url"] = attempt(
            lambda: endpoint_url(new(), case.get("service", "ec2")))
        expect["client_config"] = attempt(lambda: client_config(new(), case))
        failed = expect["client_config"].get("error")
        no_host = failed == "ValueError" and expect["variables"].get("region") == ""
        of_url = failed and expect["client_config"] == expect["endpoint_url"]
        if failed == "NoRegionError" or no_host or of_url:
            del expect["client_config"]  # not what resolving the options finds out
        text = json.dumps(expect).replace(home, "@HOME@")
        return json.loads(text)
    finally:
        shutil.rmtree(home)


CONFIG, CREDS = ".aws/config", ".aws/credentials"
KEYS = "aws_access_key_id = {0}ID\naws_secret_access_key = {0}SECRET\n"


def cases():
    def case(name, config=None, creds=None, env=None, files=None, **more):
        f = dict(files or {})
        if config is not None:
            f[CONFIG] = config
        if creds is not None:
            f[CREDS] = creds
        return {"name": name, "files": f, "env": env or {}, **more}

    keys = lambda p, extra="": KEYS.format(p) + extra
    yield case("nothing at all")
    yield case("empty files", "", "")

    # Who names the profile, and is it there?
    three = ("[default]\nregion = us-east-1\n" + keys("D") +
             "[profile dev]\nregion = eu-west-1\n" + keys("V") +
             "[profile \"two words\"]\nregion = ap-south-1\n")
    for arg, default_env, env in itertools.product(
            [None, "dev", "nope", "default", ""], [None, "dev"],
            [None, "two words", "", "nope"]):
        e = {}
        if default_env is not None:
            e["AWS_DEFAULT_PROFILE"] = default_env
        if env is not None:
            e["AWS_PROFILE"] = env
        yield case(f"profile: argument {arg!r}, AWS_DEFAULT_PROFILE {default_env!r}, "
                   f"AWS_PROFILE {env!r}", three, None, e, profile=arg)
    yield case("default named by the environment but not there", "[profile x]\na = b\n",
               env={"AWS_PROFILE": "default"})
    yield case("default not named and not there", "[profile x]\nregion = b\n")

    # Regions.
    for d, r, f, a in itertools.product([None, "us-east-1", ""], [None, "us-west-2"],
                                        [None, "eu-west-1"], [None, "ap-east-1"]):
        e = {}
        if d is not None:
            e["AWS_DEFAULT_REGION"] = d
        if r is not None:
            e["AWS_REGION"] = r
        yield case(f"region: {d!r} {r!r} file {f!r} argument {a!r}",
                   f"[default]\nregion = {f}\n" if f else None, env=e,
                   **({"region_name": a} if a else {"service": "s3"}))
    for region in ["-x", "x-", "12345", "a b", "us_east_1", "UPPER", "a" * 63, "a" * 64,
                   "us-east-1.evil", "é", "1a", "fips-us-gov-west-1", "us-west-2-fips",
                   "fips-us-gov-west-1-fips"]:
        yield case(f"region {region!r}", env={"AWS_DEFAULT_REGION": region}, service="s3")

    # Names of sections.
    for header in ["profile dev", "profile  dev", "profile\tdev", 'profile "dev"',
                   "profile 'dev'", "profile dev extra", "profiledev", "profile",
                   "profilex dev", "profiles dev", "Profile dev", "profile \"dev",
                   "profile d\\ e", "profile \"\"", "default", "Default", " default ",
                   "dev", "preview", "sso-session s", "sso-sessions", "sso_sessions",
                   "services v", "servicesx v", "services", "a]b", "a] # c"]:
        yield case(f"section [{header}]", f"[{header}]\nregion = us-east-1\n")
        yield case(f"section [{header}] of the credentials file", None,
                   f"[{header}]\nregion = us-east-1\n" + keys("C"))
    yield case("default twice, under two names",
               "[default]\nregion = a\nx = 1\n[profile default]\nregion = b\n")
    yield case("default twice, the other way round",
               "[profile default]\nregion = b\n[default]\nregion = a\nx = 1\n")
    yield case("a profile twice, under two spellings",
               "[profile a]\nregion = b\ny = 1\n[profile \"a\"]\nregion = c\n")

    # The dialect.
    texts = {
        "colon": "[default]\nregion: us-east-1\n",
        "upper-case key": "[default]\nREGION = us-east-1\n",
        "inline comment": "[default]\nregion = us-east-1 # here\n",
        "inline semicolon": "[default]\nregion = us-east-1 ; here\n",
        "comments": "# a\n[default]\n; b\n  # c\nregion = us-east-1\n",
        "continuation": "[default]\nregion = us\n  -east-1\n",
        "indented key": "[default]\nregion = us-east-1\n  output = json\n",
        "first key indented": "[default]\n  region = us-east-1\n  output = json\n",
        "duplicate key": "[default]\nregion = a\nREGION = b\n",
        "duplicate section": "[default]\nregion = a\n[default]\noutput = b\n",
        "no value": "[default]\nregion\n",
        "no key": "[default]\n = x\n",
        "empty value": "[default]\nregion =\n",
        "text before a section": "region = a\n[default]\n",
        "byte order mark": "\ufeff[default]\nregion = a\n",
        "not UTF-8": "[default]\nregion = @FF@\n",
        "carriage returns": "[default]\r\nregion = us-east-1\r\n",
        "no end of line": "[default]\nregion = us-east-1",
        "block": "[default]\ns3 =\n  addressing_style = path\n  use_arn_region = TRUE\n",
        "block with odd keys": "[default]\ns3 =\n  Bogus = 1\n  bogus = 2\n  bogus = 3\n",
        "block without =": "[default]\ns3 =\n  nonsense\n",
        "block with blank lines": "[default]\ns3 =\n\n  # c\n  addressing_style=virtual\n\n",
        "block on one line": "[default]\ns3 = addressing_style = path\n",
        "block with = in the value": "[default]\ns3 =\n  a = b = c\n",
        "DEFAULT section": "[DEFAULT]\nregion = leak\n[default]\noutput = json\n",
        "variables are not expanded": "[default]\nregion = $HOME\n",
        "percent": "[default]\nregion = %(x)s\n",
        "section comment": "[default] # mine\nregion = us-east-1\n",
        "unclosed section": "[default\nregion = us-east-1\n",
        "nothing in brackets": "[]\nregion = a\n",
        "tabs": "[default]\n\tregion\t=\tus-east-1\n",
        "equals in key": "[default]\na=b=c\n",
    }
    for name, text in texts.items():
        yield case(f"dialect: {name}", text)
        yield case(f"dialect: {name}, in the credentials file", None, text,
                   env={"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "S"})

    # Paths of files.
    for where in ["~/other", "$HOME/other", "${HOME}/other", "$NOPE/other", "@HOME@/other",
                  "", "~nobodyhere/other", "${HOME/other", "@HOME@"]:
        yield case(f"AWS_CONFIG_FILE={where}", "[default]\nregion = wrong\n", None,
                   {"AWS_CONFIG_FILE": where}, {"other": "[default]\nregion = right\n"})
        yield case(f"AWS_SHARED_CREDENTIALS_FILE={where}", None, "[default]\n" + keys("W"),
                   {"AWS_SHARED_CREDENTIALS_FILE": where},
                   {"other": "[default]\n" + keys("R")})

    # Credentials: environment.
    for a, s, t1, t2, acc in itertools.product(["A", "", None], ["S", "", None],
                                               [None, "", "T1"], [None, "T2"], [None, "12"]):
        if (t1 or acc) and (a != "A" or s != "S"):
            continue
        e = {k: v for k, v in zip(
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN",
             "AWS_SESSION_TOKEN", "AWS_ACCOUNT_ID"], [a, s, t1, t2, acc]) if v is not None}
        yield case(f"environment {e}", None, "[default]\n" + keys("F"), e)
    both = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "S"}
    yield case("environment against a profile in code", three, None, both, profile="dev")
    yield case("environment against AWS_PROFILE", three, None,
               {**both, "AWS_PROFILE": "dev"})
    yield case("environment against an unknown AWS_PROFILE", three, None,
               {**both, "AWS_PROFILE": "nope"})
    for t in ["2090-01-01T00:00:00Z", "2090-01-01T00:00:00+02:00", "2001-01-01T00:00:00Z",
              "soon", ""]:
        yield case(f"environment with expiry {t!r}", env={**both,
                   "AWS_CREDENTIAL_EXPIRATION": t})

    # Credentials: files.
    for name, text in {
        "both": keys("X"), "token": keys("X", "aws_session_token = T\n"),
        "old token": keys("X", "aws_security_token = O\naws_session_token = T\n"),
        "account": keys("X", "aws_account_id = 12\n"),
        "no secret": "aws_access_key_id = X\n", "no key": "aws_secret_access_key = X\n",
        "empty key": "aws_access_key_id =\naws_secret_access_key = X\n",
        "none": "region = x\n",
    }.items():
        yield case(f"credentials file: {name}", None, "[default]\n" + text)
        yield case(f"config file: {name}", "[default]\n" + text)
        yield case(f"both files: {name}", "[default]\n" + keys("C"), "[default]\n" + text)
    yield case("key in config, secret in credentials",
               "[default]\naws_access_key_id = X\n",
               "[default]\naws_secret_access_key = Y\n")
    yield case("profile x of the credentials file", None, "[profile x]\n" + keys("P"),
               profile="profile x")
    yield case("files merge key by key",
               "[profile a]\nregion = r1\noutput = json\n", "[a]\nregion = r2\n" + keys("M"),
               profile="a")
    yield case("credentials of another profile", None, "[other]\n" + keys("O"))
    yield case("a broken credentials file and keys in the environment", None, "broken",
               both)

    # Credentials: old files.
    ec2 = "# comment\nAWSAccessKeyId = A\nAWSSecretKey=S=T\n"
    yield case("AWS_CREDENTIAL_FILE", None, None, {"AWS_CREDENTIAL_FILE": "~/ec2"},
               {"ec2": ec2})
    yield case("AWS_CREDENTIAL_FILE without secret", None, None,
               {"AWS_CREDENTIAL_FILE": "~/ec2"}, {"ec2": "AWSAccessKeyId=A\n"})
    yield case("AWS_CREDENTIAL_FILE without key", None, None,
               {"AWS_CREDENTIAL_FILE": "~/ec2"}, {"ec2": "hello\n"})
    yield case("AWS_CREDENTIAL_FILE missing", None, None, {"AWS_CREDENTIAL_FILE": "~/no"})
    boto = "[Credentials]\n" + keys("B")
    yield case("~/.boto", files={".boto": boto})
    yield case("BOTO_CONFIG", env={"BOTO_CONFIG": "$HOME/b"}, files={"b": boto,
               ".boto": "[Credentials]\n" + keys("N")})
    yield case("BOTO_CONFIG missing", env={"BOTO_CONFIG": "~/b"}, files={".boto": boto})
    yield case("~/.boto without secret", files={".boto":
               "[Credentials]\naws_access_key_id = A\n"})
    yield case("~/.boto broken", files={".boto": "x"})

    # Credentials: process.
    answer = {"Version": 1, "AccessKeyId": "PA", "SecretAccessKey": "PS"}
    process = "[default]\nregion = us-east-1\ncredential_process = "
    for name, said in {
        "plain": answer, "token": {**answer, "SessionToken": "PT", "AccountId": "34"},
        "expiry": {**answer, "Expiration": "2090-05-06T07:08:09Z"},
        "expired": {**answer, "Expiration": "2001-05-06T07:08:09Z"},
        "null expiry": {**answer, "Expiration": None},
        "version 2": {**answer, "Version": 2}, "no version": {"AccessKeyId": "x"},
        "version 1.0": {**answer, "Version": 1.0}, "version '1'": {**answer, "Version": "1"},
        "no secret": {"Version": 1, "AccessKeyId": "x"},
        "no key": {"Version": 1, "SecretAccessKey": "x"},
    }.items():
        yield case(f"process: {name}", process + "cat '@HOME@/an answer'\n",
                   files={"an answer": json.dumps(said)})
    yield case("process: account of the profile",
               process + "cat @HOME@/a\naws_account_id = 99\n",
               files={"a": json.dumps(answer)})
    for name, command in {
        "fails": "sh -c 'echo no luck >&2; exit 3'", "prints nothing": "true",
        "prints nonsense": "echo hello", "is not there": "no-such-program-here",
        "is empty": "", "is killed": "sh -c 'echo gone >&2; kill -9 $$'",
    }.items():
        yield case(f"process: {name}", process + command + "\n")
    yield case("process beside keys in the credentials file",
               process + "cat @HOME@/a\n", "[default]\n" + keys("F"),
               files={"a": json.dumps(answer)})
    yield case("process beside keys in the config file",
               process + "cat @HOME@/a\n" + keys("F"), files={"a": json.dumps(answer)})

    # Endpoint URLs.
    urls = ("[default]\nregion = us-east-1\nservices = mine\nendpoint_url = http://profile\n"
            "[services mine]\nec2 =\n  endpoint_url = http://service\n"
            "elastic_load_balancing_v2 =\n  endpoint_url = http://elb\n"
            "s3 =\n  endpoint_url =\n")
    for service, one, every in itertools.product(
            ["ec2", "s3", "elbv2", "dynamodb"], [None, "http://one", ""],
            [None, "http://every", ""]):
        var = {"ec2": "EC2", "s3": "S3", "elbv2": "ELASTIC_LOAD_BALANCING_V2",
               "dynamodb": "DYNAMODB"}[service]
        e = {}
        if one is not None:
            e["AWS_ENDPOINT_URL_" + var] = one
        if every is not None:
            e["AWS_ENDPOINT_URL"] = every
        yield case(f"endpoint of {service}: {e}", urls, env=e, service=service)
    yield case("services section missing", "[default]\nregion = a\nservices = nope\n")
    yield case("services section empty", "[default]\nservices = e\n[services e]\n")
    yield case("services section missing, but a variable",
               "[default]\nregion = a\nservices = nope\n", env={"AWS_ENDPOINT_URL": "http://e"})
    yield case("services entry is no block",
               "[default]\nregion = a\nservices = e\n[services e]\nec2 = http://x\n")

    # Every variable from the environment and from the file.
    for name, (key, env, default, cast) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        if name in ("profile", "config_file", "credentials_file", "data_path"):
            continue
        good = {"csm_port": "5", "max_attempts": "7", "metadata_service_timeout": "3",
                "metadata_service_num_attempts": " 4 ", "retry_mode": "adaptive",
                "request_min_compression_size_bytes": "100", "defaults_mode": "standard",
                "request_checksum_calculation": "WHEN_REQUIRED", "region": "us-west-1",
                "response_checksum_validation": "When_Required",
                "account_id_endpoint_mode": "Required", "csm_host": "h",
                "ec2_metadata_service_endpoint": "http://[::1]:99/x",
                "ec2_metadata_service_endpoint_mode": "IPv6",
                "auth_scheme_preference": " sigv4a,, sig v4\t,", "ca_bundle": "/ca",
                "sts_regional_endpoints": "legacy", "user_agent_appid": "app",
                "endpoint_discovery_enabled": "TRUE",
                "sigv4a_signing_region_set": "*"}.get(name, "TRUE")
        base = "[default]\nregion = us-east-1\n" if name != "region" else "[default]\n"
        skip = {"skip": []}
        numbers = ["1_0", "1_0_0", "+3", "\t3 ", "1__0", "_1", "1_", "+_1", "1.0", "1e3", "0x1", "0o7", "00012", "1 0",
                   "+ 3", "--1"]
        for value in [good, "1x", "", "0", "-1", "false", *(numbers if good.strip().isdecimal() else ())]:
            if key and name != "api_versions":
                yield case(f"{key} = {value!r} in the file", base + f"{key} = {value}\n",
                           **skip)
            if env and name != "region":
                yield case(f"{env} = {value!r}", base, env={env: value}, **skip)
    yield case("a file's value and a variable's", "[default]\nregion = a\nmax_attempts = 3\n",
               env={"AWS_MAX_ATTEMPTS": "9"})
    yield case("api_versions", "[default]\nregion = a\napi_versions =\n"
               "  cloudfront = 2015-09-17\n")

    # s3 and proxies.
    for e, flat, block in itertools.product([None, "true", "false"], [None, "true", "no"],
                                            [None, "true", "false"]):
        text = "[default]\nregion = us-east-1\n"
        if flat:
            text += f"s3_use_arn_region = {flat}\n"
        if block:
            text += f"s3 =\n  use_arn_region = {block}\n"
        yield case(f"use_arn_region: {e} {flat} {block}", text,
                   env={"AWS_S3_USE_ARN_REGION": e} if e else {}, service="s3")
    for value in ["regional", "legacy", "bogus"]:
        yield case(f"us-east-1 endpoint {value}", "[default]\nregion = us-east-1\n",
                   env={"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": value}, service="s3")
        yield case(f"us-east-1 endpoint {value}, not for s3",
                   "[default]\nregion = us-east-1\n",
                   env={"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": value})
        yield case(f"sts endpoint {value}", "[default]\nregion = us-east-1\n",
                   env={"AWS_STS_REGIONAL_ENDPOINTS": value}, service="sts")
    yield case("addressing style from the file", "[default]\nregion = us-east-1\n"
               "s3 =\n  addressing_style = bogus\n")

    # Config objects.
    at = "[default]\nregion = us-east-1\n"
    for name, table in {
        "empty": {}, "region": {"region_name": "eu-west-3"},
        "timeouts": {"connect_timeout": 1.5, "read_timeout": 7},
        "retries only": {"retries": {"max_attempts": 0}},
        "total": {"retries": {"total_max_attempts": 4}},
        "both": {"retries": {"total_max_attempts": 4, "max_attempts": 9}},
        "mode": {"retries": {"mode": "adaptive"}},
        "bad mode": {"retries": {"mode": "Standard"}},
        "bad retries": {"retries": {"attempts": 1}},
        "negative": {"retries": {"max_attempts": -1}},
        "zero total": {"retries": {"total_max_attempts": 0}},
        "unknown": {"retrys": {}},
        "style": {"s3": {"addressing_style": "virtual", "use_accelerate_endpoint": True}},
        "bad style": {"s3": {"addressing_style": "Path"}},
        "unsigned": {"signature_version": "unsigned"},
        "account mode": {"account_id_endpoint_mode": "DISABLED"},
        "bad account mode": {"account_id_endpoint_mode": "x"},
        "checksum": {"request_checksum_calculation": "WHEN_required"},
        "bad checksum": {"response_checksum_validation": "never"},
        "host prefix": {"inject_host_prefix": False},
        "compression": {"request_min_compression_size_bytes": 1048576,
                        "disable_request_compression": True},
        "small compression": {"request_min_compression_size_bytes": 0},
        "big compression": {"request_min_compression_size_bytes": 1048577},
        "schemes": {"auth_scheme_preference": "a , b"},
        "certificate": {"client_cert": "/c"},
        "proxies": {"proxies": {"http": "a:1", "https": "b:2"},
                    "proxies_config": {"proxy_ca_bundle": "/p"}},
        "params": {"client_context_params": {"x": True, "y": "z"}},
        "agent": {"user_agent_extra": "more", "user_agent_appid": "mine"},
        "mode standard": {"defaults_mode": "standard"},
        "mode in-region": {"defaults_mode": "IN-region"},
        "mode mobile": {"defaults_mode": "mobile"},
        "mode mobile with a timeout": {"defaults_mode": "mobile", "connect_timeout": 5},
        "mode bogus": {"defaults_mode": "bogus"},
    }.items():
        yield case(f"config: {name}", at, client=table)
        yield case(f"config: {name}, in an environment", at, client=table, env={
            "AWS_MAX_ATTEMPTS": "6", "AWS_RETRY_MODE": "legacy",
            "AWS_DEFAULTS_MODE": "legacy", "AWS_SDK_UA_APP_ID": "env",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_AUTH_SCHEME_PREFERENCE": "c", "AWS_S3_USE_ARN_REGION": "true"})


def main():
    depart()
    defaults = run({"name": "", "files": {}, "env": {}}, None)["variables"]
    out = []
    for i, case in enumerate(cases()):
        case["expect"] = run(case, defaults)
        case.pop("skip", None)
        out.append(case)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{i}")
    lines = [json.dumps(c, ensure_ascii=True) for c in out]
    print('{"defaults": ' + json.dumps(defaults) + ',\n"cases": [\n' +
          ",\n".join(lines) + "\n]}")


if __name__ == "__main__":
    main()
