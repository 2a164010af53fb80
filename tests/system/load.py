"""Runs the load program (programs/load.c) and reads what it tells while it calls and at the end."""

import json
import os
import pathlib
import resource
import subprocess
import threading

from servers.process import GUARD_S, eventually


class Group:
    """What one group of callers has come to."""

    def __init__(self, told):
        self.__dict__.update(told)

    def __repr__(self):
        return json.dumps(self.__dict__)[:3000]


class Load:
    """A process that calls. Use as a context: it is told to stop at the end at the latest."""

    def __init__(self, program, groups, environment, limits=(), through=()):
        """groups: lists of arguments; limits: (resource, number) pairs for the process; through: a command that runs it."""
        args = [*through, str(program)]
        for i, group in enumerate(groups):
            args += (["--"] if i else []) + [str(arg) for arg in group]

        def set_limits():
            for what, number in limits:
                resource.setrlimit(what, (number, number))

        self.process = subprocess.Popen(
            args,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=set_limits if limits else None,
            start_new_session=True,
        )
        self.told = None
        self.errors = []
        self.readers = [threading.Thread(target=self.read), threading.Thread(target=self.read_errors)]
        for reader in self.readers:
            reader.start()

    def read(self):
        for line in self.process.stdout:
            self.told = json.loads(line)

    def read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.close()

    def close(self):
        self.process.wait()
        for reader in self.readers:
            reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def now(self, group=0):
        """The group's counts of at most 50 ms ago."""
        eventually(lambda: self.told or self.process.poll() is not None, "the load's first line")
        assert self.told, f"the load ended with {self.process.returncode}: {''.join(self.errors)}"
        return Group(self.told["groups"][group])

    def calls(self, endpoint=None, group=0):
        now = self.now(group)
        return now.endpoints.get(endpoint, 0) if endpoint else now.calls

    def until_calls(self, n, endpoint=None, group=0):
        """Waits until n more calls have ended well (on an endpoint), or ended at all when there is none given."""
        before = self.calls(endpoint, group)

        def reached():
            assert self.process.poll() is None, f"the load ended with {self.process.returncode}: {self.errors[-20:]}"
            return self.calls(endpoint, group) >= before + n

        eventually(reached, lambda: f"{n} more calls on {endpoint}; before {before}, now {self.now(group)}", 2 * GUARD_S)

    def memory_kb(self, what="VmRSS"):
        """VmRSS now or VmHWM, the most there ever was."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1])
        raise AssertionError("the load is gone")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        """Lets the running calls end; the outcome of all groups."""
        try:
            if not self.process.stdin.closed:
                self.process.stdin.close()
        except BrokenPipeError:
            pass
        return self.wait()

    def wait(self, guard=120):
        """The outcome when every group has made its calls."""
        try:
            self.process.wait(guard)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the load hangs: {self.told}") from None
        for reader in self.readers:
            reader.join()
        assert self.process.returncode == 0, f"the load ended with {self.process.returncode}: {''.join(self.errors)}"
        assert self.told and self.told["final"], self.told
        return [Group(group) for group in self.told["groups"]]


def ledger(path):
    """id → what the caller knows of the call."""
    names = "id began ended error status attempts endpoint".split()
    return {line.split()[0]: dict(zip(names, line.split())) for line in pathlib.Path(path).read_text().splitlines()}
