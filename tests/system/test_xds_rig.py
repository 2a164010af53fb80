"""What the tests of xDS stand on, proven with gRPC and Envoy: control planes, backends, and lies."""

import pytest

from servers.plane import answer, any_of
from servers.process import eventually
from xds import resources as r


def settled(caller, n, wanted):
    """n calls as soon as only these backends answer."""

    def look():
        results = caller.calls(n)
        return results if set(results.backends) == set(wanted) and not results.failed else None

    return eventually(look, f"answers from {wanted} only")


EACH = pytest.mark.parametrize("name", ["grpc", "envoy", "mesh"])
BY_BOOTSTRAP = pytest.mark.parametrize("name", ["grpc", "mesh"])


@EACH
def test_round_robin_and_an_update(plane, backends, client, name):
    control, back = plane(), backends(4)
    caller = client(name, control)
    ports = list(back.ports.values())
    control.set(caller.adapt(r.service("users", ports[:3])))
    settled(caller, 3, ["b0", "b1", "b2"])
    assert caller.calls(300).backends == {"b0": 100, "b1": 100, "b2": 100}

    control.set(caller.adapt(r.service("users", ports[2:])))
    settled(caller, 8, ["b2", "b3"])
    assert [request["version"] for request in control.wait("ack", "ClusterLoadAssignment", n=2)] == ["1", "2"]
    assert not control.requests("nack")
    assert back.counts()["b0"] >= 101


@EACH
def test_traffic_splitting(plane, backends, client, name):
    control, back = plane(), backends(2)
    caller = client(name, control)
    split = r.routes("users", r.route({"one": 20, "other": 80}))
    served = [r.listener("users"), split, r.cluster("one"), r.cluster("other")]
    served += [r.endpoints("one", [back.ports["b0"]]), r.endpoints("other", [back.ports["b1"]])]
    control.set(caller.adapt(served))
    settled(caller, 40, ["b0", "b1"])
    assert 140 <= caller.calls(1000, parallel=4).backends["b0"] <= 260  # 4.7 deviations


def test_nack_in_the_journal(plane, backends, client):
    """gRPC refuses two endpoints of one address, keeps what it had, and says why."""
    control, back = plane(), backends(1)
    caller = client("grpc", control)
    control.set(r.service("users", [back.port]))
    settled(caller, 1, ["b0"])
    control.set(r.service("users", [back.port, back.port]))
    refused = control.wait("nack", "ClusterLoadAssignment")[0]
    assert refused["version"] == "1"
    assert refused["code"] == 3
    assert f"127.0.0.1:{back.port}" in refused["error"]
    assert caller.calls(10).ok == 10
    control.set(r.service("users", [back.port]))
    assert control.wait("ack", "ClusterLoadAssignment", n=2)[-1]["version"] == "3"


@EACH
def test_killed_and_restarted_without_memory(plane, backends, client, name):
    control, back = plane(), backends(2)
    caller = client(name, control)
    control.set(caller.adapt(r.service("users", [back.ports["b0"]])))
    settled(caller, 1, ["b0"])
    control.kill()
    assert caller.calls(20).backends == {"b0": 20}

    control.reset()
    control.start()
    control.set(caller.adapt(r.service("users", [back.ports["b1"]])))
    settled(caller, 1, ["b1"])
    (stream,) = control.wait_open("sotw")
    assert stream["node"]["id"] == "client"
    assert stream["node"]["user_agent_name"]


@BY_BOOTSTRAP
def test_fallback(plane, backends, client, name):
    """The first plane is dead at the start; the client goes back to it when it comes."""
    first, second, back = plane(), plane(), backends(2)
    first.kill()
    second.set(r.service("users", [back.ports["b1"]]))
    caller = client(name, first, second)
    settled(caller, 1, ["b1"])
    first.start()
    first.set(r.service("users", [back.ports["b0"]]))
    settled(caller, 1, ["b0"])


def test_delta(plane, backends, client):
    control, back = plane(), backends(2)
    caller = client("envoy", control, api="DELTA_GRPC")
    control.set(caller.adapt(r.service("users", [back.ports["b0"]])))
    settled(caller, 1, ["b0"])
    control.set(caller.adapt(r.service("users", [back.ports["b1"]])))
    settled(caller, 1, ["b1"])

    def all_acknowledged():
        (stream,) = control.streams("delta")
        return stream if stream["acks"] == len(stream["responses"]) else None

    stream = eventually(all_acknowledged, "an ACK of each answer")
    assert any(request["names"] == ["users"] for request in stream["requests"])


@BY_BOOTSTRAP
@pytest.mark.parametrize("mode", ["filtered", "linear"])
def test_who_asks_for_less_gets_less(plane, backends, client, name, mode):
    """In mode "ads" go-control-plane does not answer a request that does not name all there is."""
    control, back = plane(mode=mode), backends(1)
    control.set(r.service("others", [1]) + r.service("users", [back.port]))
    settled(client(name, control), 1, ["b0"])


