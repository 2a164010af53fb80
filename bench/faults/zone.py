# SPDX-License-Identifier: Apache-2.0
"""Zones of three servers each, the client in the first: it is lost, or asked for more than it can do."""

from case import Case, NotHere, Verdict

MOST_LOST = 0.001


class Zones(Case):
    zones = "aaabbb"
    rate = 300
    clients = ("libmesh", "envoy")  # the others know no zones


class Lost(Zones):
    """Own zone gone: `within` seconds later every request is well again, in the other one."""

    within = 0.0

    def own(self, stage):
        return [server for server in stage.servers if server.zone == "a"]

    def judge(self, outcome, stage):
        during = outcome.between(outcome.marks["strike"], outcome.marks["lift"])
        lost, last = 1 - outcome.ok_share(during), outcome.last_bad(outcome.marks["strike"], outcome.marks["lift"])
        return Verdict(lost <= MOST_LOST and last <= self.within, f"{lost:.2%} lost, last bad after {last:.1f} s")


class Killed(Lost):
    name = "zone-killed"
    fault = "own zone is killed (SIGKILL)"
    must = "<= 0.1 % lost, last bad request within 1 s"
    within = 1.0

    def strike(self, stage):
        for server in self.own(stage):
            server.process.kill()

    def lift(self, stage):
        for server in self.own(stage):
            server.wait()
            server.start()


class Cut(Lost):
    name = "zone-cut"
    fault = "own zone is cut off (packet filter)"
    must = "<= 0.1 % lost, last bad request within 2 s"
    within = 2.0

    def strike(self, stage):
        if not stage.filter:
            raise NotHere("no packet filter")
        stage.filter.cut(self.own(stage))

    def lift(self, stage):
        stage.filter.mend(self.own(stage))


class Overload(Zones):
    """Half of what the own zone can do, then 1.3 of it, then half again."""

    name = "zone-overload"
    fault = "own zone is asked for 1.3 of what it can do"
    must = "<= 0.1 % lost; settled share of it within 0.15; back at 0.8 within 12 s"
    zones = "aaabbbccc"
    load = 1.3
    full = (10, 60, 30)
    quick = (6, 24, 18)
    home, home_within, most_change = 0.8, 12, 0.15

    def phases(self):
        quiet = self.rate / self.load / 2
        return [(quiet, self.before), (self.rate, self.during), (quiet, self.after)]

    def strike(self, stage):
        """The schedule has it."""

    lift = strike

    def home_again(self, outcome):
        """Seconds until the own zone has its share; one dip below it later is allowed. None: never."""
        lift = outcome.marks["lift"]
        shares = outcome.zone_shares("a", lift, lift + self.after)
        for i, (at, share) in enumerate(shares):
            below = [later < self.home for _, later in shares[i:]]
            if share >= self.home and sum(a != b for a, b in zip(below, below[1:])) <= 2 and not below[-1]:
                return at - lift
        return None

    def judge(self, outcome, stage):
        strike, lift = outcome.marks["strike"], outcome.marks["lift"]
        settled = [share for _, share in outcome.zone_shares("a", strike + self.during / 2, lift, 2.0)]
        lost, change, home = 1 - outcome.ok_share(outcome.between(strike)), max(settled) - min(settled), self.home_again(outcome)
        held = lost <= MOST_LOST and change <= self.most_change and home is not None and home <= self.home_within
        again = "never home" if home is None else f"home in {home:.0f} s"
        return Verdict(held, f"{lost:.2%} lost, share {min(settled):.2f}-{max(settled):.2f}, {again}")


CASES = [Killed, Cut, Overload]
