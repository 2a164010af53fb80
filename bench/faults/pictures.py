# SPDX-License-Identifier: Apache-2.0
"""One picture a fault: a column for each client; requests, latency, shares and attempts over the same seconds."""

import math

from clients import CLIENTS
from svg import Drawing, Panel

LEFT, TOP, WIDTH, HEIGHT, GAP_X, GAP_Y = 46, 46, 215, 74, 12, 20
OK, FAILED, P50, P99, ATTEMPTS, REST = "#7cc39a", "#d0453c", "#2f5fb3", "#e08a1e", "#6b4fa0", "#c9c9c9"
COLOURS = ["#2f5fb3", "#e08a1e", "#3a8f5c", "#b0413e"]
LATENCIES = [1, 10, 100, 1000]  # ms


def ceiling(value):
    """The next round number."""
    if value <= 0:
        return 1
    unit = 10 ** math.floor(math.log10(value))
    return next(unit * n for n in (1, 1.5, 2, 3, 5, 10) if unit * n >= value * 0.999)


class Picture:
    def __init__(self, kept):
        self.kept = kept
        self.shown = {name: one["series"] for name, one in kept["clients"].items() if one and "series" in one}
        self.seconds = max(len(s["ok"]) * s["step"] for s in self.shown.values())
        self.drawing = Drawing(LEFT + len(self.shown) * (WIDTH + GAP_X), TOP + 4 * (HEIGHT + GAP_Y) + 6)

    def panel(self, column, row, top, bottom=0.0, scale=lambda value: value):
        x, y = LEFT + column * (WIDTH + GAP_X), TOP + row * (HEIGHT + GAP_Y)
        panel = Panel(self.drawing, x, y, WIDTH, HEIGHT, self.seconds, top, bottom, scale)
        marks = list(self.shown.values())[column]["marks"]
        panel.shade(marks["strike"], marks["lift"])
        return panel

    def highest(self, *names):
        return max(max(sum(values) for values in zip(*(s[name] for name in names))) for s in self.shown.values())

    def requests(self, column, series):
        top = ceiling(self.highest("ok", "failed"))
        panel = self.panel(column, 0, top)
        panel.grid([0, top / 2, top], "{:.0f}".format if column == 0 else None)
        panel.area(series["step"], [a + b for a, b in zip(series["ok"], series["failed"])], FAILED)
        panel.area(series["step"], series["ok"], OK)

    def latency(self, column, series):
        panel = self.panel(column, 1, 2000, 0.5, math.log10)
        panel.grid(LATENCIES, "{:.0f}".format if column == 0 else None)
        panel.line(series["step"], series["p99"], P99)
        panel.line(series["step"], series["p50"], P50)

    def shares(self, column, series):
        panel = self.panel(column, 2, 1)
        panel.grid([0, 0.5, 1], "{:.0%}".format if column == 0 else None)
        for i, values in sorted(enumerate(series["shares"]), key=lambda one: self.colour(one[0]) != REST):
            panel.line(series["step"], values, self.colour(i))

    def colour(self, i):
        if self.kept["zones"] > 1:
            return COLOURS[i]
        return FAILED if i in self.kept["victims"] else REST

    def attempts(self, column, series):
        top = ceiling(min(self.highest("attempts"), 4 * self.kept["rate"]))  # what piles up arrives in one spike
        panel = self.panel(column, 3, top)
        panel.grid([0, top / 2, top], "{:.0f}".format if column == 0 else None)
        panel.line(series["step"], series["attempts"], ATTEMPTS)

    def titles(self, column, name):
        x, result = LEFT + column * (WIDTH + GAP_X), self.kept["clients"][name]
        self.drawing.text(x, 14, CLIENTS[name].title, fill="#222", weight="bold")
        self.drawing.text(x, 27, result["text"], fill="#1d7a45" if result["held"] else "#b3261e")
        if column > 0:
            return
        for row, words in enumerate(self.row_titles()):
            self.drawing.text(x, TOP + row * (HEIGHT + GAP_Y) - 5, words, fill="#222")

    def row_titles(self):
        share = "share of each server"
        if self.kept["victims"]:
            share = "share of each server, the struck ones red"
        if self.kept["zones"] > 1:
            share = "share of each zone: own blue, others orange, green"
        return "requests/s: ok green, failed red", "latency, ms: p50 blue, p99 orange", share, "attempts/s at the servers"

    def draw(self):
        for column, (name, series) in enumerate(self.shown.items()):
            self.requests(column, series)
            self.latency(column, series)
            self.shares(column, series)
            self.attempts(column, series)
            self.titles(column, name)
        self.drawing.text(LEFT, self.drawing.height - 4, "0 s", fill="#777")
        self.drawing.text(LEFT + WIDTH, self.drawing.height - 4, f"{self.seconds:.0f} s", "end", "#777")
        return str(self.drawing)


def draw(kept):
    return Picture(kept).draw()