def test_load_reports(plane, backends, client):
    control, back = plane(), backends(1)
    control.report(clusters=["users"], load_reporting_interval="0.1s")
    caller = client("grpc", control)
    control.set(r.service("users", [back.port], lrs_server={"self": {}}))
    settled(caller, 1, ["b0"])

    def reported():
        reports = [report for stream in control.streams("lrs") for report in stream["reports"]]
        stats = [stats for report in reports for stats in report.get("cluster_stats", [])]
        calls = [int(one.get("total_successful_requests", 0)) for s in stats for one in s["upstream_locality_stats"]]
        return sum(calls) >= 1

    eventually(reported, "a report of the call")


@BY_BOOTSTRAP
def test_silence_refusal_and_closed_streams(plane, backends, client, name):
    control, back = plane(), backends(1)
    control.set(r.service("users", [back.port]))
    control.behave(silent=True)
    caller = client(name, control)
    assert caller.calls(1, timeout=0.2).failed == 1
    assert not control.wait_open("sotw")[0]["responses"]
    control.behave()
    settled(caller, 1, ["b0"])

    control.close_streams(code=14, message="enough")
    eventually(lambda: len(control.streams("sotw")) > 1, "the client comes again")
    assert caller.calls(10).ok == 10
    control.behave(refuse={"code": 7, "message": "not you"})
    control.wait_open("sotw")
    control.close_streams()
    eventually(lambda: len(control.streams("sotw")) > 2, "the client comes again, and is turned away")
    assert caller.calls(10).ok == 10


@BY_BOOTSTRAP
def test_streams_that_close_after_an_answer(plane, backends, client, name):
    """The client takes the answer, comes again, and no call fails."""
    control, back = plane(), backends(2)
    control.behave(throttle=50000)
    control.set(r.service("users", [back.ports["b0"]]))
    caller = client(name, control)
    settled(caller, 1, ["b0"])
    control.behave(close_after=1)
    control.set(r.service("users", [back.ports["b1"]]))
    settled(caller, 1, ["b1"])
    eventually(lambda: len(control.streams("sotw")) > 1, "the client comes again")
    assert caller.calls(10).ok == 10


def test_lies(plane, backends, client):
    """gRPC refuses bytes that are no cluster, and an answer of another type's resources; the next true answer is taken."""
    control, back = plane(), backends(1)
    control.behave(manual=True)
    listener, routes, cluster, endpoints = r.service("users", [back.port])
    control.can(
        answer("Listener", [listener]), answer("RouteConfiguration", [routes]), answer("ClusterLoadAssignment", [endpoints])
    )
    caller = client("grpc", control)
    caller.calls(1, timeout=0.01)
    control.wait("subscribe", "Cluster")
    stream = control.wait_open("sotw")[0]["id"]

    control.send(answer("Cluster", [any_of(r.CLUSTER, b"\xff\xff\xff")], version="1"), stream)
    control.send(answer("Cluster", [routes], version="2"), stream)
    refused = control.wait("nack", "Cluster", n=2)
    assert len({request["nonce"] for request in refused}) == 2
    control.send(answer("Cluster", [cluster], version="3", wrap=True, ttl="60s"), stream)
    settled(caller, 1, ["b0"])
    assert control.wait("ack", "Cluster")[0]["version"] == "3"

    control.send(answer("Cluster", [cluster], version="4", nonce=""), stream)
    eventually(lambda: control.requests(kind="Cluster")[-1]["version"] == "4", "the version that came without a nonce")
    # gRPC reads nothing more of a stream after a message that is none, and goes by what it has.
    control.send(answer("Cluster", raw=b"\x0a\xff\xff\xff\xff\x0f"), stream)
    assert caller.calls(10).ok == 10


@BY_BOOTSTRAP
def test_control_plane_at_a_unix_socket(plane, backends, client, tmp_path, name):
    control, back = plane(unix=tmp_path / "plane.sock"), backends(1)
    control.set(r.service("users", [back.port]))
    settled(client(name, control), 1, ["b0"])


@BY_BOOTSTRAP
def test_control_plane_that_wants_a_certificate(plane, backends, client, authority, certificate, name):
    control, back = plane(certificate=certificate, client_ca=authority.certificate), backends(1)
    control.set(r.service("users", [back.port]))
    identity = authority.issue("xds-client", usage="clientAuth")
    settled(client(name, control, identity=identity), 1, ["b0"])
    assert control.wait_open("sotw")[0]["client"] == "CN=xds-client"


@EACH
def test_behavior_that_a_request_asks_for(plane, backends, client, name):
    control, back = plane(), backends(1)
    caller = client(name, control)
    control.set(caller.adapt(r.service("users", [back.port])))
    settled(caller, 1, ["b0"])
    code, word = ("error-code-5", "NOT_FOUND") if name == "grpc" else ("error-code-404", "404")
    assert caller.calls(2, headers=[("rpc-behavior", code)]).failures == {word: 2}
    assert caller.calls(1, headers=[("rpc-behavior", f"hostname=b1 {code}")]).ok == 1
    back.behave(headers={"x-more": "yes"}, delay_ms=1)
    assert caller.calls(3, parallel=3).ok == 3
    assert back.counts("most_at_once")["b0"] >= 1
    back.behave(down=True)
    eventually(lambda: not caller.calls(1, timeout=1).ok, "calls fail")
    back.behave()
    settled(caller, 1, ["b0"])
