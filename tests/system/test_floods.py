"""A peer that floods: its connection ends at once, memory stays bounded, and no other call notices."""

import subprocess

import pytest

from conftest import need, services
from servers.process import eventually

pytest.importorskip("hyperframe", reason="needs Debian's python3-hyperframe")
pytest.importorskip("hpack", reason="needs Debian's python3-hpack")

FLOODS = """
    flood_continuation flood_continuation_unread flood_continuation_empty flood_headers_without_end
    flood_ping flood_ping_unread flood_settings flood_settings_unread flood_settings_empty flood_rst
    flood_empty_data flood_1xx flood_trailers flood_trailer_blocks flood_hpack
    flood_window_update flood_priority flood_goaway flood_unknown flood_push
""".split()
ATTACKS = 4
# What lies in the kernel's buffers on both sides when we stop to read: the peer has sent it, we have not taken it.
BUFFERS = 16 << 20
MORE_KB = 8 << 10


@pytest.fixture
def peer(servers):
    return lambda mode, certificate=None: servers.misbehaving(mode, certificate)


def flood(load, attacked, bystander, timeout_ms=20000, **variables):
    """A few calls of the flooding service while four callers use another one, in the same process and loop."""
    with load(
        ["-c", 4, "good", "/hello"],
        ["-n", ATTACKS, "-p", 50, "-t", timeout_ms, "bad"],
        MESH_SERVICES=services(good=[bystander], bad=[attacked]),
        MESH_CONNECT_TIMEOUT_MS=timeout_ms // 2,  # the peer is Python and may be slow to say hello
        **variables,
    ) as calls:
        calls.until_calls(500)
        before = calls.memory_kb()
        eventually(lambda: calls.now(1).running == 0, lambda: f"the attacks are over: {calls.now(1)}", 60)
        calls.until_calls(500)
        grown = calls.memory_kb("VmHWM") - before
        good, bad = calls.stop()
    return good, bad, grown


@pytest.mark.parametrize(
    "mode",
    [
        *FLOODS,
        "flood_empty_padded_data",
    ],
)
def test_flood(servers, peer, load, sanitized, mode):
    attacked, bystander = peer(mode), servers.nghttpd()
    good, bad, grown = flood(load, attacked, bystander, 2000 if mode == "flood_empty_padded_data" else 20000)
    assert good.failed == 0, good.failures
    assert bad.calls == bad.failed == ATTACKS
    assert set(bad.errors) <= {"MESH_ERR_PROTOCOL", "MESH_ERR_RESET", "MESH_ERR_TOO_LARGE"}, bad.failures
    eventually(lambda: len(attacked.reports) >= ATTACKS, lambda: f"the peer's connections are over: {attacked.reports}")
    assert max(report["taken"] for report in attacked.reports) < BUFFERS, attacked.reports
    assert grown < MORE_KB or sanitized, f"{grown} KB more"


@pytest.mark.parametrize("mode", ["endless_body", "flood_data"])
def test_endless_body(servers, peer, load, sanitized, mode):
    """What is collected has a limit; a peer that goes on sending when the stream is reset loses its connection."""
    attacked = peer(mode)
    good, bad, grown = flood(load, attacked, servers.nghttpd(), MESH_RESPONSE_MAX_BYTES=1 << 20)
    assert good.failed == 0, good.failures
    assert set(bad.errors) <= {"MESH_ERR_TOO_LARGE", "MESH_ERR_PROTOCOL"} and bad.failed == ATTACKS, bad.failures
    assert "response.max_bytes" in bad.failures[0]["detail"]
    assert grown < MORE_KB or sanitized, f"{grown} KB more"


@pytest.mark.parametrize("kind", ["nginx", "nghttpd"])
def test_cancelled_downloads_are_no_flood(servers, load, kind):
    """Honest servers whose answers are given up in full flow: what was on its way is excused, no connection ends for it."""
    server = getattr(servers, kind)()
    with load(
        ["-c", 4, "-n", 400, "-p", 5, "users", "/large"],
        ["-c", 2, "users", "/hello"],
        MESH_SERVICES=services(users=[server]),
        MESH_RESPONSE_MAX_BYTES=100000,
        MESH_HTTP_WINDOW_BYTES=1 << 20,
    ) as calls:
        eventually(lambda: calls.now(0).calls >= 400, "all are given up", 60)
        large, small = calls.stop()
    assert large.errors == {"MESH_ERR_TOO_LARGE": large.calls}, large.errors
    assert small.failed == 0, small.failures
    if kind == "nginx":
        assert len({line["connection"] for line in server.executed()}) <= 4  # streams beyond its 128 make more


def test_flood_over_tls(servers, peer, load, sanitized, certificate):
    attacked, bystander = peer("flood_ping", certificate), servers.nghttpd()
    with load(
        ["-c", 4, "good", "/hello"],
        ["-n", ATTACKS, "-t", 20000, "bad"],
        MESH_SERVICES=services(good=[bystander], bad=("h2", [attacked])),
        MESH_TLS_CA=certificate.ca,
        MESH_TLS_SERVER_NAME="localhost",
    ) as calls:
        calls.until_calls(500)
        eventually(lambda: calls.now(1).running == 0, "the attacks are over", 60)
        good, bad = calls.stop()
    assert good.failed == 0, good.failures
    assert bad.failed == ATTACKS
    assert set(bad.errors) <= {"MESH_ERR_PROTOCOL", "MESH_ERR_RESET"}, bad.failures


# ---- is it the script? other clients against the same peer ----


def test_peer_in_its_right_mind(peer, load):
    """Without a flood it is an ordinary server, to us and to curl."""
    need("curl")
    server = peer("sane")
    with load(["-n", 10, "w"], MESH_SERVICES=services(w=[server])) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 0, outcome.failures
    answer = curl(server)
    assert answer.stdout == "hello\n", answer.stderr


def curl(server):
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--http2-prior-knowledge", "--max-time", "5", f"http://{server.endpoint}/"],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("mode", ["flood_continuation", "flood_ping_unread", "flood_1xx", "flood_trailers", "flood_hpack"])
def test_curl_is_reached_too(peer, mode):
    """The control: curl gets as far as the flood and gives up as well; what it takes until then is its own affair."""
    need("curl")
    server = peer(mode)
    answer = curl(server)
    assert answer.returncode not in (0, 7), answer
    eventually(lambda: server.reports, "the peer's report")
    assert server.reports[0]["taken"] > 0
