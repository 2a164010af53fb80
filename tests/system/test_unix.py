"""Servers behind unix sockets."""

import pytest

from servers.nginx import Nginx


class UnixNginx(Nginx):
    """Accepts at a path instead of a port."""

    @property
    def address(self):
        return str(self.folder / "web.sock")


@pytest.fixture
def behind(servers, tmp_path):
    def make(protocol):
        listen = f"listen unix:{tmp_path}/nginx/web.sock{protocol};"
        return servers.add(UnixNginx(tmp_path / "nginx", 0, servers.root, listen=listen))

    return make


@pytest.mark.parametrize(("scheme", "protocol"), [("h2c+unix", " http2"), ("http+unix", "")])
def test_nginx(behind, load, scheme, protocol):
    """By a configured name and by the target itself; killed and back at the same path."""
    server = behind(protocol)
    target = f"{scheme}:{server.address}"
    with load(
        ["-c", 4, "users", "/hello"], ["-c", 2, target, "/hello"], MESH_SERVICES=f"users={target}"
    ) as calls:
        calls.until_calls(500, group=0)
        calls.until_calls(500, group=1)
        by_name, by_target = calls.stop()
    assert by_name.failed == by_target.failed == 0, (by_name.failures, by_target.failures)
    assert by_name.statuses == {"200": by_name.calls}
    expected = "HTTP/2.0" if protocol else "HTTP/1.1"
    assert {line["protocol"] for line in server.executed()} == {expected}


@pytest.mark.parametrize("scheme", ["h2c+unix", "http+unix"])
def test_nobody_there(load, tmp_path, scheme):
    """The sentence names the path."""
    path = tmp_path / "nobody.sock"
    with load(["-n", 1, f"{scheme}:{path}"]) as calls:
        [outcome] = calls.wait()
    assert outcome.errors == {"MESH_ERR_CONNECT": 1}, outcome
    assert str(path) in outcome.failures[0]["detail"]
