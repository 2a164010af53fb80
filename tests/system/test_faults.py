"""Real faults with the rig of scripts/reliability, for libmesh alone: what the servers counted, and what the caller was told.

The caller is patient and nothing is judged by time, so that a machine with other work changes nothing; how fast the library
gets over a fault is what scripts/reliability measures."""

import collections
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "bench" / "faults"))

import clients  # noqa: E402
import fail  # noqa: E402
import freeze  # noqa: E402
import kill  # noqa: E402
import outage  # noqa: E402
import silent  # noqa: E402
import zone  # noqa: E402

RATE = 150  # requests a second
PATIENCE_MS = 15000  # of a request


@pytest.fixture
def show(build, tmp_path):
    """show(fault, before, during, after, rate=RATE): what came of it."""

    def show(kind, before, during, after, rate=RATE):
        case = kind(rate, True)
        case.rate, case.timeout_ms, case.mesh = rate, PATIENCE_MS, {}
        case.before, case.during, case.after = before, during, after
        outcome, _ = case.run(clients.Libmesh, build / "faults", tmp_path / "run", None)
        return outcome

    return show


def while_struck(outcome):
    return outcome.between(outcome.marks["strike"], outcome.marks["lift"])


def outcomes(records):
    return collections.Counter(record.outcome for record in records)


@pytest.mark.parametrize("kind", [outage.Unavailable, outage.RefusedStream])
def test_outage(show, kind):
    """Nobody answers well: the budget ends the retries, and everything is well again afterwards."""
    outcome = show(kind, 1, 5, 1, rate=300)
    records = outcome.between(outcome.marks["counted"], outcome.marks["lift"] - 0.5)
    attempts = sum(outcome.arrivals[record.id] for record in records)
    assert outcome.lost(records) == len(records), outcomes(records)
    assert attempts <= 1.12 * len(records) + 20, f"{attempts} attempts of {len(records)} requests"
    assert outcome.ok_share(outcome.records[-50:]) == 1.0, outcomes(outcome.records[-50:])


@pytest.mark.parametrize("kind, during", [(kill.Kill, 2), (kill.Rolling, 4.6), (silent.Stop, 2)])
def test_nothing_is_lost(show, kind, during):
    """One of three is killed, each is replaced, one is stopped: every idempotent request is answered."""
    outcome = show(kind, 0.8, during, 0.8)
    assert outcome.lost(outcome.records) == 0, outcomes(outcome.records)


@pytest.mark.parametrize("kind", [kill.KillPost, silent.StopPost])
def test_nothing_is_executed_twice(show, kind):
    """The same with POST: what may have been executed is not sent again."""
    outcome = show(kind, 0.8, 1.5, 0.5)
    assert outcome.executed_twice() == 0


def test_own_zone_is_killed(show):
    """The own zone is used while it is there, the other one when it is not; nothing is lost between."""
    outcome = show(zone.Killed, 1.2, 2, 0.3)
    before = outcome.between(0, outcome.marks["strike"] - 0.5)
    later = outcome.between(outcome.marks["strike"] + 1, outcome.marks["lift"])
    assert {outcome.zones[record.endpoint] for record in before} == {"a"}
    assert outcome.lost(outcome.records) == 0, outcomes(outcome.records)
    assert {outcome.zones[record.endpoint] for record in later} == {"b"}


def test_all_stand_still(show):
    """Everything is stopped for a while, near the limit of what it can do; when it goes on, all is well again by itself."""
    outcome = show(freeze.Executed, 0.5, 2, 2.5)
    assert outcome.ok_share(outcome.records[-100:]) == 1.0, outcomes(outcome.records[-100:])


def test_one_fails_fast(show):
    """One of ten fails: who may retry does not notice, and who may not avoids it."""
    outcome = show(fail.OneFails, 1, 2, 0.2, rate=300)
    assert outcome.lost(outcome.records) <= 5, outcomes(outcome.records)


def test_one_fails_fast_without_retries(show):
    outcome = show(fail.OneFailsOnce, 1, 2.5, 0.2, rate=300)
    records = while_struck(outcome)
    assert outcome.lost(records) <= 0.04 * len(records), outcomes(records)


def test_all_fail_half_of_the_time(show):
    """No better choice exists: everything is sent, and nothing is refused by the library itself."""
    outcome = show(fail.AllFailHalf, 0.5, 2, 0.2, rate=300)
    records = while_struck(outcome)
    assert set(outcomes(records)) == {"ok", "503"}
    assert 0.4 <= outcome.ok_share(records) <= 0.6
    assert all(outcome.arrivals[record.id] == 1 for record in records)


def test_retries_of_retries(show):
    """A request that its caller has marked as a retry is sent once."""
    outcome = show(fail.Marked, 0.5, 1.5, 0.2)
    assert outcome.lost(outcome.records) > 0, "the servers did not fail"
    assert set(outcome.arrivals[record.id] for record in outcome.records) == {1}
