"""The mesh command: what it takes, what it prints, how it ends."""

import http.server
import json
import os
import pty
import select
import signal
import subprocess
import threading
import time

import pytest

from servers.process import GUARD_S

COMMANDS = ["request", "bench", "endpoints", "explain", "resolve", "config", "xds"]
OK, FAILED, USAGE = 0, 1, 2


@pytest.fixture
def run(mesh, environment):
    """run("request", ..., stdin=b"", MESH_X=...): what came of it."""

    def run(*args, stdin=b"", **variables):
        return subprocess.run(
            [str(mesh), *map(str, args)],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
            timeout=GUARD_S,
        )

    return run


@pytest.fixture
def run_json(run):
    """run() with --json: the exit code and the one object that it printed."""

    def run_json(command, *args, **variables):
        done = run(command, "--json", *args, **variables)
        lines = done.stdout.decode().splitlines()
        assert len(lines) == 1, done
        return done.returncode, json.loads(lines[0])

    return run_json


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        told = {"method": self.command, "path": self.path, "body": body.hex(), "headers": dict(self.headers.items())}
        text = json.dumps(told).encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("content-length", str(len(text)))
        self.send_header("x-twice", "1")
        self.send_header("x-twice", "2")
        self.send_header("x-latin", "caf\xe9")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *args):
        pass


@pytest.fixture
def echo():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def nobody(ports):
    """An address that refuses."""
    return f"h2c://127.0.0.1:{ports.take()}"


# ---- help and usage ----


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands(run, flag):
    done = run(flag)
    assert done.returncode == OK and not done.stderr
    for command in COMMANDS:
        assert command in done.stdout.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(run, command):
    done = run(command, "-h")
    assert done.returncode == OK and not done.stderr
    text = done.stdout.decode()
    assert text.startswith(f"Usage: mesh {command} ")
    assert "--json" in text
    assert all(len(line) <= 120 for line in text.splitlines())
    assert run(command, "--help").stdout == done.stdout


def test_version(run):
    done = run("--version")
    assert done.returncode == OK
    assert done.stdout.decode().split()[0] == "mesh"


@pytest.mark.parametrize(
    "args, told",
    [
        ([], "command"),
        (["reqest"], "did you mean request?"),
        (["benhc", "users"], "did you mean bench?"),
        (["--hlep"], "did you mean --help?"),
        (["zzzzzz"], 'no command "zzzzzz"'),
        (["request"], "needs SERVICE"),
        (["request", "a", "/b", "c"], "no further argument"),
        (["resolve"], "needs TARGET"),
        (["endpoints", "a", "b"], "no further argument"),
        (["config", "a"], "no further argument"),
        (["xds"], "needs status|dump|lint"),
        (["xds", "lnit"], "did you mean lint?"),
        (["xds", "--json", "lint"], "options stand behind the command"),
        (["explain"], "needs SERVICE"),
        (["explain", "--sned", "a"], "did you mean --send?"),
        (["request", "--timout", "1s", "a"], "did you mean --timeout?"),
        (["request", "--jsno", "a"], "did you mean --json?"),
        (["bench", "--async=yes", "a"], "--async takes no value"),
        (["request", "-q", "a"], '"-q"'),
        (["request", "a", "--method"], "--method needs a value"),
        (["request", "a", "-X"], "-X needs a value"),
        (["request", "--timeout", "5", "a"], "250ms, 1s or 1m"),
        (["request", "--timeout", "0s", "a"], "--timeout"),
        (["request", "--timeout", "1d", "a"], "--timeout"),
        (["request", "--timeout", "-1s", "a"], "--timeout"),
        (["request", "--timeout", "1e3s", "a"], "--timeout"),
        (["request", "--timeout", "99999h", "a"], "--timeout"),
        (["request", "--attempts", "0", "a"], "from 1 to 100"),
        (["request", "--attempts", "two", "a"], "from 1 to 100"),
        (["request", "--attempts", "99999999999999999999999", "a"], "from 1 to 100"),
        (["bench", "-c", "0", "a"], "--callers"),
        (["bench", "-n", "-5", "a"], "--calls"),
        (["bench", "-n", "5", "--duration", "1s", "a"], "exclude each other"),
        (["bench", "--rate", "1.5", "a"], "--rate"),
        (["request", "-H", "no colon", "a"], "name: value"),
        (["request", "-H", ": x", "a"], "name: value"),
        (["request", "-d", "@/no/such/file", "a"], "/no/such/file"),
    ],
)
def test_wrong_usage_is_told(run, args, told):
    done = run(*args)
    assert done.returncode == USAGE
    assert not done.stdout
    assert told in done.stderr.decode()


