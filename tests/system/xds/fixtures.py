"""Fixtures of all tests of xDS."""

import types

import pytest

from servers import plane as planes
from servers import tools
from servers.plane import Backends, Plane

from . import clients


@pytest.fixture(scope="session")
def xds_programs():
    """Skips what needs the control plane where it cannot be built."""
    tools.or_skip(planes.binary)


@pytest.fixture
def plane(xds_programs, servers, tmp_path, ports):
    """Starts a control plane: plane(mode=...)."""
    return lambda **options: servers.add(Plane(tmp_path, ports, **options))


@pytest.fixture
def backends(xds_programs, servers, tmp_path, ports):
    """Starts n backends: backends(n)."""
    return lambda n, **options: servers.add(Backends(tmp_path, ports, n, **options))


@pytest.fixture
def client(servers, tmp_path, ports, environment, program):
    """Starts a client of one or more control planes that calls "users": client("grpc", plane, ...)."""
    rig = types.SimpleNamespace(folder=tmp_path, ports=ports, environment=environment, program=program)

    def start(name, *its_planes, **options):
        tools.or_skip(clients.CLIENTS[name].needs)
        made = clients.CLIENTS[name](rig, its_planes, **options)
        servers.made.append(made)
        made.use("users")
        return made

    return start
