# SPDX-License-Identifier: Apache-2.0
"""The table of what was measured."""

COLUMNS = [
    ("ms", "pushed-served ms"),
    ("ms_from_answer", "sent-served ms"),
    ("stall_ms", "stall ms"),
    ("stall_idle_ms", "(idle) ms"),
    ("cpu_s", "CPU s"),
    ("rss_growth_mb", "growth MB"),
    ("rss_peak_mb", "peak MB"),
]
BASE = "libmesh"
RATIO = ("ms", "stall_ms", "cpu_s", "rss_growth_mb")


def line(contender, scenario, step, figures):
    return f"{contender}, {scenario}, {step}: " + ", ".join(f"{title} {figures[key]:.1f}" for key, title in COLUMNS)


def cell(figures, base, key):
    text = f"{figures[key]:.2f}" if key == "cpu_s" else f"{figures[key]:.1f}"
    if key in RATIO and base and base is not figures and base[key] > 0:
        text += f" ({figures[key] / base[key]:.1f}x)"
    return text


def rows(scenario, by_contender):
    steps = list(dict.fromkeys(step for played in by_contender.values() for step in played if step != "failed"))
    for step in steps:
        yield f"\n{scenario}: {step}"
        yield f"{'':16}" + "".join(f"{title:>20}" for _, title in COLUMNS)
        base = by_contender.get(BASE, {}).get(step)
        for contender, played in by_contender.items():
            if step in played:
                yield f"{contender:16}" + "".join(f"{cell(played[step], base, key):>20}" for key, _ in COLUMNS)
            else:
                yield f"{contender:16}    {played.get('failed', '')}"


def table(report):
    for scenario, by_contender in report["scenarios"].items():
        print("\n".join(rows(scenario, by_contender)) or f"\n{scenario}: {by_contender}")
    if "from the disk" in report:
        print(f"\nfrom the disk, nobody serves: first answer after {report['from the disk']['ms']:.1f} ms")
