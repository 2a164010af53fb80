"""scripts/demo: it shows what it promises, not one call fails, and whatever ends it, nothing is left behind."""

import ctypes
import os
import pathlib
import pty
import re
import signal
import subprocess

import pytest

from conftest import ROOT, need
from servers.process import GUARD_S, eventually

PR_SET_CHILD_SUBREAPER = 36
BUILD_S = 600  # how long building may take on a busy machine


def children(pid="self"):
    """Processes that have this one as their parent, zombies not counted."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += (task / "children").read_text().split()
    return {int(child) for child in found if state(child) not in "ZX"}


def told_of(pid, file):
    """A file of /proc; empty when the process has ended meanwhile."""
    try:
        return pathlib.Path(f"/proc/{pid}/{file}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state(pid):
    return (told_of(pid, "stat").rpartition(")")[2].split() or ["X"])[0]


@pytest.fixture(scope="module", autouse=True)
def orphans_come_to_us():
    """Whatever a demo leaves running becomes a child of ours, so that we see it."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def heed_signals():
    """Whoever runs the tests may ignore some, as nohup does, and a shell cannot trap what was ignored when it began."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Demo:
    """A running scripts/demo, in a session of its own, whose output is read while it comes."""

    def __init__(self, environment, output=None):
        for command in ("knotd", "nghttpd", "nginx"):
            need(command)
        self.before = children()
        self.text = ""
        self.process = subprocess.Popen(
            [ROOT / "scripts" / "demo"],
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=heed_signals,
        )
        self.output = output or self.process.stdout.fileno()

    def until(self, pattern):
        """Reads on until the pattern has come."""
        while not re.search(pattern, self.text):
            assert self.read(), f"the demo ended without {pattern!r}:\n{self.text}"

    def read(self):
        try:
            data = os.read(self.output, 65536)
        except OSError:  # how a terminal tells its end
            return False
        self.text += data.decode()
        return bool(data)

    def wait(self):
        while self.read():
            pass
        return self.process.wait(BUILD_S)


@pytest.fixture
def demo(environment, tmp_path):
    """Starts demos; when the test is over there is no process and no file of theirs."""
    started = []

    def start(**options):
        started.append(Demo(environment(TMPDIR=tmp_path, TERM="xterm"), **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:  # the test has failed
            one.process.terminate()
        one.process.wait(GUARD_S)
        eventually(lambda: not children() - one.before, lambda: f"nothing runs any more; {one.text}")
    assert not list(tmp_path.iterdir()), started[-1].text


SHOWN = ["is killed", "started again", "hangs", "goes on", "is added to the DNS", "is taken out of the DNS"]


def test_show(demo):
    """All of it, not on a terminal: in order, in plain text, without a failed call."""
    running = demo()
    assert running.wait() == 0, running.text
    assert "\x1b" not in running.text
    headlines = [line for line in running.text.splitlines() if line.startswith("== ")]
    at = [next(i for i, line in enumerate(headlines) if event in line) for event in SHOWN]
    assert at == sorted(at), headlines
    assert re.search(r"^The program made \d{4,} calls while all this happened\. 0 failed\.", running.text, re.M)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupted(demo, name):
    """While a server is stopped, and the callers wait."""
    number = getattr(signal, name)
    running = demo()
    running.until("== .* hangs .*\n.*\n.*\n *[0-9]")
    os.killpg(running.process.pid, number)
    assert running.wait() == 128 + number, running.text


def test_terminal_hangs_up(demo):
    running = demo()
    running.until("== .*without a pause")
    os.killpg(running.process.pid, signal.SIGHUP)
    assert running.wait() == 128 + signal.SIGHUP, running.text


def test_reader_goes_away(demo):
    """As in `scripts/demo | head`."""
    running = demo()
    running.until("== .*without a pause")
    running.process.stdout.close()
    assert running.process.wait(GUARD_S) != 0


def test_error_in_the_middle(demo):
    """The callers die: it says so, and cleans up."""
    running = demo()
    running.until("\n +2 ")
    [show] = [child for child in children(running.process.pid) if "demo-show" in told_of(child, "cmdline")]
    [callers] = [child for child in children(show) if "/demo_load\0" in told_of(child, "cmdline")]
    os.kill(callers, signal.SIGKILL)
    assert running.wait() == 1
    assert "scripts/demo: the callers have stopped" in running.text


def test_colours(demo):
    """On a terminal headlines stand out."""
    ours, theirs = pty.openpty()
    running = demo(output=theirs)
    os.close(theirs)
    running.output = ours
    running.until(r"\x1b\[1m== ")
    os.killpg(running.process.pid, signal.SIGTERM)
    assert running.wait() == 128 + signal.SIGTERM
    os.close(ours)
