"""Routes against Envoy itself: the same route configuration makes the same of the same requests, whoever goes by it."""

import http.client
import http.server
import itertools
import json
import random
import subprocess
import threading

import pytest

from servers import envoy, plane, tools
from servers.envoy import Envoy
from servers.process import GUARD_S
from xds import resources

CLUSTERS = ["a", "b", "c", "d"]
ANSWERED = [("x-answer", "1"), ("x-answer", "2"), ("x-other", "o")]  # as tests/system/inside/routes.c has them
OWN = ("x-envoy-", "x-forwarded-proto", "x-request-id", "content-length", "host")  # what a proxy adds and a client does not


def change(name, value, action="APPEND_IF_EXISTS_OR_ADD", **more):
    return {"header": {"key": name, "value": value}, "append_action": action, **more}


def route(name, match, to="a", **more):
    """A route to a cluster; `to` may be a RouteAction, or {"redirect": ...} and the like."""
    if isinstance(to, str):
        to = {"cluster": to}
    if not set(to) & {"redirect", "direct_response"}:
        to = {"route": to}
    return {"name": name, "match": match, **to, **more}


def numbered(prefix, things, make):
    """Routes under /prefix/0, /prefix/1, ..., each for its path alone."""
    return [route(f"{prefix}-{i}", *make(f"/{prefix}/{i}", thing)) for i, thing in enumerate(things)]


