"""Certificates that are replaced while the program runs: new connections use the new ones, nothing is lost, nothing broken is taken."""

import json
import os
import subprocess

import pytest

from certificates import Authority
from conftest import services
from servers.process import eventually

LISTEN = {"https": "listen 127.0.0.1:%s ssl;", "h2": "listen 127.0.0.1:%s ssl http2;"}


class Mounted:
    """A folder as Kubernetes mounts a secret: `..data` leads to a version, each file to the one in `..data`."""

    def __init__(self, folder):
        self.folder, self.version = folder, 0
        folder.mkdir()

    def __getattr__(self, name):
        return self.folder / {"ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"}[name]

    def publish(self, ca, cert, key):
        self.version += 1
        inside = self.folder / f"..{self.version}"
        inside.mkdir()
        for name, text in (("ca.crt", ca), ("tls.crt", cert), ("tls.key", key)):
            (inside / name).write_text(text)
            if self.version == 1:
                (self.folder / name).symlink_to(f"..data/{name}")
        (self.folder / "..new").symlink_to(inside.name)
        os.rename(self.folder / "..new", self.folder / "..data")

    def publish_certificate(self, certificate):
        self.publish(certificate.ca.read_text(), certificate.chain.read_text(), certificate.key.read_text())


@pytest.fixture
def mounted(tmp_path):
    return Mounted(tmp_path / "mounted")


@pytest.fixture(scope="session")
def clients(authority):
    return [authority.issue(f"client-{i}", names="", usage="clientAuth") for i in range(3)]


@pytest.fixture
def nginx(servers, authority):
    def make(certificate, protocol="h2"):
        files = f"ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};"
        asks = f"ssl_client_certificate {authority.certificate}; ssl_verify_client on;"
        return servers.nginx(listen=LISTEN[protocol], tls=files + asks)

    return make


@pytest.fixture
def calls(load, tmp_path):
    """Callers with the identity of a folder; its events are in tmp_path/events."""

    def start(mounted, server, protocol="h2"):
        return load(
            ["-c", 4, "-p", 1, "users", "/hello"],
            MESH_SERVICES=services(users=(protocol, [server])),
            MESH_TLS_CA=mounted.ca,
            MESH_TLS_CERT=mounted.cert,
            MESH_TLS_KEY=mounted.key,
            MESH_TLS_SERVER_NAME="localhost",
            MESH_LOG=tmp_path / "events",
            MESH_LOG_LEVEL="info",
            MESH_LOG_FORMAT="json",
        )

    return start


def events(tmp_path, name):
    lines = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    return [line["fields"] for line in lines if line["event"] == name]


def serial(certificate):
    told = subprocess.run(
        ["openssl", "x509", "-in", certificate.chain, "-noout", "-serial"], capture_output=True, text=True, check=True
    )
    return told.stdout.strip().partition("=")[2]


class Followed:
    """The serial numbers of client certificates in the lines that an nginx writes from now on."""

    def __init__(self, server):
        self.file = server.access_log.open()
        self.last = None

    def now(self):
        for line in self.file:
            self.last = line.split(" ")[-1].strip()
        return self.last


@pytest.mark.parametrize(("protocol", "times"), [("h2", 100), ("https", 20)])
def test_rotations_under_load(nginx, calls, mounted, certificate, clients, protocol, times):
    server = nginx(certificate, protocol)
    serials = [serial(client) for client in clients]
    mounted.publish_certificate(clients[0])
    with calls(mounted, server, protocol) as running:
        running.until_calls(20)
        followed = Followed(server)
        for i in range(1, times + 1):
            mounted.publish_certificate(clients[i % 3])
            eventually(lambda: followed.now() == serials[i % 3], f"certificate {i} is in use", 20)
        [outcome] = running.stop()
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


@pytest.mark.parametrize("protocol", ["h2", "https"])
def test_what_is_broken_is_not_taken(nginx, calls, mounted, certificate, clients, tmp_path, protocol):
    """A key that does not fit, half a file, one that is gone: the old identity stays, also for new connections."""
    server = nginx(certificate, protocol)
    ca, cert, key = (file.read_text() for file in (clients[0].ca, clients[0].chain, clients[0].key))
    mounted.publish(ca, cert, key)
    with calls(mounted, server, protocol) as running:
        running.until_calls(20)
        for bad, named in [
            ((ca, cert, clients[1].key.read_text()), "does not belong"),
            ((ca, cert[: len(cert) // 2], key), "tls.crt"),
            ((ca, cert, key[: len(key) // 2]), "tls.key"),
            ((ca[:100], cert, key), "ca.crt"),
            ((ca, "", key), "tls.crt"),
        ]:
            before = len(events(tmp_path, "tls_files_rejected"))
            mounted.publish(*bad)
            eventually(lambda: len(events(tmp_path, "tls_files_rejected")) > before, "it is refused", 20)
            assert named in events(tmp_path, "tls_files_rejected")[-1]["detail"]
            server.reload()
            running.until_calls(20)
        mounted.publish(ca, cert, key)
        mounted.key.unlink()
        eventually(lambda: "No such file" in events(tmp_path, "tls_files_rejected")[-1]["detail"], "it is missed", 20)
        server.reload()
        running.until_calls(20)
        mounted.key.symlink_to("..data/tls.key")
        mounted.publish_certificate(clients[1])
        followed = Followed(server)
        eventually(lambda: followed.now() == serial(clients[1]), "the good one is in use", 20)
        [outcome] = running.stop()
    assert outcome.failed == 0, outcome.failures
    assert len(events(tmp_path, "tls_files_loaded")) == 1


def test_files_that_are_written_in_place(nginx, calls, mounted, certificate, clients):
    """One after the other, in pieces."""
    server = nginx(certificate)
    mounted.publish_certificate(clients[0])
    with calls(mounted, server) as running:
        running.until_calls(20)
        followed = Followed(server)
        for file, source in ((mounted.cert, clients[1].chain), (mounted.key, clients[1].key)):
            text = source.read_text()
            with file.open("w") as out:
                for piece in (text[:50], text[50:]):
                    out.write(piece)
                    out.flush()
                    running.until_calls(20)
        eventually(lambda: followed.now() == serial(clients[1]), "the new one is in use", 20)
        [outcome] = running.stop()
    assert outcome.failed == 0, outcome.failures


def test_another_authority(servers, calls, mounted, certificate, clients, tmp_path):
    """Servers change to another CA after clients have been told to trust both."""
    other = Authority(tmp_path / "other", "Other CA")
    theirs = other.issue("server")
    (tmp_path / "pair.crt").write_text(certificate.chain.read_text())
    (tmp_path / "pair.key").write_text(certificate.key.read_text())
    files = f"ssl_certificate {tmp_path}/pair.crt; ssl_certificate_key {tmp_path}/pair.key;"
    server = servers.nginx(listen=LISTEN["h2"], tls=files)
    mounted.publish_certificate(clients[0])
    with calls(mounted, server) as running:
        running.until_calls(20)
        both = certificate.ca.read_text() + other.certificate.read_text()
        mounted.publish(both, clients[0].chain.read_text(), clients[0].key.read_text())
        eventually(lambda: events(tmp_path, "tls_files_loaded"), "both are trusted", 20)
        (tmp_path / "pair.crt").write_text(theirs.chain.read_text())
        (tmp_path / "pair.key").write_text(theirs.key.read_text())
        server.reload()
        running.until_calls(50)
        [outcome] = running.stop()
    assert outcome.failed == 0, outcome.failures
