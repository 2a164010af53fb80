"""What control planes do wrong, and what must come of it: requests go on. Cases X1 to X17 of the fault list, one test or more each."""

import contextlib
import itertools
import threading

import pytest

from servers.plane import answer, any_of
from servers.process import eventually
from xds import resources as r
from xds.scenarios import group

KINDS = ["Listener", "RouteConfiguration", "Cluster", "ClusterLoadAssignment"]
TWO = r.routes("users", r.route("other", {"prefix": "/other/"}), r.route("one"))
OTHER = "/other/Call"
CLIENTS = ["grpc", "mesh", "mesh-delta"]

every_client = pytest.mark.parametrize("name", CLIENTS)
mesh_only = pytest.mark.parametrize("name", ["mesh", "mesh-delta"])


def until(caller, backends, n=6, **how):
    """Calls until all of n go well, to all of these backends and no others."""
    last = []

    def look():
        last[:] = [caller.calls(n, **how)]
        return last[0] if set(last[0].backends) == set(backends) and not last[0].failed else None

    return eventually(look, lambda: f"answers from {backends} only; the last: {last}")


@contextlib.contextmanager
def calling(caller, **how):
    """Calls all the time; none may fail."""
    over = threading.Event()
    seen = []

    def run():
        while not over.is_set():
            seen.append(caller.calls(20, parallel=2, **how))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: seen, "the first calls")
        yield seen
    finally:
        over.set()
        thread.join()
    bad = [one for one in seen if one.failed]
    assert not bad, f"{len(bad)} of {len(seen)}: {bad[:3]}"


def serve(plane, *parts):
    """Everything of "users": its listener comes by itself."""
    plane.set([r.listener("users"), *itertools.chain.from_iterable(p if isinstance(p, list) else [p] for p in parts)])


@pytest.fixture
def two(plane, backends, client):
    """A client of two clusters with a backend each: two("grpc")."""

    def start(name, **options):
        control, back = plane(mode="filtered"), backends(3)
        ports = list(back.ports.values())
        serve(control, TWO, group("one", ports[:1]), group("other", ports[1:2]))
        caller = client(name, control, **options)
        until(caller, ["b0"])
        until(caller, ["b1"], path=OTHER)
        return caller, control, back, ports

    return start


@pytest.fixture
def liar(plane, backends, client):
    """A client of a plane that only says what a test lets it say: by now all that leads to b0."""

    def start(name, **options):
        control, back = plane(), backends(2)
        control.behave(manual=True)
        truth = r.service("users", [back.port])
        control.can(*(answer(kind, [one]) for kind, one in zip(KINDS, truth, strict=True)))
        caller = client(name, control, **options)
        until(caller, ["b0"])
        return caller, control, back, dict(zip(KINDS, truth, strict=True))

    return start


# ---- X1 ----


@every_client
def test_one_bad_resource_of_many(two, name):
    """The good one is used, the bad one's version stays, the answer is refused with its name."""
    caller, control, _back, ports = two(name)
    serve(control, TWO, group("one", [ports[2], ports[2]]), group("other", ports[2:]))
    refused = control.wait("nack", "ClusterLoadAssignment")[0]
    assert "one" in refused["error"] and "other" not in refused["error"], refused
    until(caller, ["b2"], path=OTHER)
    assert caller.calls(10).backends == {"b0": 10}


# ---- X2 ----


@mesh_only  # gRPC takes a cluster for deleted that is not in an answer which cannot be read
def test_answers_that_are_none(liar, name):
    caller, control, _back, truth = liar(name)
    with calling(caller):
        for version, resources in [
            ("a", [any_of(r.CLUSTER, b"\xff\xff\xff")]),
            ("b", [truth["RouteConfiguration"]]),
            ("c", [any_of("", b"")]),
            ("d", [any_of(r.TYPE + "no.such.Type", b"\x0a\x01x")]),
            ("e", [any_of(r.CLUSTER, b"\x0a\x05users" * 3 + b"\x0a\x00")]),
        ]:
            control.send(answer("Cluster", resources, version=version, nonce=f"nonce-{version}"))
            refused = eventually(
                lambda version=version: [one for one in control.requests("nack") if one["nonce"] == f"nonce-{version}"],
                lambda version=version: f"a NACK of {version}",
            )
            assert refused[0]["version"] == ("1" if name == "mesh" else version)
            assert refused[0]["error"]
    control.send(answer("Cluster", [truth["Cluster"]], version="2", nonce="n2"))
    assert control.wait("ack", "Cluster", n=2)[-1]["version"] == "2"


