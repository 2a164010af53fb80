"""A server process: started, waited for until it really accepts, stopped, killed, frozen; and ports that stay ours."""

import contextlib
import os
import signal
import socket
import subprocess
import time

GUARD_S = 30  # whatever is waited for: longer means it hangs


def eventually(condition, what, guard=GUARD_S):
    """Returns the first true value of condition(); fails when there is none in time."""
    end = time.monotonic() + guard
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{guard} s passed without: {what() if callable(what) else what}")
        time.sleep(0.01)


class Ports:
    """Free ports that nobody else gets: bound by us without listening, servers bind them again (SO_REUSEADDR)."""

    def __init__(self):
        self.held = []

    def take(self, host="127.0.0.1"):
        holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, 0))
        self.held.append(holder)
        return holder.getsockname()[1]

    def take_row(self, n):
        """n ports in a row, for tools that count up from the first."""
        while True:
            first = self.take()
            row = []
            try:
                for port in range(first + 1, first + n):
                    row.append(socket.socket())
                    row[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    row[-1].bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                for one in row:
                    one.close()
                continue
            self.held += row
            return first

    def close(self):
        for holder in self.held:
            holder.close()


def accepts(address):
    """Whether somebody accepts connections at (host, port) or at a unix socket's path."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(GUARD_S)
        try:
            probe.connect(address)
        except OSError:
            return False
        return True


class Server:
    """Base of all. Subclasses say command(), and address if it is not a TCP port; start() waits until it accepts."""

    host = "127.0.0.1"

    def __init__(self, folder, port, name):
        self.folder = folder
        self.port = port
        self.name = name
        self.process = None
        self.log = folder / f"{name}.log"
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self):
        return (self.host, self.port)

    @property
    def endpoint(self):
        """As the library writes it."""
        return f"{self.host}:{self.port}"

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        eventually(self.accepts, lambda: f"{self.name} accepts at {self.address}: {self.log.read_text()[-2000:]}")
        return self

    def accepts(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        return accepts(self.address)

    def signal(self, number):
        """To the whole group: workers too."""
        os.killpg(self.process.pid, number)

    def kill(self):
        """As a power cut would, then gone for certain."""
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait(GUARD_S)
        eventually(lambda: not accepts(self.address), f"{self.name} is gone")

    def freeze(self):
        self.signal(signal.SIGSTOP)
        eventually(lambda: set(self.states()) == {"T"}, f"{self.name} has stopped")

    def thaw(self):
        self.signal(signal.SIGCONT)

    def states(self):
        """The state letters of all processes of the group."""
        found = subprocess.run(
            ["ps", "-eo", "pgid=,stat="], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        lines = (line.split() for line in found.stdout.splitlines())
        return [state[0] for group, state in lines if int(group) == self.process.pid and state[0] != "Z"]

    def stop(self):
        """In peace; if it does not listen, by force."""
        if not self.process or self.process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            self.process.wait(GUARD_S)
