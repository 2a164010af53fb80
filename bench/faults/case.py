# SPDX-License-Identifier: Apache-2.0
"""One fault: which servers there are, what happens to them and when, and what must hold. The families of faults subclass it."""

import contextlib
import random
import shutil
import time
from dataclasses import dataclass, field

from outcome import Outcome, read_ledger, read_records
from watch import go_with_others
from endpoint import Server

START = 0.8  # seconds between starting a client and its first request


class NotHere(Exception):
    """This cannot be done on this machine; the text says why."""


@dataclass
class Options:
    """What a client is told."""

    phases: list
    begin_us: int
    method: str = "GET"
    attempts: int = 0
    marked: str = ""
    timeout_ms: int = 1000
    try_timeout_ms: int = 300
    own_zone: str = "a"
    mesh: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    held: bool
    text: str  # the figures in a few words


class Stage:
    """Where a fault is played: servers, the filter between, the clock."""

    def __init__(self, servers, packet_filter, begin_us):
        self.servers, self.filter, self.begin_us = servers, packet_filter, begin_us
        self.marks = {}
        self.counts = {}  # what a case counts while it plays

    def now(self):
        return time.monotonic() - self.begin_us / 1e6

    def until(self, seconds):
        time.sleep(max(0.0, seconds - self.now()))

    def mark(self, name):
        self.marks[name] = self.now()

    def set_all(self, **settings):
        for server in self.servers:
            server.set(**settings)


class Case:
    name = ""  # for --only
    fault = ""  # what happens, for the table
    must = ""  # what must hold, for the table
    clients = ("libmesh", "naive", "grpc", "envoy")
    zones = "aaa"  # a letter for each server: its zone
    slots = 4
    load = 0.3  # of what the servers of the own zone can do
    method = "GET"
    attempts = 0
    marked = ""
    timeout_ms = 1000  # of a request, for everybody
    try_timeout_ms = 300  # of a try, for those who have such a thing by default
    mesh = {}  # more configuration of libmesh
    rate = None  # requests a second; None: that of the command line
    settings = {}  # more of the servers
    victims = ()  # positions of the servers that are struck, for the picture
    note = ""  # a sentence of its own for the document
    calm = 0.1  # seconds the machine may stand still; otherwise the fault is shown again
    full = (5, 30, 10)  # seconds before, while, and after the fault
    quick = (3, 8, 6)

    def __init__(self, rate, is_quick):
        self.rate = self.rate or rate
        self.before, self.during, self.after = self.quick if is_quick else self.full

    # ---- what subclasses say ----

    def service_us(self):
        """So that `load` is what the rate asks of the own zone."""
        return round(self.zones.count("a") * self.slots * self.load / self.rate * 1e6)

    def phases(self):
        return [(self.rate, self.before + self.during + self.after)]

    def strike(self, stage):
        raise NotImplementedError

    def lift(self, stage):
        raise NotImplementedError

    def play(self, stage):
        stage.until(self.before)
        stage.mark("strike")
        self.strike(stage)
        stage.until(self.before + self.during)
        stage.mark("lift")
        self.lift(stage)

    def judge(self, outcome, stage):
        """Verdict. outcome.marks has "strike" and "lift"."""
        raise NotImplementedError

    # ---- running it ----

    def options(self):
        names = ("method", "attempts", "marked", "timeout_ms", "try_timeout_ms", "mesh")
        return Options(self.phases(), 0, **{name: getattr(self, name) for name in names})

    def seconds(self):
        return sum(seconds for _, seconds in self.phases())

    def make_servers(self, program, folder, resources):
        settings = {"slots": self.slots, "service_us": self.service_us(), **self.settings}
        servers = [Server(program, folder, zone, settings) for zone in self.zones]
        for server in servers:
            resources.callback(server.stop)
            server.start()
        return servers

    def run(self, kind, programs, folder, packet_filter):
        """Plays the fault to one kind of client: Outcome and Verdict."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with contextlib.ExitStack() as resources:
            servers = self.make_servers(programs / "server", folder, resources)
            options = self.options()
            client = kind(programs, folder, random.sample(servers, len(servers)), options)
            client.prepare(resources)
            options.begin_us = int((time.monotonic() + START) * 1e6)
            stage = Stage(servers, packet_filter, options.begin_us)
            with client.running() as process:
                self.play(stage)
                code = process.wait(self.seconds() - stage.now() + self.timeout_ms / 1e3 + 20)
            go_with_others()  # reading what came of it is no hurry
            if code != 0:
                raise RuntimeError((folder / "client.log").read_text()[-500:] or f"the client ended with {code}")
        return self.read(client, stage)

    def read(self, client, stage):
        requests = sum(round(rate * seconds) for rate, seconds in self.phases())
        records = read_records(client.records, stage.begin_us, requests)
        events = [event for server in stage.servers for event in read_ledger(server, stage.begin_us)]
        zones = {server.endpoint: server.zone for server in stage.servers}
        outcome = Outcome(records, events, zones, stage.marks)
        return outcome, self.judge(outcome, stage)
