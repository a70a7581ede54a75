#!/usr/bin/env python3
"""suite.py BUILD [NAME...]: runs the C tests and the Busted specs, each in a process of its own.

As many run at once as there are processors for us, and eight at most. Each gets an empty home folder and none of
the caller's settings: no AWS_*, no proxies, no Lua paths. A file that crashes, hangs or skips a test counts as a
failure. The last line is `N passed, N failed`.
"""

import concurrent.futures
import ctypes
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT_SECONDS = 900
MOST_AT_ONCE = 8  # each may have servers beside it, which take some hundred megabytes
VERSITYGW = os.path.join(ROOT, "build", "tools", "versitygw")  # scripts/setup builds it
# What a test may see of the caller's environment.
KEPT = ("PATH", "TERM", "CI")


def with_oracle(path):
    """PATH with the python first that has moto, botocore and boto3: scripts/setup wrote down where it is."""
    try:
        with open(os.path.join(ROOT, "build", "moto-python"), encoding="utf-8") as file:
            return os.path.dirname(file.readline().strip()) + os.pathsep + path
    except FileNotFoundError:
        return path


def environment(build, home):
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env["PATH"] = with_oracle(os.environ.get("PATH", os.defpath))
    suppressions = os.path.join(ROOT, "spec", "support", "lsan.supp")
    env.update(
        HOME=os.path.join(home, "home"),
        TMPDIR=os.path.join(home, "tmp"),
        LANG="C.UTF-8",
        TZ="UTC",
        LUAWS_BUILD=build,
        LUAWS_ROOT=ROOT,
        # Freed memory is kept back, to notice when it is used, but not so much that a spec which watches the
        # size of the process sees nothing else.
        ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:quarantine_size_mb=8",
        LSAN_OPTIONS=f'suppressions="{suppressions}":print_suppressions=0',
        UBSAN_OPTIONS="print_stacktrace=1",
    )
    return env


def interpreter(build):
    """The command that runs a Lua file, and the variables it needs."""
    luaws = os.path.join(build, "luaws")
    if os.path.exists(luaws):
        return [luaws], {}
    lib = os.path.join(build, "lib", "lua", "?.so")
    return ["lua5.4"], {"LUA_CPATH_5_4": lib + ";;", "LUA_PATH_5_4": "lua/?.lua;lua/?/init.lua;;"}


def jobs(build):
    """Every (name, command, extra environment) there is to run, the slow kind first."""
    lua, extra = interpreter(build)
    runner = os.path.join("spec", "support", "run.lua")
    for path in sorted(glob.glob(os.path.join(ROOT, "spec", "**", "*_spec.lua"), recursive=True)):
        name = os.path.relpath(path, ROOT)
        yield name, lua + [runner, name], extra
    for path in sorted(glob.glob(os.path.join(ROOT, "spec", "c", "*.c"))):
        name = os.path.splitext(os.path.basename(path))[0]
        if not name.startswith(("test_", "host_")):
            continue
        program = os.path.join(build, "spec", name)
        if name.startswith("test_") or os.path.exists(lua[0]):
            yield f"spec/c/{name}.c", [program], {}
    for path in sorted(glob.glob(os.path.join(ROOT, "spec", "fuzz", "fuzz_*.c"))):
        name = os.path.basename(path)[len("fuzz_") : -len(".c")]
        program = os.path.join(build, "spec", f"replay_{name}")
        yield f"spec/fuzz/fuzz_{name}.c", [program, os.path.join("spec", "fuzz", "corpus", name)], {}


def count(output):
    """Adds up what busted's and cmocka's closing lines say."""
    passed = failed = 0
    for line in output.splitlines():
        both = re.fullmatch(r"(\d+) passed, (\d+) failed", line)
        if both:
            passed += int(both[1])
            failed += int(both[2])
        one = re.match(r"\[  (PASSED|FAILED)  \] (\d+) test\(s\)", line)
        if one and one[1] == "PASSED":
            passed += int(one[2])
        elif one:
            failed += int(one[2])
        if re.match(r"\[  SKIPPED \] (\d+) test\(s\)", line):
            failed += int(re.match(r"\[  SKIPPED \] (\d+)", line)[1])
    return passed, failed


def run(job, build):
    name, command, extra = job
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="luaws-spec-", ignore_cleanup_errors=True) as home:
        os.mkdir(os.path.join(home, "home"))
        os.mkdir(os.path.join(home, "tmp"))
        env = environment(build, home)
        env.update(extra)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=LIMIT_SECONDS)
            note = ""
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            note = f"\nstopped after {LIMIT_SECONDS} seconds"
        # A server that a killed test left behind goes with its process group.
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    text = output.decode("utf-8", "replace") + note
    passed, failed = count(text)
    if process.returncode < 0:
        text += f"\nkilled by {signal.Signals(-process.returncode).name}"
    elif process.returncode > 0 and failed == 0:
        text += f"\nexited with {process.returncode}"
    elif passed + failed == 0:
        text += "\nran no test"
    if failed == 0 and (process.returncode != 0 or passed == 0):
        failed = 1
    return passed, failed, time.monotonic() - started, text


def processors():
    """How many we may use: a container may be given fewer than the machine has."""
    count = len(os.sched_getaffinity(0))
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # there is no limit
        pass
    return min(count, MOST_AT_ONCE)


def hear_signals():
    """Whoever started this may ignore or block what the specs send to their children, who would inherit that."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in signal.valid_signals():
        # Python ignores two itself, and gives them back to what it starts.
        if signal.getsignal(number) == signal.SIG_IGN and number not in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def plain_pages():
    """Some specs watch the size of a process, which huge pages that come by themselves would make jump."""
    set_thp_disable = 41  # what is started from here has it as well
    ctypes.CDLL(None).prctl(set_thp_disable, 1, 0, 0, 0)


def main():
    hear_signals()
    plain_pages()
    build = os.path.abspath(sys.argv[1])
    names = sys.argv[2:]
    todo = [job for job in jobs(build) if not names or any(name in job[0] for name in names)]
    # The one thing that may be missing: Go, to build a server with.
    left_out = [job[0] for job in todo if "versitygw" in job[0] and not os.path.exists(VERSITYGW)]
    todo = [job for job in todo if job[0] not in left_out]
    if not todo:
        print("no test has such a name", file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    logs = os.path.join(build, "test-logs")
    os.makedirs(logs, exist_ok=True)
    total_passed = total_failed = 0
    broken = []
    with concurrent.futures.ThreadPoolExecutor(processors()) as pool:
        running = {pool.submit(run, job, build): job[0] for job in todo}
        for done in concurrent.futures.as_completed(running):
            name = running[done]
            passed, failed, seconds, text = done.result()
            total_passed += passed
            total_failed += failed
            with open(os.path.join(logs, name.replace("/", ".") + ".log"), "w", encoding="utf-8") as log:
                log.write(text)
            if failed:
                broken.append(name)
                print(text.rstrip())
            print(f"{name}: {passed} ok, {failed} not ok ({seconds:.1f} s)", flush=True)
    if left_out:
        print("left out, as there is no Go to build versitygw with: " + " ".join(left_out))
    if broken:
        print("failed: " + " ".join(sorted(broken)))
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


if __name__ == "__main__":
    sys.exit(main())
