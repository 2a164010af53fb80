"""nginx reloads again and again under load: workers say GOAWAY, or close what is idle, and no request is lost."""

import pytest

from conftest import services

RELOADS = 20
CALLS = 40_000
CALLERS = 16
# A machine that is too busy to let nginx run for half a second is not what is tested here: a POST is not sent again then.
PATIENT = {"MESH_CONNECTION_SILENCE_MS": 10000}


def reload_under(calls, server, n=CALLS):
    """20 reloads spread over so many calls."""
    for _ in range(RELOADS):
        calls.until_calls(n // RELOADS)
        server.reload()
    [outcome] = calls.stop()
    assert outcome.calls >= n
    return outcome


@pytest.mark.parametrize(("workers", "n"), [(1, CALLS), (2, CALLS // 4)])
def test_h2c(servers, load, workers, n):
    server = servers.nginx(workers=workers)
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=[server])) as calls:
        outcome = reload_under(calls, server, n)
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


def test_tls(servers, load, certificate):
    tls = f"ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};"
    server = servers.nginx(listen="listen 127.0.0.1:%s ssl http2;", tls=tls)
    with load(
        ["-c", CALLERS, "users", "/hello"],
        MESH_SERVICES=services(users=("h2", [server])),
        MESH_TLS_CA=certificate.ca,
        MESH_TLS_SERVER_NAME="localhost",
    ) as calls:
        outcome = reload_under(calls, server)
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


def test_http1(servers, load):
    server = servers.nginx(listen="listen 127.0.0.1:%s;")
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=("http", [server]))) as calls:
        outcome = reload_under(calls, server, CALLS // 2)
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


def test_posts_over_h2c(servers, load):
    """What is sent behind a GOAWAY was not executed: a POST is sent again, once."""
    server = servers.nginx()
    group = ["-c", CALLERS, "-X", "POST", "-b", 16, "users", "/post"]
    with load(group, MESH_SERVICES=services(users=[server]), **PATIENT) as calls:
        outcome = reload_under(calls, server, CALLS // 4)
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


@pytest.mark.parametrize(("callers", "requests"), [(1, 3), (CALLERS, 50)])
def test_connections_that_end_after_a_few_requests(servers, load, callers, requests):
    """keepalive_requests: again and again a request meets a connection that has just said GOAWAY."""
    server = servers.nginx(keepalive_requests=requests)
    group = ["-c", callers, "-n", 5000, "users", "/hello"]
    with load(group, MESH_SERVICES=services(users=[server])) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": 5000}