def test_complaints_are_one_line_whatever_was_typed(run):
    done = run("request", "--\x1b[31mevil\nmesh: all is well", "a")
    assert done.returncode == USAGE
    assert b"\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 2


# ---- request ----


def test_body_goes_to_stdout(run, echo):
    done = run("request", echo, "/a?b=c")
    assert done.returncode == OK and not done.stderr
    told = json.loads(done.stdout)
    assert (told["method"], told["path"], told["body"]) == ("GET", "/a?b=c", "")


def test_options_may_stand_anywhere(run, echo):
    told = json.loads(run("request", echo, "-X", "PUT", "/x", "-H", "a: b", "--header=C:d", "-dbody").stdout)
    assert (told["method"], told["path"], bytes.fromhex(told["body"])) == ("PUT", "/x", b"body")
    headers = {name.lower(): value for name, value in told["headers"].items()}
    assert (headers["a"], headers["c"]) == ("b", "d")


def test_body_from_a_file_and_from_stdin(run, echo, tmp_path):
    data = bytes(range(256)) * 1000
    (tmp_path / "data").write_bytes(data)
    told = json.loads(run("request", echo, "-d", f"@{tmp_path / 'data'}").stdout)
    assert told["method"] == "POST" and bytes.fromhex(told["body"]) == data
    told = json.loads(run("request", echo, "-d", "@-", stdin=data).stdout)
    assert told["method"] == "POST" and bytes.fromhex(told["body"]) == data


def test_request_json(run_json, echo):
    code, told = run_json("request", echo, "/missing")
    assert code == OK
    assert told["status"] == 404 and told["attempts"] == 1
    assert "http://" + told["endpoint"] == echo
    assert told["zone"] == "" and told["error"] is None
    assert told["duration_us"] > 0 and told["body_bytes"] > 0
    assert told["headers"]["x-twice"] == ["1", "2"]
    assert told["headers"]["x-latin"] == "caf\xe9"
    assert set(told) == {
        "status", "attempts", "endpoint", "zone", "duration_us", "body_bytes", "headers", "error", "detail",
    }  # fmt: skip


def test_request_that_fails(run, run_json, nobody):
    done = run("request", "--attempts", 1, nobody)
    assert done.returncode == FAILED and not done.stdout
    assert done.stderr.decode().splitlines()[-1].startswith("mesh: MESH_ERR_CONNECT: ")
    code, told = run_json("request", "--attempts", 1, nobody)
    assert code == FAILED
    assert told["status"] == 0 and told["error"] == "MESH_ERR_CONNECT"
    assert nobody.removeprefix("h2c://") in told["detail"]


@pytest.mark.parametrize(
    "args", [["h2c://127.0.0.1:1", "/", "-H", "a: b\r\nc: d"], ["h2c://127.0.0.1:1", "no-slash"], ["nosuch://x"]]
)
def test_request_that_the_library_refuses(run_json, args):
    code, told = run_json("request", *args)
    assert code == USAGE
    assert told["error"] == "MESH_ERR_INVALID" and told["detail"]


def test_configuration_that_is_refused(run, run_json):
    done = run("request", "users", MESH_RETRY_ATTEMPTS="many")
    assert done.returncode == USAGE
    assert "retry.attempts" in done.stderr.decode() or "MESH_RETRY_ATTEMPTS" in done.stderr.decode()
    code, told = run_json("request", "users", MESH_RETRY_ATTEMPTS="many")
    assert code == USAGE and told["error"] == "MESH_ERR_INVALID" and "many" in told["detail"]


