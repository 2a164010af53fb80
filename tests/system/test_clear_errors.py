"""What cannot work says why; what the process lacks does not hurt the calls that can do without."""

import json
import os
import resource
import subprocess

import pytest

from conftest import need, services

CALLERS = 16


def one(load, target, *group, through=(), **variables):
    """The failure of one call."""
    with load(["-n", 1, *group, target, "/hello"], through=through, **variables) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 1, outcome
    return outcome.failures[0]


# ---- nobody to talk to ----


@pytest.mark.parametrize("scheme", ["h2c", "h2", "https", "http"])
def test_refused(load, ports, scheme):
    endpoint = f"127.0.0.1:{ports.take()}"
    failure = one(load, f"{scheme}://{endpoint}")
    assert failure["error"] == "MESH_ERR_CONNECT", failure
    assert endpoint in failure["detail"] and "refused" in failure["detail"], failure


@pytest.mark.parametrize("scheme", ["h2c", "https", "http"])
def test_no_network(load, scheme):
    """In a network namespace of its own, where nothing leads anywhere: the kernel says so at once."""
    need("unshare")
    alone = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode != 0:
        pytest.skip("unshare may not make a network namespace here")
    failure = one(load, f"{scheme}://192.0.2.1:80", "-t", 5000, through=alone)
    assert failure["error"] == "MESH_ERR_CONNECT", failure
    assert "192.0.2.1:80" in failure["detail"] and "unreachable" in failure["detail"], failure


@pytest.mark.parametrize("target", ["nobody.mesh.test", "h2c://nobody.mesh.test:80", "srv+h2c://_h._tcp.nobody.mesh.test"])
def test_name_that_does_not_exist(load, knot, target):
    """A DNS server of ours says so."""
    failure = one(load, target, "-t", 5000, MESH_DNS_SERVERS=knot.endpoint)
    assert failure["error"] == "MESH_ERR_DNS", failure
    assert "nobody.mesh.test" in failure["detail"], failure


def test_no_dns_server(load, ports):
    failure = one(load, "h2c://users.example:80", "-t", 5000, MESH_DNS_SERVERS=f"127.0.0.1:{ports.take()}")
    assert failure["error"] == "MESH_ERR_DNS", failure
    assert "users.example" in failure["detail"], failure


@pytest.mark.parametrize("service", ["ftp://a:1", "h2c://", "h2c://a:99999", "h2c+unix:", "a b"])
def test_target_that_is_none(load, service):
    failure = one(load, service)
    assert failure["error"] in ("MESH_ERR_INVALID", "MESH_ERR_NO_ROUTE"), failure
    assert service in failure["detail"] or "position 1" in failure["detail"], failure


# ---- bad input never leaves ----


@pytest.mark.parametrize(
    "group",
    [
        ["-X", "GET\r\nx: y"],
        ["-X", "GE T"],
        ["-H", "x-a: b\r\nx-c: d"],
        ["-H", "x-a: b\nc"],
        ["-H", "x a: b"],
        ["-H", "connection: close"],
        ["-H", "transfer-encoding: chunked"],
        ["-H", "host: a\r\nb"],
    ],
    ids=lambda group: " ".join(group).encode("unicode_escape").decode(),
)
@pytest.mark.parametrize("scheme", ["h2c", "http"])
def test_injection(servers, load, scheme, group):
    server = servers.nginx(listen="listen 127.0.0.1:%s" + (" http2;" if scheme == "h2c" else ";"))
    failure = one(load, f"{scheme}://{server.endpoint}", *group)
    assert failure["error"] == "MESH_ERR_INVALID", failure
    assert not server.executed()
    assert "\r" not in failure["detail"] and "\n" not in failure["detail"]


@pytest.mark.parametrize("path", ["/a\r\nx: y", "/a b", "no-slash"])
def test_injection_by_path(servers, load, path):
    server = servers.nginx()
    with load(["-n", 1, f"h2c://{server.endpoint}", path]) as calls:
        [outcome] = calls.wait()
    assert outcome.errors == {"MESH_ERR_INVALID": 1}, outcome
    assert not server.executed()


