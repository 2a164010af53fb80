# SPDX-License-Identifier: Apache-2.0
"""docs/reliability.md and its pictures, from the results that were kept."""

import json

import pictures
from clients import CLIENTS

HEAD = """\
# What happens when things break

This page is made by `scripts/reliability --write` from what it has measured; do not edit it.

    scripts/reliability              every fault, every client
    scripts/reliability --quick      shorter faults
    scripts/reliability --only zone --clients libmesh,envoy --rate 500

Real server processes are killed, stopped, cut off, slowed down, made to fail. Each client has servers of its own and is shown the
same fault at the same time, by a fixed schedule: requests start when they are due, whether earlier ones have ended or not, and
their time counts from then. Attempts and executions are counted by the servers. {machine}

| client | what it is |
|---|---|
| libmesh | a completion queue, every policy as it comes; a request may take {timeout} ms in all |
| naive | one HTTP/2 connection a server, round robin, three tries of {try_timeout} ms each, the next one at once |
| gRPC C++ | {grpc}, `round_robin`, a deadline of {timeout} ms, no service config: retries only what was certainly not processed |
| Envoy | {envoy}, a client without policy in front; {envoy_policy} |

"Back" means: 95 % ok over 3 s, and no request above 250 ms from there on. Lost: not answered well in time. Started later: requests
that began more than a second after the fault and reached the server all the same, were lost, or took more than 250 ms. {table_note}

Where the system allows it, the rig has a network namespace of its own for the packet filter, and servers and clients run before
the other work of the machine. If a process was kept waiting all the same, a fault is shown again; if that did not help, its
section says so.
"""

ENVOY_POLICY = (
    "`least_request`; {timeout} ms in all; two retries of {try_timeout} ms each on another host for GET, for POST only of "
    "what was not executed; retry budget 20 %; outlier detection after 5 failures, at most half; the own zone is priority 0, the "
    "others 1"
)
TABLE_NOTE = "**Bold**: does not hold. The second column has the seconds before, during and after the fault."


def load(folder, cases):
    kept = {}
    for case in cases:
        path = folder / f"{case.name}.json"
        if path.exists():
            texts = {"fault": case.fault, "must": case.must, "note": case.note}
            kept[case.name] = {**json.loads(path.read_text()), **texts}
    return kept


def cell(result):
    if result is None:
        return "-"
    if "held" not in result:
        return "not measured: " + (result.get("missing") or "it broke down")
    return result["text"] if result["held"] else f"**{result['text']}**"


def row(one):
    before, during, after = one["seconds"]
    cells = [cell(one["clients"].get(name)) for name in CLIENTS]
    words = [f"[{one['fault']}](#{one['name']})", f"{before}, {during}, {after}", f"{one['rate']:g}", one["must"], *cells]
    return "| " + " | ".join(words) + " |"


def section(one):
    note = f" {one['note']}" if one["note"] else ""
    disturbed = f" The machine itself stood still for up to {one['stall_ms']:.0f} ms meanwhile." if one["is_disturbed"] else ""
    return f"""\
### {one['name']}

{one['fault'][0].upper()}{one['fault'][1:]}. Must hold: {one['must']}.{note}{disturbed}

![{one['fault']}](reliability/{one['name']}.svg)
"""


def write(root, folder, cases, facts):
    """facts: machine, timeout, try_timeout, grpc, envoy."""
    kept = load(folder, cases)
    images = root / "docs" / "reliability"
    images.mkdir(exist_ok=True)
    for stale in images.glob("*.svg"):
        stale.unlink()
    lines = [HEAD.format(table_note=TABLE_NOTE, envoy_policy=ENVOY_POLICY.format(**facts), **facts)]
    lines.append("| fault | s | requests/s | must hold | " + " | ".join(client.title for client in CLIENTS.values()) + " |")
    lines.append("|---" * (4 + len(CLIENTS)) + "|")
    lines += [row(one) for one in kept.values()]
    lines.append("\nEach picture has a column a client; the shaded part is the fault.\n")
    for one in kept.values():
        lines.append(section(one))
        (images / f"{one['name']}.svg").write_text(pictures.draw(one))
    (root / "docs" / "reliability.md").write_text("\n".join(lines))
