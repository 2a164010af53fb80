"""Active health checks with real servers: who says that it is unwell gets no requests, until it is well again."""

import concurrent.futures
import json
import pathlib
import socket
import subprocess
import threading

import pytest

from conftest import need, services
from servers.process import eventually

CALLERS = 8
FAST = {
    "MESH_HEALTH_INTERVAL_MS": 20,
    "MESH_HEALTH_TIMEOUT_MS": 10000,
    "MESH_LOG_LEVEL": "info",
    "MESH_BALANCE_POLICY": "round_robin",
}


class Events:
    """The events that a load writes; until() waits for one of an endpoint that was not seen before."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.seen = 0

    def until(self, event, endpoint):
        def found():
            lines = self.path.read_text().splitlines() if self.path.exists() else []
            for i, line in enumerate(lines[self.seen :], self.seen):
                if f" {event} " in line and endpoint in line:
                    self.seen = i + 1
                    return line
            return None

        return eventually(found, lambda: f"{event} of {endpoint}: {self.path.read_text()}")


@pytest.fixture
def events(tmp_path):
    return Events(tmp_path / "events.log")


def leaves_and_returns(calls, events, victim, other, make_unwell, make_well):
    """Calls go to both, then to the other alone, then to both; none fails. What the event said."""
    calls.until_calls(200, victim)
    calls.until_calls(200, other)
    make_unwell()
    line = events.until("endpoint_unhealthy", victim)
    calls.until_calls(2 * CALLERS)  # those under way
    before = calls.calls(victim)
    calls.until_calls(1000, other)
    assert calls.calls(victim) == before
    make_well()
    events.until("endpoint_healthy", victim)
    calls.until_calls(200, victim)
    [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    return line


@pytest.mark.parametrize("scheme", ["h2c", "http", "h2", "https"])
def test_http(servers, load, events, tmp_path, certificate, scheme):
    tls = f"ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};" if scheme in ("h2", "https") else ""
    listen = f"listen 127.0.0.1:%s{' ssl' if tls else ''}{' http2' if 'h2' in scheme else ''};"
    sick = tmp_path / "sick"
    extra = f"location = /healthz {{ if (-f {sick}) {{ return 503; }} return 200 $http_user_agent; }}"
    victim, other = servers.nginx(listen=listen, tls=tls, extra=extra), servers.nginx(
        listen=listen, tls=tls, extra="location = /healthz { return 200; }"
    )
    variables = {"MESH_TLS_CA": certificate.ca, "MESH_TLS_SERVER_NAME": "localhost"} if tls else {}
    with load(
        ["-c", CALLERS, "users", "/hello"],
        MESH_SERVICES=services(users=(scheme, [victim, other])),
        MESH_HEALTH_CHECK="http",
        MESH_HEALTH_PATH="/healthz",
        MESH_LOG=events.path,
        **FAST,
        **variables,
    ) as calls:
        line = leaves_and_returns(calls, events, victim.endpoint, other.endpoint, sick.touch, sick.unlink)
    assert 'detail="GET /healthz was answered with 503"' in line


def test_http_reload(servers, load, events):
    """nginx's graceful reload ends the connections that checks are on: nobody becomes unhealthy by that."""
    server = servers.nginx(extra="location = /healthz { return 200; }")
    with load(
        ["-c", CALLERS, "users", "/hello"],
        MESH_SERVICES=services(users=[server]),
        MESH_HEALTH_CHECK="http",
        MESH_HEALTH_PATH="/healthz",
        MESH_HEALTH_UNHEALTHY_THRESHOLD=1,
        MESH_LOG=events.path,
        **{**FAST, "MESH_HEALTH_INTERVAL_MS": 10},
    ) as calls:
        for _ in range(10):
            calls.until_calls(500)
            server.reload()
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    assert "endpoint_unhealthy" not in events.path.read_text()