# ---- what the process lacks ----


def test_few_descriptors(servers, load):
    """20 descriptors are enough for sixteen callers of three HTTP/2 endpoints."""
    three = [servers.nghttpd() for _ in range(3)]
    group = ["-c", CALLERS, "-n", 5000, "users", "/hello"]
    limits = [(resource.RLIMIT_NOFILE, 20)]
    with load(group, limits=limits, MESH_SERVICES=services(users=three)) as calls:
        [outcome] = calls.wait()
    assert outcome.statuses == {"200": 5000}, outcome.failures


def test_no_descriptors(servers, load):
    """With none left the sentence says what is missing."""
    server = servers.nghttpd()
    group = ["-c", 4, "-n", 40, "users", "/hello"]
    with load(group, limits=[(resource.RLIMIT_NOFILE, 4)], MESH_SERVICES=services(users=[server])) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 40, outcome
    assert set(outcome.errors) <= {"MESH_ERR_IO", "MESH_ERR_CONNECT"}, outcome.errors
    assert all("open files" in failure["detail"] for failure in outcome.failures), outcome.failures[0]


def test_few_descriptors_http1(servers, load):
    """HTTP/1.1 wants a connection for each caller: those that get one are served, the others hear why not."""
    server = servers.nginx(listen="listen 127.0.0.1:%s;")
    group = ["-c", CALLERS, "-n", 2000, "users", "/hello"]
    limits = [(resource.RLIMIT_NOFILE, 14)]
    with load(group, limits=limits, MESH_SERVICES=services(users=("http", [server]))) as calls:
        [outcome] = calls.wait()
    assert outcome.statuses.get("200", 0) > 0, outcome.failures[:3]
    assert all("open files" in failure["detail"] for failure in outcome.failures), outcome.failures[:3]


def test_access_log_on_a_full_disk(servers, load):
    """It costs log lines, no calls."""
    server = servers.nghttpd()
    group = ["-c", CALLERS, "-n", 5000, "users", "/hello"]
    with load(group, MESH_SERVICES=services(users=[server]), MESH_ACCESS_LOG="/dev/full") as calls:
        [outcome] = calls.wait()
    assert outcome.statuses == {"200": 5000}, outcome.failures


def test_access_log_nobody_reads(servers, load):
    """A pipe that is full blocks nobody."""
    server = servers.nghttpd()
    read, write = os.pipe()
    try:
        pipe = f"/proc/{os.getpid()}/fd/{write}"
        group = ["-c", CALLERS, "-n", 5000, "users", "/hello"]
        with load(group, MESH_SERVICES=services(users=[server]), MESH_ACCESS_LOG=pipe) as calls:
            [outcome] = calls.wait()
    finally:
        os.close(read)
        os.close(write)
    assert outcome.statuses == {"200": 5000}, outcome.failures


def test_access_log(servers, load, ports, tmp_path):
    """One JSON object a request, whatever became of it."""
    server = servers.nghttpd()
    log = tmp_path / "access.log"
    with load(
        ["-c", 4, "-n", 100, "users", "/hello?token=secret"],
        ["-n", 1, "nowhere"],
        MESH_SERVICES=services(users=[server], nowhere=f"h2c://127.0.0.1:{ports.take()}"),
        MESH_ACCESS_LOG=log,
    ) as calls:
        calls.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 101
    good = [line for line in lines if line["service"] == "users"]
    assert {line["upstream_host"] for line in good} == {server.endpoint}
    assert {line["response_code"] for line in good} == {200}
    [bad] = [line for line in lines if line["service"] == "nowhere"]
    assert bad["error"] == "MESH_ERR_CONNECT" and "UF" in bad["response_flags"], bad
    assert "secret" not in log.read_text()