def test_verbose_tells_the_head_on_stderr(run, echo):
    done = run("request", "-v", echo)
    json.loads(done.stdout)
    text = done.stderr.decode(errors="replace")
    assert "status 200" in text and "x-twice: 2" in text


# ---- output that cannot be written ----


def test_reader_that_went_away_is_no_complaint(mesh, environment, echo):
    reading, writing = os.pipe()
    os.close(reading)
    for args in (["request", echo], ["config"], ["-h"]):
        done = subprocess.run(
            [str(mesh), *args], stdout=writing, stderr=subprocess.PIPE, env=environment(), timeout=GUARD_S
        )
        assert done.returncode in (FAILED, -signal.SIGPIPE)
        assert not done.stderr
    os.close(writing)


def test_full_disk_is_told(mesh, environment):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(mesh), "config"], stdout=full, stderr=subprocess.PIPE, env=environment())
    assert done.returncode == FAILED
    assert "No space left" in done.stderr.decode()


# ---- bench ----


@pytest.mark.parametrize("way", [["-c", 4], ["-c", 4, "--async"], ["--rate", 2000, "-c", 4], ["--rate", 2000, "--async"]])
def test_bench_counts_every_call(run_json, servers, way):
    a, b = servers.nghttpd(), servers.nghttpd()
    users = f"users=h2c://{a.endpoint}@a,{b.endpoint}@b"
    code, told = run_json("bench", "-n", 300, *way, "users", "/hello", MESH_SERVICES=users)
    assert code == OK
    assert told["calls"] == 300 and told["failed"] == 0 and told["attempts"] >= 300
    assert told["statuses"] == {"200": 300} and told["errors"] == {}
    assert set(told["endpoints"]) <= {a.endpoint, b.endpoint} and sum(told["endpoints"].values()) == 300
    assert set(told["zones"]) <= {"a", "b"} and sum(told["zones"].values()) == 300
    assert 0 < told["p50_us"] <= told["p99_us"] <= told["max_us"]
    assert told["calls_per_s"] > 0 and told["cpu_us_per_call"] > 0
    assert set(told) == {
        "calls", "failed", "statuses", "errors", "attempts", "endpoints", "zones", "calls_per_s", "p50_us", "p99_us",
        "max_us", "cpu_us_per_call",
    }  # fmt: skip


def test_bench_for_a_time(run_json, servers):
    server = servers.nghttpd()
    before = time.monotonic()
    code, told = run_json("bench", "--duration", "500ms", f"h2c://{server.endpoint}", "/hello")
    assert code == OK and told["calls"] > 0
    assert time.monotonic() - before >= 0.5


def test_bench_for_less_than_a_thread_takes_to_run(run_json, servers):
    server = servers.nghttpd()
    for way in [[], ["--async"]]:
        code, told = run_json("bench", "--duration", "1ms", "-c", 8, *way, f"h2c://{server.endpoint}", "/hello")
        assert code == OK and told["calls"] > 0


@pytest.mark.parametrize("way", [[], ["--async"]])
def test_bench_keeps_its_rate(run_json, servers, way):
    server = servers.nghttpd()
    code, told = run_json("bench", "--duration", "1s", "--rate", 100, "-c", 8, *way, f"h2c://{server.endpoint}", "/hello")
    assert code == OK and told["calls"] == 100


@pytest.mark.parametrize("way", [[], ["--async"]])
def test_open_loop_counts_the_wait_before_a_late_start(run_json, servers, way):
    """One caller, a server that stands still for a while: the calls that were due meanwhile are slow, not left out."""
    server = servers.nghttpd()
    target = f"h2c://{server.endpoint}"

    def stand_still():
        time.sleep(0.5)
        server.signal(signal.SIGSTOP)
        time.sleep(1)
        server.signal(signal.SIGCONT)

    still = threading.Thread(target=stand_still)
    still.start()
    code, told = run_json("bench", "--duration", "2s", "--rate", 100, *way, target, "/hello")
    still.join()
    assert told["calls"] == 200
    assert told["p99_us"] > 300_000


