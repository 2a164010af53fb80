# SPDX-License-Identifier: Apache-2.0
"""Every server stands still for five seconds at 85 % load, and then has to catch up."""

from case import Case, Verdict

STANDSTILL = 5


class Freeze(Case):
    load = 0.85
    slots = 2
    mesh = {"MESH_RETRY_PER_TRY_TIMEOUT_MS": "300"}  # as the naive client and Envoy have it
    note = "libmesh is given a timeout of 300 ms for each try here, as the naive client and Envoy have it."
    full = (5, STANDSTILL, 35)
    quick = (4, STANDSTILL, 16)
    within = 0

    def strike(self, stage):
        for server in stage.servers:
            server.freeze()

    def lift(self, stage):
        for server in stage.servers:
            server.thaw()

    def judge(self, outcome, stage):
        back = outcome.recovery(outcome.marks["lift"])
        attempts = outcome.attempts_per_request(outcome.between(outcome.marks["strike"], outcome.marks["lift"]))
        if back is None:
            return Verdict(False, f"never, {attempts:.2f} attempts")
        return Verdict(back <= self.within, f"{back:.1f} s")


class Dropped(Freeze):
    name = "freeze-dropped"
    fault = "all frozen 5 s at 85 % load, cancelled work is dropped"
    must = "back within 2 s"
    within = 2


class Executed(Freeze):
    name = "freeze-executed"
    fault = "all frozen 5 s at 85 % load, abandoned work is executed"
    must = "back within 10 s"
    settings = {"execute_abandoned": 1}
    within = 10


CASES = [Dropped, Executed]
