"""gRPC's xDS test descriptions (xds/scenarios.py), played on go-control-plane by each client."""

import pytest

from servers import plane as planes
from servers import tools
from servers.plane import Backends, Plane
from xds import clients, scenarios


@pytest.fixture(scope="module", autouse=True)
def programs():
    tools.or_skip(planes.binary)
    tools.or_skip(clients.needed)


@pytest.mark.parametrize("client", clients.CLIENTS)
@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.__name__)
def test_scenario(scenario, client, servers, tmp_path, ports, environment):
    if (scenario.__name__, client) in scenarios.NOT_PLAYED:
        pytest.skip(scenarios.NOT_PLAYED[scenario.__name__, client])
    plane = servers.add(Plane(tmp_path, ports, mode="filtered"))
    caller = clients.CLIENTS[client](tmp_path, ports, environment, [plane])
    servers.made.append(caller)
    scenario(scenarios.Scene(plane, caller, lambda n: servers.add(Backends(tmp_path, ports, n))))
