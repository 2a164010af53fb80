"""TLS with real servers: whom the library trusts, what it says when it does not, and what else it agrees with a peer on."""

import pytest

from certificates import Authority
from conftest import services

HTTP1 = "listen 127.0.0.1:%s ssl;"
HTTP2 = "listen 127.0.0.1:%s ssl http2;"


@pytest.fixture
def nginx(servers):
    """Makes an nginx with a certificate."""

    def make(certificate, listen=HTTP2, more=""):
        files = f"ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};"
        return servers.nginx(listen=listen, tls=files + more)

    return make


@pytest.fixture
def call(load):
    """Some calls of one target: call(target, server_name=..., ca=..., MESH_X=...)."""

    def make(target, ca=None, server_name="localhost", calls=1, **variables):
        if ca:
            variables["MESH_TLS_CA"] = ca
        if server_name:
            variables["MESH_TLS_SERVER_NAME"] = server_name
        group = ["-n", calls, "users", "/hello"]
        with load(group, MESH_SERVICES=services(users=target), **variables) as running:
            return running.wait()[0]

    return make


# ---- trust ----


def test_trusted(nginx, call, authority, certificate):
    server = nginx(certificate)
    outcome = call(("h2", [server]), authority.certificate)
    assert outcome.statuses == {"200": 1}, outcome.failures
    assert server.executed()[0]["protocol"] == "HTTP/2.0"


@pytest.mark.parametrize("listen", [HTTP1, HTTP2], ids=["http1", "http2"])
@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"dates": ("20200101000000Z", "20200201000000Z")}, "expired on 2020-02-01"),
        ({"dates": ("20900101000000Z", "20910101000000Z")}, "not yet valid, only from 2090-01-01"),
        ({"names": "DNS:other.example"}, "other.example"),
        ({"names": "IP:127.0.0.9"}, "localhost"),
        ({"names": ""}, "localhost"),
        ({"usage": "clientAuth"}, "not made for servers"),
    ],
    ids=["expired", "not yet valid", "other name", "other address", "no name", "not for servers"],
)
def test_refused(nginx, call, authority, request, listen, how, sentence):
    """The sentence says what is wrong, with which peer, for which name; nothing is sent, nothing is tried again."""
    server = nginx(authority.issue(request.node.callspec.id.replace(" ", "-"), **how), listen)
    outcome = call(("https", [server]), authority.certificate)
    assert outcome.errors == {"MESH_ERR_TLS": 1}, outcome
    detail = outcome.failures[0]["detail"]
    assert sentence in detail and "localhost" in detail and server.endpoint in detail, detail
    assert outcome.attempts == 1
    assert not server.executed()


def test_unknown_authority(nginx, call, certificate, tmp_path):
    server = nginx(certificate)
    stranger = Authority(tmp_path / "stranger", "Somebody else")
    outcome = call(("h2", [server]), stranger.certificate)
    assert outcome.errors == {"MESH_ERR_TLS": 1}, outcome
    assert "localhost" in outcome.failures[0]["detail"]
    assert not server.executed()


def test_system_roots_know_nothing_of_ours(nginx, call, certificate):
    outcome = call(("h2", [nginx(certificate)]))
    assert outcome.errors == {"MESH_ERR_TLS": 1}, outcome


def test_ssl_cert_file(nginx, call, authority, certificate):
    outcome = call(("h2", [nginx(certificate)]), SSL_CERT_FILE=authority.certificate)
    assert outcome.statuses == {"200": 1}, outcome.failures


def test_verification_that_is_off_by_its_word(nginx, call, certificate):
    outcome = call(("h2", [nginx(certificate)]), MESH_TLS_VERIFY="off")
    assert outcome.statuses == {"200": 1}, outcome.failures


def test_address_is_verified_too(nginx, call, authority):
    """Without a name the address of the target is what the certificate must carry."""
    good, bad = nginx(authority.issue("address", "IP:127.0.0.1")), nginx(authority.issue("name-only", "DNS:localhost"))
    outcome = call(f"h2://{good.endpoint}", authority.certificate, server_name=None)
    assert outcome.statuses == {"200": 1}, outcome.failures
    outcome = call(f"h2://{bad.endpoint}", authority.certificate, server_name=None)
    assert outcome.errors == {"MESH_ERR_TLS": 1}, outcome
    assert "127.0.0.1" in outcome.failures[0]["detail"]


def test_old_protocols_are_refused(nginx, call, authority, certificate):
    server = nginx(certificate, HTTP2, "ssl_protocols TLSv1.2;")
    outcome = call(("h2", [server]), authority.certificate)
    assert outcome.statuses == {"200": 1}, outcome.failures
    outcome = call(("h2", [server]), authority.certificate, MESH_TLS_MIN_VERSION="1.3")
    assert outcome.errors == {"MESH_ERR_TLS": 1}, outcome
    assert "version" in outcome.failures[0]["detail"], outcome.failures


