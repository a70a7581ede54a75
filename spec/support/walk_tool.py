"""The luaws side of the walks in scripts/: a script in this folder that answers lines of JSON."""

import json
import os
import subprocess


class Tool:
    def __init__(self, root, build, script):
        self.script = script
        command = [os.path.join(build, "luaws"), os.path.join(root, "spec", "support", script)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)

    def ask(self, question):
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.script} died of " + json.dumps(question)[:2000])
        return json.loads(line)
