"""Weights by what backends report of their load (ORCA), from a control plane: gRPC, Envoy and libmesh share alike."""

import base64
import struct

import pytest

from servers.process import eventually
from xds import resources as r

USERS = "users"
WEIGHTED = "client_side_weighted_round_robin"


def report(utilization, rps=100.0):
    """OrcaLoadReport: cpu_utilization is 1, rps_fractional 6."""
    message = b"\x09" + struct.pack("<d", utilization) + b"\x31" + struct.pack("<d", rps)
    return {"endpoint-load-metrics-bin": base64.b64encode(message).decode()}


def weighted():
    times = {"blackout_period": "0.001s", "weight_expiration_period": "180s", "weight_update_period": "0.1s"}
    config = {"@type": f"{r.POLICIES}{WEIGHTED}.v3.ClientSideWeightedRoundRobin", **times}
    return {"load_balancing_policy": {"policies": [{"typed_extension_config": {"name": "w", "typed_config": config}}]}}


@pytest.mark.parametrize("who", ["grpc", "envoy", "mesh"])
def test_requests_go_where_load_is_less(plane, backends, client, who):
    control = plane(mode="filtered")
    caller = client(who, control)
    back = backends(2)
    back.behave("b0", headers=report(0.1), trailers=report(0.1))
    back.behave("b1", headers=report(0.4), trailers=report(0.4))
    cluster = [r.cluster("one", **r.http2(), **weighted()), r.endpoints("one", list(back.ports.values()))]
    control.set(caller.adapt([r.listener(USERS), r.routes(USERS, r.route("one")), *cluster]))
    eventually(lambda: caller.calls(1).ok, "the cluster is there")

    def are_shared():
        results = caller.calls(300)
        assert results.failed == 0, results
        return 0.75 < results.backends["b0"] / 300 < 0.85

    eventually(are_shared, "four of five requests go to the one that can do four times as much")
    back.behave("b0", headers=report(0.4), trailers=report(0.4))

    def are_even():
        return 0.45 < caller.calls(300).backends["b0"] / 300 < 0.55

    eventually(are_even, "both can do the same")
