"""TLS to endpoints as a control plane wants it: whom libmesh trusts, as Envoy does, and certificates of the bootstrap's providers."""

import os
import shutil

import pytest

from certificates import Authority
from servers.process import eventually
from xds import resources as r

USERS = "users"
CONTEXT = r.TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
IDENTITY = "spiffe://td/ns/default/sa/users"
REFUSED = {"envoy": "503", "mesh": "MESH_ERR_TLS"}


def secured(common, **more):
    """Fields of a cluster whose endpoints speak HTTP/2 over TLS."""
    context = {"@type": CONTEXT, "common_tls_context": common, **more}
    return {**r.http2(), "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}}


def wants(kind, **match):
    return {"match_typed_subject_alt_names": [{"san_type": kind, "matcher": match}]}


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def serve(plane, backends, client):
    """serve(who, certificate): a client, and change(**fields of the cluster)."""

    def start(who, certificate, client_ca=None, **of_client):
        control = plane(mode="filtered")
        caller = client(who, control, **of_client)
        ports = list(backends(1, certificate=certificate, client_ca=client_ca).ports.values())

        def change(hostname="", **fields):
            members = [r.endpoint(port) for port in ports]
            for member in members:
                member["endpoint"]["hostname"] = hostname
            cluster = [r.cluster("one", **fields), r.endpoints("one", members)]
            control.set(caller.adapt([r.listener(USERS), r.routes(USERS, r.route("one")), *cluster]))

        return caller, change

    return start


@pytest.mark.parametrize("who", ["envoy", "mesh"])
def test_names_that_a_certificate_must_have(serve, authority, who):
    certificate = authority.issue("users", names=f"URI:{IDENTITY},DNS:*.users.test,IP:10.1.2.3")
    caller, change = serve(who, certificate)
    trusted = {"trusted_ca": {"filename": str(authority.certificate)}}
    for kind, match, fits in [
        ("URI", {"exact": IDENTITY}, True),
        ("URI", {"exact": IDENTITY + "-2"}, False),
        ("URI", {"prefix": "spiffe://td/"}, True),
        ("DNS", {"exact": "a.users.test"}, True),
        ("DNS", {"exact": "a.b.users.test"}, False),
        ("DNS", {"suffix": ".users.test"}, True),
        ("IP_ADDRESS", {"exact": "10.1.2.3"}, True),
        ("DNS", {"exact": "10.1.2.3"}, False),
        ("URI", {"safe_regex": {"regex": "spiffe://td/ns/[a-z]+/sa/users"}}, True),
        ("URI", {"safe_regex": {"regex": "spiffe://td/ns/[a-z]+"}}, False),
    ]:
        change(**secured({"validation_context": {**trusted, **wants(kind, **match)}}, sni=f"sni-{kind.lower()[:3]}.test"))
        if fits:
            eventually(lambda: caller.calls(1).ok, f"{kind} {match} fits")
        else:
            eventually(lambda: caller.calls(1).failures == {REFUSED[who]: 1}, f"{kind} {match} does not fit")


@pytest.mark.parametrize("who", ["envoy", "mesh"])
def test_the_name_that_is_sent(serve, authority, who):
    caller, change = serve(who, authority.issue("users", names="DNS:other.test"))
    validation = {"trusted_ca": {"filename": str(authority.certificate)}}
    change(**secured({"validation_context": validation}, sni="outbound_.80_._.users"))
    results = eventually(lambda: (found := caller.calls(1)).ok and found, "the cluster is there")
    assert results.told[0]["sni"] == "outbound_.80_._.users"
    change(**secured({"validation_context": validation}, sni="other.test", auto_sni_san_validation=True))
    eventually(lambda: [told["sni"] for told in caller.calls(1).told] == ["other.test"], "the other name is sent")
    change(**secured({"validation_context": validation}, sni="another.test", auto_sni_san_validation=True))
    eventually(lambda: caller.calls(1).failures == {REFUSED[who]: 1}, "the name is verified")


@pytest.mark.parametrize("who", ["envoy", "mesh"])
def test_the_name_of_an_endpoint(serve, authority, who):
    """It is sent where the control plane wants it, and never else."""
    caller, change = serve(who, authority.issue("users", names="DNS:backend.test"))
    common = {"validation_context": {"trusted_ca": {"filename": str(authority.certificate)}}}
    change(hostname="backend.test", **secured(common))
    eventually(lambda: [told["sni"] for told in caller.calls(1).told] == [""], "no name is sent")
    change(hostname="backend.test", **secured(common, auto_host_sni=True, auto_sni_san_validation=True))
    eventually(lambda: [told["sni"] for told in caller.calls(1).told] == ["backend.test"], "the endpoint's name is sent")
    change(hostname="other.test", **secured(common, auto_host_sni=True, auto_sni_san_validation=True))
    eventually(lambda: caller.calls(1).failures == {REFUSED[who]: 1}, "the name is verified")


def test_nobody_goes_unverified(serve, authority):
    """Envoy would verify nothing."""
    caller, change = serve("mesh", authority.issue("users", names="DNS:users.test"))
    change(**secured({}, sni="users.test"))
    results = eventually(lambda: (found := caller.calls(1)).failures == {"MESH_ERR_TLS": 1} and found, "it is refused")
    assert any("unknown issuer" in message for message in results.messages), results


PROVIDED = {"instance_name": "default", "certificate_name": "default"}
ISTIO = {
    "tls_certificate_provider_instance": PROVIDED,
    "combined_validation_context": {
        "default_validation_context": {
            "ca_certificate_provider_instance": {"instance_name": "default", "certificate_name": "ROOTCA"},
            "match_subject_alt_names": [{"exact": IDENTITY}],
        }
    },
}


def replace(path, with_file):
    shutil.copy(with_file, path.with_suffix(".new"))
    os.rename(path.with_suffix(".new"), path)


def test_certificates_of_a_provider_are_renewed(serve, authority, tmp_path):
    """As Istio writes it for proxyless clients; its agent replaces the files."""
    own = [authority.issue(f"client-{i}", names="", usage="clientAuth") for i in range(2)]
    chain, key = tmp_path / "cert-chain.pem", tmp_path / "key.pem"
    replace(chain, own[0].chain)
    replace(key, own[0].key)
    files = {"certificate_file": str(chain), "private_key_file": str(key), "ca_certificate_file": str(authority.certificate)}
    providers = {"default": {"plugin_name": "file_watcher", "config": {**files, "refresh_interval": "900s"}}}
    certificate = authority.issue("users", names=f"URI:{IDENTITY}")
    caller, change = serve("mesh", certificate, client_ca=authority.certificate, certificate_providers=providers)
    change(**secured(ISTIO))
    eventually(lambda: caller.calls(1).ok, "the cluster is there")
    assert caller.calls(1).told[0]["client"] == "CN=client-0"
    replace(chain, own[1].chain)
    replace(key, own[1].key)

    def is_renewed():
        results = caller.calls(5)
        assert results.failed == 0, results
        return {told["client"] for told in results.told} == {"CN=client-1"}

    eventually(is_renewed, "connections have the new certificate")
