"""What routes do to requests, on go-control-plane: libmesh and Envoy are given the same and do the same."""

import pytest

from servers.process import eventually
from xds import resources as r

LIMIT = r.TYPE + "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
USERS = "users"

# What the clients say when they refuse themselves: Envoy by a status, libmesh by an error of its own.
REFUSED = {
    "no route": {"envoy": "404", "mesh": "MESH_ERR_NO_ROUTE"},
    "no cluster": {"envoy": "503", "mesh": "MESH_ERR_NO_ROUTE"},
    "rate": {"envoy": "429", "mesh": "MESH_ERR_RATE_LIMITED"},
}


@pytest.fixture(params=["envoy", "mesh"])
def shop(request, plane, backends, client):
    """serve(entries, ...): a client of these routes, with clusters "one" (backend b0) and "other" (b1)."""
    control = plane(mode="filtered")
    caller = client(request.param, control)
    back = backends(2)
    ports = list(back.ports.values())

    class Shop:
        name = request.param
        backends = back

        def serve(self, *entries, listener=None, **of_routes):
            clusters = [
                r.cluster("one"),
                r.endpoints("one", ports[:1]),
                r.cluster("other"),
                r.endpoints("other", ports[1:]),
            ]
            ready = r.route("one", {"path": "/ready"})
            routes = r.routes(USERS, ready, *entries, **of_routes)
            control.set(caller.adapt([listener or r.listener(USERS), routes, *clusters]))
            eventually(lambda: caller.calls(1, path="/ready").ok, "the routes are there")

        def call(self, path="/", n=1, **headers):
            pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
            return caller.calls(n, path=path, headers=pairs)

        def told(self, path="/", **headers):
            results = self.call(path, **headers)
            assert results.ok == 1, results
            return results.told[0]

        def refused(self, why):
            return REFUSED[why][self.name]

    return Shop()


def behave(what):
    return {"rpc_behavior": what}


def test_answers_of_a_route(shop):
    coffee = {"match": {"path": "/coffee"}, "direct_response": {"status": 418, "body": {"inline_string": "no coffee"}}}
    moved = {"match": {"path": "/old"}, "redirect": {"path_redirect": "/new", "response_code": "PERMANENT_REDIRECT"}}
    shop.serve(coffee, moved)
    results = shop.call("/coffee", n=2)
    assert (results.failures, set(results.messages)) == ({"418": 2}, {"no coffee"})
    assert shop.call("/old").failures == {"308": 1}
    assert shop.call("/else").failures == {shop.refused("no route"): 1}
    assert shop.backends.counts()["b1"] == 0


def test_a_route_to_no_cluster_fails_alone(shop):
    shop.serve(r.route("gone", {"prefix": "/gone"}), r.route("other"))
    assert shop.call("/gone").failures == {shop.refused("no cluster"): 1}
    assert shop.told("/else")["backend"] == "b1"


def added(name, value):
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def test_headers_are_changed(shop):
    changed = {
        **r.route("other"),
        "request_headers_to_add": [added("x-tenant", "%REQ(x-who)%-7"), added("x-to", "%UPSTREAM_CLUSTER%")],
        "request_headers_to_remove": ["x-secret"],
    }
    shop.serve(changed, request_headers_to_add=[added("x-tenant", "of the configuration"), added("x-all", "1")])
    headers = shop.told(x_who="joan", x_secret="1", x_tenant="mine")["headers"]
    assert headers["x-tenant"] == "of the configuration"  # the outermost level comes last
    assert headers["x-to"] == "other"
    assert headers["x-all"] == "1"
    assert "x-secret" not in headers


def test_path_and_host_are_rewritten(shop):
    rewriting = {"prefix_rewrite": "/", "host_rewrite_literal": "inside.example", "append_x_forwarded_host": True}
    shop.serve(r.route("other", {"prefix": "/api/"}, **rewriting), r.route("other"))
    told = shop.told("/api/a?b=c")
    assert (told["path"], told["authority"]) == ("/a?b=c", "inside.example")
    assert told["headers"]["x-envoy-original-path"] == "/api/a?b=c"
    assert told["headers"]["x-forwarded-host"] == USERS
    told = shop.told("/a")
    assert (told["path"], told["authority"]) == ("/a", USERS)
    assert "x-envoy-original-path" not in told["headers"]