# ---- our own certificate ----


@pytest.mark.parametrize("listen", [HTTP1, HTTP2], ids=["http1", "http2"])
def test_client_certificate(nginx, call, authority, certificate, listen):
    us = authority.issue("client", "DNS:client.example", "clientAuth")
    demand = f"ssl_client_certificate {authority.certificate}; ssl_verify_client on;"
    server = nginx(certificate, listen, demand)
    ours = {"MESH_TLS_CERT": us.chain, "MESH_TLS_KEY": us.key}
    outcome = call(("https", [server]), authority.certificate, **ours)
    assert outcome.statuses == {"200": 1}, outcome.failures
    assert server.executed()[0]["verified"] == "SUCCESS"
    outcome = call(("https", [server]), authority.certificate)
    assert outcome.statuses == {"400": 1}, "nginx answers who has none"


def test_key_of_another_certificate(nginx, call, authority, certificate):
    us = authority.issue("one", "DNS:client.example", "clientAuth")
    other = authority.issue("two", "DNS:client.example", "clientAuth")
    outcome = call(
        ("h2", [nginx(certificate)]), authority.certificate, MESH_TLS_CERT=us.chain, MESH_TLS_KEY=other.key
    )
    assert outcome.errors == {"MESH_ERR_TLS": 1}, outcome
    assert str(other.key) in outcome.failures[0]["detail"], outcome.failures


# ---- what is agreed ----


def test_https_speaks_what_the_peer_speaks(nginx, call, authority, certificate):
    """ALPN decides: HTTP/2 where it is offered, else HTTP/1.1 on kept connections."""
    both, old = nginx(certificate), nginx(certificate, HTTP1)
    assert call(("https", [both]), authority.certificate, calls=20).statuses == {"200": 20}
    assert call(("https", [old]), authority.certificate, calls=20).statuses == {"200": 20}
    assert {line["protocol"] for line in both.executed()} == {"HTTP/2.0"}
    assert {line["protocol"] for line in old.executed()} == {"HTTP/1.1"}
    assert len({line["connection"] for line in old.executed()}) == 1


def test_https_with_some_of_each(nginx, load, authority, certificate):
    """Each endpoint of a service is spoken to in its own way."""
    both, old = nginx(certificate), nginx(certificate, HTTP1)
    with load(
        ["-c", 8, "users", "/hello"],
        MESH_SERVICES=services(users=("https", [both, old])),
        MESH_TLS_CA=authority.certificate,
        MESH_TLS_SERVER_NAME="localhost",
    ) as calls:
        calls.until_calls(200, both.endpoint)
        calls.until_calls(200, old.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_h2_is_http2_or_nothing(nginx, call, authority, certificate):
    outcome = call(("h2", [nginx(certificate, HTTP1)]), authority.certificate)
    assert set(outcome.errors) <= {"MESH_ERR_PROTOCOL", "MESH_ERR_TLS"} and outcome.failed == 1, outcome
    assert "HTTP/2" in outcome.failures[0]["detail"] or "protocols" in outcome.failures[0]["detail"], outcome.failures
    assert outcome.attempts == 1


@pytest.mark.parametrize("scheme", ["https", "h2"])
def test_plain_port(servers, call, authority, scheme):
    """TLS to a port that speaks plain HTTP."""
    server = servers.nginx(listen="listen 127.0.0.1:%s;")
    outcome = call((scheme, [server]), authority.certificate)
    assert outcome.errors == {"MESH_ERR_TLS": 1}, outcome
    assert "does not speak TLS" in outcome.failures[0]["detail"]


@pytest.mark.parametrize("protocols", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("listen", [HTTP1, HTTP2], ids=["http1", "http2"])
def test_sessions_are_resumed(nginx, load, authority, certificate, listen, protocols):
    """A new connection to the same peer costs no full handshake: nginx ends each after ten requests, and tells."""
    tls = f"ssl_protocols {protocols}; ssl_session_cache shared:one:1m; keepalive_requests 10;"
    server = nginx(certificate, listen, tls)
    with load(
        ["-n", 100, "users", "/hello"],
        MESH_SERVICES=services(users=("https", [server])),
        MESH_TLS_CA=authority.certificate,
        MESH_TLS_SERVER_NAME="localhost",
    ) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 0, outcome.failures
    resumed = {line["connection"]: line["reused"] for line in server.executed()}
    full = [connection for connection, how in resumed.items() if how != "r"]
    assert len(resumed) >= 10
    assert len(full) <= 2, f"full handshakes: {len(full)} of {len(resumed)}"
