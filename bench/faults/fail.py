# SPDX-License-Identifier: Apache-2.0
"""Servers that answer 503 (gRPC: UNAVAILABLE) faster than they could answer well."""

from case import Case, Verdict


class OneFails(Case):
    calm = 0.5
    name = "fail-one"
    fault = "1 of 10 fails fast"
    must = "<= 0.05 % lost"
    zones = "a" * 10
    victims = (0,)
    full = (10, 60, 5)
    quick = (5, 15, 3)

    def strike(self, stage):
        stage.servers[0].set(fail_permille=1000)

    def lift(self, stage):
        stage.servers[0].set(fail_permille=0)

    def judge(self, outcome, stage):
        during = outcome.between(outcome.marks["strike"], outcome.marks["lift"])
        lost = outcome.lost(during)
        return Verdict(lost <= 0.0005 * len(during), f"{lost / len(during):.2%} lost")


class OneFailsOnce(OneFails):
    name = "fail-one-once"
    fault = "1 of 10 fails fast, without retries"
    must = "at most 5 + 1/s lost"
    attempts = 1

    def judge(self, outcome, stage):
        during = outcome.between(outcome.marks["strike"], outcome.marks["lift"])
        lost = outcome.lost(during)
        return Verdict(lost <= 5 + self.during, f"{lost} lost, {lost / len(during):.2%}")


class AllFailHalf(Case):
    """No client can better that; it can make it worse, by sending less."""

    calm = 0.5
    name = "fail-half"
    fault = "all of 3 fail half of the time, without retries"
    must = ">= 45 % ok, and never nothing at all"
    attempts = 1
    full = (5, 30, 5)
    quick = (3, 12, 3)

    def strike(self, stage):
        stage.set_all(fail_permille=500)

    def lift(self, stage):
        stage.set_all(fail_permille=0)

    def judge(self, outcome, stage):
        strike, lift = outcome.marks["strike"], outcome.marks["lift"]
        share = outcome.ok_share(outcome.between(strike, lift))
        worst = min(outcome.ok_share(outcome.between(strike + i, strike + i + 1)) for i in range(int(lift - strike)))
        return Verdict(share >= 0.45 and worst > 0.25, f"{share:.1%} ok, worst second {worst:.0%}")


class Marked(Case):
    """The application passes on that its own caller has tried before: layers must not multiply."""

    calm = 1.0
    name = "marked"
    fault = "request already marked as a retry, servers fail 32 %"
    must = "1.00 attempts a request"
    marked = "2"
    full = (3, 20, 2)
    quick = (2, 8, 1)

    def strike(self, stage):
        stage.set_all(fail_permille=320)

    def lift(self, stage):
        stage.set_all(fail_permille=0)

    def judge(self, outcome, stage):
        during = outcome.between(outcome.marks["strike"], outcome.marks["lift"])
        attempts = outcome.attempts_per_request(during)
        return Verdict(attempts <= 1.0, f"{attempts:.2f}")


CASES = [OneFails, OneFailsOnce, AllFailHalf, Marked]
