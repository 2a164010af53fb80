# SPDX-License-Identifier: Apache-2.0
"""What came of one fault for one client: the client's records, the servers' ledgers, and figures taken from both.

Times are seconds since the first request was due."""

import collections
from dataclasses import dataclass

SLOW = 0.25  # seconds: nothing is normal above it


@dataclass(frozen=True)
class Record:
    id: str
    start: float  # when it was due, not when the client came to it
    end: float
    outcome: str
    endpoint: str
    attempts: int

    @property
    def ok(self):
        return self.outcome == "ok"

    @property
    def latency(self):
        return self.end - self.start

    @property
    def is_bad(self):
        return not self.ok or self.latency > SLOW


@dataclass(frozen=True)
class Event:
    """A line of a ledger; kinds as in server.h, and "c": a connection was accepted."""

    kind: str
    at: float
    id: str
    attempt: str
    connection: str
    endpoint: str


def read_records(path, begin_us, n):
    """Requests that the client never told of are lost too."""
    records = {}
    for line in path.read_text().splitlines():
        number, start, end, outcome, endpoint, attempts = line.split()
        times = ((int(time) - begin_us) / 1e6 for time in (start, end))
        records[number] = Record(number, *times, outcome, endpoint, int(attempts))
    if len(records) != n:
        raise RuntimeError(f"{path}: {len(records)} of {n} requests")
    return sorted(records.values(), key=lambda record: record.start)


def read_ledger(server, begin_us):
    for line in server.ledger.read_text().splitlines():
        kind, at, number, attempt, _, connection = line.split()
        yield Event(kind, (int(at) - begin_us) / 1e6, number, attempt, connection, server.endpoint)


def quantile(values, fraction):
    values = sorted(values)
    return values[min(len(values) - 1, int(fraction * len(values)))] if values else 0.0


class Outcome:
    def __init__(self, records, events, zones, marks):
        self.records, self.events, self.zones = records, sorted(events, key=lambda event: event.at), zones
        self.marks = marks  # name: seconds; "strike" and "lift" at least
        self.arrivals = collections.Counter(event.id for event in self.events if event.kind == "a")

    # ---- requests ----

    def between(self, start, end=float("inf")):
        return [record for record in self.records if start <= record.start < end]

    @staticmethod
    def lost(records):
        return sum(not record.ok for record in records)

    @staticmethod
    def ok_share(records):
        return sum(record.ok for record in records) / len(records) if records else 1.0

    @staticmethod
    def latency(records, fraction):
        return quantile([record.latency for record in records if record.ok], fraction)

    def executed_twice(self):
        """Requests that workers took on more than once, wherever."""
        counts = collections.Counter(event.id for event in self.events if event.kind == "x")
        return sum(n > 1 for n in counts.values())

    def attempts_per_request(self, records):
        """As the servers count them."""
        return sum(self.arrivals[record.id] for record in records) / len(records) if records else 0.0

    def bare_connections(self, start, end):
        """Connections accepted then that never carried a request."""
        used = {(event.endpoint, event.connection) for event in self.events if event.kind == "a"}
        opened = (event for event in self.events if event.kind == "c" and start <= event.at < end)
        return sum((event.endpoint, event.connection) not in used for event in opened)

    # ---- over time ----

    def recovery(self, since, good=0.95, over=3.0):
        """Seconds from `since` until `good` of the requests of `over` seconds are ok and none is slow any more; None: never."""
        after = [record for record in self.records if record.start >= since]
        slow = [record.start for record in after if record.ok and record.latency > SLOW]
        begin = max(slow, default=since)
        last = after[-1].start - over if after else since
        while begin <= last:
            window = [record for record in after if begin < record.start <= begin + over]
            if self.ok_share(window) >= good:
                return max(0.0, self.first_ok(window) - since)
            begin += 0.05
        return None

    @staticmethod
    def first_ok(window):
        return min(record.start for record in window if record.ok)

    def last_bad(self, since, until):
        """Seconds from `since` to the start of the last request that was lost or slow; 0: there was none."""
        return max((record.start - since for record in self.between(since, until) if record.is_bad), default=0.0)

    def zone_share(self, zone, start, end):
        served = [record for record in self.between(start, end) if record.ok]
        return sum(self.zones.get(record.endpoint) == zone for record in served) / len(served) if served else 0.0

    def zone_shares(self, zone, start, end, step=1.0):
        """[(seconds, share)] of the requests that were served."""
        shares = []
        while start + step <= end + 1e-6:
            shares.append((start, self.zone_share(zone, start, start + step)))
            start += step
        return shares

    # ---- for pictures ----

    def series(self, step):
        """Per step: ok/s, failed/s, p50 and p99 in ms (None: no answer), attempts/s, and the share of each zone or endpoint."""
        n = int(self.records[-1].start / step) + 1
        bins, seen = [[] for _ in range(n)], [0] * n
        for record in self.records:
            bins[int(record.start / step)].append(record)
        for event in self.events:
            if event.kind == "a" and 0 <= event.at < n * step:
                seen[int(event.at / step)] += 1
        keys = sorted(set(self.zones.values())) if len(set(self.zones.values())) > 1 else list(self.zones)
        return {
            "step": step,
            "ok": [round(sum(r.ok for r in one) / step, 1) for one in bins],
            "failed": [round(self.lost(one) / step, 1) for one in bins],
            "p50": [self.milliseconds(one, 0.5) for one in bins],
            "p99": [self.milliseconds(one, 0.99) for one in bins],
            "attempts": [round(count / step, 1) for count in seen],
            "shares": [[self.share(one, key) for one in bins] for key in keys],
            "marks": self.marks,
        }

    def milliseconds(self, records, fraction):
        return round(self.latency(records, fraction) * 1e3, 2) if any(record.ok for record in records) else None

    def share(self, records, key):
        served = [record for record in records if record.ok]
        if not served:
            return None
        return round(sum(key in (record.endpoint, self.zones.get(record.endpoint)) for record in served) / len(served), 3)
