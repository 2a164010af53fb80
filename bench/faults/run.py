#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows real faults to libmesh, a naive client, gRPC C++ and Envoy, and prints what held and what did not.

The clients are shown a fault at the same time, each with servers of its own. scripts/reliability builds everything and
calls this."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

import document
import fail
import freeze
import kill
import outage
import silent
import slow
import zone
from case import Case, NotHere
from clients import CLIENTS, BehindEnvoy
from endpoint import enter_namespace
from envoy import peers
from watch import Watch, go_first

ROOT = pathlib.Path(__file__).resolve().parents[2]

CASES = [case for family in (outage, freeze, kill, silent, zone, slow, fail) for case in family.CASES]
POINTS = 120  # of a line in a picture
TIMES = 2  # a fault is shown at most, when the machine is disturbed


def words(text):
    return text.split(",")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/reliability", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="shorter faults: an outage lasts 12 s instead of 60")
    parser.add_argument("--only", type=words, metavar="NAME,...", help="faults with this in their name; --list shows all")
    parser.add_argument("--clients", type=words, default=list(CLIENTS), help=",".join(CLIENTS))
    parser.add_argument("--rate", type=float, default=300, help="requests a second (300)")
    parser.add_argument("--write", action="store_true", help="docs/reliability.md and its pictures, from all results")
    parser.add_argument("--no-run", action="store_true", help="nothing is shown; with --write: from the results of earlier runs")
    parser.add_argument("--list", action="store_true", help="the names of the faults")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/bench/faults", help="folder with the programs")
    parser.add_argument("--envoy", default="", help="Envoy's program; empty: without it")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/reliability", help="where results and records go")
    arguments = parser.parse_args()
    unknown = set(arguments.clients) - set(CLIENTS)
    if unknown:
        parser.error(f"no client {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    return arguments


def is_chosen(case, only):
    return not only or any(word in case.name for word in only)


def show(case, name, arguments, packet_filter):
    """One fault, one client: what is kept of it."""
    if name not in case.clients:
        return None
    try:
        folder = arguments.out / "runs" / f"{case.name}-{name}"
        outcome, verdict = case.run(CLIENTS[name], arguments.programs, folder, packet_filter)
    except NotHere as reason:
        return {"missing": str(reason)}
    except Exception as error:  # one that breaks down is told, the others go on
        return {"broken": f"{type(error).__name__}: {error}"}
    return {"held": verdict.held, "text": verdict.text, "series": outcome.series(case.seconds() / POINTS)}


def show_once(case, arguments, packet_filter):
    """To all clients at the same time: results, and for how long the machine stood still meanwhile."""
    with Watch() as machine, concurrent.futures.ThreadPoolExecutor(len(arguments.clients)) as pool:
        shown = {name: pool.submit(show, case, name, arguments, packet_filter) for name in arguments.clients}
        results = {name: one.result() for name, one in shown.items()}
    return results, machine.stall


def show_all(case, arguments, packet_filter):
    """Again when the machine was held up, for all clients. Returns the calmest."""
    best = None
    for _ in range(TIMES):
        results, stall = show_once(case, arguments, packet_filter)
        if best is None or stall < best[1]:
            best = results, stall
        if stall <= case.calm:
            break
        print(f"    ({case.name}: the machine stood still for {stall * 1e3:.0f} ms)")
    return best


def told(result):
    if result is None:
        return "-"
    if "held" not in result:
        return result.get("missing") or result["broken"]
    return f"{result['text']}{'' if result['held'] else '   <- NOT HELD'}"


def print_row(case, results):
    print(f"{case.name}: {case.fault}; must hold: {case.must}")
    for name, result in results.items():
        print(f"    {CLIENTS[name].title:10} {told(result)}")
    sys.stdout.flush()


def keep(case, results, stall, arguments):
    """One file a fault, so that a fault that is shown again replaces what was there."""
    kept = {
        "name": case.name,
        "rate": case.rate,
        "seconds": [case.before, case.during, case.after],
        "zones": len(set(case.zones)),
        "victims": case.victims,
        "stall_ms": stall * 1e3,
        "is_disturbed": stall > case.calm,
        "clients": results,
    }
    (arguments.out / "results").mkdir(parents=True, exist_ok=True)
    (arguments.out / "results" / f"{case.name}.json").write_text(json.dumps(kept))


def facts(arguments):
    """What the document says of this machine and its programs."""
    version = peers.envoy_version(arguments.envoy)
    grpc = subprocess.run(["pkg-config", "--modversion", "grpc++"], capture_output=True, text=True).stdout.strip()
    return {
        "machine": f"Measured {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores that others used too.",
        "timeout": Case.timeout_ms,
        "try_timeout": Case.try_timeout_ms,
        "grpc": grpc or "gRPC",
        "envoy": version or "not here",
    }


def show_chosen(arguments):
    """Exit code: 1 when libmesh does not hold what must hold."""
    packet_filter = enter_namespace([sys.executable, *sys.argv])
    go_first()
    BehindEnvoy.binary = arguments.envoy
    if not arguments.envoy:
        arguments.clients = [name for name in arguments.clients if name != "envoy"]
    broken = 0
    for kind in CASES:
        if not is_chosen(kind, arguments.only):
            continue
        case = kind(arguments.rate, arguments.quick)
        results, stall = show_all(case, arguments, packet_filter)
        print_row(case, results)
        keep(case, results, stall, arguments)
        broken += not (results.get("libmesh") or {}).get("held", True)
    return 1 if broken else 0


def main():
    arguments = parse_arguments()
    if arguments.list:
        print("\n".join(f"{case.name:24} {case.fault}" for case in CASES))
        return 0
    code = 0 if arguments.no_run else show_chosen(arguments)
    if arguments.write:
        document.write(ROOT, arguments.out / "results", CASES, facts(arguments))
    return code


if __name__ == "__main__":
    sys.exit(main())
