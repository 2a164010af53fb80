"""Discovery by a real DNS server: SRV records steer traffic, changes lose nothing, bad news has clear words."""

import json
import re
import subprocess

import pytest

from conftest import services
from servers.knot import srv
from servers.process import eventually

CALLERS = 16
NAME = "_http._tcp.users.mesh.test"
TARGET = f"srv+h2c://{NAME}"
USERS = services(users=TARGET)
HOSTS = ["a A 127.0.0.1", "b A 127.0.0.1", "c A 127.0.0.1"]


@pytest.fixture
def three(servers):
    return [servers.nghttpd() for _ in range(3)]


@pytest.fixture
def run(mesh, environment):
    """The command's result: run(DNS servers, arguments...)."""

    def command(dns, *args, **variables):
        return subprocess.run(
            [mesh, *map(str, args)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment(MESH_DNS_SERVERS=dns, **variables),
            timeout=60,
        )

    return command


@pytest.fixture
def callers(load, knot):
    """Starts callers of "users": callers(load's options...)."""

    def start(*options, **variables):
        variables = {"MESH_SERVICES": USERS, "MESH_DNS_SERVERS": knot.endpoint, **variables}
        return load([*options, "users", "/hello"], **variables)

    return start


def logged(calls, event, **fields):
    """The load's log lines of an event."""
    wanted = [event] + [f"{name}={value}" for name, value in fields.items()]
    return [line for line in list(calls.errors) if all(word in line for word in wanted)]


# ---- SRV records ----


# The adaptive policy draws candidates by weight, then takes the faster one: a quarter of the weight is at least 1/16 of the calls. If
# one is found to be slow - twice the latency, on loopback a matter of what else the machine does - up to eight are drawn, and how
# much it gets has no bound. The others keep to the weight.
@pytest.mark.parametrize("policy, least, most", [("round_robin", 2.9, 3.1), ("random", 2.3, 3.9), ("adaptive", 0, 18)])
def test_weights(callers, knot, three, policy, least, most):
    """Three times the weight, more calls; one caller, so that nobody is chosen because the other is busy."""
    light, heavy, _ = three
    knot.set(*HOSTS, srv(light, "a", weight=10), srv(heavy, "b", weight=30))
    with callers("-n", 4000, MESH_BALANCE_POLICY=policy) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 0, outcome.failures
    assert set(outcome.endpoints) == {light.endpoint, heavy.endpoint}
    assert least < outcome.endpoints[heavy.endpoint] / outcome.endpoints[light.endpoint] < most, outcome


def test_priorities(callers, knot, three):
    """The second priority is called only while nobody of the first is there."""
    first, also_first, second = three
    knot.set(*HOSTS, srv(first, "a"), srv(also_first, "b"), srv(second, "c", priority=10))
    with callers("-c", CALLERS) as calls:
        calls.until_calls(1000, first.endpoint)
        calls.until_calls(1000, also_first.endpoint)
        assert calls.calls(second.endpoint) == 0
        first.kill()
        calls.until_calls(1000, also_first.endpoint)
        also_first.kill()
        calls.until_calls(2000, second.endpoint)
        first.start()
        calls.until_calls(1000, first.endpoint)
        settled = eventually_silent(calls, second.endpoint)
        calls.until_calls(2000)
        assert calls.calls(second.endpoint) <= settled
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def eventually_silent(calls, endpoint):
    """Waits until 2000 calls pass by an endpoint; how many it has had by then, those included that may still be under way."""
    seen = calls.now()

    def silent():
        nonlocal seen
        now = calls.now()
        if now.endpoints.get(endpoint, 0) != seen.endpoints.get(endpoint, 0):
            seen = now
        return now.calls >= seen.calls + 2000

    eventually(silent, lambda: f"{endpoint} gets no more calls: {calls.now()}")
    return seen.endpoints.get(endpoint, 0) + CALLERS


def test_withdrawn(callers, knot, three):
    """"." as target: the service is decidedly not there, at once and in clear words; then it is there again."""
    server = three[0]
    knot.set(*HOSTS, srv(server, "a"))
    with callers("-c", 4, "-p", 5) as calls:
        calls.until_calls(100, server.endpoint)
        knot.set("_http._tcp.users SRV 0 0 0 .")
        eventually(lambda: calls.now().failed > 20, "the service is withdrawn")
        knot.set(*HOSTS, srv(server, "a"))
        calls.until_calls(100, server.endpoint)
        failed = calls.now().failed
        calls.until_calls(100, server.endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == failed, "no failure once it is back"
    assert set(outcome.errors) == {"MESH_ERR_NO_HEALTHY"}
    assert outcome.failures[0]["detail"] == 'service "users": the service is withdrawn: its SRV record has the target "."'


def test_found_by_host(callers, knot, three):
    """A plain name with a port: all addresses of the name."""
    knot.set("users A 127.0.0.1")
    with callers("-n", 100, MESH_SERVICES=f"users=h2c://users.mesh.test:{three[0].port}") as calls:
        [outcome] = calls.wait()
    assert outcome.endpoints == {three[0].endpoint: 100}


# ---- changes under load ----


def test_added_and_drained(callers, knot, three):
    """Endpoints come and go with the records, 16 callers notice nothing; whoever has gone can be stopped."""
    one, two, three_ = three
    knot.set(*HOSTS, srv(one, "a"))
    with callers("-c", CALLERS) as calls:
        calls.until_calls(500, one.endpoint)
        knot.set(*HOSTS, srv(one, "a"), srv(two, "b"))
        calls.until_calls(500, two.endpoint)
        knot.set(*HOSTS, srv(two, "b"), srv(three_, "c"))
        calls.until_calls(500, three_.endpoint)
        settled = eventually_silent(calls, one.endpoint)
        eventually(lambda: established(one.port) == 0, "the connections to who has gone are closed")
        one.stop()
        calls.until_calls(2000)
        assert calls.calls(one.endpoint) <= settled
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    assert outcome.statuses == {"200": outcome.calls}


def established(port):
    """How many connections to a local port there are."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_other_address(callers, knot, servers, three):
    """A host moves: the SRV record stays, its address changes."""
    port = three[0].port
    other = servers.add(type(three[0])(three[0].folder / "other", port, three[0].root))  # the same port, another address
    other.stop()
    other.host = "127.0.0.2"
    other.start()
    knot.set("a A 127.0.0.1", srv(three[0], "a"))
    with callers("-c", CALLERS) as calls:
        calls.until_calls(500, f"127.0.0.1:{port}")
        knot.set("a A 127.0.0.2", srv(three[0], "a"))
        calls.until_calls(500, f"127.0.0.2:{port}")
        eventually_silent(calls, f"127.0.0.1:{port}")
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_longest_ttl(callers, knot, three):
    """An answer good for an hour is asked for again when the configuration says so."""
    knot.set(*HOSTS, srv(three[0], "a"), ttl=3600)
    with callers("-c", 4, MESH_DNS_MAX_TTL_MS=1000) as calls:
        calls.until_calls(100, three[0].endpoint)
        knot.set(*HOSTS, srv(three[1], "b"), ttl=3600)
        calls.until_calls(100, three[1].endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_ttl_is_obeyed(callers, knot, three):
    """Ten thousand calls within the life of an answer: one lookup for each name."""
    knot.set(*HOSTS, srv(three[0], "a"), ttl=300)
    with callers("-c", CALLERS, "-n", 10000) as calls:
        [outcome] = calls.wait()
    assert outcome.failed == 0, outcome.failures
    assert knot.queries("query-type") == {"SRV": 1, "A": 1, "AAAA": 1}


# ---- when the DNS itself fails ----


def test_server_down(callers, knot, three):
    """The last good answer serves while nobody answers; news are taken up when the server is back."""
    knot.set(*HOSTS, srv(three[0], "a"))
    with callers("-c", CALLERS, MESH_LOG_LEVEL="info") as calls:
        calls.until_calls(500, three[0].endpoint)
        knot.kill()
        eventually(lambda: logged(calls, "dns_refresh_failed", name=NAME), "refreshing fails")
        calls.until_calls(2000, three[0].endpoint)
        knot.set(*HOSTS, srv(three[1], "b"))
        knot.start()
        calls.until_calls(500, three[1].endpoint)
        eventually(lambda: logged(calls, "dns_refresh_recovered", name=NAME), "it is told, too")
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures
    assert "last_good_records=1" in logged(calls, "dns_refresh_failed", name=NAME)[0]


def test_server_frozen(callers, knot, three):
    """The same when the server takes questions and says nothing."""
    knot.set(*HOSTS, srv(three[0], "a"))
    with callers("-c", CALLERS, MESH_DNS_TIMEOUT_MS=200) as calls:
        calls.until_calls(500, three[0].endpoint)
        knot.freeze()
        eventually(lambda: logged(calls, "dns_refresh_failed", name=NAME), "refreshing fails")
        calls.until_calls(2000, three[0].endpoint)
        knot.thaw()
        knot.set(*HOSTS, srv(three[1], "b"))
        calls.until_calls(500, three[1].endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_record_gone(callers, knot, three):
    """NXDOMAIN after a good answer is more likely an accident than the truth: the last good answer serves."""
    knot.set(*HOSTS, srv(three[0], "a"))
    with callers("-c", CALLERS) as calls:
        calls.until_calls(500, three[0].endpoint)
        knot.set()
        eventually(lambda: logged(calls, "dns_refresh_failed", name=NAME), "the name is gone")
        calls.until_calls(2000, three[0].endpoint)
        [outcome] = calls.stop()
    assert outcome.failed == 0, outcome.failures


def test_no_such_name(run, knot):
    """NXDOMAIN from the start: its own error and a sentence with service, name and server."""
    done = run(knot.endpoint, "request", "--json", "users", "/hello", MESH_SERVICES=USERS)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["error"] == "MESH_ERR_DNS" and told["status"] == 0 and told["attempts"] == 0
    for word in ('"users"', NAME, "does not exist", "NXDOMAIN", knot.endpoint):
        assert word in told["detail"], told["detail"]


def test_bad_answers_are_kept_too(callers, knot, three):
    """Callers of a name that does not exist do not flood the DNS server; once the name exists, they find it."""
    with callers("-c", 4, "-p", 1) as calls:
        eventually(lambda: calls.now().failed > 200, "calls fail")
        failed, asked = calls.now().failed, knot.queries("query-type")["SRV"]
        knot.set(*HOSTS, srv(three[0], "a"))
        calls.until_calls(100, three[0].endpoint)
        [outcome] = calls.stop()
    assert set(outcome.errors) == {"MESH_ERR_DNS"}
    assert asked <= 1 + failed / 20, f"{asked} questions for {failed} calls"


def test_first_server_dead(run, knot, ports, three):
    """MESH_DNS_SERVERS, with ports: where the first is dead the second one answers."""
    knot.set(*HOSTS, srv(three[0], "a"))
    dns = f"127.0.0.1:{ports.take()},{knot.endpoint}"
    done = run(dns, "request", TARGET, "/hello", MESH_DNS_TIMEOUT_MS=500)
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_large_answer(run, knot, three):
    """What is too large for a datagram comes truncated, and then whole by TCP."""
    hosts = [f"a-host-with-a-long-name-{i} A 127.0.1.{i}" for i in range(1, 101)]
    records = [srv(three[0], f"a-host-with-a-long-name-{i}") for i in range(1, 101)]
    knot.set(*hosts, *records)
    done = run(knot.endpoint, "resolve", "--json", TARGET)
    assert done.returncode == 0, done.stderr
    found = {endpoint["address"] for endpoint in json.loads(done.stdout)["endpoints"]}
    assert found == {f"127.0.1.{i}:{three[0].port}" for i in range(1, 101)}
    assert knot.queries("request-protocol")["tcp4"] >= 1


# ---- mesh resolve ----

RESOLVED = """\
1. _http._tcp.users.mesh.test SRV  ok  ttl 60 s  from dns  TIME
     0 1 PORT a.mesh.test
     10 5 PORT b.mesh.test
2. a.mesh.test. A, AAAA  ok  ttl 60 s  from dns  TIME
     127.0.0.1
3. b.mesh.test. A, AAAA  ok  ttl 60 s  from dns  TIME
     127.0.0.1

ADDRESS  ZONE  WEIGHT  PRIORITY  HOST
127.0.0.1:PORT  home  1  0  a.mesh.test
127.0.0.1:PORT  home  5  1  b.mesh.test
"""


def test_resolve(run, knot, three):
    """Each step, then what came of it; priorities are ranks."""
    knot.set(*HOSTS, srv(three[0], "a"), srv(three[1], "b", priority=10, weight=5), ttl=60)
    done = run(knot.endpoint, "resolve", TARGET, MESH_ZONE_CIDRS="home=127.0.0.0/8")
    assert done.returncode == 0, done.stderr
    told = done.stdout
    for server in three:
        told = told.replace(str(server.port), "PORT")
    told = re.sub(r"\d+(\.\d+)? [mu]?s$", "TIME", told, flags=re.M)
    assert re.sub(r"(?<=\S)  +", "  ", told) == RESOLVED


def test_resolve_no_such_host(run, knot, three):
    """The step that failed says why; what is found is shown, too."""
    knot.set("a A 127.0.0.1", srv(three[0], "a"), srv(three[1], "nowhere"))
    done = run(knot.endpoint, "resolve", TARGET)
    assert "nowhere.mesh.test. A, AAAA  nxdomain" in done.stdout
    assert f"NXDOMAIN for A or AAAA from {knot.endpoint}" in done.stdout
    assert three[0].endpoint in done.stdout


def test_resolve_fails(run, knot):
    done = run(knot.endpoint, "resolve", "h2c://nobody.mesh.test:80")
    assert done.returncode == 1
    assert "MESH_ERR_DNS" in done.stderr and "nobody.mesh.test" in done.stderr
