"""A configuration file that changes while 16 callers call: taken up without a lost request, refused when it is broken."""

import json
import os

import pytest

from servers.process import eventually

CALLERS = 16


@pytest.fixture
def three(servers):
    return [servers.nghttpd() for _ in range(3)]


def describing(*servers, **more):
    """The configuration in which these serve "users"."""
    endpoints = [{"address": server.endpoint} for server in servers]
    return json.dumps({"services": {"users": {"endpoints": endpoints, "protocol": "h2c", **more}}})


def write_in_place(path, text):
    path.write_text(text)


def rename_over(path, text):
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(path)


def swap_link(path, text):
    """As Kubernetes changes a mounted ConfigMap: file → ..data/file, and ..data is a link that is replaced."""
    data = path.parent / "..data"
    version = path.parent / f"..version{len(list(path.parent.iterdir()))}"
    version.mkdir()
    (version / path.name).write_text(text)
    fresh = path.parent / "..data_new"
    os.symlink(version.name, fresh)
    fresh.rename(data)
    if not path.is_symlink():
        path.symlink_to(f"..data/{path.name}")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc" / "mesh.json"


@pytest.mark.parametrize("change", [write_in_place, rename_over, swap_link])
def test_moved(change, path, load, three):
    """The service moves from one server to the next, by each way in which files are changed: nothing is lost."""
    change(path, describing(three[0]))
    with load(["-c", CALLERS, "users", "/hello"], MESH_CONFIG=path) as calls:
        calls.until_calls(1000, three[0].endpoint)
        for old, new in zip(three, three[1:]):
            change(path, describing(new))
            calls.until_calls(1000, new.endpoint)
            old.stop()
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


BROKEN = {
    "no JSON": ('{"services": ', "mesh.json"),
    "unknown key": ('{"defaults": {"retry": {"atempts": 1}}}', "retry.attempts"),
    "wrong value": ('{"defaults": {"timeout_ms": -1}}', "timeout_ms"),
    "same key twice": ('{"zone": "a", "zone": "b"}', "zone"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=[name.replace(" ", "-") for name in BROKEN])
def test_broken(broken, path, load, three):
    """A broken file is refused with one line in the log that says what is wrong; the last good one stays; the next is taken."""
    text, word = broken
    path.write_text(describing(three[0]))
    with load(["-c", CALLERS, "users", "/hello"], MESH_CONFIG=path) as calls:
        calls.until_calls(500, three[0].endpoint)
        rename_over(path, text)
        eventually(lambda: any("config_rejected" in line for line in list(calls.errors)), "it is refused")
        calls.until_calls(2000, three[0].endpoint)
        rename_over(path, describing(three[1]))
        calls.until_calls(500, three[1].endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    [line] = [line for line in calls.errors if "config_rejected" in line]
    assert "ERROR" in line and str(path) in line and word in line, line


def test_removed(path, load, three):
    """A file that is removed is as good as a broken one: what was configured last stays."""
    path.write_text(describing(three[0]))
    with load(["-c", CALLERS, "users", "/hello"], MESH_CONFIG=path) as calls:
        calls.until_calls(500, three[0].endpoint)
        path.unlink()
        eventually(lambda: any("config_rejected" in line for line in list(calls.errors)), "it is told")
        calls.until_calls(2000, three[0].endpoint)
        path.write_text(describing(three[1]))
        calls.until_calls(500, three[1].endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