@every_client
def test_nonces_that_are_wrong(liar, name):
    """Empty, repeated: the content counts, and nothing is asked for again and again."""
    caller, control, back, truth = liar(name)
    first, changed = truth["ClusterLoadAssignment"], r.endpoints("users", [back.ports["b1"]])
    control.send(answer("ClusterLoadAssignment", [changed], version="2", nonce=""))
    until(caller, ["b1"])
    for version, content in (("3", first), ("4", changed), ("5", first)):
        control.send(answer("ClusterLoadAssignment", [content], version=version, nonce="same"))
        until(caller, ["b0"] if content is not changed else ["b1"])
    before = len(control.requests())
    assert caller.calls(200).ok == 200
    assert len(control.requests()) == before


@pytest.mark.parametrize("name", ["mesh"])
def test_refused_again_and_again(two, name):
    """go-control-plane sends what was refused again at once. It is refused after a second, and all else goes on."""
    caller, control, _back, ports = two(name)
    with calling(caller):
        serve(control, TWO, group("one", [ports[2], ports[2]]), group("other", ports[1:2]))
        control.wait("nack", "ClusterLoadAssignment")
        table = r.routes("users", r.route("one", {"path": "/new/Call"}), *TWO["virtual_hosts"][0]["routes"])
        serve(control, table, group("one", [ports[2], ports[2]]), group("other", ports[1:2]))
        control.wait_taken("RouteConfiguration")
        first, second = control.wait("nack", "ClusterLoadAssignment", n=2)[:2]
    assert second["at_ms"] - first["at_ms"] >= 990
    serve(control, table, group("one", ports[2:]), group("other", ports[1:2]))
    until(caller, ["b2"])


@mesh_only  # gRPC reads nothing more of a stream after an answer of a type that it does not know
def test_types_that_nobody_asked_for(liar, name):
    caller, control, _back, truth = liar(name)
    with calling(caller):
        for kind in ("Secret", "Runtime", r.TYPE + "no.such.Type", ""):
            control.send(answer(kind, [], version="9"))
        control.send(answer("Cluster", [truth["Cluster"]], version="2"))
        control.wait("ack", "Cluster", n=2)
    (stream,) = control.wait_open()
    assert {request["type"].rsplit(".")[-1] for request in stream["requests"]} == set(KINDS)


# ---- X3 ----


@mesh_only
def test_names_without_a_scheme(two, name):
    """Where a control plane is configured a plain name is its."""
    caller, _control, _back, _ports = two(name)
    caller.ask({"target": "users"})
    until(caller, ["b0"])
    until(caller, ["b1"], path=OTHER)
    caller.ask({"target": "nobody"})
    assert caller.calls(1, timeout=0.3).failed == 1


@every_client
def test_what_a_client_does_not_know(two, name):
    """Unknown policies are passed over when a known one follows; a filter that must be known refuses the listener."""
    caller, control, _back, ports = two(name)
    unknown = (r.TYPE + "test.Nothing", {})
    clusters = [
        group("one", ports[2:], load_balancing_policy=r.policies(unknown, "round_robin")),
        group("other", ports[1:2]),
    ]
    serve(control, TWO, *clusters)
    until(caller, ["b2"])
    strange = {"name": "strange", "typed_config": {"@type": r.TYPE + "xds.type.v3.TypedStruct", "type_url": unknown[0]}}
    with calling(caller):
        control.set([r.listener("users", filters=[strange]), TWO, *itertools.chain.from_iterable(clusters)])
        assert "filter" in control.wait("nack", "Listener")[0]["error"]
        control.set([r.listener("users", filters=[{**strange, "is_optional": True}]), TWO, *itertools.chain(*clusters)])
        control.wait_taken("Listener")


# ---- X4 ----


@mesh_only  # gRPC obeys
def test_a_cluster_and_a_listener_deleted(two, name):
    """What works goes on working."""
    caller, control, _back, ports = two(name)
    with calling(caller):
        control.set([r.listener("users"), TWO, *group("other", ports[1:2])])
        control.wait_taken("Cluster")
        control.set([])
        control.wait_taken("Listener")
    serve(control, TWO, group("one", ports[2:]), group("other", ports[1:2]))
    until(caller, ["b2"])


