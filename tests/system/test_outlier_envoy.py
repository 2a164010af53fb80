"""outlier.policy envoy against Envoy itself: the same answers lead to the same ejections, for the same reasons, in the same order."""

import http.client
import http.server
import json
import subprocess
import threading
import time

import pytest

from servers import envoy, tools
from servers.envoy import Envoy
from servers.process import eventually

INTERVAL_MS = 3000


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers with the server's next status, 200 when there is none; 0: closes without an answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        status = self.server.script.pop(0) if self.server.script else 200
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Backends:
    def __init__(self, n):
        self.servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted) for _ in range(n)]
        for server in self.servers:
            server.daemon_threads = True
            server.script = []
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.ports = [server.server_port for server in self.servers]

    def plan(self, scripts):
        for server, script in zip(self.servers, scripts, strict=False):
            server.script = list(script)

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


class ByEnvoy:
    """Requests through Envoy, one after the other."""

    def __init__(self, folder, port, backends, settings, enforced):
        cluster = {
            "name": "users",
            "lb_policy": "ROUND_ROBIN",
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "load_assignment": {
                "cluster_name": "users",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": Envoy.at(p)}} for p in backends.ports]}],
            },
            "outlier_detection": {
                **{k.replace("_ms", ""): f"{v / 1000}s" for k, v in settings.items() if k.endswith("_ms")},
                **{k: v for k, v in settings.items() if not k.endswith("_ms")},
                **{f"enforcing_{k}": v for k, v in enforced.items()},
            },
        }
        self.log = folder / "outliers.log"
        self.backends = backends
        self.server = Envoy(
            folder,
            port,
            [{"match": {"prefix": "/"}, "route": {"cluster": "users"}}],
            [cluster],
            ["--file-flush-interval-msec", "10"],
            cluster_manager={"outlier_detection": {"event_log_path": str(self.log)}},
        ).start()
        self.connection = http.client.HTTPConnection(*self.server.address, timeout=30)

    def ask(self):
        self.connection.request("GET", "/")
        self.connection.getresponse().read()

    def events(self):
        lines = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [
            (
                "ejected" if line["action"] == "EJECT" else "back",
                self.backends.ports.index(int(line["upstream_url"].rsplit(":", 1)[1])),
                line["type"].lower() if line["action"] == "EJECT" else "",
            )
            for line in lines
            if line["action"] == "UNEJECT" or line["enforced"]
        ]

    def stop(self):
        self.connection.close()
        self.server.stop()