def again(on, n, **more):
    return {"retry_policy": {"retry_on": on, "num_retries": n, "retry_back_off": {"base_interval": "0.01s"}, **more}}


def test_retries_as_the_route_says_whatever_the_method(shop):
    shop.serve(
        r.route("other", {"prefix": "/5xx"}, **again("5xx", 2)),
        r.route("other", {"prefix": "/none"}, **again("5xx", 0)),
        r.route("other", {"prefix": "/codes"}, **again("retriable-status-codes", 1, retriable_status_codes=[418])),
    )
    told = shop.told("/5xx", **behave("succeed-on-retry-attempt-2,error-code-503"))
    assert told["headers"]["x-envoy-attempt-count"] == "3"
    before = shop.backends.counts()["b1"]
    assert shop.call("/5xx", **behave("error-code-503")).failures == {"503": 1}
    assert shop.call("/none", **behave("error-code-503")).failures == {"503": 1}
    assert shop.call("/codes", **behave("error-code-503")).failures == {"503": 1}
    assert shop.call("/codes", **behave("error-code-418")).failures == {"418": 1}
    assert shop.backends.counts()["b1"] == before + 3 + 1 + 1 + 2


def test_faults_by_headers(shop):
    by_header = {"header_abort": {}, "percentage": {"numerator": 100}}
    filters = [r.fault(abort=by_header)]
    shop.serve(r.route("other"), listener=r.listener(USERS, filters=filters))
    results = shop.call(x_envoy_fault_abort_request="404")
    assert (results.failures, set(results.messages)) == ({"404": 1}, {"fault filter abort"})
    assert shop.told(x_envoy_fault_abort_request="404", x_envoy_fault_abort_request_percentage="0")["backend"] == "b1"
    assert shop.told()["backend"] == "b1"


def test_a_local_rate_limit(shop):
    bucket = {"max_tokens": 3, "tokens_per_fill": 1, "fill_interval": "3600s"}
    everybody = {"default_value": {"numerator": 100}}
    limit = {
        "@type": LIMIT,
        "stat_prefix": "limit",
        "token_bucket": bucket,
        "filter_enabled": everybody,
        "filter_enforced": everybody,
    }
    off = {"@type": LIMIT, "stat_prefix": "limit"}
    limited = {**r.route("other"), "typed_per_filter_config": {"limit": limit}}
    filters = [{"name": "limit", "typed_config": off}]
    shop.serve(limited, listener=r.listener(USERS, filters=filters))
    results = shop.call(n=10)
    assert (results.ok, results.failures) == (3, {shop.refused("rate"): 7})


def test_a_copy_for_another_cluster(shop):
    everything = {"cluster": "one", "runtime_fraction": {"default_value": {"numerator": 100}}}
    nothing = {"cluster": "one", "runtime_fraction": {"default_value": {"numerator": 0}}}
    shop.serve(
        r.route("other", {"prefix": "/twice"}, request_mirror_policies=[everything]),
        r.route("other", request_mirror_policies=[nothing]),
    )
    before = shop.backends.counts()
    assert shop.told("/once")["backend"] == "b1"
    results = shop.call("/twice", n=20)
    assert results.backends == {"b1": 20}
    eventually(lambda: shop.backends.counts()["b0"] - before["b0"] == 20, "a copy of each")
    assert shop.backends.counts()["b1"] - before["b1"] == 21


def test_many_clusters_are_asked_for_at_once(plane, backends, client):
    """More than the graph takes up in one turn: no request has only some of the names."""
    n = 3500
    control = plane(mode="filtered")
    back = backends(1)
    names = [f"c{i}" for i in range(n)]
    routes = r.routes(USERS, *(r.route(name, {"path": f"/{name}"}) for name in names))
    members = [r.endpoints(name, list(back.ports.values())) for name in names]
    control.set([r.listener(USERS), routes, *map(r.cluster, names), *members])
    caller = client("mesh", control)
    for name in (names[0], names[-1]):
        eventually(lambda name=name: caller.calls(1, path=f"/{name}").ok, f"{name} answers")
    for kind in ("Cluster", "ClusterLoadAssignment"):
        asked = control.requests(kind=kind)
        assert {len(one["names"]) for one in asked} == {n}, [len(one["names"]) for one in asked]
