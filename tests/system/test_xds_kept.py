"""What libmesh keeps of a control plane's word when it has reason to: on the disk, for a while, or for good."""

import json

from servers.process import eventually
from xds import resources as r

ROUTES = r.routes("users", r.route("users"))


def serve(control, ports):
    control.set([r.listener("users"), ROUTES, r.cluster("users"), r.endpoints("users", ports)])


def events(caller, name):
    lines = [json.loads(line) for line in caller.events.read_text().splitlines()]
    return [line["fields"] for line in lines if line["event"] == name]


def until(caller, wanted):
    """Calls until all of ten are answered, by these backends."""

    def look():
        results = caller.calls(10)
        return results if set(results.backends) == set(wanted) and not results.failed else None

    return eventually(look, f"answers from {wanted} only")


# ---- the disk ----


def stored(folder):
    """The files of the cache as soon as there are any."""
    return eventually(lambda: [one for one in folder.glob("xds-*") if one.suffix == ""], "a file in the cache")


def one_that_was_here_before(plane, backends, client, folder):
    """A control plane that is dead, backends, and what a client has left on the disk."""
    control, back = plane(), backends(2)
    serve(control, list(back.ports.values()))
    first = client("mesh", control, variables={"MESH_XDS_CACHE_DIR": folder})
    assert first.calls(10).ok == 10
    first.stop()
    control.kill()
    return control, back, stored(folder)[0]


def test_restart_while_the_control_plane_is_dead(plane, backends, client, tmp_path):
    folder = tmp_path / "cache"
    control, back, _file = one_that_was_here_before(plane, backends, client, folder)
    second = client("mesh", control, variables={"MESH_XDS_CACHE_DIR": folder})
    results = second.calls(10)
    assert results.ok == 10 and set(results.backends) == {"b0", "b1"}, results

    control.reset()
    control.start()
    serve(control, [back.ports["b1"]])
    until(second, ["b1"])


def test_without_a_folder_nothing_is_kept(plane, backends, client, tmp_path):
    folder = tmp_path / "cache"
    control, _back, _file = one_that_was_here_before(plane, backends, client, folder)
    assert client("mesh", control).calls(3, timeout=5).ok == 0


def test_damaged_file(plane, backends, client, tmp_path):
    folder = tmp_path / "cache"
    control, back, file = one_that_was_here_before(plane, backends, client, folder)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    control.reset()
    control.start()
    serve(control, list(back.ports.values()))
    second = client("mesh", control, variables={"MESH_XDS_CACHE_DIR": folder})
    assert second.calls(10).ok == 10
    damaged = events(second, "xds_cache_damaged")
    assert [one["file"] for one in damaged] == [str(file)] and "checksum" in damaged[0]["detail"]
    assert file.with_name(file.name + ".damaged").read_bytes() == content
    second.stop()
    assert stored(folder) == [file]


def test_folder_that_cannot_be_written(plane, backends, client, tmp_path):
    """It is told, and serves all the same."""
    folder = tmp_path / "cache"
    folder.write_text("a file where a folder should be")
    control, back = plane(), backends(1)
    serve(control, list(back.ports.values()))
    caller = client("mesh", control, variables={"MESH_XDS_CACHE_DIR": folder})
    assert caller.calls(5).ok == 5
    eventually(lambda: events(caller, "xds_cache_not_written"), "the event")


# ---- endpoints that are taken away ----


def test_emptied_endpoints_are_held(plane, backends, client):
    control, back = plane(), backends(2)
    ports = list(back.ports.values())
    serve(control, ports)
    caller = client("mesh", control, variables={"MESH_XDS_HOLD_MS": "500"})
    until(caller, ["b0", "b1"])
    serve(control, [])
    eventually(lambda: events(caller, "xds_endpoints_held"), "the hold begins")
    assert caller.calls(20).ok == 20
    eventually(lambda: events(caller, "xds_hold_ends"), "the hold is over")
    results = caller.calls(20)
    assert results.ok == 20 and set(results.backends) == {"b0", "b1"}, "who answers, serves"
    back.kill()
    eventually(lambda: caller.calls(3, timeout=1).failed == 3, "who does not answer, is gone")
    back.start()
    serve(control, ports[1:])
    until(caller, ["b1"])


def test_first_answer_is_obeyed_even_when_it_is_empty(plane, backends, client):
    control, back = plane(), backends(1)
    serve(control, [])
    caller = client("mesh", control)
    assert caller.calls(2).failures == {"MESH_ERR_NO_HEALTHY": 2}
    serve(control, list(back.ports.values()))
    until(caller, ["b0"])


def test_thinned_endpoints(plane, backends, client):
    """Who is left gets everything, the others nothing while it is well."""
    control, back = plane(), backends(3)
    ports = list(back.ports.values())
    serve(control, ports)
    caller = client("mesh", control, variables={"MESH_XDS_HOLD_MS": "60000"})
    until(caller, ["b0", "b1", "b2"])
    serve(control, ports[:1])
    until(caller, ["b0"])
    held = eventually(lambda: events(caller, "xds_endpoints_held"), "the event")
    assert [one["now"] for one in held] == [1]


# ---- clusters and listeners that are deleted ----


def deleted(control, caller):
    control.set([])
    return eventually(lambda: events(caller, "xds_resource_deleted"), "the deletion is told")


def test_deleted_resources_serve_on(plane, backends, client):
    control, back = plane(), backends(1)
    serve(control, list(back.ports.values()))
    caller = client("mesh", control)
    until(caller, ["b0"])
    deleted(control, caller)
    assert caller.calls(10).ok == 10
    serve(control, list(back.ports.values()))
    eventually(lambda: events(caller, "xds_resource_back"), "it is back")


def test_deletes_are_obeyed_where_that_is_asked_for(plane, backends, client):
    control, back = plane(), backends(1)
    serve(control, list(back.ports.values()))
    caller = client("mesh", control, variables={"MESH_XDS_OBEY_DELETES": "on"})
    until(caller, ["b0"])
    deleted(control, caller)
    eventually(lambda: caller.calls(2).failures == {"MESH_ERR_NO_ROUTE": 2}, "calls fail")
    serve(control, list(back.ports.values()))
    until(caller, ["b0"])


# ---- what has not come ----


def test_a_call_that_waits_in_vain_says_for_what(plane, backends, client):
    control, back = plane(mode="filtered"), backends(1)
    control.set([r.listener("users"), ROUTES])
    results = client("mesh", control).calls(1, timeout=0.5)
    assert results.failures == {"MESH_ERR_TIMEOUT": 1}
    assert 'has not sent cluster "users" yet' in next(iter(results.messages)), results


# ---- the configuration's word against the control plane's ----


def test_a_service_s_own_balancing_wins(plane, backends, client):
    control, back = plane(), backends(3)
    serve(control, list(back.ports.values()))
    services = {"services": {"users": {"target": "xds:///users", "balance": {"policy": "pick_first"}}}}
    caller = client("mesh", control, variables={"MESH_CONFIG": json.dumps(services)})
    caller.ask({"target": "users"})
    assert len(caller.calls(30).backends) == 1
    caller.ask({"target": "xds:///users"})
    assert len(caller.calls(30).backends) == 1, "it is the same cluster"


def test_balancing_of_all_services_wins(plane, backends, client):
    control, back = plane(), backends(3)
    serve(control, list(back.ports.values()))
    assert len(client("mesh", control).calls(30).backends) == 3
    everywhere = {"MESH_BALANCE_POLICY": "pick_first"}
    assert len(client("mesh", control, variables=everywhere).calls(30).backends) == 1
