"""mesh xds status, dump and lint; mesh endpoints and mesh resolve of a control plane's services."""

import json
import subprocess

import pytest

from servers import plane as planes
from servers import tools
from servers.plane import Backends, Plane, answer
from servers.process import GUARD_S, eventually
from xds import clients
from xds import resources as r

OK, FAILED, USAGE = 0, 1, 2
TLS = r.TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


@pytest.fixture(scope="module", autouse=True)
def programs():
    tools.or_skip(planes.binary)


@pytest.fixture
def control(servers, tmp_path, ports):
    return servers.add(Plane(tmp_path, ports))


@pytest.fixture
def back(servers, tmp_path, ports):
    return servers.add(Backends(tmp_path, ports, 3))


@pytest.fixture
def run(mesh, environment, control):
    """run("xds", "status", ...): what came of it, with the control plane of the test."""

    def run(*args, bootstrap=None, **variables):
        text = json.dumps(clients.bootstrap(control)) if bootstrap is None else bootstrap
        variables = {"GRPC_XDS_BOOTSTRAP_CONFIG": text, **variables} if text else variables
        return subprocess.run(
            [mesh, *args], capture_output=True, text=True, timeout=GUARD_S, env=environment(**variables), check=False
        )

    return run


@pytest.fixture
def run_json(run):
    def run_json(*args, **variables):
        done = run(*args, "--json", **variables)
        assert not done.stderr, done
        return done.returncode, json.loads(done.stdout)

    return run_json


def by(objects, key, value):
    (found,) = [one for one in objects if one[key] == value]
    return found


# ---- usage ----


@pytest.mark.parametrize("command", ["status", "dump", "lint"])
def test_each_explains_itself(run, command):
    done = run("xds", command, "-h")
    assert done.returncode == OK and not done.stderr
    assert done.stdout.startswith(f"Usage: mesh xds {command} ")
    assert "--json" in done.stdout and "--timeout" in done.stdout
    assert all(len(line) <= 120 for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    "args, told",
    [
        (["xds"], "needs status|dump|lint"),
        (["xds", "stauts"], "did you mean status?"),
        (["xds", "status", "--jsno"], "did you mean --json?"),
        (["xds", "lint", "--timeout", "5"], "250ms, 1s or 1m"),
        (["xds", "status", "ftp://x"], "ftp"),
    ],
)
def test_wrong_usage_is_told(run, args, told):
    done = run(*args)
    assert done.returncode == USAGE
    assert told in done.stderr and not done.stdout


@pytest.mark.parametrize("command", ["status", "dump", "lint"])
def test_without_a_bootstrap_a_sentence_says_how(run, command):
    done = run("xds", command, bootstrap="")
    assert done.returncode == FAILED and not done.stdout
    assert "GRPC_XDS_BOOTSTRAP" in done.stderr


def test_a_wrong_bootstrap_is_told(run):
    done = run("xds", "status", bootstrap='{"xds_servers": 5}')
    assert done.returncode == FAILED
    assert "xds_servers: it is a number" in done.stderr and "no control plane is configured" in done.stderr


# ---- status ----


def test_status_of_a_service(run_json, control, back):
    control.set(r.service("users", list(back.ports.values())))
    code, status = run_json("xds", "status", "users")
    assert code == OK
    assert status["node"]["id"] == "client"
    (plane,) = status["control_planes"]
    assert (plane["uri"], plane["state"], plane["streams"]) == (control.server_uri, "connected", 1)
    assert plane["last_error"] is None and plane["address"] == control.server_uri
    types = {one["type"]: (one["names"], one["version"], one["accepted"], one["refused"]) for one in plane["types"]}
    assert set(types.values()) == {(1, "1", 1, 0)} and len(types) == 4
    states = {one["type"]: (one["name"], one["state"], one["version"]) for one in status["resources"]}
    assert set(states.values()) == {("users", "ACKED", "1")} and len(states) == 4
    (service,) = status["services"]
    assert (service["service"], service["listener"], service["routes"]) == ("users", "users", "users")
    assert service["is_published"] and service["clusters"] == ["users"] and service["error"] is None
    (cluster,) = status["clusters"]
    assert (cluster["cluster"], cluster["kind"], cluster["endpoints"], cluster["hold"]) == ("users", "eds", 3, None)


def test_status_for_people(run, control, back):
    control.set(r.service("users", list(back.ports.values())))
    done = run("xds", "status", "xds:///users")
    assert done.returncode == OK and not done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["node", "client"]
    assert ["xds:///users", "published", "users", "users", "1", "users"] in lines
    assert ["users", "published", "eds", "users", "3"] in lines
    assert ["route", "configuration", "users", "ACKED", "1"] in [line[:5] for line in lines]


