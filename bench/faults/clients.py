# SPDX-License-Identifier: Apache-2.0
"""Who is shown the faults: libmesh, the naive client, gRPC C++, and a plain client behind Envoy."""

import contextlib
import os
import subprocess

from endpoint import WITH_US
from envoy import Envoy

ATTEMPTS = 3


def clean_environment():
    """Ours, without what would configure the library."""
    return {k: v for k, v in os.environ.items() if not k.startswith("MESH_") and "proxy" not in k.lower()}


class Client:
    """Runs one program by a schedule. options: phases, begin, method, attempts (0: its own choice), marked, own_zone."""

    title = ""
    program = ""

    def __init__(self, programs, folder, servers, options):
        self.programs, self.folder, self.servers, self.options = programs, folder, servers, options
        self.records = folder / "records"

    def endpoints(self):
        return ",".join(server.endpoint for server in self.servers)

    def words(self):
        phases = ",".join(f"{rate}:{seconds}" for rate, seconds in self.options.phases)
        words = [self.programs / self.program, "--phases", phases, "--out", self.records, "--begin", self.options.begin_us]
        words += ["--method", self.options.method, "--timeout", self.options.timeout_ms, "--attempts", self.options.attempts]
        if self.options.marked:
            words += ["--marked", self.options.marked]
        return words

    def environment(self):
        return clean_environment()

    @contextlib.contextmanager
    def running(self):
        """The process, which ends by itself."""
        command = [str(word) for word in [*WITH_US, *self.words()]]
        with open(self.folder / "client.log", "w") as log:
            process = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def prepare(self, resources):
        """Starts what has to be there before the client."""


class Libmesh(Client):
    title = "libmesh"
    program = "mesh"

    def environment(self):
        members = ",".join(f"{server.endpoint}@{server.zone}" for server in self.servers)
        own = {"MESH_SERVICES": f"users=h2c://{members}", "MESH_ZONE": self.options.own_zone}
        return {**clean_environment(), **own, **self.options.mesh}


class Naive(Client):
    title = "naive"
    program = "naive"

    def words(self):
        return [*super().words(), "--endpoints", self.endpoints(), "--try-timeout", self.options.try_timeout_ms]


class Grpc(Client):
    title = "gRPC C++"
    program = "grpc"

    def words(self):
        return [*super().words(), "--endpoints", self.endpoints()]


class BehindEnvoy(Client):
    title = "Envoy"
    program = "naive"  # one try, one endpoint: nothing but a client
    binary = None

    def prepare(self, resources):
        names = ("timeout_ms", "try_timeout_ms", "method")
        route = {name: getattr(self.options, name) for name in names}
        route["attempts"] = self.options.attempts or ATTEMPTS
        envoy = Envoy(self.binary, self.folder, self.servers, self.options.own_zone, route)
        self.port = resources.enter_context(envoy).port

    def words(self):
        words = super().words()
        words[words.index("--attempts") + 1] = 1
        return [*words, "--endpoints", f"127.0.0.1:{self.port}", "--try-timeout", self.options.timeout_ms + 500]


CLIENTS = {"libmesh": Libmesh, "naive": Naive, "grpc": Grpc, "envoy": BehindEnvoy}
