"""What botocore's request_signer is and does in handlers of before-call: the oracle of request_signer_spec.

Reads a JSON list of cases from the file named, prints a JSON list. A case has service, method, params and maybe region,
config, token, request (parts in place of the call's own), with_context (the call's), expires_in, signed_region,
signed_name. What comes back has signer (its fields), and url or kind (of the error). Times are those of `NOW`.
"""

import copy
import datetime
import json
import sys
from types import SimpleNamespace

import botocore.auth
import botocore.config
import botocore.session

NOW = datetime.datetime(2026, 1, 1)
botocore.auth.get_current_datetime = lambda *args, **kwargs: NOW


def run(case):
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "the-secret", case.get("token"))
    client = session.create_client(
        case["service"], region_name=case.get("region", "us-east-1"),
        config=botocore.config.Config(**case.get("config", {})))
    out = {}

    def handler(params, model, request_signer, **kwargs):
        signature = request_signer.signature_version
        out["signer"] = {
            "region_name": request_signer.region_name, "signing_name": request_signer.signing_name,
            "signature_version": signature if isinstance(signature, str) else "unsigned"}
        request = {**copy.deepcopy({**params, "context": {}}), **case.get("request", {})}
        request["context"] = params["context"] if case.get("with_context") else {}
        try:
            out["url"] = request_signer.generate_presigned_url(
                request, model.name, expires_in=case.get("expires_in", 3600), region_name=case.get("signed_region"),
                signing_name=case.get("signed_name"))
        except Exception as error:
            out["kind"] = type(error).__name__
        return SimpleNamespace(status_code=200), {}

    client.meta.events.register_first("before-call", handler)
    getattr(client, case["method"])(**case.get("params", {}))
    return out


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        json.dump([run(case) for case in json.load(file)], sys.stdout)