PATHS = [
    route("exact", {"path": "/exact"}),
    route("case", {"path": "/Case/Exact", "case_sensitive": False}, "b"),
    route("prefix", {"prefix": "/pre/"}, "b"),
    route("no-case-prefix", {"prefix": "/PRE", "case_sensitive": False}, "c"),
    route("separated", {"path_separated_prefix": "/sep/arated"}),
    route("regex", {"safe_regex": {"regex": "/rx/[a-z]+/\\d{2,3}"}}, "c"),
    route("regex-alternatives", {"safe_regex": {"regex": "/rx|/rx/(?i:long)er?"}}, "d"),
]
HEADERS = [
    header
    for what in [
        {"exact": "one"}, {"prefix": "on"}, {"suffix": "ne"}, {"contains": "n"}, {"safe_regex": {"regex": "o.e|1+"}},
        {"exact": "ONE", "ignore_case": True},
    ]
    for header in [
        {"name": "x-h", "string_match": what},
        {"name": "x-h", "string_match": what, "invert_match": True},
        {"name": "x-h", "string_match": what, "invert_match": True, "treat_missing_header_as_empty": True},
    ]
] + [
    {"name": "x-h", "string_match": {"exact": ""}},
    {"name": "x-h", "string_match": {"exact": ""}, "treat_missing_header_as_empty": True},
    {"name": "x-h", "string_match": {"exact": "one,two"}},
    {"name": "x-h", "range_match": {"start": -10, "end": 5}},
    {"name": "x-h", "range_match": {"start": -10, "end": 5}, "invert_match": True},
    {"name": "x-h"},
    *(
        {"name": "x-h", "present_match": present, "invert_match": invert, "treat_missing_header_as_empty": empty}
        for present, invert, empty in itertools.product([True, False], repeat=3)
    ),
    {"name": ":method", "string_match": {"exact": "PUT"}},
    {"name": ":path", "string_match": {"suffix": "q=1"}},
    {"name": ":authority", "string_match": {"prefix": "users"}},
    {"name": "host", "string_match": {"prefix": "users"}},
    {"name": ":scheme", "string_match": {"exact": "http"}},
]
QUERIES = [
    {"name": "q", "string_match": {"exact": "1"}},
    {"name": "q", "string_match": {"exact": "a%20b"}},
    {"name": "q", "string_match": {"safe_regex": {"regex": "[0-9]*"}}},
    {"name": "q", "present_match": True},
    {"name": "q"},
]
REWRITES = [
    {"prefix_rewrite": "/new"},
    {"prefix_rewrite": "/"},
    {"regex_rewrite": {"pattern": {"regex": "/([a-z]+)/([0-9]+)"}, "substitution": "/\\2/\\1/\\0"}},
    {"regex_rewrite": {"pattern": {"regex": "[0-9]*"}, "substitution": "<\\0>"}},
    {"regex_rewrite": {"pattern": {"regex": "(?i)X$"}, "substitution": "end"}},
    {"host_rewrite_literal": "literal.example"},
    {"host_rewrite_header": "x-h"},
    {"host_rewrite_path_regex": {"pattern": {"regex": "^/(\\w+)/(\\w+).*$"}, "substitution": "\\2.\\1"}},
    {"host_rewrite_path_regex": {"pattern": {"regex": "/"}, "substitution": "."}, "prefix_rewrite": "/x"},
]
REDIRECTS = [
    {"host_redirect": "other.example"},
    {"https_redirect": True},
    {"scheme_redirect": "https", "port_redirect": 8443},
    {"port_redirect": 81, "response_code": "FOUND"},
    {"path_redirect": "/there"},
    {"path_redirect": "/there?fixed=1", "strip_query": True},
    {"path_redirect": "/there", "strip_query": True, "response_code": "PERMANENT_REDIRECT"},
    {"prefix_rewrite": "/moved", "response_code": "SEE_OTHER"},
    {"prefix_rewrite": "/moved", "strip_query": True, "host_redirect": "other.example"},
    {
        "regex_rewrite": {"pattern": {"regex": "^/rd/([0-9]+)(.*)$"}, "substitution": "/\\1\\2"},
        "response_code": "TEMPORARY_REDIRECT",
    },
    {"strip_query": True, "https_redirect": True},
]
CHANGES = [
    {"request_headers_to_add": [change("x-h", "new")]},
    {"request_headers_to_add": [change("x-h", "new", "ADD_IF_ABSENT")]},
    {"request_headers_to_add": [change("x-h", "new", "OVERWRITE_IF_EXISTS")]},
    {"request_headers_to_add": [change("x-h", "new", "OVERWRITE_IF_EXISTS_OR_ADD")]},
    {"request_headers_to_remove": ["X-H"], "request_headers_to_add": [change("x-h", "after"), change("x-empty", "")]},
    {"request_headers_to_add": [change("x-empty", "", keep_empty_value=True), change("X-Upper", "U")]},
    {"request_headers_to_add": [change("x-v", "%REQ(X-H?:PATH):5% of %REQ(:authority)%"), change("x-n", "%REQ(x-not-there)%")]},
    {"request_headers_to_add": [change("x-h", "added"), change("x-h", "instead", "OVERWRITE_IF_EXISTS_OR_ADD")]},
    {"request_headers_to_add": [change("x-percent", "100%%")]},
    {"response_headers_to_add": [change("x-answer", "3"), change("x-of", "%REQ(x-h)%%RESP(x-other)%%RESP(x-a?x-answer)%")]},
    {"response_headers_to_remove": ["x-answer"], "response_headers_to_add": [change("x-answer", "new", "ADD_IF_ABSENT")]},
    {"response_headers_to_add": [change("x-other", "O", "OVERWRITE_IF_EXISTS"), change("x-none", "n", "OVERWRITE_IF_EXISTS")]},
]
LEVEL = "%REQ(x-level)%"


def weights(*entries, **more):
    clusters = [{"name": name, "weight": weight, **extra} for name, weight, extra in entries]
    return {"weighted_clusters": {"clusters": clusters, **more}}


def share(numerator, denominator="HUNDRED"):
    return {"runtime_fraction": {"default_value": {"numerator": numerator, "denominator": denominator}}}


