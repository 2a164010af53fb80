"""A POST is never executed twice, whatever is killed, frozen or reset: the server's own ledger is compared with the callers'."""

import collections
import time

import pytest

from conftest import services
from load import ledger
from servers.process import eventually

CALLERS = 16


def check(executor, told, most=1):
    """No id was executed more often than allowed, what was answered exactly once; returns what was told to be lost."""
    done = executor.executed
    known = ledger(told)
    too_often = {id: n for id, n in done.items() if n > most}
    assert not too_often, f"executed too often: {too_often}; told: {[known.get(id) for id in too_often]}"
    missing = [call for id, call in known.items() if call["error"] == "MESH_OK" and not done[id]]
    assert not missing, f"answered and yet not executed: {missing[:5]}"
    assert len(known) > 1000
    return [call for call in known.values() if call["error"] != "MESH_OK"]


@pytest.fixture
def executor(servers):
    return servers.executor()


@pytest.fixture
def front(servers, executor):
    """Makes an nginx in front of the executor."""

    def make(**options):
        return servers.nginx(behind=f"http://127.0.0.1:{executor.port}", **options)

    return make


@pytest.fixture
def three(front):
    return [front() for _ in range(3)]


@pytest.fixture
def posts(load, tmp_path):
    """16 callers that POST 64 bytes each with an id of its own."""

    def start(members, path="/post", scheme="h2c", **variables):
        group = ["-c", CALLERS, "-X", "POST", "-b", 64, "-l", tmp_path / "told", "users", path]
        return load(group, MESH_SERVICES=services(users=(scheme, members)), **variables)

    return start


def test_workers_killed(three, executor, posts, tmp_path):
    """SIGKILL of the process that works on them: those fail, and are not tried elsewhere."""
    with posts(three) as calls:
        for server in three * 3:
            calls.until_calls(300)
            server.kill_workers()
        calls.until_calls(300)
        [outcome] = calls.stop()
    lost = check(executor, tmp_path / "told")
    assert len(lost) == outcome.failed
    assert {call["error"] for call in lost} <= {"MESH_ERR_RESET"}


def test_servers_killed(three, executor, posts, tmp_path):
    """The same with whole servers, which stay away for a while."""
    with posts(three) as calls:
        for server in three * 2:
            calls.until_calls(300, server.endpoint)
            server.kill()
            calls.until_calls(300)
            server.start()
        calls.until_calls(300, three[-1].endpoint)
        calls.stop()
    lost = check(executor, tmp_path / "told")
    assert {call["error"] for call in lost} <= {"MESH_ERR_RESET"}


def test_frozen(three, executor, posts, tmp_path):
    """A frozen server executes what lies in its sockets when it thaws; nobody else must have done it meanwhile."""
    with posts(three) as calls:
        for server in three:
            calls.until_calls(300, server.endpoint)
            server.freeze()
            frozen = time.monotonic()
            while time.monotonic() < frozen + 1:
                calls.until_calls(100)
            server.thaw()
            calls.until_calls(300, server.endpoint)
        calls.stop()
    lost = check(executor, tmp_path / "told")
    assert {call["error"] for call in lost} <= {"MESH_ERR_RESET"}


def test_reloaded(three, executor, posts, tmp_path):
    """GOAWAY tells which were not executed: none is lost, none is executed twice."""
    with posts(three, MESH_CONNECTION_SILENCE_MS=10000) as calls:  # nor because the machine is busy
        for server in three * 5:
            calls.until_calls(200)
            server.reload()
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    assert not check(executor, tmp_path / "told")


def test_connections_end_after_a_few(front, executor, posts, tmp_path):
    """GOAWAY after every 20 requests."""
    with posts([front(keepalive_requests=20)]) as calls:
        calls.until_calls(3000)
        calls.stop()
    check(executor, tmp_path / "told")


@pytest.mark.parametrize("requests", [1000000, 5])
def test_http1(front, executor, posts, tmp_path, requests):
    """Over HTTP/1.1 nobody says which request of an ended connection was not executed."""
    three = [front(listen="listen 127.0.0.1:%s;", keepalive_requests=requests) for _ in range(3)]
    with posts(three, scheme="http") as calls:
        for server in three:
            calls.until_calls(500)
            server.kill_workers()
            calls.until_calls(300)
            server.reload()
        calls.until_calls(300)
        calls.stop()
    lost = check(executor, tmp_path / "told")
    assert {call["error"] for call in lost} <= {"MESH_ERR_RESET"}


def test_timeouts(front, executor, posts, tmp_path):
    """A time limit of an attempt does not make a POST retriable."""
    two = [front(), front()]
    with posts(two, MESH_RETRY_PER_TRY_TIMEOUT_MS=50) as calls:
        calls.until_calls(600)
        two[0].freeze()
        eventually(lambda: calls.now().failed, "a call that fails")
        calls.until_calls(500, two[1].endpoint)
        two[0].thaw()
        calls.until_calls(300, two[0].endpoint)
        calls.stop()
    lost = check(executor, tmp_path / "told")
    assert {call["error"] for call in lost} <= {"MESH_ERR_RESET", "MESH_ERR_TIMEOUT"}


def test_gateway_errors(servers, load, tmp_path):
    """502 of a proxy: the request may have been executed behind it."""
    server = servers.nginx(extra='location = /gone { return 502 "gone"; }')
    with load(["-X", "POST", "-n", 1000, "users", "/gone"], MESH_SERVICES=services(users=[server])) as calls:
        [outcome] = calls.wait()
    assert outcome.statuses == {"502": 1000}
    assert outcome.attempts == 1000
    assert len(server.executed()) == 1000


# ---- a proxy that refuses what it has passed on ----


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(("refused", "most"), [("on", 2), ("off", 1)])
def test_haproxy_refuses_what_it_passed_on(servers, load, tmp_path, certificate, tls, refused, most):
    """HAProxy says REFUSED_STREAM when its backend reads a request and closes."""
    backend = servers.executor(answers=False)
    proxy = servers.haproxy(backend.port, certificate if tls else None)
    group = ["-c", 4, "-n", 40, "-X", "POST", "-b", 64, "-l", tmp_path / "told", "users", "/post"]
    variables = {"MESH_TLS_CA": certificate.ca, "MESH_TLS_SERVER_NAME": "localhost"} if tls else {}
    target = ("h2" if tls else "h2c", [proxy])
    with load(group, MESH_SERVICES=services(users=target), MESH_RETRY_REFUSED=refused, **variables) as calls:
        [outcome] = calls.wait()
    assert len(backend.executed) == 40
    assert max(backend.executed.values()) == most, backend.executed
    assert all(line["attempts"] == str(backend.executed[id]) for id, line in ledger(tmp_path / "told").items())
    assert outcome.failed + outcome.statuses.get("502", 0) == 40