# ---- X5 ----


@every_client
def test_flapping(two, name):
    """Thirty changes in a row; the endpoint that is always there keeps its connection."""
    caller, control, back, ports = two(name)
    before = back.counts("connections")["b0"]
    with calling(caller):
        for round in range(30):
            serve(control, TWO, group("one", [ports[0], ports[2]] if round % 2 else ports[:1]), group("other", ports[1:2]))
    serve(control, TWO, group("one", ports[2:]), group("other", ports[1:2]))
    until(caller, ["b2"])
    assert back.counts("connections")["b0"] == before


# ---- X6, X7 ----


@every_client
def test_killed_in_the_middle_of_an_answer(two, name):
    caller, control, _back, ports = two(name)
    with calling(caller):
        control.behave(throttle=1000)
        large = [r.endpoint(9, host=f"127.1.0.{i}", health="UNHEALTHY") for i in range(1, 200)]
        serve(control, TWO, group("one", [*large, ports[2]]), group("other", ports[1:2]))
        eventually(lambda: len(control.streams()[0]["responses"]) > 4, "the answer begins")
        control.kill()
    assert caller.calls(50).ok == 50
    control.reset()
    control.start()
    serve(control, TWO, group("one", ports[2:]), group("other", ports[1:2]))
    until(caller, ["b2"])


@every_client
def test_dead_at_the_start(plane, backends, client, name):
    """Calls fail while there is nothing to go by; the first one after the control plane has come goes well."""
    control, back = plane(mode="filtered"), backends(1)
    control.kill()
    caller = client(name, control)
    assert caller.calls(2, timeout=0.3).failed == 2
    control.start()
    control.set(r.service("users", [back.port]))
    until(caller, ["b0"])


@every_client
def test_streams_that_close(two, name):
    """After an answer: nobody notices. Before one: no more often than backoff allows."""
    caller, control, _back, ports = two(name)
    with calling(caller):
        control.behave(close_after=1)
        serve(control, TWO, group("one", ports[2:]), group("other", ports[1:2]))
        until(caller, ["b2"])
        control.behave(refuse={"code": 14, "message": "no"})
        with contextlib.suppress(AssertionError):
            control.close_streams()
        before = control.state()
        assert all(caller.calls(1).ok for _ in range(100))
        after = control.state()
    seconds = (after["now_ms"] - before["now_ms"]) / 1000
    assert len(after["streams"]) - len(before["streams"]) <= 2 + seconds / 0.8  # a second, less its fifth, and growing


# ---- X8, X13 ----


@every_client
def test_answers_that_trickle(two, name):
    """Until the last byte of an answer is there, the old one holds."""
    caller, control, _back, ports = two(name)
    with calling(caller):
        control.behave(throttle=2000)
        serve(control, TWO, group("one", ports[2:]), group("other", ports[1:2]))
        until(caller, ["b2"])


@every_client
def test_a_new_cluster_is_there_when_its_route_is(two, name):
    """A route to a cluster that is known, whose endpoints come later than any call can wait: calls go where they went."""
    caller, control, _back, ports = two(name)
    with calling(caller):
        to_next = r.routes("users", r.route("other", {"prefix": "/other/"}), r.route("next"))
        serve(control, to_next, group("one", ports[:1]), group("other", ports[1:2]), r.cluster("next"))
        eventually(
            lambda: any("next" in one["names"] for one in control.requests(kind="ClusterLoadAssignment")),
            "the new cluster's endpoints are wanted",
        )
        assert caller.calls(20).backends == {"b0": 20}
        serve(control, to_next, group("one", ports[:1]), group("other", ports[1:2]), group("next", ports[2:]))
        until(caller, ["b2"])


@every_client
def test_listener_whose_routes_never_come(two, name):
    caller, control, _back, ports = two(name)
    served = [TWO, *group("one", ports[:1]), *group("other", ports[1:2])]
    with calling(caller):
        control.set([r.listener("users", "nowhere"), *served])
        control.wait_taken("Listener")
        assert caller.calls(20).backends == {"b0": 20}


# ---- X9 ----


