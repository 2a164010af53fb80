"""Hashing policies against Envoy itself: the same request goes to the same endpoint, whoever sends it."""

import http.client
import http.server
import json
import subprocess
import threading

import pytest

from servers import envoy, tools
from servers.envoy import Envoy

KEYS = [f"user-{n}" for n in range(400)] + ["x", "ü".encode().decode("latin-1"), "long" * 60]
PAIRS = [f"b{n}|a{n * 7}" for n in range(60)] + ["same|same"]
PATHS = [f"/things/{n}?page={n % 7}" for n in range(200)]
WEIGHTS = {"equal": [1] * 7, "unequal": [3, 1, 10, 2, 7, 1, 5]}
# Envoy's name of the policy, and what is more than its default.
POLICIES = {
    "ring_hash": ("RING_HASH", {}, {}),
    "maglev": ("MAGLEV", {}, {}),
    "small_ring": (
        "RING_HASH",
        {"ring_hash_lb_config": {"minimum_ring_size": 20, "maximum_ring_size": 50}},
        {"ring_min_size": 20, "ring_max_size": 50},
    ),
}
CASES = [(policy, weights) for policy in POLICIES for weights in WEIGHTS]


class TellsItsPort(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or delayed acknowledgements make each answer wait

    def do_GET(self):
        body = str(self.server.server_port).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def backends():
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), TellsItsPort) for _ in range(7)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [server.server_port for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


def cluster(policy, weights, backends):
    name, more, _ = POLICIES[policy]
    endpoints = [
        {"endpoint": {"address": Envoy.at(port)}, "load_balancing_weight": weight}
        for port, weight in zip(backends, WEIGHTS[weights], strict=True)
    ]
    assignment = {"cluster_name": f"{policy}-{weights}", "endpoints": [{"lb_endpoints": endpoints}]}
    return {"name": f"{policy}-{weights}", "lb_policy": name, "load_assignment": assignment, **more}


def route(match, policy, weights, header):
    action = {"cluster": f"{policy}-{weights}", "hash_policy": [{"header": {"header_name": header}}]}
    return {"match": match, "route": action}


@pytest.fixture(scope="module")
def proxy(backends, ports, tmp_path_factory):
    """Goes by the header x-case, then hashes x-key; of the case "path" the path."""
    tools.or_skip(envoy.binary)
    routes = [
        route({"prefix": "/", "headers": [{"name": "x-case", "string_match": {"exact": f"{p}-{w}"}}]}, p, w, "x-key")
        for p, w in CASES
    ]
    routes.append(route({"prefix": "/"}, "ring_hash", "equal", ":path"))
    clusters = [cluster(policy, weights, backends) for policy, weights in CASES]
    server = Envoy(tmp_path_factory.mktemp("envoy"), ports.take(), routes, clusters)
    yield server.start()
    server.stop()


def ask_envoy(proxy, requests):
    """The ports that answer; requests are (path, [(header, value), ...])."""
    connection = http.client.HTTPConnection(*proxy.address, timeout=30)
    answers = []
    for path, headers in requests:
        connection.putrequest("GET", path)
        for name, value in headers:
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        answers.append(int(body))
    connection.close()
    return answers


@pytest.fixture
def ask_mesh(program, environment, backends):
    """The same by libmesh: ask_mesh(policy, weights, hash_on, lines, arguments of keys.c...)."""

    def ask(policy, weights, hash_on, lines, *arguments):
        endpoints = [
            {"address": f"127.0.0.1:{port}", "weight": weight}
            for port, weight in zip(backends, WEIGHTS[weights], strict=True)
        ]
        name = "maglev" if policy == "maglev" else "ring_hash"
        balance = {"policy": name, "hash_on": hash_on, **POLICIES[policy][2]}
        configuration = {"services": {"users": {"endpoints": endpoints, "balance": balance}}}
        done = subprocess.run(
            [program("keys"), "users", *arguments],
            input="".join(f"{line}\n" for line in lines).encode("latin-1"),
            capture_output=True,
            env=environment(MESH_CONFIG=json.dumps(configuration)),
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        return [int(line.rsplit(":", 1)[1]) for line in done.stdout.decode().splitlines()]

    return ask


@pytest.mark.parametrize("policy, weights", CASES)
def test_same_header_same_endpoint(proxy, ask_mesh, policy, weights):
    lines = KEYS + PAIRS
    requests = [("/", [("x-case", f"{policy}-{weights}"), *(("x-key", v) for v in line.split("|"))]) for line in lines]
    theirs = ask_envoy(proxy, requests)
    ours = ask_mesh(policy, weights, "header:x-key", lines, "header", "X-Key")
    assert len(set(theirs)) > 1
    assert [(line, port) for line, port in zip(lines, ours, strict=True)] == list(zip(lines, theirs, strict=True))


def test_same_path_same_endpoint(proxy, ask_mesh):
    theirs = ask_envoy(proxy, [(path, []) for path in PATHS])
    assert ask_mesh("ring_hash", "equal", "path", PATHS, "path") == theirs


def test_same_key_same_endpoint(ask_mesh):
    """hash_key has no counterpart in Envoy: it is the hash itself."""
    lines = [str(n * 0x9E3779B97F4A7C15 % 2**64) for n in range(200)]
    for policy in ("ring_hash", "maglev"):
        first = ask_mesh(policy, "equal", "key", lines, "key")
        assert ask_mesh(policy, "equal", "key", lines, "key") == first
        assert len(set(first)) == 7
