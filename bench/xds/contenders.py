# SPDX-License-Identifier: Apache-2.0
"""Who is measured: libmesh, gRPC and Envoy, each a process that is told what to call (caller.c, grpc_caller.py)."""

import json
import os
import pathlib
import subprocess
import time
import types

from servers.process import Ports, eventually
from xds import clients, resources

HERE = pathlib.Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
UNSHAKEN = ["retry.attempts=1", "outlier.policy=off", "log.level=error"]


class Failed(Exception):
    """Why there are no figures."""


def environment(**variables):
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MESH_", "GRPC_"))}
    return {**inherited, **{key: str(value) for key, value in variables.items()}}


def run_first(pid):
    """On a busy machine others' work is most of what a call waits for, whatever its nice value. Only root may."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid, which):
    """which: VmRSS, VmHWM."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(which + ":")) / 1024


class Caller:
    """A process with caller.c's words. pid: of who is measured."""

    features = ()
    scheme = "xds:///"

    def __init__(self, rig, command, **variables):
        self.log = rig.folder / f"{self.name.replace(' ', '-')}.log"
        self.began_us = int(time.time() * 1e6)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment(**variables),
            )  # fmt: skip
        self.pid = self.process.pid
        rig.hurry(self.pid)

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed((self.log.read_text().strip().splitlines() or ["it has ended"])[-1][-120:])
        return json.loads(line)

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def where(self, service):
        return self.scheme + service

    def adapt(self, served):
        return served

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Mesh(Caller):
    name = "libmesh"

    def __init__(self, rig, plane, **variables):
        given = clients.write_bootstrap(rig, [plane], {"features": self.features})
        super().__init__(rig, [rig.programs / "xds_caller", "log.level=error"], GRPC_XDS_BOOTSTRAP=given, **variables)


class MeshDelta(Mesh):
    name = "libmesh delta"
    features = ("mesh.delta",)


class Grpc(Caller):
    """Has no other protocol than the state of the world, and connects to all endpoints."""

    name = "gRPC"

    def __init__(self, rig, plane):
        given = clients.write_bootstrap(rig, [plane], {})
        python = clients.GrpcClient.needs() / "bin" / "python"
        super().__init__(rig, [python, HERE / "grpc_caller.py"], GRPC_XDS_BOOTSTRAP=given, GRPC_VERBOSITY="ERROR")


class Envoy(Caller):
    """Called by libmesh with no policies."""

    name = "Envoy"
    api = "GRPC"
    scheme = ""

    def __init__(self, rig, plane):
        self.ports = Ports()
        self.listeners = {name: self.ports.take() for name in ("probe", "big")}
        self.envoy = clients.AdsEnvoy(rig.folder, self.ports, plane, self.api, "client").start()
        targets = [f"services.{name}.target=h2c://127.0.0.1:{port}" for name, port in self.listeners.items()]
        super().__init__(rig, [rig.programs / "xds_caller", *targets, *UNSHAKEN])
        self.pid = self.envoy.process.pid
        rig.hurry(self.pid)

    def adapt(self, served):
        return [self.accepting(one) if one["@type"] == resources.LISTENER else one for one in served]

    def accepting(self, listener):
        manager = {"name": "manager", "typed_config": {**listener["api_listener"]["api_listener"], "codec_type": "HTTP2"}}
        rest = {key: value for key, value in listener.items() if key != "api_listener"}
        address = clients.Envoy.at(self.listeners[listener["name"]])
        return {**rest, "address": address, "filter_chains": [{"filters": [manager]}]}

    def stop(self):
        super().stop()
        self.envoy.stop()
        self.ports.close()


class EnvoyDelta(Envoy):
    name = "Envoy delta"
    api = "DELTA_GRPC"


CONTENDERS = [Mesh, MeshDelta, Grpc, Envoy, EnvoyDelta]


def rig(folder, arguments):
    hurry = run_first if arguments.real_time else lambda pid: None
    return types.SimpleNamespace(folder=folder, programs=arguments.programs, hurry=hurry, ports=Ports())


def wait_for_file(folder):
    """Until something has been kept on disk, and does not change any more."""
    sizes = []

    def rests():
        sizes.append(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
        return len(sizes) > 200 and sizes[-1] > 0 and len(set(sizes[-200:])) == 1

    eventually(rests, "a cache on disk", 120)