@pytest.mark.parametrize("way", [[], ["--async"]])
def test_bench_where_every_call_fails(run_json, nobody, way):
    code, told = run_json("bench", "-n", 5, *way, "--attempts", 1, nobody)
    assert code == FAILED
    assert told["calls"] == told["failed"] == 5 == sum(told["errors"].values())
    assert told["statuses"] == {} and told["endpoints"] == {}


@pytest.mark.parametrize("way", [[], ["--async"]])
def test_bench_whose_arguments_are_refused_ends(run, way):
    done = run("bench", "-c", 4, *way, "-H", "a: b\r\n", "h2c://127.0.0.1:1")
    assert done.returncode == USAGE
    assert "MESH_ERR_INVALID" in done.stderr.decode()


@pytest.mark.parametrize("way", [["-c", 8], ["-c", 8, "--async"], ["-c", 8, "--rate", 20], ["--rate", 20, "--async"]])
def test_interrupt_ends_bench_with_what_there_is(mesh, environment, servers, way):
    """Also while every caller waits for a server that has stopped."""
    server = servers.nghttpd()
    bench = subprocess.Popen(
        [str(mesh), "bench", "--json", "--duration", "1h", *map(str, way), f"h2c://{server.endpoint}", "/hello"],
        stdout=subprocess.PIPE,
        env=environment(),
    )
    time.sleep(1)
    server.signal(signal.SIGSTOP)
    time.sleep(0.3)
    bench.send_signal(signal.SIGINT)
    before = time.monotonic()
    out = bench.communicate(timeout=GUARD_S)[0]
    assert time.monotonic() - before < 10  # the calls' own time is 15 s
    assert bench.returncode == OK
    assert json.loads(out)["calls"] > 0


def test_interrupt_ends_request(mesh, environment, servers):
    server = servers.nghttpd()
    server.signal(signal.SIGSTOP)
    request = subprocess.Popen([str(mesh), "request", f"h2c://{server.endpoint}"], env=environment())
    time.sleep(0.5)
    request.send_signal(signal.SIGINT)
    before = time.monotonic()
    assert request.wait(timeout=GUARD_S) != OK
    assert time.monotonic() - before < 10


# ---- endpoints, resolve, config ----


def test_endpoints(run, run_json, servers, nobody):
    server = servers.nghttpd()
    refusing = nobody.removeprefix("h2c://")
    users = f"users=h2c://{server.endpoint}@a,{refusing}@b"
    done = run("endpoints", "users", MESH_SERVICES=users)
    assert done.returncode == OK
    lines = done.stdout.decode().splitlines()
    assert "\x1b" not in done.stdout.decode()
    assert lines[0].split() == ["users", "h2c", "ready"]
    assert lines[1].split()[:4] == ["ADDRESS", "ZONE", "STATE", "SOURCE"]
    assert [line.split()[:4] for line in lines[2:4]] == [
        [server.endpoint, "a", "connected", "static"],
        [refusing, "b", "failed", "static"],
    ]
    code, told = run_json("endpoints", "users", MESH_SERVICES=users)
    assert code == OK and [e["state"] for e in told["endpoints"]] == ["connected", "failed"]
    code, told = run_json("endpoints", MESH_SERVICES=users + f"; other={nobody}")
    assert code == FAILED and len(told["services"]) == 2


def test_endpoints_say_what_is_the_matter_with_them(run, run_json, servers, nobody):
    server = servers.nghttpd()
    refusing = nobody.removeprefix("h2c://")
    users = f"users=h2c://{server.endpoint}@a,{refusing}@b"
    lines = run("endpoints", "users", MESH_SERVICES=users).stdout.decode().splitlines()
    assert {"WEIGHT", "ACTIVE", "REASON"} <= set(lines[1].split())
    assert lines[3].endswith(f"connect to {refusing}: connection refused")
    _, told = run_json("endpoints", "users", MESH_SERVICES=users)
    well, failed = told["endpoints"]
    assert well["reason"] == "" and well["weight"] == 1 and well["active"] == 0 and well["share_percent"] == 100
    assert well["latency_ms"] is None and well["penalty_ms"] is None and well["isolated_for_ms"] == 0
    assert failed["connection"] == "failed" and "refused" in failed["reason"]


