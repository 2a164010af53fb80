"""Who calls by xDS: gRPC and Envoy, each with the same few methods, so that one scenario is played by all."""

import collections
import concurrent.futures
import http.client
import json
import pathlib
import subprocess

from servers import envoy, tools
from servers.envoy import Envoy
from servers.process import GUARD_S

from . import resources

GRPCIO = "grpcio==1.85.*"
CALL = "/grpc.testing.TestService/UnaryCall"
NODE = {"cluster": "tests", "locality": {"region": "r", "zone": "l0", "sub_zone": ""}}


class Results:
    """What came of some calls: how many each backend answered, how many failed in which words, all that was told."""

    def __init__(self, outcomes):
        self.outcomes = outcomes
        self.told = [one["told"] for one in outcomes if one["status"] == "OK"]
        self.backends = collections.Counter(told["backend"] for told in self.told)
        self.failures = collections.Counter(one["status"] for one in outcomes if one["status"] != "OK")
        self.messages = collections.Counter(one.get("message", "") for one in outcomes if one["status"] != "OK")
        self.ok = len(self.told)
        self.failed = len(outcomes) - self.ok

    def __repr__(self):
        return f"{dict(self.backends)}, failures {dict(self.failures)} {list(self.messages)[:3]}"


def credentials(plane, identity):
    """What a bootstrap says of how to reach a plane; identity: the client's certificate."""
    if not plane.certificate:
        return {"type": "insecure"}
    files = {"ca_certificate_file": str(plane.certificate.ca)}
    if identity:
        files |= {"certificate_file": str(identity.chain), "private_key_file": str(identity.key)}
    return {"type": "tls", "config": files}


def bootstrap(*planes, node="client", features=(), identity=None, **more):
    """gRPC's bootstrap, which libmesh reads too; planes in the order of their rank."""
    servers = [
        {
            "server_uri": plane.server_uri,
            "channel_creds": [credentials(plane, identity)],
            "server_features": list(features),
        }
        for plane in planes
    ]
    return {"xds_servers": servers, "node": {"id": node, **NODE}, **more}


class GrpcClient:
    """grpcio in a process of its own; the channel stays from call to call."""

    name = "grpc"

    def __init__(self, folder, ports, environment, planes, **of_bootstrap):
        python = tools.venv("grpc", GRPCIO) / "bin" / "python"
        path = folder / "bootstrap.json"
        path.write_text(json.dumps(bootstrap(*planes, **of_bootstrap)))
        self.log = open(folder / "grpc.log", "ab")
        self.process = subprocess.Popen(
            [python, pathlib.Path(__file__).with_name("grpc_calls.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=environment(GRPC_XDS_BOOTSTRAP=path, GRPC_VERBOSITY="INFO"),
        )  # fmt: skip

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def adapt(self, served):
        """What a plane is to serve to this client."""
        return served

    def use(self, service):
        self.ask({"target": f"xds:///{service}"})

    def calls(self, n, path=CALL, headers=(), timeout=GUARD_S, parallel=1, ready=False):
        request = {
            "calls": n,
            "path": path,
            "metadata": list(headers),
            "timeout": timeout,
            "parallel": parallel,
            "ready": ready,
        }
        return Results(self.ask(request))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()


class AdsEnvoy(Envoy):
    """Envoy with nothing but a control plane."""

    def __init__(self, folder, ports, plane, api, node):
        super().__init__(folder, ports.take(), [], [])
        source = {"ads": {}, "resource_api_version": "V3"}
        ads = {
            "api_type": api,
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "plane"}}],
        }
        host, port = plane.address
        options = {"explicit_http_config": {"http2_protocol_options": {}}}
        protocols = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster = {
            "name": "plane",
            "connect_timeout": "5s",
            "typed_extension_protocol_options": {protocols: {"@type": resources.TYPE + protocols, **options}},
            "load_assignment": {
                "cluster_name": "plane",
                "endpoints": [{"lb_endpoints": [resources.endpoint(port, host=host)]}],
            },
        }
        self.configuration = {
            "node": {"id": node, **NODE},
            "dynamic_resources": {"ads_config": ads, "lds_config": source, "cds_config": source},
            "static_resources": {"clusters": [cluster]},
        }

    def accepts(self):
        """Its listener comes by xDS, perhaps never."""
        return self.process.poll() is None


class EnvoyClient:
    """Plain HTTP through Envoy, which gets an API listener as one that accepts."""

    name = "envoy"

    def __init__(self, folder, ports, environment, planes, api="GRPC", node="client"):
        self.server = AdsEnvoy(folder, ports, planes[0], api, node).start()
        self.service = None

    def adapt(self, served):
        return [self.accepting(one) if one["@type"] == resources.LISTENER else one for one in served]

    def accepting(self, listener):
        manager = {"name": "manager", "typed_config": listener["api_listener"]["api_listener"]}
        rest = {key: value for key, value in listener.items() if key != "api_listener"}
        return {**rest, "address": Envoy.at(self.server.port), "filter_chains": [{"filters": [manager]}]}

    def use(self, service):
        self.service = service

    def call(self, path, headers, timeout):
        connection = http.client.HTTPConnection(*self.server.address, timeout=timeout)
        try:
            connection.request("POST", path, b"", {"host": self.service, **dict(headers)})
            response = connection.getresponse()
            body = response.read()
        except OSError as error:
            return {"status": "no answer", "message": str(error)}
        finally:
            connection.close()
        if response.status == 200:
            return {"status": "OK", "told": json.loads(body)}
        return {"status": str(response.status), "message": body.decode()}

    def calls(self, n, path=CALL, headers=(), timeout=GUARD_S, parallel=1, ready=False):
        with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
            return Results(list(pool.map(lambda _: self.call(path, headers, timeout), range(n))))

    def stop(self):
        self.server.stop()


CLIENTS = {client.name: client for client in (GrpcClient, EnvoyClient)}


def needed():
    """Installs what the clients are; tools.Unavailable with the reason when it is not to be had."""
    tools.venv("grpc", GRPCIO)
    envoy.binary()
