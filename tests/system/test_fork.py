"""fork() while calls run: parent and children go on calling, each on connections of its own."""

import collections
import json
import subprocess

import pytest

from conftest import services

CHILDREN = 8
CALLS = 100  # of each of a child's two threads


def connections(server):
    """x-who → the connections its requests came on, and how many requests."""
    on, n = collections.defaultdict(set), collections.Counter()
    for line in server.executed():
        on[line["who"]].add(line["connection"])
        n[line["who"]] += 1
    return on, n


@pytest.mark.parametrize("scheme", ["h2c", "h2", "http"])
def test_fork(servers, program, environment, certificate, scheme):
    tls = f"ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};" if scheme == "h2" else ""
    listen = {"h2c": "listen 127.0.0.1:%s http2;", "h2": "listen 127.0.0.1:%s ssl http2;", "http": "listen 127.0.0.1:%s;"}
    server = servers.nginx(listen=listen[scheme], tls=tls)
    variables = {"MESH_TLS_CA": certificate.ca, "MESH_TLS_SERVER_NAME": "localhost"} if tls else {}
    done = subprocess.run(
        [program("fork"), "users", "/hello", str(CHILDREN), str(CALLS)],
        env=environment(MESH_SERVICES=services(users=(scheme, [server])), **variables),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failed"] == 0 and told["unwell"] == 0, done.stdout + done.stderr
    on, n = connections(server)
    callers = [f"child-{i}" for i in range(1, CHILDREN + 1, 2)]
    assert set(on) == {"parent", *callers}
    assert all(n[child] == 2 * CALLS for child in callers)
    shared = [pair for pair in zip(sorted(on), sorted(on)[1:], strict=False) if on[pair[0]] & on[pair[1]]]
    assert not shared and len(set.union(*on.values())) == sum(map(len, on.values())), "each has its own connections"
