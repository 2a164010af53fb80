"""Control planes for xDS: go-control-plane itself, which also lies when it is told to, and backends that say who they are.

Both are one Go program (tests/system/xds/plane) that a test steers by JSON over HTTP.
"""

import base64
import collections
import http.client
import json
import pathlib

from . import tools
from .process import GUARD_S, Server, accepts, eventually

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "xds" / "plane"


def binary():
    """Path of the Go program; tools.Unavailable with the reason when it is not to be had."""
    return tools.go_program(SOURCE)


class Steered(Server):
    """A server with a second port, where it is told what to do."""

    def __init__(self, folder, port, control_port, name):
        super().__init__(folder, port, name)
        self.control_port = control_port
        self.binary = binary()

    def accepts(self):
        return super().accepts() and accepts((self.host, self.control_port))

    def ask(self, method, path, what=None):
        """The answer's JSON; AssertionError with its sentence if it is a no."""
        connection = http.client.HTTPConnection(self.host, self.control_port, timeout=GUARD_S)
        try:
            connection.request(method, path, None if what is None else json.dumps(what))
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        assert response.status == 200, f"{self.name}: {method} {path}: {body.decode()}"
        return json.loads(body)


class Plane(Steered):
    """One control plane. mode: "ads", "filtered" or "linear", see plane.go."""

    def __init__(self, folder, ports, mode="ads", certificate=None, client_ca=None, unix=None):
        port = ports.take()
        super().__init__(folder, port, ports.take(), f"plane-{port}")
        self.mode = mode
        self.certificate = certificate
        self.client_ca = client_ca
        self.unix = unix
        self.reset()

    @property
    def address(self):
        return str(self.unix) if self.unix else super().address

    @property
    def server_uri(self):
        """As a bootstrap names it."""
        return f"unix:{self.unix}" if self.unix else self.endpoint

    def command(self):
        command = [self.binary, "control", "-mode", self.mode, "-control", f"{self.host}:{self.control_port}"]
        command += ["-listen", f"unix:{self.unix}" if self.unix else self.endpoint]
        if self.certificate:
            command += ["-cert", self.certificate.chain, "-key", self.certificate.key]
        if self.client_ca:
            command += ["-client-ca", self.client_ca]
        return command

    # ---- what it serves ----

    def reset(self):
        """Forgets which versions there were: the next ones begin with 1 again, as after a restart without memory."""
        self.counters = collections.Counter()
        self.last = {}

    def set(self, resources, node="", versions=None, ttl_ms=0):
        """Serves these resources and no others; a type's version grows when something of that type has changed. Returns when
        that began, in microseconds of the wall clock."""
        by_type = collections.defaultdict(list)
        for resource in resources:
            by_type[resource["@type"]].append(resource)
        for kind in by_type.keys() | self.last.keys():
            text = json.dumps(by_type[kind], sort_keys=True)
            if self.last.get(kind) != text:
                self.counters[kind] += 1
                self.last[kind] = text
        current = {kind: str(n) for kind, n in self.counters.items()}
        snapshot = {"node": node, "version": "0", "versions": {**current, **(versions or {})}, "ttl_ms": ttl_ms}
        return self.ask("PUT", "/snapshot", {**snapshot, "resources": list(resources)})["at_us"]

    def behave(self, **how):
        """manual, silent, refuse={"code", "message"}, close_after, throttle (behaviour of plane.go); what is not named is over."""
        self.ask("PUT", "/behaviour", how)

    def close_streams(self, code=0, message="", stream=None):
        self.ask("POST", "/close", {"code": code, "message": message, "stream": stream})

    def report(self, **wanted):
        """What is answered to who reports load: fields of LoadStatsResponse."""
        self.ask("PUT", "/reporting", wanted)

    def encode(self, resource):
        """Bytes of a resource."""
        return base64.b64decode(self.ask("POST", "/encode", resource)["value"])

    # ---- lies: after behave(manual=True) nothing is answered but this ----

    def can(self, *answers):
        """From now on each request of an answer's type gets that answer: see answer()."""
        self.ask("PUT", "/canned", {one["type"]: one for one in answers})

    def send(self, answer, stream=None):
        """To one stream, or to all that are open."""
        self.ask("POST", "/send", {**answer, "stream": stream})

    # ---- what came ----

    def state(self):
        return self.ask("GET", "/state")

    def streams(self, kind=None, still_open=False):
        found = self.state()["streams"]
        return [one for one in found if (one["kind"] == kind or not kind) and (one["open"] or not still_open)]

    def requests(self, what=None, kind=None, stream=None):
        """All requests in order: what is "subscribe", "ack" or "nack"; kind the end of a type ("Cluster")."""
        return [
            request
            for one in self.streams()
            for request in one["requests"]
            if (what in (None, request["what"]))
            and (not kind or request["type"].endswith("." + kind))
            and (stream in (None, one["id"]))
        ]

    def wait(self, what=None, kind=None, stream=None, n=1):
        """The requests as soon as there are n."""

        def enough():
            found = self.requests(what, kind, stream)
            return found if len(found) >= n else None

        return eventually(enough, lambda: f"{n} {what} of {kind}; there is {json.dumps(self.state())[-3000:]}")

    def wait_taken(self, kind):
        """Until somebody has said yes to the newest version of a type, as set() counts them."""
        version = next(str(n) for name, n in self.counters.items() if name.endswith("." + kind))
        eventually(
            lambda: any(one["version"] == version for one in self.requests("ack", kind)),
            lambda: f"an ACK of {kind} {version}; there is {json.dumps(self.state())[-3000:]}",
        )

    def wait_open(self, kind=None, n=1):
        """The open streams as soon as there are n."""

        def enough():
            found = self.streams(kind, still_open=True)
            return found if len(found) >= n else None

        return eventually(enough, lambda: f"{n} open streams; there is {json.dumps(self.state())[-3000:]}")