def test_explain(run, run_json, servers, nobody):
    server, other = servers.nghttpd(), servers.nghttpd()
    refusing = nobody.removeprefix("h2c://")
    given = dict(
        MESH_SERVICES=f"users=h2c://{server.endpoint}@a,{refusing}@a,{other.endpoint}@b",
        MESH_ZONE="a",
        MESH_RETRY_ATTEMPTS="2",
    )
    done = run("explain", "users", "/hello", "-X", "POST", **given)
    assert done.returncode == OK and not done.stderr
    text = done.stdout.decode()
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["users", "POST", "/hello", "h2c", "ready"]
    assert lines[1][:5] == ["would", "be", "sent", "to", server.endpoint + ","]
    assert "in zone a, the own one; it keeps 70 %, the rest is passed on" in text
    assert lines[2] == "retried what was certainly not executed: it is not idempotent".split()
    assert ["a", "own", "70", "%"] in [line[:4] for line in lines]
    row = next(line for line in lines if line[:1] == [refusing])
    assert row[:5] == [refusing, "a", "1", "failed", "no"] and row[-1] == "refused"
    assert ["retry.attempts", "2", "environment", "MESH_RETRY_ATTEMPTS"] in lines
    assert ["balance.policy", "adaptive", "default"] in lines
    assert "sent:" not in text
    code, told = run_json("explain", "users", **given)
    assert code == OK and [e["candidate"] for e in told["endpoints"]] == [True, False, True]
    assert [zone["kept_percent"] for zone in told["zones"]] == [70, 100]
    assert told["policy"]["zone"] == {"value": "a", "origin": "environment MESH_ZONE"}


def test_explain_values_of_a_file(run_json, tmp_path):
    file = tmp_path / "mesh.json"
    file.write_text(
        '{"defaults": {"timeout_ms": 700},\n'
        ' "services": {"users": {"target": "h2c://127.0.0.1:1", "retry": {"attempts": 4}}}}'
    )
    code, told = run_json("explain", "users", MESH_CONFIG=file)
    assert code == OK and told["endpoints"][0]["state"] == "failed"
    assert told["decision"] == "sent to 127.0.0.1:1, the only candidate, though it is not usable: nobody is"
    assert told["policy"]["timeout_ms"] == {"value": 700, "origin": f"file {file}"}
    assert told["policy"]["retry.attempts"] == {"value": 4, "origin": f"file {file}: services.users.retry.attempts"}


def test_explain_what_was_sent(run, run_json, servers, nobody):
    server = servers.nghttpd()
    users = f"users=h2c://{server.endpoint}"
    done = run("explain", "--send", "users", "/hello", MESH_SERVICES=users)
    assert done.returncode == OK
    lines = done.stdout.decode().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("sent: 200 after "))
    assert lines[at + 1].split()[:3] == ["1.", server.endpoint, "200"]
    assert lines[at + 3].strip() == f"adaptive: the least score of 1 drawn: {server.endpoint} 0"
    code, told = run_json("explain", "--send", "users", "/nothing", MESH_SERVICES=users)
    assert code == OK and told["sent"]["status"] == 404 and len(told["sent"]["attempts"]) == 1
    code, told = run_json("explain", "--send", "--attempts", 1, nobody)
    assert code == FAILED and told["sent"]["error"] == "MESH_ERR_CONNECT"
    assert told["sent"]["attempts"][0]["retry"] == "not retried: its attempts are used up"


def test_explain_that_fails(run, run_json, ports):
    done = run("explain", "h2c://a..b")
    assert done.returncode == USAGE and not done.stdout
    assert done.stderr.decode().startswith('mesh: MESH_ERR_INVALID: target "h2c://a..b": ')
    done = run("explain", "users", "no-slash")
    assert done.returncode == USAGE and not done.stdout
    assert done.stderr.decode().startswith('mesh: MESH_ERR_INVALID: path "no-slash" must begin with "/"')
    code, told = run_json("explain", "h2c://a..b")
    assert code == USAGE and told["error"]["code"] == "MESH_ERR_INVALID"
    silent = dict(MESH_DNS_SERVERS=f"127.0.0.1:{ports.take()}", MESH_DNS_TRIES=1, MESH_DNS_TIMEOUT_MS=100)
    code, told = run_json("explain", "h2c://users.test:80", **silent)
    assert code == FAILED and told["error"]["code"] == "MESH_ERR_DNS" and "users.test" in told["decision"]


