"""A peer that offers HTTP/2 and then wants HTTP/1.1 (HTTP_1_1_REQUIRED, RFC 9113 section 7): it gets it, and no request fails for that."""

import pytest

from conftest import services
from servers.process import eventually

pytest.importorskip("hyperframe", reason="needs Debian's python3-hyperframe")
pytest.importorskip("hpack", reason="needs Debian's python3-hpack")

MODES = ["http1_required", "http1_required_goaway"]


@pytest.fixture
def call(load, certificate):
    def make(protocol, server, *group, **variables):
        with load(
            [*group, "users", "/hello"],
            MESH_SERVICES=services(users=(protocol, [server])),
            MESH_TLS_CA=certificate.ca,
            MESH_TLS_SERVER_NAME="localhost",
            **variables,
        ) as calls:
            return calls.wait()[0]

    return make


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", [["-c", 16], ["-c", 16, "-X", "POST", "-b", 1000], ["-c", 4, "-a", 1]], ids=["get", "post", "one attempt"])
def test_https(servers, certificate, call, mode, group):
    """Free, whatever the method; from then on nothing is tried over HTTP/2."""
    server = servers.misbehaving(mode, certificate)
    outcome = call("https", server, *group, "-n", 200)
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": 200}
    assert outcome.attempts == 200
    eventually(lambda: sum("http1" in report for report in server.reports) == 200, lambda: f"{server.reports}")


@pytest.mark.parametrize("mode", MODES)
def test_two_of_them(servers, certificate, load, mode):
    a, b = servers.misbehaving(mode, certificate), servers.misbehaving(mode, certificate)
    with load(
        ["-c", 8, "-n", 200, "-X", "POST", "-b", 10, "users", "/hello"],
        MESH_SERVICES=services(users=("https", [a, b])),
        MESH_TLS_CA=certificate.ca,
        MESH_TLS_SERVER_NAME="localhost",
    ) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 0, outcome.failures


@pytest.mark.parametrize("mode", MODES)
def test_target_that_demands_http2(servers, certificate, call, mode):
    outcome = call("h2", servers.misbehaving(mode, certificate), "-n", 1)
    assert outcome.errors == {"MESH_ERR_PROTOCOL": 1}, outcome
    detail = outcome.failures[0]["detail"]
    assert "HTTP_1_1_REQUIRED" in detail and "https://" in detail, detail
    assert outcome.attempts == 1