def answer(kind, resources=(), version="1", **more):
    """A made-up answer. kind: "Cluster", or any type URL. Resources: JSON with "@type", or any_of(). More: nonce, wrap and ttl
    (resources in Resource messages), removed (delta), errors (resource_errors), raw (bytes in place of the message)."""
    if "raw" in more:
        more["bytes"] = base64.b64encode(more.pop("raw")).decode()
    return {"type": kind, "version": version, "resources": list(resources), **more}


def any_of(type_url, content):
    """A resource that says to be of a type, whatever its bytes are."""
    return {"type_url": type_url, "value": base64.b64encode(content).decode()}


class Backends(Steered):
    """Backends in one process, by default b0, b1, ...: each answers gRPC, HTTP/2 and HTTP/1.1 with who it is."""

    def __init__(self, folder, ports, n, certificate=None, client_ca=None, names=None):
        self.names = names or [f"b{i}" for i in range(n)]
        self.ports = {name: ports.take() for name in self.names}
        port = self.ports[self.names[0]]
        super().__init__(folder, port, ports.take(), f"backends-{port}")
        self.certificate = certificate
        self.client_ca = client_ca

    def command(self):
        served = ",".join(f"{name}={self.host}:{port}" for name, port in self.ports.items())
        command = [self.binary, "backends", "-control", f"{self.host}:{self.control_port}", "-serve", served]
        if self.certificate:
            command += ["-cert", self.certificate.chain, "-key", self.certificate.key]
        if self.client_ca:
            command += ["-client-ca", self.client_ca]
        return command

    def accepts(self):
        return super().accepts() and all(accepts((self.host, port)) for port in self.ports.values())

    def counts(self, what="requests"):
        return {name: one[what] for name, one in self.ask("GET", "/counts").items()}

    def behave(self, *names, **how):
        """Of the named ones, or of all: down, status, grpc_status, delay_ms, headers, trailers, sick; what is not named is over."""
        self.ask("PUT", "/manners", {name: how for name in names or self.names})
