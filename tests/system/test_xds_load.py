"""Load reports: what a control plane hears of the requests that went where it sent them."""

from servers.process import eventually
from xds import resources as r

CATCH_ALL = {"send_all_clusters": True, "load_reporting_interval": "0.1s", "report_endpoint_granularity": True}


def reported(control):
    """All reports that came, added up: {(cluster, locality): {figure: sum}} and the drops by category."""
    places, drops, endpoints = {}, {}, {}
    for stream in control.streams("lrs"):
        for report in stream["reports"]:
            for cluster in report.get("cluster_stats", []):
                for place in cluster.get("upstream_locality_stats", []):
                    key = (cluster["cluster_name"], place["locality"].get("zone", ""))
                    sums = places.setdefault(key, {"issued": 0, "ok": 0, "failed": 0})
                    sums["issued"] += int(place.get("total_issued_requests", 0))
                    sums["ok"] += int(place.get("total_successful_requests", 0))
                    sums["failed"] += int(place.get("total_error_requests", 0))
                    for one in place.get("upstream_endpoint_stats", []):
                        port = one["address"]["socket_address"]["port_value"]
                        endpoints[port] = endpoints.get(port, 0) + int(one.get("total_issued_requests", 0))
                for drop in cluster.get("dropped_requests", []):
                    drops[drop["category"]] = drops.get(drop["category"], 0) + int(drop["dropped_count"])
    return places, drops, endpoints


def test_load_is_reported(plane, backends, client):
    control, back = plane(), backends(2)
    control.report(**CATCH_ALL)
    served = [r.listener("users"), r.routes("users", r.route("users")), r.cluster("users", lrs_server={"self": {}})]
    control.set([*served, r.endpoints("users", list(back.ports.values()))])
    results = client("mesh", control).calls(40)
    assert results.ok == 40, results

    def enough():
        places, _, endpoints = reported(control)
        told = places.get(("users", "l0"), {})
        return endpoints if told == {"issued": 40, "ok": 40, "failed": 0} else None

    endpoints = eventually(enough, lambda: f"40 requests; there is {reported(control)}")
    assert endpoints == {port: back.counts()[name] for name, port in back.ports.items()}
    first = control.streams("lrs")[0]["node"]
    assert first["id"] == "client" and "envoy.lrs.supports_send_all_clusters" in first["client_features"]


def test_nobody_reports_unasked(plane, backends, client):
    control, back = plane(), backends(1)
    control.report(**CATCH_ALL)
    control.set(r.service("users", list(back.ports.values())))
    assert client("mesh", control).calls(5).ok == 5
    control.wait("ack", "ClusterLoadAssignment")
    assert not control.streams("lrs")


def test_only_the_clusters_that_were_asked_for(plane, backends, client):
    control, back = plane(), backends(1)
    control.report(clusters=["other"], load_reporting_interval="0.1s")
    ports = list(back.ports.values())
    both = r.routes("users", r.route("other", {"path": "/other"}), r.route("users"))
    served = [r.listener("users"), both, *(r.cluster(name, lrs_server={"self": {}}) for name in ("users", "other"))]
    control.set([*served, r.endpoints("users", ports), r.endpoints("other", ports)])
    caller = client("mesh", control)
    assert caller.calls(7, path="/users").ok == 7
    assert caller.calls(3, path="/other").ok == 3
    eventually(
        lambda: reported(control)[0].get(("other", "l0"), {}).get("ok") == 3,
        lambda: f"3 requests; there is {reported(control)}",
    )
    assert set(reported(control)[0]) == {("other", "l0")}
