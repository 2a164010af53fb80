"""gRPC's xDS test descriptions (xds/scenarios.py), played on go-control-plane by each client."""

import pytest

from xds import clients, scenarios


@pytest.mark.parametrize("name", clients.CLIENTS)
@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.__name__)
def test_scenario(scenario, name, plane, backends, client):
    if (scenario.__name__, name) in scenarios.NOT_PLAYED:
        pytest.skip(scenarios.NOT_PLAYED[scenario.__name__, name])
    control = plane(mode="filtered")  # gRPC and libmesh do not ask for all there is
    scenario(scenarios.Scene(control, client(name, control), backends))
