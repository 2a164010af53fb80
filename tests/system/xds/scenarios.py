"""Scenarios named as in gRPC's xDS test descriptions. Each sets itself up on a control plane, calls, and says what must come.

Where that document leaves the work to a control plane of its own (load_based_failover), or is about servers
(forwarding_rule_*, metadata_filter), there is no scenario.
"""

from servers.process import eventually

from . import resources as r

EMPTY_CALL = "/grpc.testing.TestService/EmptyCall"
UNARY_CALL = "/grpc.testing.TestService/UnaryCall"
USERS = "users"

# What the clients say of the same failure.
WORDS = {
    "full": {"grpc": "UNAVAILABLE", "envoy": "503", "mesh": "MESH_ERR_OVERFLOW"},
    "dropped": {"grpc": "UNAVAILABLE", "envoy": "503", "mesh": "MESH_ERR_THROTTLED"},
    "refused": {"grpc": "UNAVAILABLE", "envoy": "503", "mesh": "503"},
    "timeout": {"grpc": "DEADLINE_EXCEEDED", "envoy": "504", "mesh": "MESH_ERR_TIMEOUT"},
    "abort": {"grpc": "UNIMPLEMENTED", "envoy": "404", "mesh": "404"},
}


class Scene:
    """One client, one control plane and backends. Everything is served for USERS."""

    def __init__(self, plane, client, make_backends):
        self.plane = plane
        self.client = client
        self.make_backends = make_backends
        self.back = None

    def start(self, n):
        """n backends; their ports."""
        self.back = self.make_backends(n)
        return list(self.back.ports.values())

    def serve(self, *parts):
        """Resources, and lists of them; the listener that leads to the routes of USERS comes by itself."""
        flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
        if not any(one["@type"] == r.LISTENER for one in flat):
            flat.append(r.listener(USERS))
        self.plane.set(self.client.adapt(flat))

    def calls(self, n=100, **how):
        return self.client.calls(n, **how)

    def until(self, backends, n=10, **how):
        """Calls until all of n go well, and to all of these backends and no others."""
        seen = []

        def look():
            seen.append(self.calls(n, **how))
            return seen[-1] if set(seen[-1].backends) == set(backends) and not seen[-1].failed else None

        return eventually(look, lambda: f"answers from {backends} only; the last: {seen[-3:]}")

    def routes_without_retries(self, cluster):
        """gRPC makes none without a policy, and refuses one with no retries."""
        none = {} if self.client.name == "grpc" else {"retry_policy": {"num_retries": 0}}
        return r.routes(USERS, r.route(cluster, **none))

    def failures(self, what, n):
        return {WORDS[what][self.client.name]: n}

    def error(self, code):
        """The request metadata that lets a backend fail so: unavailable for all clients."""
        return f"error-code-{14 if self.client.name == 'grpc' else code}"


# Envoy and libmesh go by the weights of localities when the cluster says so, gRPC always.
WEIGHTED = {"common_lb_config": {"locality_weighted_lb_config": {}}}


def group(name, members, **of_cluster):
    """A cluster and its endpoints: members as endpoints() takes them."""
    localities = members if members and isinstance(members[0], dict) and "lb_endpoints" in members[0] else [members]
    return [r.cluster(name, **of_cluster), r.endpoints(name, *localities)]


def within(counts, name, low, high):
    assert low <= counts[name] <= high, counts


def ping_pong(scene):
    """All backends get calls, and none fails."""
    scene.serve(r.routes(USERS, r.route("one")), group("one", scene.start(2)))
    scene.until(["b0", "b1"])
    assert scene.calls(20).ok == 20
    assert not scene.plane.requests("nack")


def round_robin(scene):
    """All backends get the same."""
    scene.serve(r.routes(USERS, r.route("one")), group("one", scene.start(3)))
    scene.until(["b0", "b1", "b2"])
    counts = scene.calls(300).backends
    for name in ("b0", "b1", "b2"):
        within(counts, name, 99, 101)


def backends_restart(scene):
    """No call goes well while all backends are down, all do afterwards, evenly."""
    scene.serve(r.routes(USERS, r.route("one")), group("one", scene.start(2)))
    scene.until(["b0", "b1"])
    scene.back.behave(down=True)
    eventually(lambda: scene.calls(2, timeout=0.5).ok == 0, "calls fail")
    scene.back.behave()
    scene.until(["b0", "b1"], timeout=1)
    counts = scene.calls(100).backends
    within(counts, "b0", 45, 55)


