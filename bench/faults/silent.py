# SPDX-License-Identifier: Apache-2.0
"""One of three servers falls silent: stopped, or behind a packet filter. Its kernel or nobody at all takes what is sent to it."""

from case import Case, NotHere, Verdict
from kill import Doubles

NOTICED = 1.0  # seconds after which nothing may start on it


class Silent(Case):
    victims = (1,)
    must = f"0 lost; nothing starts on it after {NOTICED:.0f} s"

    def late(self, outcome, victim):
        """Requests of later on that reached it after all, or that were held up as if they had."""
        during = outcome.between(outcome.marks["strike"] + NOTICED, outcome.marks["lift"] - 0.5)
        reached = {event.id for event in outcome.events if event.kind == "a" and event.endpoint == victim}
        return sum(record.is_bad or record.id in reached for record in during)

    def judge(self, outcome, stage):
        lost = outcome.lost(outcome.records)
        late = self.late(outcome, stage.servers[1].endpoint)
        return Verdict(lost == 0 and late == 0, f"{lost} lost, {late} started on it later")


class Stop(Silent):
    name = "stop"
    fault = "1 of 3 is stopped (SIGSTOP), goes on later"

    def strike(self, stage):
        stage.servers[1].freeze()

    def lift(self, stage):
        stage.servers[1].thaw()


class Cut(Silent):
    name = "cut"
    fault = "1 of 3 is cut off (packet filter), comes back later"

    def strike(self, stage):
        if not stage.filter:
            raise NotHere("no packet filter")
        stage.filter.cut(stage.servers[1:2])

    def lift(self, stage):
        stage.filter.mend(stage.servers[1:2])


class StopPost(Doubles, Stop):
    name = "stop-post"
    fault = "1 of 3 is stopped, with POST"
    must = Doubles.must


class CutPost(Doubles, Cut):
    name = "cut-post"
    fault = "1 of 3 is cut off, with POST"
    must = Doubles.must


CASES = [Stop, StopPost, Cut, CutPost]
