# SPDX-License-Identifier: Apache-2.0
"""The processes around the clients: one gRPC server, and Envoy in front of it. They listen on ports the kernel chose."""

import json
import pathlib
import subprocess
import time
import urllib.request


def make_certificate(folder):
    """A certificate for localhost that lives as long as the run; the file is also what clients trust."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Process:
    """Something that runs beside the clients and ends with the `with` block."""

    def __init__(self, command, **options):
        self.popen = subprocess.Popen([str(word) for word in command], **options)

    @property
    def pid(self):
        return self.popen.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.terminate()
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


class Server(Process):
    """gRPC C++ echo. ports: {"h2c": N, "tls": N}."""

    def __init__(self, programs, certificate, key):
        super().__init__([programs / "grpc_server", certificate, key], stdout=subprocess.PIPE, text=True)
        line = self.popen.stdout.readline()
        if not line:
            self.__exit__()
            raise RuntimeError("the gRPC server did not start")
        self.ports = json.loads(line)


# ---- Envoy ----

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"

# What an operator writes for a service that matters, and nothing at all.
POLICIES = {
    "policies": {"timeout": "15s", "retry_policy": {"retry_on": "5xx,reset,connect-failure", "num_retries": 2}},
    "bare": {"timeout": "0s"},
}


def typed(name, **fields):
    return {"@type": f"type.googleapis.com/{name}", **fields}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def listener(name, cluster, route):
    router = {"name": "envoy.filters.http.router", "typed_config": typed(ROUTER)}
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster, **route}}]}
    manager = typed(
        MANAGER, stat_prefix=name, codec_type="HTTP2", route_config={"virtual_hosts": [host]}, http_filters=[router]
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": address(0), "filter_chains": [chain]}


def cluster(name, port, ca):
    options = typed(HTTP_OPTIONS, explicit_http_config={"http2_protocol_options": {}})
    limits = {"max_connections": 10000, "max_pending_requests": 10000, "max_requests": 10000}
    endpoint = {"endpoint": {"address": address(port)}}
    made = {
        "name": name,
        "type": "STATIC",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {HTTP_OPTIONS: options},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if ca:
        name_check = {"san_type": "DNS", "matcher": {"exact": "localhost"}}
        trust = {"trusted_ca": {"filename": str(ca)}, "match_typed_subject_alt_names": [name_check]}
        context = typed(TLS, sni="localhost", common_tls_context={"alpn_protocols": ["h2"], "validation_context": trust})
        made["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return made


class Envoy(Process):
    """One Envoy, h2c in; ports: {("policies" or "bare", "h2c" or "tls"): N}."""

    def __init__(self, binary, folder, server_ports, ca):
        configuration, self.admin_file = folder / "envoy.json", folder / "envoy-admin"
        variants = [(policies, transport) for policies in POLICIES for transport in server_ports]
        resources = {
            "listeners": [listener(f"{p}-{t}", f"to-{t}", POLICIES[p]) for p, t in variants],
            "clusters": [cluster(f"to-{t}", port, ca if t == "tls" else None) for t, port in server_ports.items()],
        }
        configuration.write_text(json.dumps({"admin": {"address": address(0)}, "static_resources": resources}))
        command = [binary, "-c", configuration, "--concurrency", "2", "--admin-address-path", self.admin_file]
        command += ["--log-path", folder / "envoy.log", "--use-dynamic-base-id"]
        super().__init__(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.ports = self.wait_for_ports(variants)
        except BaseException:
            self.__exit__()
            raise

    def listeners(self):
        admin = self.admin_file.read_text().strip()
        with urllib.request.urlopen(f"http://{admin}/listeners?format=json", timeout=2) as answer:
            listed = json.load(answer).get("listener_statuses", [])
        return {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in listed}

    def wait_for_ports(self, variants):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.popen.poll() is None:
            try:
                ports = self.listeners()
            except (OSError, ValueError):
                ports = {}
            if len(ports) == len(variants):
                return {(policies, transport): ports[f"{policies}-{transport}"] for policies, transport in variants}
            time.sleep(0.1)
        raise RuntimeError("Envoy did not start")


def envoy_version(binary):
    if not binary or not pathlib.Path(binary).exists():
        return None
    told = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.split("version:")[-1].strip()
    return told.split("/")[1] if "/" in told else told
