"""Who calls by xDS: gRPC and Envoy, each with the same few methods, so that one scenario is played by all."""

import collections
import concurrent.futures
import http.client
import json
import pathlib
import subprocess
import threading

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


def write_bootstrap(rig, planes, options):
    """The file's path."""
    path = rig.folder / "bootstrap.json"
    path.write_text(json.dumps(bootstrap(*planes, **options)))
    return path


class Caller:
    """A process that calls as it is told on its standard input; what it has of the control plane stays from call to call."""

    def __init__(self, folder, command, environment):
        self.lock = threading.Lock()
        self.log = (folder / f"{self.name}.log").open("ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )

    def ask(self, request):
        with self.lock:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        assert line, f"{self.name} has ended: {pathlib.Path(self.log.name).read_text()[-2000:]}"
        return json.loads(line)

    def adapt(self, served):
        """What a plane is to serve to this client."""
        return served

    def use(self, service):
        self.ask({"target": self.scheme + service})

    def calls(self, n, path=CALL, headers=(), timeout=None, parallel=1):
        """timeout: none means what the client and the control plane have for that; gRPC and Envoy wait long then."""
        request = {
            "calls": n,
            "path": path,
            "metadata": list(headers),
            "timeout": timeout or self.patience,
            "parallel": parallel,
        }
        return Results(self.ask(request))

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(GUARD_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        assert self.process.returncode == 0, f"{self.name}: {pathlib.Path(self.log.name).read_text()[-2000:]}"


class GrpcClient(Caller):
    """grpcio. Statuses are those of gRPC."""

    name = "grpc"
    patience = GUARD_S
    scheme = "xds:///"

    def __init__(self, rig, planes, **of_bootstrap):
        command = [self.needs() / "bin" / "python", pathlib.Path(__file__).with_name("grpc_calls.py")]
        given = write_bootstrap(rig, planes, of_bootstrap)
        super().__init__(rig.folder, command, rig.environment(GRPC_XDS_BOOTSTRAP=given, GRPC_VERBOSITY="INFO"))

    @staticmethod
    def needs():
        """Installs it; tools.Unavailable with the reason when it is not to be had."""
        return tools.venv("grpc", GRPCIO)


class MeshClient(Caller):
    """libmesh. What is answered has HTTP's statuses, what is not the names of its errors."""

    name = "mesh"
    patience = 0
    scheme = "xds:///"

    def __init__(self, rig, planes, variables=None, **of_bootstrap):
        self.events = rig.folder / "mesh.events"
        given = write_bootstrap(rig, planes, of_bootstrap)
        configuration = {"MESH_LOG": self.events, "MESH_LOG_LEVEL": "debug", "MESH_LOG_FORMAT": "json", **(variables or {})}
        super().__init__(rig.folder, [rig.program("calls")], rig.environment(GRPC_XDS_BOOTSTRAP=given, **configuration))

    def show(self, what):
        """"xds": what it has of its control planes; "endpoints": of the service."""
        return self.ask({"show": what})

    @staticmethod
    def needs():
        """Nothing but the build."""


# A changed cluster takes the endpoints that it had when none come in time: go-control-plane sends nothing twice.
SOON = {"initial_fetch_timeout": "0.5s"}


class DeltaMeshClient(MeshClient):
    """libmesh with incremental xDS."""

    def __init__(self, rig, planes, features=(), **options):
        super().__init__(rig, planes, features=["mesh.delta", *features], **options)


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
        cluster = {
            "name": "plane",
            "connect_timeout": "5s",
            **resources.http2(),
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

    def __init__(self, rig, planes, api="GRPC", node="client"):
        self.server = AdsEnvoy(rig.folder, rig.ports, planes[0], api, node).start()
        self.service = None

    @staticmethod
    def needs():
        """Installs it; tools.Unavailable with the reason when it is not to be had."""
        return envoy.binary()

    def adapt(self, served):
        return [self.adapted(one) for one in served]

    def adapted(self, one):
        if one["@type"] == resources.LISTENER:
            return self.accepting(one)
        if one.get("eds_cluster_config"):
            source = {**one["eds_cluster_config"]["eds_config"], **SOON}
            return {**one, "eds_cluster_config": {**one["eds_cluster_config"], "eds_config": source}}
        return one

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

    def calls(self, n, path=CALL, headers=(), timeout=None, parallel=1):
        with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
            return Results(list(pool.map(lambda _: self.call(path, headers, timeout or GUARD_S), range(n))))

    def stop(self):
        self.server.stop()


CLIENTS = {"grpc": GrpcClient, "envoy": EnvoyClient, "mesh": MeshClient, "mesh-delta": DeltaMeshClient}