BY_HASH = [
    {"header": {"header_name": "x-h"}},
    {"query_parameter": {"name": "q"}, "terminal": True},
    {"cookie": {"name": "c"}},
]
OF_ENTRY = {
    "request_headers_to_add": [change("x-level", f"cluster+{LEVEL}", "OVERWRITE_IF_EXISTS_OR_ADD")],
    "response_headers_to_remove": ["x-answer"],
}
OTHERS = [
    route("grpc", {"prefix": "/g", "grpc": {}}, "c"),
    route("never", {"prefix": "/f", **share(0)}, "c"),
    route("always", {"prefix": "/f", **share(1000000, "MILLION")}, "d"),
    route(
        "weights",
        {"prefix": "/w/h"},
        weights(("a", 3, {}), ("b", 0, {}), ("c", 2, {"host_rewrite_literal": "of.weight"}), header_name="x-h"),
    ),
    route(
        "weights-by-hash",
        {"prefix": "/w/k"},
        {**weights(("a", 3, {}), ("b", 2, {}), ("c", 5, {}), use_hash_policy=True), "hash_policy": BY_HASH},
    ),
    route(
        "weights-change",
        {"prefix": "/w/c"},
        weights(("a", 1, OF_ENTRY)),
        request_headers_to_add=[change("x-level", f"route+{LEVEL}", "OVERWRITE_IF_EXISTS_OR_ADD")],
        response_headers_to_add=[change("x-answer", "route", "ADD_IF_ABSENT")],
    ),
    route("by-header", {"prefix": "/ch"}, {"cluster_header": "x-h", "cluster_not_found_response_code": "NOT_FOUND"}),
    route("missing", {"prefix": "/m/1"}, {"cluster": "missing"}),
    route("missing-500", {"prefix": "/m/2"}, {"cluster": "missing", "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR"}),
    route("answer", {"prefix": "/dr"}, {"direct_response": {"status": 418, "body": {"inline_string": "tea"}}}),
]


def users_routes():
    return [
        *PATHS,
        *numbered("h", HEADERS, lambda path, header: ({"path": path, "headers": [header]}, "b")),
        *numbered("q", QUERIES, lambda path, query: ({"path": path, "query_parameters": [query]}, "c")),
        *numbered("rw", REWRITES, lambda path, rewrite: ({"prefix": path}, {"cluster": "a", **rewrite})),
        *numbered("rd", REDIRECTS, lambda path, redirect: ({"path_separated_prefix": path}, {"redirect": redirect})),
        *[route(f"hc-{i}", {"path": f"/hc/{i}"}, **changes) for i, changes in enumerate(CHANGES)],
        *OTHERS,
        route("rest", {"prefix": "/rest"}, "d"),
    ]


def host(name, domains, routes, **more):
    return {"name": name, "domains": domains, "routes": routes, **more}


def configuration(**more):
    """What both are given."""
    shown = [change("x-route", "%ROUTE_NAME%"), change("x-cluster", "%UPSTREAM_CLUSTER%")]
    level = {"request_headers_to_add": [change("x-level", f"host+{LEVEL}", "OVERWRITE_IF_EXISTS_OR_ADD")]}
    everything = {"prefix": "/"}
    return {
        "name": "routes",
        "virtual_hosts": [
            host("users", ["users.example.com", "users.example.com:8080"], users_routes(), **level),
            host("suffix", ["*.example.com", "*-api.example.com", "*.com"], [route("suffix", everything)]),
            host("longer-suffix", ["*.users.example.com"], [route("longer-suffix", everything, "b")]),
            host("prefix", ["shop.*", "users.example.co*"], [route("prefix", everything, "c")]),
            host("any", ["*"], [route("any", {"prefix": "/exact"}, "d")]),
        ],
        "response_headers_to_add": shown,
        "request_headers_to_add": [change("x-level", f"all+{LEVEL}", "OVERWRITE_IF_EXISTS_OR_ADD")],
        **more,
    }


CONFIGURATIONS = {
    "plain": {},
    "other_way": {
        "ignore_port_in_host_matching": True,
        "ignore_path_parameters_in_path_matching": True,
        "most_specific_header_mutations_wins": True,
    },
}

# ---- requests ----

