"""A thousand threads call one client."""

import pytest

from conftest import services

THREADS = 1000


@pytest.mark.parametrize("streams", [100, 1000])
def test_thousand_threads(servers, load, streams):
    """As many requests at once as the breaker lets through; the peers' limits of streams make more connections, no errors."""
    three = [servers.nghttpd(options=["-m", str(streams)]) for _ in range(3)]
    group = ["-c", THREADS, "-n", 20 * THREADS, "users", "/hello"]
    with load(group, MESH_SERVICES=services(users=three)) as calls:
        [outcome] = calls.wait()
    assert outcome.statuses == {"200": 20 * THREADS}, outcome.failures
    assert set(outcome.endpoints) == {server.endpoint for server in three}


def test_more_than_the_breaker_allows(servers, load):
    """Who is over the limit hears so at once; nothing of it is sent."""
    server = servers.nginx(behind=f"http://127.0.0.1:{servers.executor(work_s=0.02).port}")
    group = ["-c", 64, "-n", 2000, "users", "/post"]
    with load(group, MESH_SERVICES=services(users=[server]), MESH_BREAKER_MAX_REQUESTS=16) as calls:
        [outcome] = calls.wait()
    assert set(outcome.errors) == {"MESH_ERR_OVERFLOW"}, outcome.failures
    assert "breaker.max_requests" in outcome.failures[0]["detail"]
    assert outcome.statuses == {"200": 2000 - outcome.failed}
    assert len(server.executed()) == 2000 - outcome.failed


def test_one_slow_among_three(servers, load):
    """It costs its own requests time, not those of the others."""
    fast = [servers.nginx(behind=f"http://127.0.0.1:{servers.executor(work_s=0.001).port}") for _ in range(2)]
    slow = servers.nginx(behind=f"http://127.0.0.1:{servers.executor(work_s=0.2).port}")
    group = ["-c", 16, "-n", 3000, "users", "/post"]
    with load(group, MESH_SERVICES=services(users=[slow, *fast])) as calls:
        [outcome] = calls.wait()
    assert outcome.statuses == {"200": 3000}, outcome.failures
    assert outcome.endpoints.get(slow.endpoint, 0) < 300, outcome.endpoints