def test_clusters_of_each_kind(run_json, plane, back):
    control = plane(mode="filtered")
    text = json.dumps(clients.bootstrap(control))
    ports = list(back.ports.values())

    def other(name, kind, host):
        where = {"cluster_name": name, "endpoints": [{"lb_endpoints": [r.endpoint(ports[1], host=host)]}]}
        made = {**r.cluster(name), "type": kind, "load_assignment": where}
        del made["eds_cluster_config"]
        return made

    control.set(
        [
            r.listener("users"),
            r.routes("users", r.route({"both": 1, "named": 1})),
            r.aggregate("both", "one", "fixed"),
            r.cluster("one"),
            r.endpoints("one", ports[:1]),
            other("fixed", "STATIC", "127.0.0.1"),
            other("named", "STRICT_DNS", "localhost"),
        ]
    )
    code, status = run_json("xds", "status", "users", bootstrap=text)
    assert code == OK
    assert {one["cluster"]: (one["kind"], one["members"], one["endpoints"]) for one in status["clusters"]} == {
        "both": ("aggregate", ["one", "fixed"], 2),
        "fixed": ("static", [], 1),
        "named": ("dns", [], 1),
        "one": ("eds", [], 1),
    }
    _, way = run_json("resolve", "xds:///users", bootstrap=text)
    steps = {step["query"]: step["records"] for step in way["steps"]}
    assert steps["cluster both"] == ["cluster one", "cluster fixed"]
    assert steps["cluster named"] == [f"host localhost:{ports[1]}"]
    assert steps["cluster fixed"] == ["endpoints of its own"]
    assert [one["cluster"] for one in way["endpoints"]] == ["both", "both", "named"]


def test_services_of_the_configuration_are_asked_for(run_json, control, back):
    control.set(r.service("users", list(back.ports.values())))
    code, status = run_json("xds", "status", MESH_SERVICES="pay=xds:///users; other=http://127.0.0.1:1")
    assert code == OK
    assert [one["service"] for one in status["services"]] == ["pay"]


def test_status_without_services_connects(run_json, control):
    code, status = run_json("xds", "status")
    assert code == OK
    assert status["control_planes"][0]["state"] == "connected" and not status["resources"]


def test_nobody_answers(run_json, run, control):
    control.kill()
    code, status = run_json("xds", "status", "users")
    assert code == FAILED
    (plane,) = status["control_planes"]
    assert plane["state"] != "connected"
    assert "refused" in plane["last_error"]["detail"]
    assert "no control plane answers" in status["services"][0]["error"]["detail"]
    done = run("xds", "lint", "users")
    assert done.returncode == FAILED
    assert f'unreachable: control plane "{control.server_uri}"' in done.stdout


def test_fallback_is_shown(run_json, servers, tmp_path, ports, control, back):
    second = servers.add(Plane(tmp_path, ports))
    second.set(r.service("users", list(back.ports.values())))
    control.kill()
    text = json.dumps(clients.bootstrap(control, second))
    _, status = run_json("xds", "status", "users", bootstrap=text)
    assert [(one["uri"], one["is_asked"], one["streams"]) for one in status["control_planes"]] == [
        (control.server_uri, True, 0),
        (second.server_uri, True, 1),
    ]
    assert status["services"][0]["is_published"]


# ---- dump ----


def test_dump_has_everything_but_keys(run, control, back):
    served = r.service("users", list(back.ports.values()), **r.http2())
    control.set(served)
    done = run("xds", "dump", "users")
    assert done.returncode == OK and not done.stderr
    dump = json.loads(done.stdout)
    contents = {one["type"]: one.get("resource", one) for one in dump}
    assert list(contents) == ["listener", "route configuration", "cluster", "endpoints"]
    assert contents["route configuration"]["virtual_hosts"][0]["routes"][0]["route"] == {"cluster": "users"}
    options = contents["cluster"]["typed_extension_protocol_options"][r.HTTP_OPTIONS]
    assert options["explicit_http_config"] == {"http2_protocol_options": {}}
    wanted = {f"127.0.0.1:{port}" for port in back.ports.values()}
    assert {one["address"] for one in contents["endpoints"]["endpoints"]} == wanted