def test_endpoints_of_nothing(run, run_json, nobody):
    done = run("endpoints")
    assert done.returncode == OK and "no service is configured" in done.stderr.decode()
    assert run_json("endpoints") == (OK, {"services": []})
    assert run("endpoints", nobody).returncode == FAILED


def test_resolve(run, run_json):
    done = run("resolve", "h2c://localhost:80")
    assert done.returncode == OK and b"127.0.0.1" in done.stdout
    code, told = run_json("resolve", "h2c://127.0.0.1:80")
    assert code == OK and told["endpoints"][0]["address"] == "127.0.0.1:80" and told["error"] is None


def test_resolve_that_fails(run, run_json, ports):
    silent = dict(MESH_DNS_SERVERS=f"127.0.0.1:{ports.take()}", MESH_DNS_TRIES=1, MESH_DNS_TIMEOUT_MS=100)
    code, told = run_json("resolve", "srv+h2c://_grpc._tcp.users.test", **silent)
    assert code == FAILED and told["error"] == "MESH_ERR_DNS" and told["steps"]
    done = run("resolve", "srv+h2c://_grpc._tcp.users.test", **silent)
    assert done.returncode == FAILED and "MESH_ERR_DNS" in done.stderr.decode()
    assert "_grpc._tcp.users.test" in done.stdout.decode()


def test_config_tells_values_and_origins(run, run_json):
    code, told = run_json("config", MESH_RETRY_ATTEMPTS=2)
    assert code == OK
    assert told["retry.attempts"]["value"] == 2 and "MESH_RETRY_ATTEMPTS" in told["retry.attempts"]["origin"]
    assert told["timeout_ms"]["origin"] == "default"
    code, told = run_json("config", "--given", MESH_RETRY_ATTEMPTS=2)
    assert list(told) == ["retry.attempts"]
    text = run("config", MESH_RETRY_ATTEMPTS=2).stdout.decode()
    row = next(line for line in text.splitlines() if line.startswith("retry.attempts "))
    assert row.split() == ["retry.attempts", "environment", "MESH_RETRY_ATTEMPTS", "2"]


def test_config_keys(run, run_json):
    code, told = run_json("config", "--keys")
    names = [key["name"] for key in told]
    assert code == OK and "retry.attempts" in names
    text = run("config", "--keys").stdout.decode()
    assert all(f"\n{name}" in "\n" + text for name in names)


def test_config_that_is_broken(run):
    done = run("config", MESH_RETRY_ATTEMPTS="many")
    assert done.returncode == USAGE and "many" in done.stderr.decode() and not done.stdout


# ---- on a terminal ----


def on_terminal(args, env, seconds=GUARD_S):
    """What a command writes to a terminal that is both its outputs."""
    master, slave = pty.openpty()
    process = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    written = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end and select.select([master], [], [], end - time.monotonic())[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(master)
    assert process.wait(timeout=GUARD_S) == OK
    return written


def test_colours_on_a_terminal_only(mesh, environment, servers):
    server = servers.nghttpd()
    args = [str(mesh), "endpoints", f"h2c://{server.endpoint}"]
    assert b"\x1b[32m" in on_terminal(args, environment(TERM="xterm"))
    assert b"\x1b" not in on_terminal(args, environment(TERM="xterm", NO_COLOR="1"))
    assert b"\x1b" not in on_terminal(args, environment(TERM="dumb"))
    assert b"\x1b[32m" in on_terminal(args, environment(TERM="xterm", NO_COLOR=""))


def test_bench_shows_progress_on_a_terminal_only(mesh, environment, servers):
    server = servers.nghttpd()
    args = [str(mesh), "bench", "--duration", "2500ms", f"h2c://{server.endpoint}", "/hello"]
    written = on_terminal(args, environment(TERM="xterm"))
    assert written.count(b"\r\x1b[K") >= 2 and b"calls in" in written
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), timeout=GUARD_S)
    assert done.stderr == b""
