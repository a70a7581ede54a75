#!/usr/bin/env python3
"""Checks spec/fixtures/jmespath.json against Python's jmespath library.

With --fill, writes what the library answers into cases that have neither "result" nor "error".
A fixture is a list of groups: {"given": document, "cases": [{"expression", "result" | "error"}]}.
Null members of objects are left out of results, as luaws leaves them out. Documents are searched
with their keys sorted, since luaws goes through an object by sorted key.
"""
import json
import pathlib
import sys

import jmespath
from jmespath import exceptions

FIXTURES = pathlib.Path(__file__).parent.parent / "spec/fixtures/jmespath.json"


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value


def answer(expression, given):
    try:
        return {"result": without_nulls(jmespath.search(expression, given))}
    except exceptions.JMESPathError as error:
        return {"error": type(error).__name__}
    except ValueError:
        return {"error": "ValueError"}


def dump(groups):
    lines = []
    for group in groups:
        cases = ",\n".join("    " + json.dumps(case, ensure_ascii=False) for case in group["cases"])
        given = json.dumps(group["given"], ensure_ascii=False)
        lines.append('{\n  "given": %s,\n  "cases": [\n%s\n  ]\n}' % (given, cases))
    return "[" + ",\n".join(lines) + "]\n"


def main():
    groups = json.loads(FIXTURES.read_text())
    for group in groups:
        group["given"] = json.loads(json.dumps(group["given"], sort_keys=True))
    wrong = 0
    for group in groups:
        for case in group["cases"]:
            found = answer(case["expression"], group["given"])
            told = {k: v for k, v in case.items() if k in ("result", "error")}
            if not told and "--fill" in sys.argv:
                case.update(found)
            elif json.dumps(told, sort_keys=True) != json.dumps(found, sort_keys=True):
                wrong += 1
                print(case["expression"], "\n  fixture:", told, "\n  library:", found)
    if "--fill" in sys.argv:
        FIXTURES.write_text(dump(groups))
    print(sum(len(group["cases"]) for group in groups), "cases,", wrong, "wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