def test_private_keys_stay_where_they_are(run, control, back, certificate):
    listener, routes, cluster, endpoints = r.service("users", list(back.ports.values()))
    identity = {
        "certificate_chain": {"inline_string": certificate.chain.read_text()},
        "private_key": {"inline_string": certificate.key.read_text()},
    }
    trust = {"trusted_ca": {"inline_string": certificate.ca.read_text()}}
    context = {"@type": TLS, "common_tls_context": {"tls_certificates": [identity], "validation_context": trust}}
    cluster["transport_socket"] = {"name": "tls", "typed_config": context}
    control.set([listener, routes, cluster, endpoints])
    secret = certificate.key.read_text().splitlines()[1]
    shown = [run("xds", command, "users", "--json") for command in ("status", "dump", "lint")]
    assert all(secret not in done.stdout and secret not in done.stderr for done in shown)
    assert "common_tls_context" in shown[1].stdout


# ---- lint ----


def findings(run_json, *services, **variables):
    code, told = run_json("xds", "lint", *services, **variables)
    assert code == (FAILED if told["findings"] else OK)
    return told["findings"]


def test_nothing_to_say(run, control, back):
    control.set(r.service("users", list(back.ports.values())))
    done = run("xds", "lint", "users")
    assert (done.returncode, done.stdout, done.stderr) == (OK, "", "")


def test_what_is_refused_has_its_path(run_json, control, back):
    port = back.ports["b0"]
    control.set(r.service("users", [port, port]))
    told = findings(run_json, "users")
    refused = by(told, "kind", "refused")
    assert refused["what"] == 'endpoints "users"' and refused["is_failure"]
    assert "endpoints[0]" in refused["detail"] and str(port) in refused["detail"]


def test_what_is_not_honoured_is_said_once(run_json, control, back):
    more = {"upstream_bind_config": {"source_address": {"address": "127.0.0.1", "port_value": 0}}}
    split = r.routes("users", r.route({"one": 1, "two": 1}))
    served = [r.listener("users"), split]
    for name in ("one", "two"):
        served += [r.cluster(name, **more), r.endpoints(name, list(back.ports.values()))]
    control.set(served)
    told = findings(run_json, "users")
    (ignored,) = [one for one in told if one["kind"] == "not honoured"]
    assert ignored["what"] == 'cluster "one" and 1 more' and not ignored["is_failure"]
    assert "21" in ignored["detail"]  # its number in Cluster


def test_what_does_not_exist(run_json, control, back):
    """The control plane says so, with delta: in the other protocol a client only can wait for long."""
    listener, _, cluster, endpoints = r.service("users", list(back.ports.values()))
    split = r.routes("users", r.route({"users": 1, "gone": 1}))
    control.behave(manual=True)
    control.can(
        answer("Listener", [listener]), answer("RouteConfiguration", [split]),
        answer("Cluster", [cluster], removed=["gone"]), answer("ClusterLoadAssignment", [endpoints]),
    )  # fmt: skip
    text = json.dumps(clients.bootstrap(control, features=["mesh.delta"]))
    told = findings(run_json, "users", bootstrap=text)
    (missing,) = [one for one in told if one["kind"] == "missing"]
    assert missing["what"] == 'cluster "gone"'
    assert 'the routes of service "users" lead to it' in missing["detail"]


def test_a_service_that_is_not_answered_for(run_json, control):
    told = findings(run_json, "users", "--timeout", "300ms")
    assert by(told, "kind", "unanswered")["what"] == 'listener "users"'


def test_a_service_of_nobody(run_json, control):
    told = findings(run_json, "http://127.0.0.1:1")
    assert by(told, "kind", "no service")["what"] == 'service "http://127.0.0.1:1"'


# ---- other commands ----


def split_service(back):
    ports = list(back.ports.values())
    split = r.routes("users", r.route("one", match={"path": "/one"}), r.route("two"))
    health = r.endpoint(ports[2], health="DRAINING")
    two = r.endpoints("two", r.locality([ports[1], health], name="far", priority=0))
    return [r.listener("users"), split, r.cluster("one"), r.endpoints("one", ports[:1]), r.cluster("two"), two]


def test_endpoints_of_all_clusters(run_json, control, back):
    control.set(split_service(back))
    code, told = run_json("endpoints", "xds:///users")
    assert code == OK
    assert (told["cluster"], told["source"]) == ("two", "eds")
    (other,) = told["other_clusters"]
    assert other["cluster"] == "one" and other["endpoints"][0]["state"] == "connected"
    drained = by(told["endpoints"], "address", f"127.0.0.1:{back.ports['b2']}")
    assert (drained["told_health"], drained["state"], drained["zone"]) == ("draining", "draining", "far")


def test_endpoints_of_configured_services(run_json, control, back):
    control.set(split_service(back))
    code, told = run_json("endpoints", MESH_SERVICES="pay=xds:///users")
    assert code == OK
    (service,) = told["services"]
    assert (service["service"], service["cluster"]) == ("pay", "two")


