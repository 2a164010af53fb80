# SPDX-License-Identifier: Apache-2.0
"""Some servers are slower than the others, and answer all the same."""

from case import Case, Verdict
from outcome import SLOW, quantile


class OneSlow(Case):
    name = "slow-one"
    fault = "1 of 10 becomes ten times slower"
    must = "p99 normal within 2 s"
    zones = "a" * 10
    victims = (0,)
    slots = 2
    within = 2
    full = (10, 30, 5)
    quick = (5, 10, 4)

    def strike(self, stage):
        stage.servers[0].set(slow_percent=1000)

    def lift(self, stage):
        stage.servers[0].set(slow_percent=100)

    def judge(self, outcome, stage):
        """Normal: not half as much again as before, and nothing slow. Lost ones took their time, too."""
        strike, lift = outcome.marks["strike"], outcome.marks["lift"]
        before = quantile([record.latency for record in outcome.between(strike / 2, strike)], 0.99)
        later = [record.latency for record in outcome.between(strike + self.within, lift)]
        after, worst = quantile(later, 0.99), max(later)
        held = after <= 1.5 * before and worst <= SLOW
        return Verdict(held, f"p99 {before * 1e3:.0f} -> {after * 1e3:.0f} ms, worst {worst * 1e3:.0f}")


class HalfSlow(Case):
    """As the simulator has it: 8 workers a server, work of 1 ms, exponential."""

    name = "slow-half"
    fault = "2 of 4 are slower by 5 ms"
    must = "p99 <= 6.2 ms"
    zones = "aaaa"
    victims = (0, 1)
    calm = 0.03
    slots = 8
    settings = {"exponential": 1}
    most = 0.0062
    full = (10, 30, 5)
    quick = (3, 15, 3)

    def service_us(self):
        return 1000

    def strike(self, stage):
        for server in stage.servers[:2]:
            server.set(delay_us=5000)

    def lift(self, stage):
        for server in stage.servers[:2]:
            server.set(delay_us=0)

    def judge(self, outcome, stage):
        during = outcome.between(outcome.marks["strike"] + 2, outcome.marks["lift"])
        p50, p99 = (outcome.latency(during, fraction) for fraction in (0.5, 0.99))
        return Verdict(p99 <= self.most, f"p99 {p99 * 1e3:.1f} ms, p50 {p50 * 1e3:.1f}")


CASES = [OneSlow, HalfSlow]