def test_frozen(servers, load, events):
    """A stopped process: its checks get no answer, also while hardly anybody calls; when it goes on, it is well again."""
    victim, other = servers.nghttpd(), servers.nghttpd()
    with load(
        ["-c", 1, "-p", 100, "users", "/hello"],
        MESH_SERVICES=services(users=[victim, other]),
        MESH_HEALTH_CHECK="http",
        MESH_HEALTH_PATH="/hello",
        MESH_LOG=events.path,
        **{**FAST, "MESH_HEALTH_TIMEOUT_MS": 1000},
    ) as calls:
        calls.until_calls(2, victim.endpoint)
        victim.freeze()
        events.until("endpoint_unhealthy", victim.endpoint)
        calls.until_calls(5, other.endpoint)
        victim.thaw()
        events.until("endpoint_healthy", victim.endpoint)
        calls.until_calls(2, victim.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


@pytest.fixture
def grpc_server():
    """Starts gRPC servers with the standard health service; each has `port` and `statuses` by service."""
    grpc = pytest.importorskip("grpc", reason="grpc is not installed (Debian package python3-grpcio)")
    running = []

    class Server:
        def __init__(self):
            self.statuses = {"": 1}
            self.asked = []
            self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), [Handlers(self)])
            self.port = self.server.add_insecure_port("127.0.0.1:0")
            self.endpoint = f"127.0.0.1:{self.port}"
            self.server.start()
            running.append(self.server)

        def check(self, request, context):
            # HealthCheckRequest: nothing, or field 1 with a length of one byte
            service = request[2:].decode()
            assert request == (b"\n" + bytes([len(service)]) + service.encode() if service else b"")
            self.asked.append((service, dict(context.invocation_metadata())))
            if service not in self.statuses:
                context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            return bytes([8, self.statuses[service]])

    class Handlers(grpc.GenericRpcHandler):
        def __init__(self, server):
            self.server = server

        def service(self, details):
            if details.method == "/grpc.health.v1.Health/Check":
                return grpc.unary_unary_rpc_method_handler(self.server.check)
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")

    yield Server
    for server in running:
        server.stop(None)


GRPC_CALL = ["-X", "POST", "-b", 6, "-H", "content-type: application/grpc", "-H", "te: trailers", "users", "/users.Users/Get"]


@pytest.mark.parametrize("service", ["", "shop.Users"])
def test_grpc(grpc_server, load, events, service):
    victim, other = grpc_server(), grpc_server()
    victim.statuses[service] = other.statuses[service] = 1

    def set_status(status):
        victim.statuses[service] = status

    with load(
        ["-c", CALLERS, *GRPC_CALL],
        MESH_SERVICES=services(users=[victim.endpoint, other.endpoint]),
        MESH_HEALTH_CHECK="grpc",
        MESH_HEALTH_GRPC_SERVICE=service,
        MESH_LOG=events.path,
        **FAST,
    ) as calls:
        line = leaves_and_returns(
            calls, events, victim.endpoint, other.endpoint, lambda: set_status(2), lambda: set_status(1)
        )
    assert "was answered with NOT_SERVING" in line
    assert {asked for asked, _ in victim.asked} == {service}
    assert "libmesh/health" in victim.asked[0][1]["user-agent"]