def two_priorities(scene, first, second):
    """Calls that do not reach a host are tried on another one, as gRPC does by itself."""
    ports = scene.start(first + second)
    again = {"retry_on": "connect-failure,unavailable", "num_retries": 3, "retry_host_predicate": [PREVIOUS_HOSTS]}
    localities = [r.locality(ports[:first], "l0"), r.locality(ports[first:], "l1", priority=1)]
    outliers = {"consecutive_5xx": 1, "interval": "0.1s", "base_ejection_time": "0.5s", "max_ejection_percent": 100}
    scene.serve(
        r.routes(USERS, r.route("one", retry_policy=again)),
        group("one", localities, outlier_detection=outliers),
    )


PREVIOUS_HOSTS = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {"@type": r.TYPE + "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
}


def secondary_locality_gets_requests_on_primary_failure(scene):
    """Priority 1 serves while all of priority 0 are down."""
    two_priorities(scene, 2, 2)
    scene.until(["b0", "b1"])
    scene.back.behave("b0", "b1", down=True)
    scene.until(["b2", "b3"], timeout=1)
    scene.back.behave("b0", "b1")
    scene.until(["b0", "b1"])


def secondary_locality_gets_no_requests_on_partial_primary_failure(scene):
    """Priority 1 serves nothing while three of four of priority 0 are well (Envoy's overprovisioning carries 4/5.6)."""
    two_priorities(scene, 4, 2)
    scene.until(["b0", "b1", "b2", "b3"], n=20)
    scene.back.behave("b0", down=True)
    scene.until(["b1", "b2", "b3"], n=20, timeout=5)
    counts = scene.calls(40, timeout=5).backends
    assert not counts["b4"] + counts["b5"], counts


def remove_instance_group(scene):
    """Two localities share; when one is removed the other one has all."""
    ports = scene.start(4)
    both = [r.locality(ports[:2], "l0"), r.locality(ports[2:], "l1")]
    route = r.routes(USERS, r.route("one"))
    scene.serve(route, group("one", both, **WEIGHTED))
    scene.until(["b0", "b1", "b2", "b3"], n=40)
    scene.serve(route, group("one", both[:1], **WEIGHTED))
    scene.until(["b0", "b1"])


def change_backend_service(scene):
    """The route leads to another cluster."""
    ports = scene.start(4)
    clusters = group("one", ports[:2]) + group("other", ports[2:])
    scene.serve(r.routes(USERS, r.route("one")), clusters)
    scene.until(["b0", "b1"])
    scene.serve(r.routes(USERS, r.route("other")), clusters)
    scene.until(["b2", "b3"])


def traffic_splitting(scene):
    """20 % and 80 % of 1000 calls, after all went to one."""
    ports = scene.start(2)
    clusters = group("one", ports[:1]) + group("other", ports[1:])
    scene.serve(r.routes(USERS, r.route("one")), clusters)
    scene.until(["b0"])
    scene.serve(r.routes(USERS, r.route({"one": 20, "other": 80})), clusters)
    scene.until(["b0", "b1"], n=40)
    within(scene.calls(1000, parallel=4).backends, "b0", 140, 260)  # 4.7 deviations


def matching(scene, match, yes, no):
    """Requests that match go to b1; yes and no are how() calls are made."""
    ports = scene.start(2)
    entries = [r.route("other", match=match), r.route("one")]
    scene.serve(r.routes(USERS, *entries), group("one", ports[:1]) + group("other", ports[1:]))
    for how in yes:
        scene.until(["b1"], n=2, **how)
    for how in no:
        scene.until(["b0"], n=2, **how)


def path_matching(scene):
    """Full path, prefix, regular expression, without case."""
    empty, unary = {"path": EMPTY_CALL}, {"path": UNARY_CALL}
    matching(scene, {"path": EMPTY_CALL}, [empty], [unary])
    matching(scene, {"prefix": "/grpc.testing.TestService/Empty"}, [empty], [unary])
    matching(scene, {"safe_regex": {"regex": ".*/Empty[A-Z]all"}}, [empty], [unary, {"path": EMPTY_CALL + "s"}])
    matching(scene, {"path": EMPTY_CALL.lower(), "case_sensitive": False}, [empty], [unary])
    matching(scene, {"prefix": "/GRPC.testing", "case_sensitive": False}, [empty, unary], [{"path": "/other/Call"}])


