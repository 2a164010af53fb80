# SPDX-License-Identifier: Apache-2.0
"""From rounds to medians and ratios, and the table."""

from statistics import median

RATIOS = ("calls_per_s", "p50_us", "p99_us", "all_cpu_us_per_call", "cpu_us_per_call")

COLUMNS = [  # heading, width, figure, how it is written
    ("calls/s", 9, "calls_per_s", "{:,.0f}"),
    ("p50 us", 8, "p50_us", "{:,.0f}"),
    ("p99 us", 8, "p99_us", "{:,.0f}"),
    ("CPU us", 8, "cpu_us_per_call", "{:.1f}"),
    ("proxy us", 9, "proxy_cpu_us_per_call", "{:.1f}"),
    ("switches", 9, "switches_per_call", "{:.2f}"),
    ("RSS MiB", 8, "rss_kib", None),
]
RATIO_COLUMNS = [("x calls/s", 10, "calls_per_s"), ("x p50", 7, "p50_us"), ("x CPU", 7, "all_cpu_us_per_call")]
NAME_WIDTH = 22
CHOICE_TARGET_NS = 150


def medians(rounds):
    return {figure: median(one[figure] for one in rounds) for figure in rounds[0]}


def ratios(rounds, base_rounds):
    """Of each figure the median of its ratios round by round: both sides of a ratio were measured within seconds, so what
    else the machine does has less of a say than in the ratio of two medians."""
    pairs = [(mine, base) for mine, base in zip(rounds, base_rounds) if mine and base]
    if not pairs:
        return {}
    return {figure: median(mine[figure] / base[figure] for mine, base in pairs) for figure in RATIOS}


def judge(contender, setting, ratio):
    """{figure: (ratio, target, whether it is met)} of the targets that hold here."""
    if not ratio or (contender.only_at and setting.callers not in contender.only_at):
        return {}
    verdict = {}
    for figure, target in contender.targets.items():
        met = ratio[figure] >= -target if target < 0 else ratio[figure] <= target
        verdict[figure] = (round(ratio[figure], 3), abs(target), met)
    return verdict


def judge_policies(price, target):
    """As judge(), of what the policies cost: CPU with them relative to CPU without."""
    if not price:
        return {}
    ratio = price["cpu_us_per_call"]
    return {"policies": (round(ratio, 3), target, ratio <= target)}


SHORT = {"policies": "policies' CPU", "cpu_us_per_call": "CPU", "p50_us": "p50", "calls_per_s": "calls/s"}


def verdict_text(verdict):
    if not verdict:
        return ""
    missed = [f"{SHORT[f]} {r:.2f} (target {t:.2f})" for f, (r, t, met) in verdict.items() if not met]
    return "missed: " + ", ".join(missed) if missed else "targets met"


def cell(figures, figure, form):
    if figure == "rss_kib":
        proxy = f"+{figures['proxy_rss_kib'] / 1024:.0f}" if figures["proxy_rss_kib"] else ""
        return f"{figures['rss_kib'] / 1024:.0f}{proxy}"
    if figure == "proxy_cpu_us_per_call" and figures[figure] == 0:
        return ""
    return form.format(figures[figure])


def heading():
    names = "".join(f"{name:>{width}}" for name, width, *_ in [*COLUMNS, *RATIO_COLUMNS])
    return f"{'':{NAME_WIDTH}}{names}"


def row(result):
    if not result["median"]:
        return f"{result['contender']:{NAME_WIDTH}}  not measured: {result['failed']}"
    line = f"{result['contender']:{NAME_WIDTH}}"
    line += "".join(f"{cell(result['median'], figure, form):>{width}}" for _, width, figure, form in COLUMNS)
    ratio = result["ratio"]
    line += "".join(f"{ratio[figure]:>{width}.2f}" if ratio else " " * width for _, width, figure in RATIO_COLUMNS)
    line = f"{line}  {verdict_text(result['verdict'])}".rstrip()
    return line + (f"  (a round failed: {result['failed']})" if result["failed"] else "")


def print_setting(setting, results):
    print(f"\n{setting}\n{heading()}")
    for result in results:
        print(row(result), flush=True)


def print_summary(results):
    checks = [(r, f, *v) for r in results for f, v in r["verdict"].items()]
    met = sum(1 for check in checks if check[-1])
    print(f"\n{met} of {len(checks)} targets met. x: relative to the floor (asynchronous rows: to the asynchronous floor), ")
    print("medians of ratios within a round; x CPU is client and proxy together. CPU, p50: less is better.")
    print("Targets: CPU at most 1.15 of the floor, p50 at most 1.10, calls/s at least 0.90; asynchronous, 64 in flight, CPU 1.35.")


def print_policies(results):
    """What all default policies together cost, a line a setting."""
    print("\nAll default policies, CPU relative to the same with every policy off (bare): target at most 1.15")
    for result in results:
        if "policies" not in result["verdict"]:
            continue
        ratio, _, met = result["verdict"]["policies"]
        setting = f"{result['contender']}, {result['callers']} callers, {result['transport']}, {result['body']} B"
        print(f"  {setting:44} {ratio:.2f}  {'met' if met else 'missed'}")


def print_micro(micro):
    print("\nInside the library (bench/micro.c)")
    for pick in micro["picks"]:
        kind = "half are slow" if pick["half_slow"] else "unequal weights" if pick["weighted"] else "equal weights"
        print(f"  {pick['policy']:16} {pick['endpoints']:>8,} endpoints, {kind:16} {pick['ns']:>8.1f} ns a pick")
    for choice in micro["choices"]:
        verdict = "target met" if choice["ns"] <= CHOICE_TARGET_NS else f"missed: target {CHOICE_TARGET_NS}"
        print(f"  the whole choice  {choice['endpoints']:>7,} endpoints, {choice['zones']} zones {choice['ns']:>17.1f} ns  {verdict}")
    for limit in micro["limits"]:
        print(f"  a request past the limits, {limit['limits']:16} {limit['ns']:>15.1f} ns")
    for swap in micro["swaps"]:
        print(f"  {swap['endpoints']:,} endpoints: {swap['bytes_per_endpoint']:.0f} bytes each; the first set taken up in "
              f"{swap['first_ms']:.1f} ms, a change of 1 % in {swap['swap_ms']:.1f} ms")
    for read in micro["assignments"]:
        labels = f"with one of {read['labels']} labels" if read["labels"] else "without labels"
        print(f"  {read['endpoints']:,} endpoints of a control plane, {labels}: read in {read['read_ms']:.0f} ms, "
              f"{read['longest_step_ms']:.1f} ms at a time; {read['bytes_per_endpoint']:.0f} bytes each")
