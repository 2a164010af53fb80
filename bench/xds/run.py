#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a control plane's pushes cost: libmesh, gRPC and Envoy at one go-control-plane, one after the other.

Beside what is pushed a small service is called at a steady rate; the longest that one of these calls took from when it was due
is the stall. Absolute figures move with the machine; only ratios within one run mean something."""

import argparse
import json
import os
import pathlib
import platform
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "system"))

from servers.plane import Backends, Plane  # noqa: E402

import contenders  # noqa: E402
import show  # noqa: E402
from contenders import CONTENDERS, Failed, cpu_s, memory_mb  # noqa: E402
from world import World  # noqa: E402

PROBES_A_SECOND = 200
REST_S = 1.5  # before and after a push: what is still going on is to be seen


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench xds", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--clusters", type=int, default=10000, help="of ten endpoints each (10000)")
    parser.add_argument("--endpoints", type=int, default=1000000, help="in a thousand clusters, and in one (1000000)")
    parser.add_argument("--only", default="", help="contenders whose name contains this")
    parser.add_argument("--scenario", default="", help="scenarios whose name contains this")
    parser.add_argument("--real-time", action="store_true", help="the measured and the backends run before all else (root)")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/bench/bench", help="folder with the programs")
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "out/xds.json", help="where the results go")
    return parser.parse_args()


class Stage:
    """One control plane, its backends, one client."""

    def __init__(self, folder, arguments, contender, **variables):
        folder.mkdir(parents=True, exist_ok=True)
        self.rig = contenders.rig(folder, arguments)
        self.backends = Backends(folder, self.rig.ports, 3).start()
        self.rig.hurry(self.backends.process.pid)
        self.plane = Plane(folder, self.rig.ports, mode="filtered").start()
        self.world = World(*self.backends.ports.values())
        self.make = lambda: contender(self.rig, self.plane, **variables)
        self.client = self.make()

    def serve(self, served):
        return self.plane.set(self.client.adapt(served))

    def begin(self):
        """The small service is called."""
        self.serve(self.world.small())
        self.client.ask("until", self.client.where("probe"), "/bench/probe", '"b0"')
        self.client.ask("until", self.client.where("big"), "/bench/first", '"b1"')
        self.client.ask("probe", self.client.where("probe"), PROBES_A_SECOND)

    def sent_us(self):
        """When the last answer with endpoints went out."""
        state = self.plane.state()
        sent = [r["at_ms"] for s in state["streams"] for r in s["responses"] if r["type"].endswith("ClusterLoadAssignment")]
        return state["began_us"] + 1000 * max(sent)

    def push(self, what, path, who):
        """Figures of a push: it is over when `path` is answered by `who`."""
        client = self.client
        client.ask("mark")
        time.sleep(REST_S)
        idle = client.ask("stall")
        cpu, rss = cpu_s(client.pid), memory_mb(client.pid, "VmRSS")
        client.tell("until", client.where("big"), path, f'"{who}"')
        pushed = self.serve(what)
        served = client.answer()["at_us"]
        time.sleep(REST_S)
        stall = client.ask("stall")
        return {
            "ms": (served - pushed) / 1000,
            "ms_from_answer": (served - self.sent_us()) / 1000,
            "stall_ms": stall["longest_ms"],
            "stall_idle_ms": idle["longest_ms"],
            "failed": stall["failed"],
            "cpu_s": cpu_s(client.pid) - cpu,
            "rss_mb": memory_mb(client.pid, "VmRSS"),
            "rss_growth_mb": memory_mb(client.pid, "VmRSS") - rss,
            "rss_peak_mb": memory_mb(client.pid, "VmHWM"),
        }

    def end(self):
        self.client.stop()
        self.plane.stop()
        self.backends.stop()
        self.rig.ports.close()


# ---- scenarios: each gives {name: figures} ----


def many_clusters(stage, arguments):
    n = arguments.clusters
    stage.begin()
    yield "push", stage.push(stage.world.many(n), "/bench/last", "b1")
    yield "one per cent changes", stage.push(stage.world.many(n, max(1, n // 100)), "/bench/last", "b2")


def thousand_wide(stage, arguments):
    stage.begin()
    yield "push", stage.push(stage.world.wide(1000, arguments.endpoints // 1000), "/bench/last", "b1")


def one_wide(stage, arguments):
    stage.begin()
    yield "push", stage.push(stage.world.wide(1, arguments.endpoints), "/bench/last", "b1")


def one_called(stage, arguments):
    n = arguments.endpoints // 10
    stage.begin()
    stage.push(stage.world.wide(1, n), "/bench/w0", "b1")
    yield "one per cent changes", stage.push(stage.world.wide(1, n, n // 100), "/bench/w0", "b2")


SCENARIOS = {"many clusters": many_clusters, "a thousand wide clusters": thousand_wide, "one wide cluster": one_wide,
             "a called cluster": one_called}  # fmt: skip


def play(folder, arguments, contender, scenario):
    """{step: figures, or why there are none}."""
    stage, steps = None, {}
    try:
        stage = Stage(folder, arguments, contender)
        for step, figures in SCENARIOS[scenario](stage, arguments):
            steps[step] = figures
            print(show.line(contender.name, scenario, step, figures), flush=True)
    except (Failed, AssertionError, OSError) as why:
        steps["failed"] = str(why)[:200]
        print(f"{contender.name}, {scenario}: {why}"[:300], flush=True)
    finally:
        if stage:
            stage.end()
    return steps


def from_the_disk(folder, arguments):
    """A start while nobody serves, with what the last run has kept; and how long it takes with the control plane."""
    cache = folder / "cache"
    cache.mkdir(parents=True)
    stage = Stage(folder, arguments, contenders.Mesh, MESH_XDS_CACHE_DIR=cache)
    try:
        stage.serve(stage.world.many(arguments.clusters))
        stage.client.ask("until", stage.client.where("big"), "/bench/last", '"b1"')
        contenders.wait_for_file(cache)
        stage.client.stop()
        stage.plane.kill()
        took = []
        for _ in range(5):
            stage.client = stage.make()
            answer = stage.client.ask("until", stage.client.where("big"), "/bench/last", '"b1"')
            took.append((answer["at_us"] - stage.client.began_us) / 1000)
            stage.client.stop()
    finally:
        stage.end()
    figures = {"ms": sorted(took)[len(took) // 2], "all_ms": took}
    print(f"libmesh, from the disk: {figures}", flush=True)
    return figures


def main():
    arguments = parse_arguments()
    chosen = [one for one in CONTENDERS if arguments.only.lower() in one.name.lower()]
    names = [name for name in SCENARIOS if arguments.scenario in name]
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0], "real_time": arguments.real_time,
               "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}  # fmt: skip
    report = {"machine": machine, "clusters": arguments.clusters, "endpoints": arguments.endpoints, "scenarios": {}}
    with tempfile.TemporaryDirectory(prefix="mesh-bench-xds-") as folder:
        for i, name in enumerate(names):
            report["scenarios"][name] = {
                one.name: play(pathlib.Path(folder) / f"{i}-{one.name}", arguments, one, name) for one in chosen
            }
        if arguments.scenario in "from the disk" and contenders.Mesh in chosen:
            report["from the disk"] = from_the_disk(pathlib.Path(folder) / "disk", arguments)
    show.table(report)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{arguments.out}")


if __name__ == "__main__":
    main()