def header_matching(scene):
    """Exact, prefix, suffix, contains, regular expression, present, range, inverted."""

    def has(*values):
        return {"headers": [("x-key", value) for value in values]}

    for match, yes, no in [
        ({"exact": "red"}, [has("red")], [has("RED"), has()]),
        ({"prefix": "re"}, [has("red")], [has("pre")]),
        ({"suffix": "ed"}, [has("red")], [has("eds")]),
        ({"contains": "e"}, [has("red")], [has("blu")]),
        ({"safe_regex": {"regex": "r.d|blue"}}, [has("rod"), has("blue")], [has("a red one")]),
        ({"present_match": True}, [has("any")], [has()]),
        ({"range_match": {"start": -3, "end": 10}}, [has("-3"), has("9")], [has("10"), has("red")]),
        ({"exact": "red", "invert_match": True}, [has("blue")], [has("red")]),
    ]:
        matching(scene, {"prefix": "/", "headers": [r.header("x-key", **match)]}, yes, no)


def gentle_failover(scene):
    """The control plane moves a part of the traffic to another locality, by weights."""
    ports = scene.start(4)
    route = r.routes(USERS, r.route("one"))
    scene.serve(route, group("one", [r.locality(ports[:3], "l0")], **WEIGHTED))
    scene.until(["b0", "b1", "b2"])
    weak = [r.locality(ports[:1], "l0", weight=35), r.locality(ports[3:], "l1", weight=65)]
    scene.serve(route, group("one", weak, **WEIGHTED))
    scene.until(["b0", "b3"], n=20)
    within(scene.calls(1000, parallel=4).backends, "b0", 275, 425)  # 5 deviations


def circuit_breaking(scene):
    """So many requests at once and no more; the limit is raised while calls go on."""
    ports = scene.start(1)
    slow = [("rpc-behavior", "sleep-0.5")]
    for limit in (5, 8):
        thresholds = {"thresholds": [{"priority": "DEFAULT", "max_requests": limit}]}
        clusters = group("one", ports, circuit_breakers=thresholds, **r.http2())
        scene.serve(scene.routes_without_retries("one"), clusters)
        scene.until(["b0"], n=1)
        seen = []

        def full(limit=limit, seen=seen):
            seen.append(scene.calls(20, parallel=20, headers=slow))
            return seen[-1].ok == limit

        eventually(full, lambda limit=limit, seen=seen: f"{limit} calls at once; {seen[-1]}")
        assert seen[-1].failures == scene.failures("full", 20 - limit)
        assert scene.back.counts("most_at_once")["b0"] == limit


def timeout(scene):
    """max_stream_duration of a route ends calls that take longer, and touches no other route."""
    limited = r.route("one", {"path": UNARY_CALL}, max_stream_duration={"max_stream_duration": "0.3s"})
    scene.serve(r.routes(USERS, limited, r.route("one")), group("one", scene.start(1)))
    scene.until(["b0"], path=UNARY_CALL)
    sleepy = [("rpc-behavior", "sleep-1")]
    assert scene.calls(4, path=UNARY_CALL, headers=sleepy, parallel=4).failures == scene.failures("timeout", 4)
    assert scene.calls(2, path=EMPTY_CALL, headers=sleepy, parallel=2).ok == 2
    assert scene.calls(4, path=UNARY_CALL).ok == 4


def percent(number):
    return {"percentage": {"numerator": number, "denominator": "HUNDRED"}}


def aborting(number):
    return {"abort": {"http_status": 404, **percent(number)}}


def serve_fault(scene, **fault):
    if not scene.back:
        scene.start(1)
    listener = r.listener(USERS, filters=[r.fault(**fault)])
    scene.serve(listener, r.routes(USERS, r.route("one")), group("one", [scene.back.port]))


def fault_injection_zero_percent(scene):
    serve_fault(scene, **aborting(0), delay={"fixed_delay": "20s", **percent(0)})
    scene.until(["b0"])
    assert scene.calls(50, parallel=10).ok == 50


