# SPDX-License-Identifier: Apache-2.0
"""Nobody answers any more: how many attempts are made of each request, as the servers count them."""

from case import Case, NotHere, Verdict

MOST_ATTEMPTS = 1.12


class Outage(Case):
    must = f"<= {MOST_ATTEMPTS} attempts a request"
    full = (5, 60, 10)
    quick = (5, 12, 6)
    calm = 1.0  # it is counted, not timed
    broken, mended = {}, {}  # settings of the servers

    def __init__(self, rate, is_quick):
        super().__init__(rate, is_quick)
        # What a budget has in hand is little of a minute, and much of a few seconds: there it is left out.
        self.burst = 3 if is_quick else 0

    def strike(self, stage):
        stage.set_all(**self.broken)

    def lift(self, stage):
        stage.set_all(**self.mended)

    def counting_begins(self, stage):
        """When the outage is not new any more."""

    def play(self, stage):
        stage.until(self.before)
        stage.mark("strike")
        self.strike(stage)
        stage.until(self.before + self.burst)
        stage.mark("counted")
        self.counting_begins(stage)
        stage.until(self.before + self.during)
        stage.mark("lift")
        self.lift(stage)

    def attempts_made(self, outcome, stage):
        """By those that started while nobody answered."""
        records = outcome.between(outcome.marks["counted"], outcome.marks["lift"])
        connections = outcome.bare_connections(outcome.marks["counted"], outcome.marks["lift"])
        return outcome.attempts_per_request(records) + connections / len(records)

    def judge(self, outcome, stage):
        attempts = self.attempts_made(outcome, stage)
        back = outcome.recovery(outcome.marks["lift"])
        again = "never back" if back is None else f"back in {back:.1f} s"
        return Verdict(attempts <= MOST_ATTEMPTS, f"{attempts:.2f}, {again}")


class Refused(Outage):
    """Nobody listens: the packet filter counts the connection attempts."""

    name = "outage-refused"
    fault = "total outage: connections refused"
    broken, mended = {"listen": 0}, {"listen": 1}

    def strike(self, stage):
        if not stage.filter:
            raise NotHere("no packet filter: nobody counts connection attempts")
        super().strike(stage)

    def counting_begins(self, stage):
        stage.counts["before"] = stage.filter.dials(stage.servers)

    def lift(self, stage):
        stage.counts["after"] = stage.filter.dials(stage.servers)
        super().lift(stage)

    def attempts_made(self, outcome, stage):
        requests = outcome.between(outcome.marks["counted"], outcome.marks["lift"])
        return (stage.counts["after"] - stage.counts["before"]) / len(requests)


class Silent(Outage):
    name = "outage-silent"
    fault = "total outage: silence"
    broken, mended = {"mute": 1}, {"mute": 0}


class Unavailable(Outage):
    name = "outage-503"
    fault = "total outage: 503"
    broken, mended = {"fail_permille": 1000}, {"fail_permille": 0}


class RefusedStream(Outage):
    name = "outage-refused-stream"
    fault = "total outage: REFUSED_STREAM"
    broken, mended = {"refuse": 1}, {"refuse": 0}


class Slow(Outage):
    name = "outage-slow"
    fault = "total outage: answers take 3 s"
    broken, mended = {"delay_us": 3000000}, {"delay_us": 0}


CASES = [Refused, Silent, Unavailable, RefusedStream, Slow]
