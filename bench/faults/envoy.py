# SPDX-License-Identifier: Apache-2.0
"""Envoy in front of the servers that misbehave, with the policy that an operator writes who has thought about it."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import peers  # noqa: E402
from endpoint import WITH_US  # noqa: E402

PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
SAFE = "connect-failure,refused-stream"  # nothing has been executed


def retries(conditions, timeout_ms, attempts):
    predicate = {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": peers.typed(PREVIOUS_HOSTS)}
    return {
        "retry_on": conditions,
        "num_retries": attempts - 1,
        "per_try_timeout": f"{timeout_ms / 1000}s",
        "retry_host_predicate": [predicate],
        "host_selection_retry_max_attempts": 3,
    }


def route(timeout_ms, try_timeout_ms, attempts, method):
    """Idempotent requests are retried whatever happened, others when nothing has been executed."""
    made = {"timeout": f"{timeout_ms / 1000}s"}
    if attempts > 1 and method == "GET":
        made["retry_policy"] = retries(f"{SAFE},reset,gateway-error", try_timeout_ms, attempts)
    elif attempts > 1:
        made["retry_policy"] = retries(SAFE, timeout_ms, attempts)
    return made


def cluster(servers, own_zone):
    """The own zone has priority 0, the others share 1."""
    zones = {}
    for server in servers:
        zones.setdefault(server.zone, []).append({"endpoint": {"address": peers.address(server.port.number)}})
    localities = [
        {"locality": {"zone": zone}, "priority": int(zone != own_zone), "lb_endpoints": members}
        for zone, members in zones.items()
    ]
    limits = {"max_connections": 1024, "max_pending_requests": 1024, "max_requests": 1024}
    limits["retry_budget"] = {"budget_percent": {"value": 20}, "min_retry_concurrency": 3}
    options = peers.typed(peers.HTTP_OPTIONS, explicit_http_config={"http2_protocol_options": {}})
    return {
        "name": "users",
        "type": "STATIC",
        "connect_timeout": "0.3s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [limits]},
        "outlier_detection": {"consecutive_5xx": 5, "interval": "1s", "max_ejection_percent": 50},
        "typed_extension_protocol_options": {peers.HTTP_OPTIONS: options},
        "load_assignment": {"cluster_name": "users", "endpoints": localities},
    }


class Envoy(peers.Envoy):
    """One Envoy, h2c in, h2c out; port: where."""

    def __init__(self, binary, folder, servers, own_zone, route_options):
        self.admin_file = folder / "envoy-admin"
        listener = peers.listener("faults-h2c", "users", route(**route_options))
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["route_config"]["virtual_hosts"][0]["include_request_attempt_count"] = True
        resources = {"listeners": [listener], "clusters": [cluster(servers, own_zone)]}
        configuration = folder / "envoy.json"
        configuration.write_text(json.dumps({"admin": {"address": peers.address(0)}, "static_resources": resources}))
        command = [*WITH_US, binary, "-c", configuration, "--concurrency", "1", "--admin-address-path", self.admin_file]
        command += ["--log-path", folder / "envoy.log", "--log-level", "warn", "--use-dynamic-base-id"]
        with open(folder / "envoy.err", "w") as errors:
            peers.Process.__init__(self, command, stdout=errors, stderr=errors)
        try:
            self.port = self.wait_for_ports([("faults", "h2c")])["faults", "h2c"]
        except BaseException:
            self.__exit__()
            raise
