"""Each program of examples/ does what it shows, against a real server."""

import hashlib
import re
import signal
import subprocess

import pytest

from conftest import ROOT, services

PROGRAMS = {path.stem for path in (ROOT / "examples").glob("*.c")}


@pytest.fixture
def server(servers):
    return servers.nghttpd(options=["--echo-upload"])


@pytest.fixture
def example(build, environment):
    """An example's result: example(name, arguments..., input=text, MESH_X=...)."""

    def run(name, *args, input=None, **variables):
        path = build / "examples" / name
        assert path.exists(), f"{path} is not built"
        return subprocess.run(
            [path, *map(str, args)],
            input=input,
            stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True,
            text=not isinstance(input, bytes),
            env=environment(**variables),
            timeout=60,
        )

    return run


def test_none_forgotten():
    """A new example needs a test here."""
    tested = "".join(open(__file__, encoding="utf-8"))
    assert not {name for name in PROGRAMS if f'"{name}"' not in tested}


def test_get(example, server):
    done = example("get", MESH_SERVICES=services(users=[server]))
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["200", server.endpoint], "")


def test_get_fails(example, ports):
    """Nobody there: the sentence says who was asked and what happened."""
    done = example("get", MESH_SERVICES=f"users=h2c://127.0.0.1:{ports.take()}")
    assert done.returncode == 1
    assert 'service "users"' in done.stdout and "connection refused" in done.stdout


def test_post(example, server):
    done = example("post", f"h2c://{server.endpoint}", "/hello", '{"id": 42}')
    head, body = done.stdout.split("\n\n", 1)
    assert done.returncode == 0
    assert head.startswith(f"200 from {server.endpoint}\n") and "content-length: 10" in head
    assert body == '{"id": 42}\n'


def test_post_fails(example, ports):
    done = example("post", f"h2c://127.0.0.1:{ports.take()}", "/hello", "{}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("MESH_ERR_CONNECT: ")


def test_async_queue(example, server):
    """Answers in any order, each with the number of its line; what cannot be asked for is told."""
    paths = ["/hello"] * 200 + ["/nothing", "no path"]
    done = example("async_queue", "users", input="\n".join(paths) + "\n", MESH_SERVICES=services(users=[server]))
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert done.returncode == 1
    assert told == {
        **{str(number): f"200 from {server.endpoint}" for number in range(1, 201)},
        "201": f"404 from {server.endpoint}",
        "202": "MESH_ERR_INVALID",
    }


def test_own_loop(example, server):
    done = example("own_loop", "users", "/hello", MESH_SERVICES=services(users=[server]))
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [[f"{i}:", "200"] for i in range(1, 11)]


def test_own_loop_fails(example, ports):
    """Retries and timers run in the program's loop as well."""
    done = example("own_loop", "users", "/hello", MESH_SERVICES=f"users=h2c://127.0.0.1:{ports.take()}")
    assert done.returncode == 1
    assert done.stdout.count("connection refused") == 10


@pytest.mark.parametrize("size", [0, 1, 20_000_000])
def test_stream_upload(example, server, size):
    done = example("stream_upload", f"h2c://{server.endpoint}", "/hello", input=b"x" * size)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"200: sent %d bytes, received %d\n" % (size, size)


def test_stream_download(example, server, root):
    """Byte by byte what the server has."""
    done = example("stream_download", f"h2c://{server.endpoint}", "/large", input=b"")
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256((root / "large").read_bytes()).digest()
    assert b"%d bytes" % (root / "large").stat().st_size in done.stderr


def test_streams_fail(example, ports):
    for name in ("stream_upload", "stream_download"):
        done = example(name, f"h2c://127.0.0.1:{ports.take()}", "/hello", input=b"")
        assert done.returncode == 1
        assert b"MESH_ERR_CONNECT: service" in done.stderr, done


def test_conf(example, server, ports):
    done = example("conf", server.endpoint, "/hello")
    refused, answer = done.stdout.splitlines()
    assert refused == (
        'refused: unknown key "services.users.retry.atempts"; the nearest is "services.users.retry.attempts"'
    )
    assert answer == "200 after 1 attempt(s)"
    done = example("conf", f"127.0.0.1:{ports.take()}", "/hello")
    assert done.returncode == 1
    assert "attempt 2 of 2" in done.stdout, "what the program configured holds"
    assert "127.0.0.1:0x" in example("conf", "127.0.0.1:0x", "/hello").stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_demo_load(build, environment, servers, end):
    """A line a second with a column for each endpoint; the sum at the end adds up."""
    two = [servers.nghttpd() for _ in range(2)]
    target = f"users=h2c://{two[0].endpoint}@a,{two[1].endpoint}@b"
    process = subprocess.Popen(
        [build / "examples" / "demo_load", "-c", "4", "users", "/hello"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(MESH_SERVICES=target),
    )
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(end)
    rest, errors = process.communicate(timeout=60)
    titles, numbers = lines[0].split(), [float(field) for field in lines[2].split()]
    assert titles[:4] == ["time", "calls/s", f"a:{two[0].port}", f"b:{two[1].port}"]
    assert numbers[0] == 2 and numbers[1] == numbers[2] + numbers[3] > 0
    total = re.search(r"^(\d+) calls, 0 retried, 0 failed$", rest, re.M)
    assert total, rest + errors
    shares = re.findall(r"^  zone \w +127\.0\.0\.1:\d+ +(\d+)$", rest, re.M)
    assert sum(map(int, shares)) == int(total[1])
    assert process.returncode == 0


def test_demo_load_fails(build, environment, ports):
    """What fails is counted and told."""
    process = subprocess.Popen(
        [build / "examples" / "demo_load", "-c", "1", f"h2c://127.0.0.1:{ports.take()}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "connection refused" in rest


def test_usage(example):
    """Wrong arguments: exit code 2 and the right ones."""
    for name in sorted(PROGRAMS - {"get"}):
        done = example(name)
        assert done.returncode == 2, name
        assert f"usage: {name} " in done.stderr
