"""Commands in processes that can be killed: new ones, or forked from one that is warm."""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runs import with_usual_signals

TESTS = Path(__file__).parents[1]


class Started:
    """A command that is running, in a process group of its own."""

    def __init__(self, pid, wait):
        self.pid = pid
        self._wait = wait

    def kill(self, number, group=False):
        """Send a signal; nothing happens where the process has ended."""
        try:
            if group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def wait(self):
        """Its exit code, negative for a signal, once it has ended."""
        return self._wait(self.pid)

    def left(self):
        """The processes of its group that are still there, but for those that have ended."""
        listed = subprocess.run(
            ["ps", "-e", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
        )
        rows = [line.split() for line in listed.stdout.splitlines()]
        return [
            int(pid) for pid, group, state in rows if int(group) == self.pid and state[0] != "Z"
        ]


class NewProcesses:
    """Starts the real command, so that its imports are hit too."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self, words, cwd, log):
        process = subprocess.Popen(
            [sys.executable, "-m", "node_cli", *words],
            cwd=cwd,
            stdout=log,
            stderr=log,
            preexec_fn=with_usual_signals,
            start_new_session=True,
        )
        return Started(process.pid, lambda _: process.wait())


class ForkedProcesses:
    """Forks the command from a process that has made a run before, which is much cheaper."""

    def __enter__(self):
        self._template = subprocess.Popen(
            [sys.executable, "-m", "faults.processes"],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=with_usual_signals,
        )
        assert self._template.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self._template.stdin.close()
        self._template.wait()
        self._template.stdout.close()

    def start(self, words, cwd, log):
        pid = self._ask({"words": [*words], "cwd": str(cwd), "log": log.name})
        return Started(pid, lambda pid: self._ask({"wait": pid}))

    def _ask(self, question):
        print(json.dumps(question), file=self._template.stdin, flush=True)
        return int(self._template.stdout.readline())


def _serve():
    """Answer the questions of ``ForkedProcesses`` on standard input, until it ends."""
    from node_cli.cli import node_train
    from node_cli.entry import _answer_signals, _end
    from node_cli.streams import with_sturdy_streams

    with tempfile.TemporaryDirectory() as folder:
        words = ["task=cnf-2d", "trainer.max_steps=1", "trainer.progress=off", "data.test=200"]
        assert node_train([*words, f"hydra.run.dir={folder}"]) == 0
    gc.collect()
    gc.freeze()  # looking for garbage would make each fork copy all of the memory
    print("ready", flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            _, status = os.waitpid(question["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        os.setsid()
        _answer_signals(_end)
        os.chdir(question["cwd"])
        log = os.open(question["log"], os.O_WRONLY | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.exit(with_sturdy_streams(node_train, question["words"]))


def until(condition, seconds=60.0):
    """Whether a condition comes true in time, which is long enough for any machine."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


if __name__ == "__main__":
    _serve()
