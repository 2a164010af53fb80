"""What the tests with real servers share: the built programs, ports, certificates, servers that are gone afterwards."""

import os
import pathlib
import re
import shutil
import signal
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
os.environ["PATH"] += ":/usr/sbin:/sbin"

from certificates import Authority  # noqa: E402
from load import Load  # noqa: E402
from servers.executor import Executor  # noqa: E402
from servers.haproxy import Haproxy  # noqa: E402
from servers.knot import Knot, free_for_both  # noqa: E402
from servers.misbehaving import Peer  # noqa: E402
from servers.nghttp2 import Nghttpd, Nghttpx  # noqa: E402
from servers.nginx import Nginx  # noqa: E402
from servers.process import Ports  # noqa: E402
from servers.tap import Tap  # noqa: E402
from xds.fixtures import backends, client, plane, xds_programs  # noqa: E402, F401

PACKAGES = {
    "nghttpd": "nghttp2-server",
    "nghttpx": "nghttp2-proxy",
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "knotd": "knot",
    "openssl": "openssl",
    "curl": "curl",
    "unshare": "util-linux",
    "ps": "procps",
}


def need(command):
    """Skips, naming the package, where a command is not installed."""
    if not shutil.which(command):
        pytest.skip(f"{command} is not installed (Debian package {PACKAGES[command]})")


@pytest.fixture(scope="session")
def build():
    folder = pathlib.Path(os.environ.get("MESH_BUILD", ROOT / "build" / "debug"))
    if not folder.is_dir():
        pytest.fail(f"{folder} is not there: build first, or set MESH_BUILD")
    return folder


@pytest.fixture(scope="session")
def sanitized(build):
    """Whether the build has a sanitizer: it needs more memory and more time."""
    return re.search(r"^MESH_SANITIZE:STRING=.+$", (build / "CMakeCache.txt").read_text(), re.M) is not None


@pytest.fixture(scope="session")
def program(build):
    """Path of a program of programs/."""

    def find(name):
        path = build / "tests" / "system" / name
        assert path.exists(), f"{path} is not built"
        return path

    return find


@pytest.fixture(scope="session")
def mesh(build):
    """Path of the command."""
    path = build / "bin" / "mesh"
    if not path.exists():
        pytest.skip("the mesh command is not built")
    return path


@pytest.fixture(scope="session")
def ports():
    ports = Ports()
    yield ports
    ports.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    need("openssl")
    return Authority(tmp_path_factory.mktemp("certificates") / "ca")


@pytest.fixture(scope="session")
def certificate(authority):
    """Of a good server at 127.0.0.1 and localhost."""
    return authority.issue("server")


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """The files that servers serve."""
    root = tmp_path_factory.mktemp("root")
    (root / "hello").write_text("hello\n")
    (root / "large").write_bytes(b"x" * (4 << 20))
    return root


@pytest.fixture
def environment():
    """Ours for child processes, without what would configure the library, plus what is given: environment(MESH_X=...)."""

    def make(**more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESH_", "SSL_CERT_")) and "proxy" not in k.lower()}
        asan = "allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1:"
        kept["ASAN_OPTIONS"] = asan + kept.get("ASAN_OPTIONS", "")
        kept["UBSAN_OPTIONS"] = "print_stacktrace=1"
        kept["TSAN_OPTIONS"] = "halt_on_error=1:second_deadlock_stack=1"
        return {**kept, **{k: str(v) for k, v in more.items()}}

    return make


class Servers:
    """Makes servers of each kind; all are stopped when the test is over."""

    def __init__(self, folder, ports, root):
        self.folder = folder
        self.ports = ports
        self.root = root
        self.made = []

    def add(self, server):
        self.made.append(server)
        return server.start()

    def nghttpd(self, certificate=None, options=(), root=None):
        need("nghttpd")
        return self.add(Nghttpd(self.folder, self.ports.take(), root or self.root, certificate, options))

    def nghttpx(self, backend, options=()):
        need("nghttpx")
        return self.add(Nghttpx(self.folder, self.ports.take(), backend.port, options))

    def nginx(self, **options):
        need("nginx")
        port = self.ports.take()
        return self.add(Nginx(self.folder / f"nginx-{port}", port, self.root, **options))

    def haproxy(self, backend_port, certificate=None):
        need("haproxy")
        port = self.ports.take()
        return self.add(Haproxy(self.folder / f"haproxy-{port}", port, backend_port, certificate))

    def executor(self, **options):
        """What outlives the servers in front of it, and counts."""
        executor = Executor(**options)
        self.made.append(executor)
        return executor

    def misbehaving(self, mode, certificate=None):
        peer = Peer(mode, certificate)
        self.made.append(peer)
        return peer

    def tap(self, server):
        """A relay in front of a server that notes when requests arrive."""
        tap = Tap(server)
        self.made.append(tap)
        return tap

    def stop(self):
        for server in reversed(self.made):
            server.stop()


@pytest.fixture
def servers(tmp_path, ports, root):
    need("ps")
    servers = Servers(tmp_path, ports, root)
    yield servers
    servers.stop()


@pytest.fixture
def load(program, environment):
    """Starts callers: load(group, ..., limits=(), through=(), MESH_X=...), each group a list of load.c's arguments."""
    running = []

    def start(*groups, limits=(), through=(), **variables):
        running.append(Load(program("load"), groups, environment(**variables), limits, through))
        return running[-1]

    yield start
    for one in running:
        one.__exit__()


@pytest.fixture(scope="session", autouse=True)
def no_zombies():
    """Children of killed servers are init's business, not ours."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def services(**targets):
    """MESH_SERVICES of name=target; a list of servers becomes h2c://a,b,c."""

    def target(given):
        if isinstance(given, str):
            return given
        scheme, members = given if isinstance(given, tuple) else ("h2c", given)
        return f"{scheme}://" + ",".join(member if isinstance(member, str) else member.endpoint for member in members)

    return "; ".join(f"{name}={target(given)}" for name, given in targets.items())


@pytest.fixture
def knot(servers, ports, tmp_path):
    """A DNS server without records."""
    need("knotd")
    return servers.add(Knot(tmp_path / "knot", free_for_both(ports)))