class ByMesh:
    """The same by libmesh."""

    def __init__(self, folder, program, environment, backends, settings):
        names = {"base_ejection_time_ms": "base_ejection_ms", "max_ejection_time_ms": "max_ejection_ms"}
        names["split_external_local_origin_errors"] = "split_local_origin"
        service = {
            "endpoints": [{"address": f"127.0.0.1:{port}"} for port in backends.ports],
            "protocol": "http",
            "balance": {"policy": "round_robin"},
            "retry": {"attempts": 1},
            "outlier": {"policy": "envoy", **{names.get(k, k): v for k, v in settings.items()}},
        }
        configuration = {
            "log": str(folder / "events.log"),
            "log.level": "info",
            "log.format": "json",
            "services": {"users": service},
        }
        self.log = folder / "events.log"
        self.backends = backends
        self.process = subprocess.Popen(
            [program("keys"), "users", "path"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(MESH_CONFIG=json.dumps(configuration)),
        )

    def ask(self):
        self.process.stdin.write("/\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline()

    def events(self):
        lines = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        names = {"endpoint_isolated": "ejected", "endpoint_well": "back"}
        return [
            (
                names[line["event"]],
                self.backends.ports.index(int(line["fields"]["endpoint"].rsplit(":", 1)[1])),
                line["fields"].get("why", ""),
            )
            for line in lines
            if line["event"] in names
        ]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture
def both(tmp_path, ports, program, environment):
    """Starts (Envoy, libmesh) with backends of their own: both(n, settings as Envoy names them, what Envoy enforces)."""
    tools.or_skip(envoy.binary)
    running = []

    def start(n, settings, enforced):
        settings = {"interval_ms": INTERVAL_MS, "base_ejection_time_ms": 60000, "max_ejection_time_ms": 60000, **settings}
        for who in ("envoy", "mesh"):
            (tmp_path / who).mkdir()
            running.append(Backends(n))
        running.append(ByEnvoy(tmp_path / "envoy", ports.take(), running[0], settings, enforced))
        # What Envoy does not enforce has the threshold 0 here.
        off = {k: 0 for k in ("consecutive_5xx", "consecutive_gateway_failure") if enforced.get(k, k == "consecutive_5xx") == 0}
        if enforced.get("success_rate") == 0:
            off["success_rate_stdev_factor"] = 0
        running.append(ByMesh(tmp_path / "mesh", program, environment, running[1], {**settings, **off}))
        return running[2:]

    yield start
    for one in reversed(running):
        one.stop()


def told(client, wanted):
    """Its events as soon as there are so many, or at least those of the next second."""
    eventually(lambda: len(client.events()) >= len(wanted), lambda: f"{wanted}; there is {client.events()}")
    return client.events()


def compare(clients, scripts, n, wanted):
    for client in clients:
        client.backends.plan(scripts)
        for _ in range(n):
            client.ask()
        assert told(client, wanted) == wanted, client


def test_consecutive_5xx(both):
    """Ten hosts, 10 %: the first one with five in a row goes, the second may not any more."""
    scripts = [[], [503] * 4 + [200] + [500] * 5, [], [200, 200] + [500, 503, 502, 501, 599]]
    compare(both(10, {}, {}), scripts, 150, [("ejected", 3, "consecutive_5xx")])


def test_fewer_than_ten(both):
    """With the standard 10 % nobody of nine is ejected, whatever they do."""
    compare(both(9, {}, {}), [[503] * 20] * 9, 180, [])


def test_gateway_failures(both):
    """Three of 502, 503, 504 in a row; a reset is one too, a plain 500 is not."""
    settings = {"consecutive_gateway_failure": 3, "max_ejection_percent": 100}
    enforced = {"consecutive_gateway_failure": 100, "consecutive_5xx": 0}
    scripts = [[], [200] * 2 + [502, 500, 503, 504, 502], [500] * 12, [200] * 9 + [0, 0, 0]]
    wanted = [("ejected", 1, "consecutive_gateway_failure"), ("ejected", 3, "consecutive_gateway_failure")]
    compare(both(5, settings, enforced), scripts, 90, wanted)


def test_resets_apart(both):
    """split_external_local_origin_errors: a reset is no answer, and each connection that there was begins the count anew."""
    settings = {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "max_ejection_percent": 100,
    }
    scripts = [[], [0] * 12, [503, 500, 0, 503, 502, 503], []]
    compare(both(5, settings, {}), scripts, 80, [("ejected", 2, "consecutive_5xx")])


def look(client, n):
    """Whether there are n events; a request now and then, so that libmesh looks, but few, since they count."""
    client.ask()
    time.sleep(0.3)
    return len(client.events()) >= n


def rates(clients, scripts, n, wanted):
    """All within one interval: it begins when the host that was ejected before is back."""
    for client in clients:
        client.backends.plan([[503] * 5])
        for _ in range(30):
            client.ask()
        assert told(client, [0]) == [("ejected", 0, "consecutive_5xx")], client
        eventually(lambda client=client: look(client, 2), "the end of an interval")
        client.backends.plan(scripts)
        for _ in range(n):
            client.ask()
        before = [("ejected", 0, "consecutive_5xx"), ("back", 0, "")]
        eventually(
            lambda client=client: look(client, 2 + len(wanted)),
            lambda client=client: f"{wanted}, there is {client.events()}",
        )
        assert client.events()[: 2 + len(wanted)] == before + wanted, client


RATES = {"base_ejection_time_ms": 1, "max_ejection_percent": 100, "success_rate_request_volume": 20}


def test_success_rate(both):
    """Rates of about 50, 100, 100, 100, 100 and of 95: only the first is below the mean by 1.9 deviations."""
    scripts = [[500, 200] * 10, [], [], [200] * 5 + [500], []]
    rates(both(5, RATES, {"success_rate": 100}), scripts, 100, [("ejected", 0, "success_rate")])


def test_failure_percentage(both):
    settings = {
        **RATES,
        "failure_percentage_threshold": 40,
        "failure_percentage_request_volume": 20,
        "failure_percentage_minimum_hosts": 3,
    }
    scripts = [[], [500, 200, 200] * 7, [500, 200] * 11, [], []]
    wanted = [("ejected", 2, "failure_percentage")]
    rates(both(5, settings, {"success_rate": 0, "failure_percentage": 100}), scripts, 105, wanted)