def test_resolve_shows_the_way(run_json, run, control, back):
    control.set(split_service(back))
    code, told = run_json("resolve", "xds:///users")
    assert code == OK and told["error"] is None
    assert [(step["query"], step["result"]) for step in told["steps"]] == [
        ("listener users", "ok"),
        ("route configuration users", "ok"),
        ("cluster one", "ok"),
        ("endpoints one", "ok"),
        ("cluster two", "ok"),
        ("endpoints two", "ok"),
    ]
    assert told["steps"][1]["records"] == ["cluster one", "cluster two"]
    assert all(step["from"] == control.server_uri for step in told["steps"])
    assert [one["cluster"] for one in told["endpoints"]] == ["one", "two", "two"]
    shown = run("resolve", "xds:///users")
    assert shown.returncode == OK
    assert shown.stdout.startswith(f"1. listener users  ok  from {control.server_uri}  version 1\n")


def test_resolve_tells_what_is_missing(run_json, control):
    code, told = run_json("resolve", "xds:///users", "--timeout", "300ms")
    assert code == FAILED
    assert told["steps"][0]["result"] == "REQUESTED" and told["error"] == "MESH_ERR_TIMEOUT"


# ---- a program that runs for long ----


@pytest.fixture
def caller(client, control, back):
    """It has called the service, which has three endpoints."""
    control.set(r.service("users", list(back.ports.values())))
    made = client("mesh", control)
    assert made.calls(3).ok == 3
    return made


def shown(caller, look):
    """What look() finds in the status, as soon as it finds something."""
    return eventually(lambda: look(caller.show("xds")), "the status")


def resource(status, kind):
    return by(status["resources"], "type", kind)


def test_what_is_refused_stays_beside_what_is_used(caller, control, back):
    port = back.ports["b0"]
    control.set(r.service("users", [port, port]))
    refused = shown(caller, lambda s: resource(s, "endpoints") if resource(s, "endpoints")["state"] == "NACKED" else None)
    assert (refused["version"], refused["error"]["version"]) == ("1", "2")
    assert str(port) in refused["error"]["detail"]
    types = caller.show("xds")["control_planes"][0]["types"]
    assert by(types, "type", "endpoints")["refused"] >= 1 and str(port) in by(types, "type", "endpoints")["error"]
    assert caller.calls(10).ok == 10


def test_a_hold_is_shown(caller, control, back):
    listener, routes, cluster, _ = r.service("users", [])
    control.set([listener, routes, cluster, r.endpoints("users", [back.ports["b0"]])])
    hold = shown(caller, lambda s: s["clusters"][0]["hold"])
    assert (hold["named"], hold["before"]) == (1, 3) and hold["state"].startswith("thinned") and hold["until"]
    held = {one["address"] for one in caller.show("endpoints")["endpoints"] if one["held"]}
    assert held == {f"127.0.0.1:{back.ports[name]}" for name in ("b1", "b2")}


def test_what_is_deleted_is_marked(caller, control):
    control.set([])
    marked = shown(caller, lambda s: resource(s, "listener") if resource(s, "listener").get("deleted") else None)
    assert marked["state"] == "ACKED" and marked["version"] == "1"
    assert caller.show("xds")["services"][0]["is_published"]


def test_a_control_plane_that_dies_and_comes_back(caller, control):
    control.kill()
    plane = shown(caller, lambda s: s["control_planes"][0] if s["control_planes"][0]["last_error"] else None)
    assert plane["state"] != "connected" and plane["streams"] == 0 and plane["address"] is None
    assert resource(caller.show("xds"), "cluster")["state"] == "ACKED"
    control.start()
    plane = shown(caller, lambda s: s["control_planes"][0] if s["control_planes"][0]["streams"] else None)
    assert plane["state"] == "connected" and plane["last_error"] and plane["connections"] == 2


# ---- from the disk ----


def test_what_comes_from_the_disk_is_marked(run_json, control, back, tmp_path):
    control.set(r.service("users", list(back.ports.values())))
    cache = tmp_path / "cache"

    def cached():
        _, status = run_json("xds", "status", "users", MESH_XDS_CACHE_DIR=cache)
        return status["cache_file"] if list(cache.iterdir()) else None

    assert eventually(cached, "the cache is written").startswith(str(cache))
    control.kill()
    told = findings(run_json, "users", MESH_XDS_CACHE_DIR=cache)
    assert {one["what"] for one in told if one["kind"] == "stale"} >= {'listener "users"', 'cluster "users"'}
    _, status = run_json("xds", "status", "users", MESH_XDS_CACHE_DIR=cache)
    assert status["services"][0]["is_published"]
