# SPDX-License-Identifier: Apache-2.0
"""Who is measured, against whom, and what libmesh has to reach."""

import json
import subprocess
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contender:
    name: str
    program: str
    mode: str
    base: str  # whose figures its ratios are of
    envoy: str = ""  # which of Envoy's listeners it goes through; "": straight to the server
    targets: dict = field(default_factory=dict)  # figure: the ratio it may reach at most, or at least when negative
    only_at: tuple = ()  # callers at which the targets hold; (): at any number
    without: str = ""  # the same with its policies off: what they cost


POLICIES_TARGET = 1.15  # of the CPU of the contender `without` them
WAITING_TARGETS = {"cpu_us_per_call": 1.15, "p50_us": 1.10, "calls_per_s": -0.90}

CONTENDERS = [
    Contender("floor", "floor", "adaptive", "floor"),
    Contender("floor, caller drives", "floor", "caller", "floor"),
    Contender("libmesh", "mesh_client", "sync", "floor", targets=WAITING_TARGETS, without="libmesh, bare"),
    Contender("libmesh, bare", "mesh_client", "bare", "floor"),
    Contender("gRPC C++", "grpc_client", "sync", "floor"),
    Contender("floor > Envoy", "floor", "adaptive", "floor", envoy="policies"),
    Contender("floor > Envoy, bare", "floor", "adaptive", "floor", envoy="bare"),
    Contender("floor, async", "floor", "async", "floor, async"),
    Contender("libmesh, async", "mesh_client", "async", "floor, async", targets={"cpu_us_per_call": 1.35}, only_at=(64,),
              without="libmesh, async, bare"),
    Contender("libmesh, async, bare", "mesh_client", "bare-async", "floor, async"),
    Contender("libcurl multi", "curl_client", "multi", "floor, async"),
]


@dataclass(frozen=True)
class Setting:
    """What one comparison is made at."""

    callers: int
    transport: str  # "h2c" or "tls"
    body: int

    def __str__(self):
        return f"{self.callers} {'caller' if self.callers == 1 else 'callers'}, {self.transport}, {self.body} B"


class Missing(Exception):
    """This contender cannot be measured here; the text says why."""


class Runner:
    """Runs a contender's program once."""

    def __init__(self, programs, server, envoy, ca):
        self.programs, self.server, self.envoy, self.ca = programs, server, envoy, ca

    def command(self, contender, setting, seconds, warm_up):
        program = self.programs / contender.program
        if not program.exists():
            raise Missing("not built")
        if contender.envoy and not self.envoy:
            raise Missing("no Envoy")
        words = [program, "--mode", contender.mode, "--callers", setting.callers, "--body", setting.body]
        words += ["--seconds", seconds, "--warm-up", warm_up, "--server", self.server.pid]
        if contender.envoy:  # h2c up to the proxy, which speaks TLS on
            return [*words, "--port", self.envoy.ports[contender.envoy, setting.transport], "--proxy", self.envoy.pid]
        if setting.transport == "tls":
            words += ["--ca", self.ca]
        return [*words, "--port", self.server.ports[setting.transport]]

    def run(self, contender, setting, seconds, warm_up):
        """The figures that the program printed."""
        command = [str(word) for word in self.command(contender, setting, seconds, warm_up)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + warm_up + 20)
        except subprocess.TimeoutExpired:
            raise Missing("hangs") from None
        if done.returncode != 0:
            raise Missing(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
        figures = json.loads(done.stdout)
        figures["all_cpu_us_per_call"] = figures["cpu_us_per_call"] + figures["proxy_cpu_us_per_call"]
        return figures
