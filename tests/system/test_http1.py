"""HTTP/1.1 to nginx: kept connections, and what happens when they end."""

from conftest import services
from servers.process import eventually

CALLERS = 8
PLAIN = "listen 127.0.0.1:%s;"


def test_connections_are_kept(servers, load):
    """No more connections than callers, however many requests."""
    server = servers.nginx(listen=PLAIN)
    with load(["-c", CALLERS, "-n", 5000, "users", "/hello"], MESH_SERVICES=services(users=("http", [server]))) as calls:
        [outcome] = calls.wait()
    assert outcome.statuses == {"200": 5000}, outcome.failures
    lines = server.executed()
    assert len(lines) == 5000
    assert {line["protocol"] for line in lines} == {"HTTP/1.1"}
    assert len({line["connection"] for line in lines}) <= CALLERS


def test_restarted(servers, load):
    """The only server goes away and comes back: calls fail meanwhile and say so, then all is well by itself."""
    server = servers.nginx(listen=PLAIN)
    with load(["-c", CALLERS, "-p", 5, "users", "/hello"], MESH_SERVICES=services(users=("http", [server]))) as calls:
        calls.until_calls(200)
        server.kill()
        failed = calls.now().failed
        eventually(lambda: calls.now().failed >= failed + 20, "calls fail")
        server.start()
        calls.until_calls(200, server.endpoint)
        failed = calls.now().failed
        calls.until_calls(500)
        [outcome] = calls.stop()
    assert outcome.failed == failed, "none fails once it serves again"
    assert set(outcome.errors) <= {"MESH_ERR_CONNECT", "MESH_ERR_RESET"}, outcome.failures


def test_one_of_three_restarts(servers, load):
    """The others are enough, and nothing is lost."""
    three = [servers.nginx(listen=PLAIN) for _ in range(3)]
    with load(["-c", CALLERS, "users", "/hello"], MESH_SERVICES=services(users=("http", three))) as calls:
        for server in three:
            calls.until_calls(300, server.endpoint)
            server.kill()
            calls.until_calls(1000)
            server.start()
        for server in three:
            calls.until_calls(300, server.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_server_ends_idle_connections(servers, load):
    """keepalive_timeout 1s and a caller that pauses longer: the next request opens a connection, none is lost."""
    server = servers.nginx(listen=PLAIN, tls="keepalive_timeout 1s;")
    group = ["-c", 2, "-n", 8, "-p", 1300, "-X", "POST", "-b", 10, "users", "/echo"]
    with load(group, MESH_SERVICES=services(users=("http", [server]))) as calls:
        [outcome] = calls.wait()
    assert outcome.statuses == {"200": 8}, outcome.failures
    assert len({line["connection"] for line in server.executed()}) >= 6


def test_large_bodies_both_ways(servers, load):
    server = servers.nginx(listen=PLAIN)
    with load(
        ["-c", 4, "-n", 12, "users", "/large"],
        ["-c", 4, "-n", 12, "-X", "POST", "-b", 4 << 20, "users", "/post"],
        MESH_SERVICES=services(users=("http", [server])),
    ) as calls:
        down, up = calls.wait()
    assert down.statuses == {"200": 12} and down.body_bytes == 12 * (4 << 20), down
    assert up.statuses == {"200": 12}, up