AUTHORITIES = """users.example.com USERS.example.com users.example.com:8080 users.example.com:81 users.example.com: a.example.com
    x-api.example.com -api.example.com .example.com a.users.example.com shop.net shop. shop [::1]:80 users.example.com.""".split()
FIXED = """/exact /exact?x /exact/ /Exact /exact;a=b /exact;a=b?c /case/exact /CASE/EXACT?q /case/exacts /pre/ /pre /Pre/x /prefix
    /sep/arated /sep/arated/x /sep/arateds /sep/arated?q /sep/arated;x /sep;p=1/arated /sep;p/arated;q/x?y;z /pre;p/x /pre/;p/x
    /rx/abc/12 /rx/abc/1234 /rx/abc/123?x=/rx /rx /rx/LONGER /rx/longe /rx/longers /rx/abc;q/12 /;a/exact /exact; /exact;/
    /exact?a;b/c /exact;a?b;c/d /g/call /f /m/1 /m/2 /dr /dr?x /rest /none /w/k?q=1 /w/c /ch""".split()
QUERY_STRINGS = ["", "?q=1", "?q=2&q=1", "?q", "?q=a%20b", "?x=1&q=", "?Q=1", "?q=12&x", "?=1&q=1"]
X_H = [[], ["one"], ["ONE"], [""], ["one", "two"], ["two", "one"], ["-5"], ["5"], ["1.5"], ["phone"], ["a"], ["4"], ["missing"]]
X_H += [["11"], ["b", "a"]]


def ask(path, authority="users.example.com", method="GET", headers=()):
    return {"method": method, "path": path, "authority": authority, "headers": [list(pair) for pair in headers]}


def with_x_h(path, **more):
    return [ask(path, headers=[("x-h", value) for value in values], **more) for values in X_H]


def of_hosts_and_paths():
    yield from (ask(path, authority) for path in FIXED[:8] for authority in AUTHORITIES)
    yield from (ask(path) for path in FIXED)


def of_conditions():
    for i in range(len(HEADERS)):
        yield from with_x_h(f"/h/{i}")
        yield ask(f"/h/{i}?q=1", method="PUT")
        yield ask(f"/h/{i}", "Users.example.com:8080")
    yield from (ask(f"/q/{i}{query}") for i in range(len(QUERIES)) for query in QUERY_STRINGS)
    for kind in ["application/grpc", "application/grpc+proto", "application/grpc-web", "text/html"]:
        yield ask("/g/call", method="POST", headers=[("content-type", kind)])


def of_changes():
    dice = random.Random(17)
    for path in ["", "/", "/x", "/deeper/9/X", "x", ";p=1", "/;p/x", "/x;p=/y;q"]:
        for i in range(len(REWRITES)):
            yield ask(f"/rw/{i}{path}{dice.choice(QUERY_STRINGS)}", headers=[("x-h", "by.header")])
        for i, port in itertools.product(range(len(REDIRECTS)), ["", ":8080"]):
            yield ask(f"/rd/{i}{path}{dice.choice(QUERY_STRINGS)}", f"users.example.com{port}")
    for i, values in itertools.product(range(len(CHANGES)), X_H[:6]):
        yield ask(f"/hc/{i}", headers=[("X-H", value) for value in values] + [("x-level", "0")])


def of_clusters():
    for path in ["/w/k?q=7", "/w/c", "/ch"]:
        yield from with_x_h(path)
    yield from (ask("/w/h", headers=[("x-h", str(n))]) for n in [*range(10), 2**64 - 1])
    yield from (ask("/w/k", headers=[("x-h", f"user-{n}"), ("cookie", f"b=1; c={n % 7}")]) for n in range(60))
    yield from (ask("/w/k", headers=[("cookie", cookie)]) for cookie in ['c="5"', "cc=1; c=8", "x; c=4;d=1"])


def requests():
    return [*of_hosts_and_paths(), *of_conditions(), *of_changes(), *of_clusters()]


# ---- Envoy ----