def test_grpc_without_the_service(grpc_server, load, events):
    server = grpc_server()
    with load(
        ["-c", 1, "-p", 10, *GRPC_CALL],
        MESH_SERVICES=services(users=[server.endpoint]),
        MESH_HEALTH_CHECK="grpc",
        MESH_HEALTH_GRPC_SERVICE="other",
        MESH_LOG=events.path,
        **FAST,
    ) as calls:
        line = events.until("endpoint_unhealthy", server.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures  # nobody is healthy: everybody is asked
    assert "grpc-status 5" in line


class Listener:
    """Accepts and keeps what it has accepted; can stop to listen and begin again."""

    def __init__(self, port):
        self.port = port
        self.accepted = 0
        self.listen()

    def listen(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen(64)
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            peer.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def test_tcp(servers, load, events, ports):
    """A service that only has to accept. The load calls another one, so nothing but checks comes here."""
    listener = Listener(ports.take())
    try:
        endpoint = f"127.0.0.1:{listener.port}"
        with load(
            ["-c", 1, "-n", 1, "-a", 1, "users", "/"],
            ["-c", 1, "-p", 10, "other", "/hello"],
            MESH_SERVICES=services(users=[endpoint], other=[servers.nghttpd()]),
            MESH_HEALTH_CHECK="tcp",
            MESH_LOG=events.path,
            **FAST,
        ) as calls:
            eventually(lambda: listener.accepted > 20, "checks")
            listener.close()
            line = events.until("endpoint_unhealthy", endpoint)
            listener.listen()
            events.until("endpoint_healthy", endpoint)
            calls.stop()
        assert "refused" in line
    finally:
        listener.close()


def checks(server):
    """How many checks nginx has answered."""
    return sum(line["id"] == "" for line in server.executed())


def test_changed_configuration(servers, load, events, tmp_path):
    """Checks begin, end and change with the configuration; who leaves the service is not asked any more."""
    victim, other, third = (
        servers.nginx(extra=f"location = /sick {{ return {status}; }} location = /well {{ return 200; }}")
        for status in (503, 200, 200)
    )
    path = tmp_path / "mesh.json"

    def configure(*members, **health):
        service = {
            "endpoints": [{"address": member.endpoint} for member in members],
            "protocol": "h2c",
            "health": {"interval_ms": 20, "timeout_ms": 10000, **health},
            "balance": {"policy": "round_robin"},
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"log": str(events.path), "log.level": "info", "services": {"users": service}}))
        fresh.rename(path)

    configure(victim)
    ledger = tmp_path / "ledger"
    with load(["-c", CALLERS, "-l", ledger, "users", "/hello"], MESH_CONFIG=path) as calls:
        calls.until_calls(200, victim.endpoint)
        assert checks(victim) == 0
        configure(victim, other, check="http", path="/sick")
        events.until("endpoint_unhealthy", victim.endpoint)
        configure(victim, other, check="off")
        events.until("config_loaded", path.name)
        calls.until_calls(200, victim.endpoint)
        calls.until_calls(200, other.endpoint)
        before = checks(victim)
        calls.until_calls(200, victim.endpoint)
        assert checks(victim) == before
        configure(victim, other, check="http", path="/sick", interval_ms=3600000)
        configure(victim, other, check="http", path="/well")
        eventually(lambda: checks(victim) > before + 5, "checks of another path, at another interval")
        configure(third, other, check="http", path="/well")
        events.until("endpoints_changed", "joined=1 left=1")
        calls.until_calls(200, third.endpoint)
        before = checks(victim)
        calls.until_calls(1000)
        assert checks(victim) == before
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_fork(servers, program, environment):
    """Processes that fork while checks run: parent and children go on, each with connections and checks of its own."""
    server = servers.nginx(extra="location = /healthz { return 200; }")
    done = subprocess.run(
        [program("fork"), "users", "/hello", "6", "50"],
        env=environment(
            MESH_SERVICES=services(users=[server]),
            MESH_HEALTH_CHECK="http",
            MESH_HEALTH_PATH="/healthz",
            **{**FAST, "MESH_HEALTH_INTERVAL_MS": 10, "MESH_LOG_LEVEL": "warn"},
        ),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failed"] == 0 and told["unwell"] == 0, done.stdout + done.stderr
    assert "endpoint_unhealthy" not in done.stderr
    on = {}
    for line in server.executed():
        on.setdefault(line["connection"], set()).add(line["who"])
    assert len(on) >= 4  # the parent's, and those of the children that call
    assert all(len(who - {""}) <= 1 for who in on.values()), "each has its own connections"


def test_endpoints_command(servers, mesh, environment):
    need("nginx")
    well = servers.nginx(extra="location = /healthz { return 204; }")
    unwell = servers.nginx(extra="location = /healthz { return 429; }")
    done = subprocess.run(
        [mesh, "endpoints", "users"],
        env=environment(
            MESH_SERVICES=services(users=[well, unwell]),
            MESH_HEALTH_CHECK="http",
            MESH_HEALTH_PATH="/healthz",
            MESH_HEALTH_STATUSES="200,204",
            MESH_LOG="off",
        ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    rows = {line.split()[0]: line for line in done.stdout.splitlines()[2:]}
    assert " connected " in rows[well.endpoint]
    assert " unhealthy " in rows[unwell.endpoint]
    assert "GET /healthz was answered with 429" in rows[unwell.endpoint]
