#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures libmesh, the floor and the peers against one server, in short interleaved rounds, and prints one table.

Absolute figures move with the machine; only ratios within one run mean something. scripts/bench builds everything and
calls this."""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import table
from contenders import CONTENDERS, POLICIES_TARGET, Missing, Runner, Setting
from peers import Envoy, Server, envoy_version, make_certificate

HERE = pathlib.Path(__file__).resolve().parent

WARM_UP = 0.1  # seconds before each measuring
START = 0.1  # seconds that starting and ending a program takes, about


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="h2c and 16 B only, short rounds: under two minutes")
    parser.add_argument("--rounds", type=int, help="rounds a setting (9; quick: 5)")
    parser.add_argument("--seconds", type=float, help="measured in each round (0.6; quick: 0.4)")
    parser.add_argument("--callers", type=numbers, default=[1, 8, 64], help="threads, or calls in flight (1,8,64)")
    parser.add_argument("--bodies", type=numbers, help="bytes (16,1024; quick: 16)")
    parser.add_argument("--transports", type=lambda text: text.split(","), help="h2c,tls (quick: h2c)")
    parser.add_argument("--only", help="contenders whose name contains this; the floors always")
    parser.add_argument("--no-micro", action="store_true", help="without the measurements inside the library")
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parent / "build/bench/bench", help="folder with the programs")
    parser.add_argument("--envoy", default="", help="Envoy's program; empty: without it")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "out/results.json", help="where the results go")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (5 if arguments.quick else 9)
    arguments.seconds = arguments.seconds or (0.4 if arguments.quick else 0.6)
    arguments.bodies = arguments.bodies or ([16] if arguments.quick else [16, 1024])
    arguments.transports = arguments.transports or (["h2c"] if arguments.quick else ["h2c", "tls"])
    return arguments


def chosen(only):
    bases = {contender.base for contender in CONTENDERS}
    return [c for c in CONTENDERS if not only or c.name in bases or only.lower() in c.name.lower()]


def run_rounds(runner, contenders, setting, arguments):
    """{name: figures or None a round} and {name: why a round failed}. Who goes first changes from round to round. Who never
    succeeds is not tried again and again."""
    rounds, failed = {c.name: [] for c in contenders}, {}
    for number in range(arguments.rounds):
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            figures = None
            if contender.name not in failed or any(rounds[contender.name]):
                try:
                    figures = runner.run(contender, setting, arguments.seconds, WARM_UP)
                except Missing as why:
                    failed[contender.name] = str(why)
            rounds[contender.name].append(figures)
    return rounds, failed


def compare(runner, contenders, setting, arguments):
    rounds, failed = run_rounds(runner, contenders, setting, arguments)
    results = []
    for contender in contenders:
        mine = [figures for figures in rounds[contender.name] if figures]
        ratio = table.ratios(rounds[contender.name], rounds[contender.base])
        price = table.ratios(rounds[contender.name], rounds.get(contender.without, []))
        results.append({
            "callers": setting.callers,
            "transport": setting.transport,
            "body": setting.body,
            "contender": contender.name,
            "failed": failed.get(contender.name),
            "median": table.medians(mine) if mine else None,
            "ratio": ratio,
            "verdict": table.judge(contender, setting, ratio) | table.judge_policies(price, POLICIES_TARGET),
            "rounds": mine,
        })
    table.print_setting(setting, results)
    return results


def machine(envoy):
    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
        "envoy": envoy_version(envoy),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def start_envoy(stack, arguments, folder, server, ca):
    if not envoy_version(arguments.envoy):
        print("Envoy is not here: its rows will be missing")
        return None
    try:
        return stack.enter_context(Envoy(arguments.envoy, folder, server.ports, ca))
    except (RuntimeError, OSError) as why:
        print(f"{why}: its rows will be missing")
        return None


def measure_calls(arguments):
    settings = [Setting(c, t, b) for t in arguments.transports for b in arguments.bodies for c in arguments.callers]
    contenders = chosen(arguments.only)
    minutes = len(settings) * len(contenders) * arguments.rounds * (arguments.seconds + WARM_UP + START) / 60
    print(f"{len(settings)} settings, {len(contenders)} contenders, {arguments.rounds} rounds of {arguments.seconds} s: "
          f"about {minutes:.0f} min", flush=True)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh-bench-")))
        certificate, key = make_certificate(folder)
        server = stack.enter_context(Server(arguments.programs, certificate, key))
        envoy = start_envoy(stack, arguments, folder, server, certificate)
        runner = Runner(arguments.programs, server, envoy, certificate)
        return [result for setting in settings for result in compare(runner, contenders, setting, arguments)]


def measure_inside(arguments):
    if arguments.no_micro:
        return None
    done = subprocess.run([arguments.programs / "micro"], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"bench/micro failed: {done.stderr.strip()}")
        return None
    return json.loads(done.stdout)


def main():
    arguments = parse_arguments()
    if not (arguments.programs / "grpc_server").exists():
        sys.exit("bench: there is no server: gRPC C++ (libgrpc++-dev, protobuf-compiler-grpc) is missing")
    report = {"machine": machine(arguments.envoy), "seconds": arguments.seconds}
    report["results"] = measure_calls(arguments)
    table.print_summary(report["results"])
    table.print_policies(report["results"])
    report["micro"] = measure_inside(arguments)
    if report["micro"]:
        table.print_micro(report["micro"])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{arguments.out}")


if __name__ == "__main__":
    main()