class Tells(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def answer(self):
        path = self.requestline.split()[1]  # self.path has no "//" in front any more
        body = json.dumps({"path": path, "headers": self.headers.items()}).encode()
        self.send_response(200)
        for name, value in ANSWERED:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def upstream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tells)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def proxy(folder, port, upstream, routes):
    endpoint = {"lb_endpoints": [{"endpoint": {"address": Envoy.at(upstream)}}]}
    clusters = [{"name": name, "load_assignment": {"cluster_name": name, "endpoints": [endpoint]}} for name in CLUSTERS]
    server = Envoy(folder, port, [], clusters)
    listener = server.configuration["static_resources"]["listeners"][0]
    listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"] = {**routes, "validate_clusters": False}
    return server


def kept(pairs):
    """Of headers those that routes may have changed, in an order that does not depend on where each was put."""
    lowered = [[name.lower(), value.strip()] for name, value in pairs]
    return sorted((pair for pair in lowered if not pair[0].startswith(OWN)), key=lambda pair: pair[0])


def told(pairs):
    return [pair for pair in kept(pairs) if pair[0].startswith("x-")]


def send(connection, request):
    connection.putrequest(request["method"], request["path"], skip_host=True, skip_accept_encoding=True)
    connection.putheader("host", request["authority"])
    for name, value in request["headers"]:
        connection.putheader(name, value)
    if request["method"] != "GET":
        connection.putheader("content-length", "0")
    connection.endheaders()


def ask_envoy(address, request):
    connection = http.client.HTTPConnection(*address, timeout=GUARD_S)
    send(connection, request)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    out = {"status": response.status}
    if response.status == 200:
        asked = json.loads(body)
        out["path"] = asked["path"]
        out["host"] = next(value for name, value in asked["headers"] if name.lower() == "host")
        out["sent"] = kept(asked["headers"])
    if response.getheader("location"):
        out["location"] = response.getheader("location")
    if response.status == 418:
        out["body"] = body.decode()
    if response.status in (200, 418) or "location" in out:
        out["received"] = told(response.getheaders())
    return out


# ---- libmesh ----


def ask_mesh(program, folder, routes, asked):
    packed = folder / "routes.pb"
    message = json.dumps({"@type": resources.ROUTES, **routes}).encode()
    packed.write_bytes(subprocess.run([plane.binary(), "pack"], input=message, capture_output=True, check=True).stdout)
    lines = "".join(f"{json.dumps(one)}\n" for one in asked)
    done = subprocess.run([program("routes"), packed], input=lines, capture_output=True, text=True, timeout=GUARD_S)
    assert done.returncode == 0, done.stderr
    assert all(".cluster_header: " in line for line in done.stderr.splitlines()), done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        answer.pop("error", None)
        if "sent" in answer:
            answer["sent"] = kept(answer["sent"])
        if "received" in answer:
            answer["received"] = told(answer["received"])
    return answers


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_same_becomes_of_each_request(program, ports, tmp_path, upstream, name):
    tools.or_skip(envoy.binary)
    tools.or_skip(plane.binary)
    routes = configuration(**CONFIGURATIONS[name])
    asked = requests()
    answers = ask_mesh(program, tmp_path, routes, asked)
    server = proxy(tmp_path, ports.take(), upstream, routes).start()
    try:
        expected = [ask_envoy(server.address, request) for request in asked]
    finally:
        server.stop()
    differing = [
        "\n".join([str(request), *(f"  {key}: Envoy {theirs.get(key)}, libmesh {ours.get(key)}" for key in different)])
        for request, theirs, ours in zip(asked, expected, answers, strict=True)
        if (different := [key for key in theirs | ours if theirs.get(key) != ours.get(key)])
    ]
    assert not differing, f"{len(differing)} of {len(asked)}:\n" + "\n".join(differing[:20])
    seen = {value for answer in answers for name, value in answer.get("received", []) if name == "x-route"}
    assert seen >= {"exact", "weights-by-hash", "grpc", "suffix", "prefix", "any", "answer", "rd-9"}, seen
