"""run.py BUILD [--quick] [--rounds N] [--json FILE] [CASE...]: runs the benchmark and prints its table.

Every round runs each case with each of luaws, boto3 and the references once, as a process of its own, so that a
busy moment of the machine hits them alike; the medians over the rounds count. What is compared is CPU time (user and
system) or memory of the process, not time on the clock. docs/performance.md says more.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import answers
from peer import Peer

HERE = pathlib.Path(__file__).resolve().parent


class Case:
    """sides: {name: (command, what it measures)}. goal: (side, factor), or a number in the case's unit."""

    def __init__(self, name, title, unit, sides, goal):
        self.name, self.title, self.unit, self.sides, self.goal = name, title, unit, sides, goal
        self.samples = {side: [] for side in sides}


def cases(build, peer, files, quick):
    luaws = str(build / "luaws")
    python = sys.executable
    tools = build / "bench"
    spawn = str(tools / "bench_spawn")
    scale = 5 if quick else 1

    def lua(case, times, *more, url=peer.url):
        return [luaws, str(HERE / "cases.lua"), case, url, str(max(1, times // scale)), *map(str, more)]

    def boto3(case, times, *more, url=peer.url):
        return [python, str(HERE / "cases_boto3.py"), case, url, str(max(1, times // scale)), *map(str, more)]

    def curl(signer, service, times, in_flight=1, *more, url=peer.url):
        return [str(tools / "bench_curl_calls"), signer, f"{url}/{service}", str(max(2, times // scale)),
                str(in_flight), *map(str, more)]

    def tls_curl(cas):
        return [spawn, "9", str(tools / "bench_curl_calls"), "curl", peer.tls_url + "/sqs/", "1", "1", str(cas)]

    def expat(name, times):
        return [str(tools / "bench_expat_empty"), str(files / name), str(max(1, times // scale))]

    start = {
        "luaws": [spawn, "21", luaws, str(HERE / "start.lua")],
        "boto3": [spawn, "1", python, "-c", "import boto3; boto3.client('ec2')"],
        "libcurl": [spawn, "21", str(tools / "bench_curl_start")],
        "lua": [spawn, "21", shutil.which("lua5.4") or "lua", "-e", ""],
    }
    cpu = "cpu_us"
    return [
        Case("start", "process start to client(\"ec2\"), CPU", "ms",
             {side: (command, cpu) for side, command in start.items()}, ("libcurl", 1.5)),
        Case("start_memory", "process start to client(\"ec2\"), peak memory", "MiB",
             {side: (command, "rss_kib") for side, command in start.items()}, None),
        Case("call", "a small call (SQS GetQueueUrl), CPU", "us", {
            "luaws": (lua("call", 5000), cpu),
            "boto3": (boto3("call", 300), cpu),
            "libcurl": (curl("curl", "sqs/", 5000), cpu),
            "libcurl, our signer": (curl("own", "sqs/", 5000), cpu),
        }, ("libcurl", 1.2)),
        Case("concurrent", "64 calls in flight, CPU of each", "us", {
            "luaws": (lua("concurrent", 6400), cpu),
            "boto3": (boto3("concurrent", 320), cpu),
            "libcurl": (curl("curl", "sqs/", 6400, 64), cpu),
            "libcurl, our signer": (curl("own", "sqs/", 6400, 64), cpu),
        }, ("libcurl", 1.2)),
        Case("concurrent_wall", "64 calls in flight, time on the clock for each", "us", {
            "luaws": (lua("concurrent", 6400), "wall_us"),
            "boto3": (boto3("concurrent", 320), "wall_us"),
            "libcurl": (curl("curl", "sqs/", 6400, 64), "wall_us"),
            "libcurl, our signer": (curl("own", "sqs/", 6400, 64), "wall_us"),
        }, None),
        Case("describe_instances", "EC2 DescribeInstances, 1000 instances, CPU", "ms", {
            "luaws": (lua("describe_instances", 10), cpu),
            "boto3": (boto3("describe_instances", 1), cpu),
            "libcurl": (curl("none", "ec2/", 20), cpu),
            "expat, empty": (expat("describe_instances.xml", 10), cpu),
        }, ("expat, empty", 2.4)),
        Case("list_objects", "S3 ListObjectsV2, 1000 keys, CPU", "ms", {
            "luaws": (lua("list_objects", 100), cpu),
            "boto3": (boto3("list_objects", 5), cpu),
            "libcurl": (curl("none", "s3/", 100), cpu),
            "expat, empty": (expat("list_objects.xml", 100), cpu),
        }, 3.0),
        Case("query", "DynamoDB Query, 1.9 MB, CPU", "ms", {
            "luaws": (lua("query", 10), cpu),
            "boto3": (boto3("query", 1), cpu),
            "libcurl": (curl("none", "dynamodb/", 20), cpu),
            "lua-cjson alone": (lua("json_alone", 10, files / "query.json"), cpu),
        }, 90.0),
        Case("get_object", "S3 GetObject, 32 MiB read in chunks, CPU", "ms", {
            "luaws": (lua("get_object", 10), cpu),
            "boto3": (boto3("get_object", 5), cpu),
            "libcurl": (curl("none", "s3/bench/body", 10), cpu),
        }, None),
        Case("client", "a further client in the same session, CPU", "us", {
            "luaws": (lua("client", 5000), cpu),
            "boto3": (boto3("further_client", 10), cpu),
        }, None),
        Case("memory_client", "a further client in its own session, memory", "KiB", {
            "luaws": (lua("memory_client", 1000), "kib"),
            "boto3": (boto3("memory_client", 5), "kib"),
        }, 64.0),
        Case("memory_presign", "the same after one presigned URL", "KiB", {
            "luaws": (lua("memory_presign", 1000), "kib"),
            "boto3": (boto3("memory_presign", 5), "kib"),
        }, 64.0),
        Case("presign", "a presigned S3 URL, CPU", "us", {
            "luaws": (lua("presign", 20000), cpu),
            "boto3": (boto3("presign", 500), cpu),
        }, 10.0),
        Case("tls", "a process that makes one call over TLS, folder of CAs, CPU", "ms", {
            "luaws": ([spawn, "9", *lua("tls", 1, peer.ca_folder, url=peer.tls_url)], cpu),
            "libcurl": (tls_curl(peer.ca_folder), cpu),
        }, 20.0),
        Case("tls_bundle", "the same, CAs in one file", "ms", {
            "luaws": ([spawn, "9", *lua("tls", 1, peer.ca_bundle, url=peer.tls_url)], cpu),
            "boto3": ([spawn, "1", *boto3("tls", 1, peer.ca_bundle, url=peer.tls_url)], cpu),
            "libcurl": (tls_curl(peer.ca_bundle), cpu),
        }, None),
    ]


DIVISORS = {"us": 1, "ms": 1000, "KiB": 1, "MiB": 1024}


def environment(folder):
    """Nothing of the caller's AWS settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def run(command, env):
    """One process; the numbers that it prints."""
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0 or not done.stdout.startswith("{"):
        raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout or 'no result'}")
    return json.loads(done.stdout)


def run_round(all_cases, env):
    results = {}  # some commands measure for more than one case
    for case in all_cases:
        for side, (command, field) in case.sides.items():
            key = tuple(command)
            if key not in results:
                results[key] = run(command, env)
            case.samples[side].append(results[key][field] / DIVISORS[case.unit])


def summary(case):
    medians = {side: statistics.median(values) for side, values in case.samples.items()}
    ours = medians["luaws"]
    goal = met = None
    if isinstance(case.goal, tuple):
        side, factor = case.goal
        goal, met = f"{factor} x {side}", ours <= factor * medians[side]
    elif case.goal is not None:
        goal, met = f"{case.goal:g} {case.unit}", ours <= case.goal
    return {
        "name": case.name, "title": case.title, "unit": case.unit, "medians": medians, "samples": case.samples,
        "ratios": {f"luaws/{side}": ours / value for side, value in medians.items() if side != "luaws" and value > 0},
        "goal": goal, "met": met,
    }


def short(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def print_table(summaries):
    for s in summaries:
        verdict = "" if s["goal"] is None else f"   goal {s['goal']}: {'met' if s['met'] else 'MISSED'}"
        print(f"{s['title']} [{s['unit']}]{verdict}")
        for side, value in s["medians"].items():
            ratio = s["ratios"].get(f"luaws/{side}")
            versus = "" if ratio is None else f"luaws is {short(ratio)} of it" if ratio >= 0.1 else \
                f"luaws is 1/{1 / ratio:.0f} of it"
            print(f"  {side:<22}{short(value):>9}   {versus}".rstrip())
        print()


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("build", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="fewer rounds of fewer calls")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("case", nargs="*", help="only cases whose name has this in it")
    options = parser.parse_intermixed_args()
    rounds = options.rounds or (2 if options.quick else 5)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # by way of finally
    folder = pathlib.Path(tempfile.mkdtemp(prefix="luaws-bench-"))
    peer = None
    try:
        (folder / "files").mkdir()
        answers.write_all(folder / "files")
        peer = Peer(folder)
        wanted = [c for c in cases(options.build.resolve(), peer, folder / "files", options.quick)
                  if not options.case or any(word in c.name for word in options.case)]
        env = environment(folder)
        for i in range(rounds):
            print(f"round {i + 1} of {rounds}", file=sys.stderr)
            run_round(wanted, env)
    finally:
        if peer:
            peer.close()
        shutil.rmtree(folder)
    summaries = [summary(case) for case in wanted]
    print_table(summaries)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rounds": rounds, "cases": summaries}, indent=1) + "\n")


main()
