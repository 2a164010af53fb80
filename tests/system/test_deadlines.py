"""A deadline is kept within 50 ms whatever the peer does or leaves undone."""

import contextlib
import socket
import threading
import time

import pytest

from conftest import services
from servers.process import eventually

pytest.importorskip("hyperframe", reason="needs Debian's python3-hyperframe")
pytest.importorskip("hpack", reason="needs Debian's python3-hpack")

TIMEOUT_MS = 300
LATE_US = 50_000


class Sockets:
    """Plain sockets that accept and then do as little as is wished."""

    def __init__(self):
        self.open = []

    def add(self, one):
        self.open.append(one)
        return one

    def listen(self, backlog=100):
        listener = self.add(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        return listener

    def unanswered(self):
        """Connections are made by the kernel; nobody ever reads or accepts."""
        return self.endpoint(self.listen())

    def unreachable(self):
        """No connection is made at all: the backlog is full, so the kernel drops what comes."""
        listener = self.listen(0)
        while True:
            filler = self.add(socket.socket())
            filler.settimeout(0.3)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                return self.endpoint(listener)

    def sending(self, *pieces, pause=0.0):
        """Sends pieces to whoever connects, whatever they say, and then nothing; the last piece again and again if paused."""
        listener = self.listen()
        threading.Thread(target=self.serve, args=(listener, pieces, pause), daemon=True).start()
        return self.endpoint(listener)

    def serve(self, listener, pieces, pause):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                self.add(sock)
                threading.Thread(target=self.send, args=(sock, pieces, pause), daemon=True).start()

    @staticmethod
    def send(sock, pieces, pause):
        with contextlib.suppress(OSError):
            sock.recv(1)
            for piece in pieces:
                sock.sendall(piece)
            while pause:
                time.sleep(pause)
                sock.sendall(pieces[-1])

    @staticmethod
    def endpoint(listener):
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def close(self):
        for one in self.open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def sockets():
    sockets = Sockets()
    yield sockets
    sockets.close()


@pytest.fixture
def late(load, certificate):
    """Calls a target from some threads and checks how each call ended, and when."""

    def check(target, group=(), calls=20, earlier=("MESH_ERR_CONNECT", "MESH_ERR_RESET"), **variables):
        """`earlier`: errors that may end a call before its deadline."""
        args = ["-r", "-c", 4, "-n", calls, "-t", TIMEOUT_MS, *group, "stuck", "/hello"]
        tls = {"MESH_TLS_CA": certificate.ca, "MESH_TLS_SERVER_NAME": "localhost"}
        for attempt in range(3):  # a machine that is short of processors is late by itself, but not each time
            with load(args, MESH_SERVICES=services(stuck=target), **tls, **variables) as running:
                [outcome] = running.wait()
            assert outcome.failed == calls, outcome
            assert set(outcome.errors) <= {"MESH_ERR_TIMEOUT", *earlier}, outcome.failures
            if outcome.late_us < LATE_US:
                return outcome
        raise AssertionError((outcome.late_us, outcome.late))

    return check


@pytest.mark.parametrize("scheme", ["h2c", "h2", "https", "http"])
def test_nobody_accepts(sockets, late, scheme):
    late(f"{scheme}://{sockets.unanswered()}")


@pytest.mark.parametrize("scheme", ["h2c", "h2", "http"])
def test_nobody_answers_the_handshake_of_tcp(sockets, late, scheme):
    late(f"{scheme}://{sockets.unreachable()}", calls=8)


@pytest.mark.parametrize(
    "mode",
    "no_settings silent deaf head_only dripping_head dripping_body dripping_1xx pinging half_a_frame".split(),
)
def test_http2_peer(servers, late, mode):
    # Heads that drip on several streams of one connection at once break the protocol, if they come to that in time.
    earlier = ("MESH_ERR_PROTOCOL",) if mode == "dripping_head" else ()
    late([servers.misbehaving(mode)], earlier=("MESH_ERR_CONNECT", "MESH_ERR_RESET", *earlier))


@pytest.mark.parametrize("mode", ["silent", "deaf", "dripping_body"])
def test_http2_peer_over_tls(servers, late, certificate, mode):
    late(("h2", [servers.misbehaving(mode, certificate)]))


def test_body_that_may_not_be_sent(servers, late):
    """The peer's window is 0 and stays so."""
    late([servers.misbehaving("zero_window")], group=["-X", "POST", "-b", 100000])


def test_large_body_nobody_reads(servers, late):
    late([servers.misbehaving("deaf_unread")], group=["-X", "PUT", "-b", 4 << 20], calls=8)


@pytest.mark.parametrize("pause", [0, 0.01])
def test_tls_handshake_that_stalls(sockets, late, pause):
    """The first bytes of a record, then nothing; or an endless row of tiny pieces."""
    late(f"h2://{sockets.sending(bytes([22, 3, 3]), bytes([64]), bytes([0]), pause=pause)}")


HTTP1 = {
    "half a status line": (b"HTTP/1.1 20", 0),
    "endless header": (b"HTTP/1.1 200 OK\r\nx: ", b"y", 0.01),
    "no end of headers": (b"HTTP/1.1 200 OK\r\nx: y\r\n", 0),
    "short body": (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", 0),
    "dripping body": (b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"z", 0.01),
    "chunk without an end": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", 0),
    "100 for ever": (b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),  # more than 32 of them would be a flood
}


@pytest.mark.parametrize("case", HTTP1)
def test_http1_peer(sockets, late, case):
    *pieces, pause = HTTP1[case]
    late(f"http://{sockets.sending(*pieces, pause=pause)}")


@pytest.mark.parametrize("kind", ["nghttpd", "nginx"])
def test_frozen_server(servers, load, kind):
    """Frozen under load: what runs on it ends in time, and so does what comes after."""
    server = servers.nghttpd() if kind == "nghttpd" else servers.nginx()
    group = ["-r", "-c", 8, "-t", TIMEOUT_MS, "users", "/hello"]
    with load(group, MESH_SERVICES=services(users=[server])) as calls:
        calls.until_calls(500, server.endpoint)
        server.freeze()
        failed = calls.now().failed
        eventually(lambda: calls.now().failed >= failed + 40, "calls fail")
        server.thaw()
        calls.until_calls(200, server.endpoint)
        [outcome] = calls.stop()
    assert set(outcome.errors) <= {"MESH_ERR_TIMEOUT", "MESH_ERR_RESET", "MESH_ERR_CONNECT"}, outcome.failures
    assert outcome.late_us < LATE_US, (outcome.late_us, outcome.late)


def test_dns_server_that_never_answers(late):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        late("h2c://users.example:80", calls=8, MESH_DNS_SERVERS="127.0.0.1:%d" % mute.getsockname()[1])


def test_retries_end_in_time(servers, load):
    """An endpoint that refuses every request is tried again with pauses, but not beyond the deadline."""
    peer = servers.misbehaving("refused")
    variables = {"MESH_RETRY_ATTEMPTS": 20, "MESH_RETRY_BACKOFF_BASE_MS": 200, "MESH_RETRY_BUDGET_MIN": 1000}
    group = ["-r", "-c", 4, "-n", 20, "-t", TIMEOUT_MS, "stuck"]
    with load(group, MESH_SERVICES=services(stuck=[peer]), **variables) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 20
    assert outcome.late_us < LATE_US, (outcome.late_us, outcome.late)