def fault_injection_always_abort(scene):
    serve_fault(scene, **aborting(100))
    eventually(lambda: scene.calls(1).failures == scene.failures("abort", 1), "an abort")
    assert scene.calls(20, parallel=10).failures == scene.failures("abort", 20)
    assert scene.back.counts()["b0"] == 0


def fault_injection_abort_half(scene):
    serve_fault(scene, **aborting(50))
    eventually(lambda: scene.calls(10).ok, "half of the calls")
    half(scene.calls(400, parallel=10), scene.failures("abort", 1))


def half(results, failures):
    assert 150 <= results.ok <= 250  # 5 deviations
    assert set(results.failures) == set(failures)


def fault_injection_always_delay(scene):
    """A call that may not take so long ends in time, and no backend hears of it."""
    serve_fault(scene, delay={"fixed_delay": "0.4s", **percent(100)})
    scene.until(["b0"], n=1)
    before = scene.back.counts()["b0"]
    assert scene.calls(5, timeout=0.2, parallel=5).ok == 0
    assert scene.back.counts()["b0"] == before
    assert scene.calls(5, timeout=10, parallel=5).ok == 5


def fault_injection_updated(scene):
    """Another share of the calls is aborted while calls go on."""
    serve_fault(scene, **aborting(0))
    scene.until(["b0"])
    for share, done in ((100, lambda results: results.ok == 0), (0, lambda results: results.failed == 0)):
        serve_fault(scene, **aborting(share))
        eventually(lambda done=done: done(scene.calls(20)), f"{share} % aborts")


def outlier_detection(scene):
    """One of five that fails nearly always is left out, and gets calls again when it is well."""
    outliers = {
        "interval": "0.5s", "base_ejection_time": "1s", "max_ejection_time": "1s", "max_ejection_percent": 20,
        "enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0, "enforcing_failure_percentage": 100,
        "failure_percentage_threshold": 50, "failure_percentage_minimum_hosts": 5, "failure_percentage_request_volume": 10,
    }  # fmt: skip
    scene.serve(scene.routes_without_retries("one"), group("one", scene.start(5), outlier_detection=outliers))
    scene.until(["b0", "b1", "b2", "b3", "b4"], n=25)
    failing = [("rpc-behavior", f"hostname=b0 {scene.error(503)}")]

    def left_out():
        results = scene.calls(50, headers=failing)
        return results if not results.failed and "b0" not in results.backends else None

    eventually(left_out, "b0 is left out")
    scene.until(["b0", "b1", "b2", "b3", "b4"], n=25)


def custom_lb(scene):
    """A policy that nobody knows is passed over; the next one of the list is used."""
    unknown = (r.TYPE + "test.RpcBehaviorLoadBalancer", {"rpc_behavior": "error-code-0"})
    policy = r.policies(unknown, "round_robin")
    scene.serve(r.routes(USERS, r.route("one")), group("one", scene.start(2), load_balancing_policy=policy))
    scene.until(["b0", "b1"])
    within(scene.calls(100).backends, "b0", 49, 51)


def api_listener(scene):
    """Routes in the listener itself; then the listener leads to others, then has its own again."""
    ports = scene.start(2)
    clusters = group("one", ports[:1]) + group("other", ports[1:])

    def inline(cluster):
        content = r.routes(USERS, r.route(cluster))
        return r.listener(USERS, inline={key: value for key, value in content.items() if key != "@type"})

    scene.serve(inline("one"), clusters)
    scene.until(["b0"])
    scene.serve(r.listener(USERS, "elsewhere"), r.routes("elsewhere", r.route("other")), clusters)
    scene.until(["b1"])
    scene.serve(inline("one"), clusters)
    scene.until(["b0"])


def affinity(scene):
    """ring_hash by a header: one key one backend, many keys all backends."""
    route = r.route("one", hash_policy=[{"header": {"header_name": "x-user"}}])
    scene.serve(r.routes(USERS, route), group("one", scene.start(3), lb_policy="RING_HASH"))
    scene.until(["b0", "b1", "b2"], n=30)
    first = [scene.calls(1, headers=[("x-user", f"user-{i}")]).told[0]["backend"] for i in range(30)]
    assert set(first) == {"b0", "b1", "b2"}
    again = [scene.calls(2, headers=[("x-user", f"user-{i}")]).backends for i in range(30)]
    assert again == [{name: 2} for name in first]