@mesh_only  # gRPC needs many seconds
def test_very_many_endpoints(two, name):
    """100,000 endpoints of a cluster that is in use, and the other cluster is called meanwhile."""
    caller, control, _back, ports = two(name)
    one = [r.cluster("one"), r.many_endpoints("one", (1, 100001), base="127.1.0.0", port=1)]
    with calling(caller, path=OTHER):
        serve(control, TWO, one, group("other", ports[1:2]))
        control.wait_taken("ClusterLoadAssignment")
    serve(control, TWO, group("one", ports[2:]), group("other", ports[1:2]))
    until(caller, ["b2"])


# ---- X10 ----


@every_client
def test_versions_mean_nothing(liar, name):
    """Rolled back, or the same as before: the content counts."""
    caller, control, back, truth = liar(name)
    first, changed = truth["ClusterLoadAssignment"], r.endpoints("users", [back.ports["b1"]])
    for version, content, backend in (("7", changed, "b1"), ("3", first, "b0"), ("3", changed, "b1"), ("", first, "b0")):
        control.send(answer("ClusterLoadAssignment", [content], version=version))
        until(caller, [backend])


# ---- X11 ----


@every_client
def test_aggregate_clusters_without_end(two, name):
    """A circle and a chain of 17: calls to those fail, others go on."""
    caller, control, _back, ports = two(name)
    policy = {"lb_policy": "ROUND_ROBIN"}
    circle = [r.aggregate("circle", "back", **policy), r.aggregate("back", "circle", **policy)]
    chain = [r.aggregate(f"chain-{i}", f"chain-{i + 1}", **policy) for i in range(17)] + group("chain-17", ports[2:])
    short = [r.aggregate("short", "shorter", **policy), r.aggregate("shorter", "last", "one", **policy)] + group(
        "last", ports[2:]
    )
    entries = [r.route(to, {"prefix": f"/{to}/"}) for to in ("circle", "chain-0", "short")]
    table = r.routes("users", *entries, *TWO["virtual_hosts"][0]["routes"])
    with calling(caller):
        serve(control, table, circle, chain, short, group("one", ports[:1]), group("other", ports[1:2]))
        until(caller, ["b2"], path="/short/Call")
        for path in ("/circle/Call", "/chain-0/Call"):
            assert caller.calls(3, path=path, timeout=1).ok == 0


# ---- X12 ----


CONFLICTS = {
    "the same address twice": lambda port: [r.locality([port, port])],
    "sum of weights": lambda port: [r.locality([port], "a", weight=2**32 - 1), r.locality([port + 1], "b", weight=2)],
    "a gap of priorities": lambda port: [r.locality([port], "a"), r.locality([port + 1], "b", priority=2)],
    "the same locality twice": lambda port: [r.locality([port], "a"), r.locality([port + 1], "a")],
}


@every_client
def test_endpoints_in_conflict(two, name):
    caller, control, _back, ports = two(name)
    with calling(caller):
        for n, (what, localities) in enumerate(CONFLICTS.items(), 1):
            serve(control, TWO, group("one", localities(ports[2])), group("other", ports[1:2]))
            refused = {one["nonce"]: one for one in control.wait("nack", "ClusterLoadAssignment", n=n)}
            eventually(
                lambda n=n: len({one["nonce"] for one in control.requests("nack")}) >= n,
                lambda what=what, refused=refused: f"a NACK because of {what}; {refused}",
            )


# ---- X14 ----


@every_client
def test_fallback_and_return(plane, backends, client, name):
    """The second plane serves what the first one never did; the first one takes over when it is back."""
    first, second, back = plane(mode="filtered"), plane(mode="filtered"), backends(3)
    ports = list(back.ports.values())
    first.kill()
    serve(second, TWO, group("one", ports[1:2]), group("other", ports[1:2]))
    caller = client(name, first, second)
    until(caller, ["b1"])
    with calling(caller):
        first.start()
        serve(first, TWO, group("one", ports[:1]), group("other", ports[:1]))
        until(caller, ["b0"])
        eventually(lambda: not second.streams("sotw", still_open=True), "the second plane's stream ends")
        first.kill()
        assert caller.calls(50).backends == {"b0": 50}  # it has everything: nothing to fall back for


# ---- X16 ----


