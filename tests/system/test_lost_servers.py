"""One of three servers is killed, hangs, comes back: the application notices nothing."""

import time

import pytest

from conftest import services
from servers.process import eventually

CALLERS = 16


@pytest.fixture
def three(servers):
    return [servers.nghttpd() for _ in range(3)]


def test_killed(three, load):
    """SIGKILL one of three under 16 callers: no failed request; restarted, it serves again."""
    victim = three[1]
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=three)) as calls:
        for server in three:
            calls.until_calls(500, server.endpoint)
        victim.kill()
        calls.until_calls(5000)
        victim.start()
        calls.until_calls(500, victim.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


def test_killed_again_and_again(three, load):
    """Each of the three in turn, several times; the others are always enough."""
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=three)) as calls:
        for victim in three * 3:
            calls.until_calls(200, victim.endpoint)
            victim.kill()
            calls.until_calls(1000)
            victim.start()
        calls.until_calls(200, three[-1].endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_frozen(servers, load):
    """SIGSTOP one of three: no failed request, none begins on it later than 2.2 s after; SIGCONT: it serves again."""
    three = [servers.nghttpd() for _ in range(3)]
    victim = servers.tap(three[0])
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=[victim, *three[1:]])) as calls:
        calls.until_calls(500, victim.endpoint)
        three[0].freeze()
        frozen = time.monotonic()
        while time.monotonic() < frozen + 4:  # an observation of this length, not a wait for something
            calls.until_calls(200)
        late = victim.requests_after(frozen + 2.2)
        after = victim.requests_after(frozen)
        three[0].thaw()
        calls.until_calls(500, victim.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    assert not late, f"a request began on the hung peer {late[-1] - frozen:.3f} s after it hung"
    assert len(after) <= CALLERS * 2, "what began on it is what hangs until it is given up"


def test_frozen_more_than_once(three, load):
    """Each in turn is frozen and thawed while the others serve."""
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=three)) as calls:
        for victim in three:
            calls.until_calls(200, victim.endpoint)
            victim.freeze()
            calls.until_calls(3000)
            victim.thaw()
            calls.until_calls(200, victim.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_added_while_the_only_one_dies(servers, load):
    """One of two is killed for good: the other one takes everything."""
    two = [servers.nghttpd() for _ in range(2)]
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=two)) as calls:
        calls.until_calls(500, two[0].endpoint)
        two[0].kill()
        calls.until_calls(5000, two[1].endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_all_killed_and_back(three, load):
    """Nobody is left: errors say so; when they are back all is well again by itself."""
    with load(["-c", CALLERS, "-p", 10, "users", "/hello"], MESH_SERVICES=services(users=three)) as calls:
        calls.until_calls(100)
        for server in three:
            server.kill()
        before = calls.now().failed
        eventually(lambda: calls.now().failed >= before + 20, "calls fail")
        for server in three:
            server.start()
        for server in three:
            calls.until_calls(100, server.endpoint)
        failed = calls.now().failed
        calls.until_calls(500)
        [outcome] = calls.stop()
    assert outcome.failed == failed, "no failure once all serve again"
    assert set(outcome.errors) <= {"MESH_ERR_CONNECT", "MESH_ERR_RESET"}, outcome.errors
    assert "127.0.0.1:" in outcome.failures[-1]["detail"]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", ["frozen", "killed"])
def test_lost_before_the_first_request(servers, load, certificate, tls, kind):
    """A process that starts while one of three hangs or is gone loses nothing either."""
    three = [servers.nghttpd(certificate if tls else None) for _ in range(3)]
    lost = three[1]
    lost.freeze() if kind == "frozen" else lost.kill()
    group = ["-c", CALLERS, "-n", 3000, "users", "/hello"]
    variables = {"MESH_TLS_CA": certificate.ca, "MESH_TLS_SERVER_NAME": "localhost"}
    with load(group, MESH_SERVICES=services(users=("h2" if tls else "h2c", three)), **variables) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 0, outcome.failures


@pytest.mark.parametrize("kind", ["frozen", "killed"])
def test_tls(servers, load, certificate, kind):
    """As over h2c: one of three is lost under load and comes back."""
    three = [servers.nghttpd(certificate) for _ in range(3)]
    victim = three[1]
    with load(
        ["-c", CALLERS, "users", "/hello"],
        MESH_SERVICES=services(users=("h2", three)),
        MESH_TLS_CA=certificate.ca,
        MESH_TLS_SERVER_NAME="localhost",
    ) as calls:
        calls.until_calls(500, victim.endpoint)
        victim.freeze() if kind == "frozen" else victim.kill()
        calls.until_calls(10000)
        victim.thaw() if kind == "frozen" else victim.start()
        calls.until_calls(500, victim.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