def failover_in_an_aggregate_cluster(scene):
    """The second cluster serves while the first one has no endpoint that is well."""
    ports = scene.start(2)
    route = r.routes(USERS, r.route("both"))
    sick = [r.endpoint(ports[0], health="UNHEALTHY")]
    policy = "ROUND_ROBIN" if scene.client.name == "grpc" else "CLUSTER_PROVIDED"  # each refuses the other
    both = r.aggregate("both", "one", "other", lb_policy=policy)
    scene.serve(route, both, group("one", ports[:1]), group("other", ports[1:]))
    scene.until(["b0"])
    scene.serve(route, both, group("one", sick), group("other", ports[1:]))
    scene.until(["b1"])
    scene.serve(route, both, group("one", ports[:1]), group("other", ports[1:]))
    scene.until(["b0"])


def retry(scene):
    """A route's policy: so many attempts, and no more."""
    again = {"retry_on": "unavailable,5xx", "num_retries": 2, "retry_back_off": {"base_interval": "0.01s"}}
    scene.serve(r.routes(USERS, r.route("one", retry_policy=again)), group("one", scene.start(1)))
    scene.until(["b0"])
    assert scene.calls(100).ok == 100  # libmesh's retries are a part of all requests
    code = scene.error(503)
    enough = [("rpc-behavior", f"succeed-on-retry-attempt-2,{code}")]
    assert scene.calls(3, headers=enough).ok == 3
    before = scene.back.counts()["b0"]
    assert scene.calls(3, headers=[("rpc-behavior", code)]).failures == scene.failures("refused", 3)
    assert scene.back.counts()["b0"] == before + 9


def drops(scene):
    """drop_overloads of EDS: all, then half."""
    ports = scene.start(2)

    def serve(hundredths, members):
        percentage = {"numerator": hundredths, "denominator": "HUNDRED"}
        dropping = {"drop_overloads": [{"category": "throttle", "drop_percentage": percentage}]}
        scene.serve(r.routes(USERS, r.route("one")), r.cluster("one"), r.endpoints("one", members, **dropping))

    serve(0, ports[:1])
    scene.until(["b0"])
    serve(100, ports)  # Envoy does not notice another share when the endpoints are the same
    eventually(lambda: not scene.calls(5).ok, "all calls are dropped")
    before = scene.back.counts()
    assert scene.calls(10).failures == scene.failures("dropped", 10)
    assert scene.back.counts() == before
    serve(50, ports[:1])
    eventually(lambda: scene.calls(5).ok, "half of the calls are dropped")
    half(scene.calls(400), scene.failures("dropped", 1))


def names(scene):
    """LOGICAL_DNS: the host behind a name."""
    (port,) = scene.start(1)
    where = {"cluster_name": "one", "endpoints": [{"lb_endpoints": [r.endpoint(port, host="localhost")]}]}
    one = {**r.cluster("one"), "type": "LOGICAL_DNS", "load_assignment": where, "dns_lookup_family": "V4_ONLY"}
    del one["eds_cluster_config"]
    scene.serve(r.routes(USERS, r.route("one")), one)
    scene.until(["b0"])


ALL = [
    ping_pong, round_robin, backends_restart, secondary_locality_gets_requests_on_primary_failure,
    secondary_locality_gets_no_requests_on_partial_primary_failure, remove_instance_group, change_backend_service,
    traffic_splitting, path_matching, header_matching, gentle_failover, circuit_breaking, timeout,
    fault_injection_zero_percent, fault_injection_always_abort, fault_injection_abort_half, fault_injection_always_delay,
    fault_injection_updated, outlier_detection, custom_lb, api_listener, affinity, failover_in_an_aggregate_cluster, retry,
    drops, names,
]  # fmt: skip

# Why a client does not play a scenario.
NOT_PLAYED = {
    (
        "timeout",
        "grpc",
    ): "gRPC 1.85 counts such times by the processor's counter, wrong by seconds when the machine is long up",
    ("fault_injection_updated", "grpc"): "gRPC 1.85 does not notice another percentage alone",
}