def deep(levels):
    """A Struct of so many levels, as bytes: fields { key: "a", value { struct_value { ... } } }."""
    content = b""
    for _ in range(levels):
        for tag in (b"\x2a", b"\x12", b"\x0a"):
            prefix = b"\x0a\x01a" if tag == b"\x0a" else b""
            inner = prefix + content if tag == b"\x0a" else content
            content = tag + varint(len(inner)) + inner
    return content


def varint(number):
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


@mesh_only  # gRPC takes a cluster for deleted that is not in an answer which cannot be read
def test_malice(liar, name):
    """Regular expressions that blow up, NUL, nesting: refused, or harmless; calls go on."""
    caller, control, _back, truth = liar(name)

    def match(**header):
        return r.routes("users", r.route("users", {"prefix": "/", "headers": [r.header("x", **header)]}), r.route("users"))

    with calling(caller):
        for version, content in [
            ("regex", match(safe_regex={"regex": "(a*)*" * 30 + "$"})),
            ("repeat", match(safe_regex={"regex": "((((a{1,100}){1,100}){1,100}){1,100})"})),
            ("bad-regex", match(safe_regex={"regex": "(["})),
            ("nul", match(exact="a\0b")),
            ("back-reference", match(safe_regex={"regex": r"(a)\1"})),
        ]:
            control.send(answer("RouteConfiguration", [content], version=version, nonce=version))
            eventually(lambda version=version: any(one["nonce"] == version for one in control.requests()), version)
            assert caller.calls(5, headers=[("x", "a" * 2000 + "b")]).ok == 5
        encoded = control.encode(truth["Cluster"])
        # metadata (25) { filter_metadata (1) { key "k", value { ... } } }
        struct = deep(5000)
        entry = b"\x0a\x01k\x12" + varint(len(struct)) + struct
        metadata = b"\x0a" + varint(len(entry)) + entry
        nested = encoded + b"\xca\x01" + varint(len(metadata)) + metadata
        control.send(answer("Cluster", [any_of(r.CLUSTER, nested)], version="deep", nonce="deep"))
        eventually(lambda: any(one["nonce"] == "deep" for one in control.requests()), "a word about the nested one")


@every_client
def test_very_many_routes(two, name):
    caller, control, _back, ports = two(name)
    many = [r.route("one", {"path": f"/never/{i}"}) for i in range(50000)]
    table = r.routes("users", *many, r.route("other", {"path": OTHER}), r.route("one"))
    with calling(caller):
        serve(control, table, group("one", ports[2:]), group("other", ports[:1]))
        until(caller, ["b0"], path=OTHER)
        until(caller, ["b2"])


# ---- X17 ----

DELTA = {"features": ["mesh.delta"]}


@mesh_only
def test_delta(two, name):
    """Changes one by one, versions told after a reconnect, what is removed without having been there."""
    caller, control, _back, ports = two(name, **DELTA)
    assert not control.streams("sotw")
    with calling(caller):
        serve(control, TWO, group("one", ports[2:]), group("other", ports[1:2]))
        until(caller, ["b2"])
        changed = control.streams("delta")[0]["responses"][-1]
        assert changed["resources"] == 1
        control.send(answer("ClusterLoadAssignment", [], removed=["never-there"], version="9"))
        control.close_streams()
        control.wait_open("delta")
        eventually(lambda: control.streams("delta")[-1]["requests"], "gets in touch again")
    again = control.streams("delta")[-1]["requests"]
    told = {
        kind: names for request in again for kind, names in [(request["type"], request.get("initial_versions"))] if names
    }
    assert set(told) == {r.LISTENER, r.ROUTES, r.CLUSTER, r.ENDPOINTS}
    serve(control, TWO, group("one", ports[:1]), group("other", ports[1:2]))
    until(caller, ["b0"])


@pytest.mark.parametrize("name", ["mesh"])
def test_time_to_live(plane, backends, client, name):
    """A resource that has one is gone when nobody says that it is still there; go-control-plane says so every second,
    but never to those who take changes only."""
    control, back = plane(mode="filtered"), backends(1)
    control.set(r.service("users", [back.port]), ttl_ms=3000)
    caller = client(name, control)
    until(caller, ["b0"])
    with calling(caller):
        eventually(lambda: len(control.streams()[0]["responses"]) > 8, "heartbeats")
