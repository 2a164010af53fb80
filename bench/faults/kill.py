# SPDX-License-Identifier: Apache-2.0
"""One of three servers is killed, or all are replaced one after the other: nothing is lost, nothing is executed twice."""

from case import Case, Verdict

PAUSE = 1.5  # seconds between the replacements of a rolling restart


class Loses(Case):
    """Idempotent requests: none may be lost."""

    must = "0 lost"
    calm = 0.2

    def judge(self, outcome, stage):
        lost = outcome.lost(outcome.records)
        worst = max(record.latency for record in outcome.records)
        return Verdict(lost == 0, f"{lost} lost, worst {worst * 1e3:.0f} ms")


class Doubles(Case):
    """POST: lost ones may be, but none may be executed twice."""

    must = "0 executed twice"
    calm = 1.0  # it is counted, not timed
    method = "POST"

    def judge(self, outcome, stage):
        twice = outcome.executed_twice()
        return Verdict(twice == 0, f"{twice} twice, {outcome.lost(outcome.records)} lost")


class Kill(Loses):
    name = "kill"
    fault = "1 of 3 is killed (SIGKILL), comes back later"
    victims = (1,)

    def strike(self, stage):
        stage.servers[1].kill()

    def lift(self, stage):
        stage.servers[1].start()


class Rolling(Loses):
    """SIGTERM: GOAWAY to every client, what runs is finished; then a new process on the same port."""

    name = "rolling"
    fault = "rolling restart of 3 with GOAWAY"

    def play(self, stage):
        stage.until(self.before)
        stage.mark("strike")
        while stage.now() < self.before + self.during - len(stage.servers) * PAUSE:
            for server in stage.servers:
                server.drain()
                server.start()
                stage.until(stage.now() + PAUSE)
        stage.mark("lift")


class KillPost(Doubles, Kill):
    name = "kill-post"
    fault = "1 of 3 is killed, with POST"
    must = Doubles.must


class RollingPost(Doubles, Rolling):
    name = "rolling-post"
    fault = "rolling restart, with POST"
    must = Doubles.must


CASES = [Kill, KillPost, Rolling, RollingPost]
