/* SPDX-License-Identifier: Apache-2.0 */
/* The table of keys, and what is derived from its names. */
#include "source/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"

#define MINUTES(n) ((n) *UINT64_C(60000))
#define DAY_MS     MINUTES(1440)
#define MIB(n)     ((n) *UINT64_C(1048576))

/* One row a key: who may have it, name, default, what is allowed, help. */
#define ROW(id_, scope_, type_, name_, standard_, help_, ...) \
    [KEY_##id_] = { .name = (name_),                          \
                    .scope = SCOPE_##scope_,                  \
                    .type = TYPE_##type_,                     \
                    .standard = (standard_),                  \
                    .help = (help_),                          \
                    __VA_ARGS__ }
#define NUMBER(id, scope, name, standard, low, high, unit_, help) \
    ROW(id, scope, NUMBER, name, standard, help, .min = (low), .max = (high), .unit = (unit_))
#define WORD(id, scope, name, standard, all, help)   ROW(id, scope, WORD, name, standard, help, .words = (all))
#define WORDS(id, scope, name, standard, all, help)  ROW(id, scope, WORDS, name, standard, help, .words = (all))
#define OTHER(id, scope, type, name, standard, help) ROW(id, scope, type, name, standard, help, .words = NULL)

/* clang-format off */
static const struct key table[KEY_COUNT] = {
    /* ---- the process ---- */
    OTHER(CONFIG, GLOBAL, CONFIG, "config", "",
        "Path of a JSON file, or the JSON itself (begins with `{`)."),
    OTHER(SERVICES, GLOBAL, SERVICES, "services", "",
        "Where services are, in one line; an object in JSON."),
    OTHER(ZONE, GLOBAL, ZONE, "zone", "",
        "The zone in which this process runs."),
    OTHER(REGION, GLOBAL, ZONE, "region", "",
        "The region in which this process runs."),
    OTHER(ZONE_CIDRS, GLOBAL, CIDRS, "zone_cidrs", "",
        "Zones of addresses that come without one, the narrowest network wins."),
    OTHER(ZONE_DISTANCES, GLOBAL, DISTANCES, "zone_distances", "",
        "How far other zones are, as round trips in microseconds. Zones that are not named: by the time that connecting takes."),
    NUMBER(LOOPS, GLOBAL, "loops", "0", 0, 64, NULL,
        "Event loops, each with its own connections. 0: by the CPUs that the process may use - one up to two CPUs, else half of them, at most 8."),
    WORD(THREADS, GLOBAL, "threads", "auto", "auto,none",
        "`none`: libmesh starts no thread, the program drives it (`mesh_loop_fd()`)."),
    OTHER(DNS_SERVERS, GLOBAL, SERVERS, "dns.servers", "",
        "DNS servers instead of the system's; the port is 53 if not given."),
    NUMBER(DNS_TIMEOUT_MS, GLOBAL, "dns.timeout_ms", "2000", 10, 60000, "ms",
        "How long one DNS query waits for its answer."),
    NUMBER(DNS_TRIES, GLOBAL, "dns.tries", "2", 1, 10, NULL,
        "How often each DNS server is asked."),
    NUMBER(DNS_MIN_TTL_MS, GLOBAL, "dns.min_ttl_ms", "1000", 100, DAY_MS, "ms",
        "Answers are used at least so long, whatever their TTL."),
    NUMBER(DNS_MAX_TTL_MS, GLOBAL, "dns.max_ttl_ms", "300000", 100, DAY_MS, "ms",
        "Answers are refreshed at least so often, whatever their TTL."),
    OTHER(LOG, GLOBAL, SINK, "log", "stderr",
        "Where events go."),
    WORD(LOG_LEVEL, GLOBAL, "log.level", "warn", "debug,info,warn,error",
        "Events below this level are not written."),
    WORD(LOG_FORMAT, GLOBAL, "log.format", "text", "text,json",
        "How events are written, one a line."),
    OTHER(LOG_REDACT, GLOBAL, HEADERS, "log.redact", "authorization,cookie,set-cookie,proxy-authorization,x-api-key",
        "Headers whose values never appear in a log."),
    OTHER(ACCESS_LOG, GLOBAL, SINK, "access_log", "off",
        "Where one JSON object a request goes."),
    OTHER(XDS_BOOTSTRAP, GLOBAL, BOOTSTRAP, "xds.bootstrap", "",
        "Where the control plane is, as gRPC's bootstrap says it. Without: what `GRPC_XDS_BOOTSTRAP` or "
        "`GRPC_XDS_BOOTSTRAP_CONFIG` gives, else there is none."),
    OTHER(XDS_CACHE_DIR, GLOBAL, FILE, "xds.cache_dir", "",
        "Folder in which the last good configuration of the control plane is kept, for starts while it does not answer."),
    NUMBER(XDS_HOLD_MS, GLOBAL, "xds.hold_ms", "30000", 0, DAY_MS, "ms",
        "How long endpoints that a control plane removes all, or most of at once, go on serving. 0: it is obeyed at once."),
    OTHER(XDS_OBEY_DELETES, GLOBAL, SWITCH, "xds.obey_deletes", "off",
        "`on`: a listener or cluster that the control plane deletes is given up at once, not kept while it works."),

    /* ---- where a service is ---- */
    OTHER(TARGET, SERVICE, TARGET, "target", "",
        "Target URI; instead of `endpoints` and `zones`."),
    OTHER(ENDPOINTS, SERVICE, ENDPOINTS, "endpoints", "",
        "Literal addresses; instead of `target` and `zones`."),
    OTHER(ZONES, SERVICE, ZONES, "zones", "",
        "A target URI for each zone; instead of `target` and `endpoints`."),
    WORD(PROTOCOL, POLICY, "protocol", "http", "http,h2c,https,h2",
        "What addresses and targets without a scheme speak; given for one service, also what its target speaks."),
    OTHER(AUTHORITY, SERVICE, AUTHORITY, "authority", "",
        "`Host` of requests that set none. Default: host and port of the target, else the service's name."),
    OTHER(PROXY, POLICY, PROXY, "proxy", "off",
        "Proxy to `http` and `https` services; `env`: by `https_proxy`, `http_proxy`, `ALL_PROXY` and `NO_PROXY`."),

    /* ---- limits of a request ---- */
    NUMBER(TIMEOUT_MS, POLICY, "timeout_ms", "15000", 0, DAY_MS, "ms",
        "Whole request, all attempts and waits. 0: none."),
    NUMBER(CONNECT_TIMEOUT_MS, POLICY, "connect_timeout_ms", "1000", 1, MINUTES(10), "ms",
        "Opening a connection, TLS handshake included."),
    NUMBER(STREAM_IDLE_MS, POLICY, "stream.idle_ms", "300000", 0, DAY_MS, "ms",
        "Silence of a stream after its head. 0: any."),
    NUMBER(RESPONSE_MAX_BYTES, POLICY, "response.max_bytes", "67108864", 1, UINT64_C(1) << 40, "bytes",
        "Largest body that `mesh_request()` collects; larger ones go through streams."),
    NUMBER(HTTP_MAX_HEADER_BYTES, POLICY, "http.max_header_bytes", "65536", 1024, MIB(16), "bytes",
        "Largest header block of an answer, decoded."),
    NUMBER(HTTP_WINDOW_BYTES, POLICY, "http.window_bytes", "1048576", 65535, INT32_MAX, "bytes",
        "What a peer may send ahead of the reader, per HTTP/2 stream."),
    WORDS(DEADLINE_HEADERS, POLICY, "deadline.headers", "x-mesh-deadline-ms,grpc-timeout",
        "off,x-mesh-deadline-ms,grpc-timeout,x-envoy-expected-rq-timeout-ms",
        "How the callee is told the time that is left; `grpc-timeout` is for gRPC requests. `off`: not at all."),
    WORD(CRITICALITY, POLICY, "criticality", "critical", "critical-plus,critical,sheddable-plus,sheddable",
        "Of requests that have no `x-mesh-criticality`: who is refused first when there is too much to do."),

    /* ---- connections ---- */
    NUMBER(CONNECTION_IDLE_MS, POLICY, "connection.idle_ms", "300000", 0, DAY_MS, "ms",
        "A connection without a request closes after so long. 0: never."),
    NUMBER(CONNECTION_AGE_MS, POLICY, "connection.age_ms", "0", 0, DAY_MS, "ms",
        "A connection is replaced after so long. 0: never."),
    NUMBER(CONNECTION_SILENCE_MS, POLICY, "connection.silence_ms", "250", 0, MINUTES(10), "ms",
        "Work in flight and no byte for so long: the peer is asked (PING), and replaced if it stays silent. 0: off."),

    /* ---- retries ---- */
    NUMBER(RETRY_ATTEMPTS, POLICY, "retry.attempts", "3", 1, 20, NULL,
        "Attempts in all, the first included. 1: no retries."),
    WORDS(RETRY_ON, POLICY, "retry.on", "connect-failure,refused-stream,reset,gateway-error,per-try-timeout",
        "connect-failure,refused-stream,reset,reset-before-request,gateway-error,5xx,per-try-timeout,retriable-4xx,"
        "retriable-status-codes,envoy-ratelimited,cancelled,deadline-exceeded,internal,resource-exhausted,unavailable",
        "What is retried, in Envoy's words."),
    OTHER(RETRY_STATUSES, POLICY, STATUSES, "retry.statuses", "",
        "The status codes that `retriable-status-codes` in `retry.on` means."),
    OTHER(RETRY_REFUSED, POLICY, SWITCH, "retry.refused", "on",
        "Refused requests are retried whatever their method. `off`: for proxies that refuse what they have passed on."),
    NUMBER(RETRY_PER_TRY_TIMEOUT_MS, POLICY, "retry.per_try_timeout_ms", "0", 0, DAY_MS, "ms",
        "Each attempt. 0: only `timeout_ms` counts."),
    NUMBER(RETRY_BACKOFF_BASE_MS, POLICY, "retry.backoff_base_ms", "25", 1, MINUTES(10), "ms",
        "Longest wait before the second attempt; doubles from one to the next."),
    NUMBER(RETRY_BACKOFF_MAX_MS, POLICY, "retry.backoff_max_ms", "1000", 1, MINUTES(10), "ms",
        "Longest wait before any attempt."),
    NUMBER(RETRY_BUDGET_PERCENT, POLICY, "retry.budget_percent", "10", 0, 100, "percent",
        "Retries may be so many of the requests of the last 10 s, ..."),
    NUMBER(RETRY_BUDGET_PER_SECOND, POLICY, "retry.budget_per_second", "1", 0, 1000000, NULL,
        "... plus so many a second, ..."),
    NUMBER(RETRY_BUDGET_MIN, POLICY, "retry.budget_min", "10", 0, 1000000, NULL,
        "... and at least so many are in hand."),

    /* ---- hedges ---- */
    NUMBER(HEDGE_PERCENTILE, POLICY, "hedge.percentile", "0", 0, 99, "percent",
        "An idempotent request that waits longer than so many of the last ones did is also sent elsewhere, from the budget of "
        "retries; the first answer counts. 0: off."),
    NUMBER(HEDGE_MIN_DELAY_MS, POLICY, "hedge.min_delay_ms", "1", 0, MINUTES(1), "ms",
        "Never earlier than so."),
    OTHER(HEDGE_ON_PER_TRY_TIMEOUT, POLICY, SWITCH, "hedge.on_per_try_timeout", "off",
        "After `retry.per_try_timeout_ms` the attempt goes on beside the next one."),

    /* ---- the cluster ---- */
    WORD(BALANCE_POLICY, POLICY, "balance.policy", "adaptive",
        "adaptive,least_request,round_robin,random,ring_hash,maglev,pick_first,weighted_round_robin",
        "How an endpoint is chosen. `ring_hash`, `maglev`: the same hash goes to the same endpoint, as Envoy does it. `pick_first`: "
        "the first one while it is well. `weighted_round_robin`: by what endpoints report of their load (ORCA)."),
    OTHER(BALANCE_HASH_ON, POLICY, HASH_ON, "balance.hash_on", "key",
        "What `ring_hash` and `maglev` go by: the request's `hash_key`, its path, or a header. Without it: any endpoint."),
    NUMBER(BALANCE_RING_MIN_SIZE, POLICY, "balance.ring_min_size", "1024", 1, 8388608, "points",
        "Points on the ring of `ring_hash`, at least: the more, the more even."),
    NUMBER(BALANCE_RING_MAX_SIZE, POLICY, "balance.ring_max_size", "8388608", 1, 8388608, "points",
        "Points on the ring of `ring_hash`, at most."),
    NUMBER(BALANCE_HASH_BALANCE_PERCENT, POLICY, "balance.hash_balance_percent", "0", 0, 1000000, "percent",
        "`ring_hash`, `maglev`: an endpoint that has more requests at once than so many percent of its share leaves them to others "
        "(Envoy's hash_balance_factor). 0: any number."),
    NUMBER(BALANCE_SUBSET_SIZE, POLICY, "balance.subset_size", "0", 0, 1000000, NULL,
        "Endpoints of a service that one client uses; `ring_hash` and `maglev` use all. 0: all up to 64, 80 of 100, 200 of 625 "
        "and of any more."),
    NUMBER(BALANCE_SLOW_START_MS, POLICY, "balance.slow_start_ms", "0", 0, MINUTES(60), "ms",
        "An endpoint that joins a service in use gets its full share after so long. 0: at once."),

    NUMBER(BALANCE_LOAD_BLACKOUT_MS, POLICY, "balance.load_blackout_ms", "10000", 0, DAY_MS, "ms",
        "`weighted_round_robin`: how long an endpoint has reported before its reports count."),
    NUMBER(BALANCE_LOAD_EXPIRATION_MS, POLICY, "balance.load_expiration_ms", "180000", 1, DAY_MS, "ms",
        "`weighted_round_robin`: an endpoint that has not reported for so long has no weight of its own."),
    NUMBER(BALANCE_LOAD_UPDATE_MS, POLICY, "balance.load_update_ms", "1000", 100, DAY_MS, "ms",
        "`weighted_round_robin`: how often weights are looked at."),
    NUMBER(BALANCE_LOAD_PENALTY_PERCENT, POLICY, "balance.load_penalty_percent", "100", 0, 1000000, "percent",
        "`weighted_round_robin`: what a failure costs an endpoint's weight, of what a request does."),

    /* ---- zones ---- */
    OTHER(SPILL_ZONES, POLICY, SWITCH, "spill.zones", "on",
        "The own zone first, then the next ones. `off`: zones make no difference."),
    OTHER(SPILL_LOAD, POLICY, SWITCH, "spill.load", "on",
        "What is more than the zone can do goes to the next one. `off`: only when its endpoints are not well."),
    OTHER(SPILL_WARM, POLICY, SWITCH, "spill.warm", "on",
        "One connection to the next zone is kept open."),
    NUMBER(SPILL_OVERPROVISIONING_PERCENT, POLICY, "spill.overprovisioning_percent", "140", 100, 1000, "percent",
        "So much more than its share each endpoint can do: a zone or a priority keeps all while 100 / 140 of its endpoints are usable."),
    NUMBER(SPILL_PANIC_PERCENT, POLICY, "spill.panic_percent", "0", 0, 100, "percent",
        "Below this part of usable endpoints a priority uses all of them, as Envoy does (50 there). 0: when none is usable."),

    /* ---- ejection ---- */
    WORD(OUTLIER_POLICY, POLICY, "outlier.policy", "adaptive", "adaptive,envoy,off",
        "Who isolates endpoints that fail: libmesh's own rules, Envoy's outlier detection, nobody."),
    NUMBER(OUTLIER_CONSECUTIVE, POLICY, "outlier.consecutive", "5", 0, 1000000, NULL,
        "`adaptive`: failures in a row. 0: off."),
    NUMBER(OUTLIER_SUCCESS_PERCENT, POLICY, "outlier.success_percent", "80", 0, 100, "percent",
        "`adaptive`: isolated when less of the last 10 s succeeds. 0: off."),
    NUMBER(OUTLIER_MIN_REQUESTS, POLICY, "outlier.min_requests", "20", 1, 1000000, NULL,
        "`adaptive`: attempts that `outlier.success_percent` needs."),
    NUMBER(OUTLIER_BASE_MS, POLICY, "outlier.base_ms", "100", 1, DAY_MS, "ms",
        "`adaptive`: the first isolation, doubling with each one; then one attempt tries."),
    NUMBER(OUTLIER_MAX_MS, POLICY, "outlier.max_ms", "30000", 1, DAY_MS, "ms",
        "`adaptive`: the longest isolation."),
    NUMBER(OUTLIER_MAX_PERCENT, POLICY, "outlier.max_percent", "50", 0, 100, "percent",
        "`adaptive`: endpoints that may be isolated at once, rounded down, but one of two."),
    NUMBER(OUTLIER_SLOW_START_MS, POLICY, "outlier.slow_start_ms", "30000", 0, DAY_MS, "ms",
        "After ten times its isolation an endpoint has its full share again, after so long at most. 0: at once."),
    OTHER(OUTLIER_RAMP, POLICY, SWITCH, "outlier.ramp", "off",
        "After a total outage requests are let through as endpoints come back: with `MESH_ERR_NO_HEALTHY` for the rest."),
    NUMBER(OUTLIER_INTERVAL_MS, POLICY, "outlier.interval_ms", "10000", 1, DAY_MS, "ms",
        "`envoy`: how often rates are judged and endpoints come back."),
    NUMBER(OUTLIER_BASE_EJECTION_MS, POLICY, "outlier.base_ejection_ms", "30000", 1, DAY_MS, "ms",
        "`envoy`: base_ejection_time."),
    NUMBER(OUTLIER_MAX_EJECTION_MS, POLICY, "outlier.max_ejection_ms", "300000", 1, DAY_MS, "ms",
        "`envoy`: max_ejection_time."),
    NUMBER(OUTLIER_MAX_EJECTION_PERCENT, POLICY, "outlier.max_ejection_percent", "10", 0, 100, "percent",
        "`envoy`: max_ejection_percent."),
    NUMBER(OUTLIER_CONSECUTIVE_5XX, POLICY, "outlier.consecutive_5xx", "5", 0, 1000000, NULL,
        "`envoy`: 5xx in a row. 0: not enforced."),
    NUMBER(OUTLIER_CONSECUTIVE_GATEWAY_FAILURE, POLICY, "outlier.consecutive_gateway_failure", "0", 0, 1000000, NULL,
        "`envoy`: 502, 503 and 504 in a row. 0: not enforced."),
    NUMBER(OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE, POLICY, "outlier.consecutive_local_origin_failure", "5", 0, 1000000, NULL,
        "`envoy`: timeouts, resets and failed connections in a row, with `outlier.split_local_origin`. 0: not enforced."),
    OTHER(OUTLIER_SPLIT_LOCAL_ORIGIN, POLICY, SWITCH, "outlier.split_local_origin", "off",
        "`envoy`: split_external_local_origin_errors."),
    NUMBER(OUTLIER_SUCCESS_RATE_STDEV_FACTOR, POLICY, "outlier.success_rate_stdev_factor", "1900", 0, 1000000, NULL,
        "`envoy`: thousandths of the standard deviation below the mean success rate. 0: not enforced."),
    NUMBER(OUTLIER_SUCCESS_RATE_MINIMUM_HOSTS, POLICY, "outlier.success_rate_minimum_hosts", "5", 0, 1000000, NULL,
        "`envoy`: endpoints with enough requests that it needs."),
    NUMBER(OUTLIER_SUCCESS_RATE_REQUEST_VOLUME, POLICY, "outlier.success_rate_request_volume", "100", 0, 1000000, NULL,
        "`envoy`: requests in one interval that are enough."),
    NUMBER(OUTLIER_FAILURE_PERCENTAGE_THRESHOLD, POLICY, "outlier.failure_percentage_threshold", "0", 0, 100, "percent",
        "`envoy`: failed requests of an interval. 0: not enforced."),
    NUMBER(OUTLIER_FAILURE_PERCENTAGE_MINIMUM_HOSTS, POLICY, "outlier.failure_percentage_minimum_hosts", "5", 0, 1000000, NULL,
        "`envoy`: endpoints with enough requests that it needs."),
    NUMBER(OUTLIER_FAILURE_PERCENTAGE_REQUEST_VOLUME, POLICY, "outlier.failure_percentage_request_volume", "50", 0, 1000000, NULL,
        "`envoy`: requests in one interval that are enough."),

    /* ---- health checks ---- */
    WORD(HEALTH_CHECK, POLICY, "health.check", "off", "off,http,grpc,tcp",
        "Endpoints are asked whether they are well, also when there are no requests."),
    OTHER(HEALTH_PATH, POLICY, PATH, "health.path", "/",
        "`http`: what is asked for, with GET."),
    OTHER(HEALTH_HOST, POLICY, AUTHORITY, "health.host", "",
        "`http`, `grpc`: `Host` of the check. Default: that of requests."),
    OTHER(HEALTH_STATUSES, POLICY, STATUSES, "health.statuses", "200",
        "`http`: the status codes of a healthy endpoint. Any other makes it unhealthy at once."),
    OTHER(HEALTH_GRPC_SERVICE, POLICY, NAME, "health.grpc_service", "",
        "`grpc`: the service of the standard health protocol. Default: the whole server."),
    NUMBER(HEALTH_INTERVAL_MS, POLICY, "health.interval_ms", "10000", 10, DAY_MS, "ms",
        "From the end of one check of an endpoint to its next; a tenth more or less."),
    NUMBER(HEALTH_TIMEOUT_MS, POLICY, "health.timeout_ms", "1000", 1, MINUTES(10), "ms",
        "A check without an answer for so long has failed."),
    NUMBER(HEALTH_UNHEALTHY_THRESHOLD, POLICY, "health.unhealthy_threshold", "2", 1, 1000, NULL,
        "Checks in a row without an answer after which an endpoint is not used; an answer that says no, and the very first check, "
        "decide alone."),
    NUMBER(HEALTH_HEALTHY_THRESHOLD, POLICY, "health.healthy_threshold", "2", 1, 1000, NULL,
        "Passed checks in a row after which it is used again; the very first one decides alone."),

    /* ---- limits of a service ---- */
    NUMBER(BREAKER_MAX_CONNECTIONS, POLICY, "breaker.max_connections", "1024", 1, 1000000, NULL,
        "Connections to the service."),
    NUMBER(BREAKER_MAX_PENDING, POLICY, "breaker.max_pending", "1024", 0, 1000000, NULL,
        "Requests that wait for a connection."),
    NUMBER(BREAKER_MAX_REQUESTS, POLICY, "breaker.max_requests", "1024", 1, 1000000, NULL,
        "Requests that run."),
    NUMBER(BREAKER_HIGH_MAX_PENDING, POLICY, "breaker.high_max_pending", "1024", 0, 1000000, NULL,
        "Requests of criticality `critical-plus` that wait for a connection; they are counted apart."),
    NUMBER(BREAKER_HIGH_MAX_REQUESTS, POLICY, "breaker.high_max_requests", "1024", 1, 1000000, NULL,
        "Requests of criticality `critical-plus` that run; they are counted apart."),
    OTHER(CONCURRENCY_ADAPTIVE, POLICY, SWITCH, "concurrency.adaptive", "off",
        "Requests at once are limited as the latency tells (Gradient2), in each loop (`loops`) for itself."),
    NUMBER(CONCURRENCY_INITIAL, POLICY, "concurrency.initial", "20", 1, 1000000, NULL,
        "Where the adaptive limit begins."),
    NUMBER(CONCURRENCY_MIN, POLICY, "concurrency.min", "4", 1, 1000000, NULL,
        "The least adaptive limit."),
    NUMBER(CONCURRENCY_MAX, POLICY, "concurrency.max", "1000", 1, 1000000, NULL,
        "The largest adaptive limit."),
    NUMBER(CONCURRENCY_QUEUE_MS, POLICY, "concurrency.queue_ms", "10", 0, MINUTES(1), "ms",
        "How long a request beyond the adaptive limit waits before it is refused, at most a quarter of its time."),
    OTHER(THROTTLE_ADAPTIVE, POLICY, SWITCH, "throttle.adaptive", "off",
        "A service that turns requests away (429, overloaded, timeouts) is sent fewer, the least critical ones first."),
    NUMBER(THROTTLE_MAX_PERCENT, POLICY, "throttle.max_percent", "90", 0, 100, "percent",
        "At most so many are held back."),
    NUMBER(RATE_LIMIT_PER_SECOND, POLICY, "rate_limit.per_second", "0", 0, 100000000, NULL,
        "Requests to the service a second. 0: any number."),
    NUMBER(RATE_LIMIT_BURST, POLICY, "rate_limit.burst", "0", 0, 100000000, NULL,
        "So many at once after a pause. 0: as many as in one second."),

    /* ---- TLS ---- */
    OTHER(TLS_CA, POLICY, FILE, "tls.ca", "",
        "PEM file of the roots to trust. Default: `SSL_CERT_FILE`, `SSL_CERT_DIR`, else the system's."),
    OTHER(TLS_CERT, POLICY, FILE, "tls.cert", "",
        "PEM file of our certificate and its chain; with `tls.key`."),
    OTHER(TLS_KEY, POLICY, FILE, "tls.key", "",
        "PEM file of our private key; with `tls.cert`."),
    OTHER(TLS_SERVER_NAME, POLICY, HOST, "tls.server_name", "",
        "Name that the peer's certificate must carry. Default: the target's host, else the service's name."),
    OTHER(TLS_VERIFY, POLICY, SWITCH, "tls.verify", "on",
        "`off`: insecure, the peer is not verified - anybody may answer."),
    WORD(TLS_MIN_VERSION, POLICY, "tls.min_version", "1.2", "1.2,1.3",
        "Oldest TLS version to speak."),
};
/* clang-format on */

static const struct {
    const char *name;
    const char *allowed; /* NULL: depends on the key */
} types[] = {
    [TYPE_NUMBER] = { "number", NULL },
    [TYPE_SWITCH] = { "on or off", "on or off" },
    [TYPE_WORD] = { "word", NULL },
    [TYPE_WORDS] = { "list of words", NULL },
    [TYPE_FILE] = { "file", "the name of a file" },
    [TYPE_SINK] = { "sink", "stderr, off, fd:N or the name of a file" },
    [TYPE_ZONE] = { "zone", "a name of up to 128 letters, digits, '.', '_', '-' and '/'" },
    [TYPE_CIDRS] = { "list of zone=network", "a list such as a=10.0.0.0/20,b=10.0.16.0/20" },
    [TYPE_DISTANCES] = { "list of zone=number", "a list of zones and microseconds such as b=500,c=12000" },
    [TYPE_SERVERS] = { "list of addresses", "a list of addresses such as 10.0.0.2,127.0.0.1:8600,[::1]:53" },
    [TYPE_HEADERS] = { "list of headers", "a list of header names" },
    [TYPE_STATUSES] = { "list of status codes", "a list of up to 16 status codes such as 409,503" },
    [TYPE_PATH] = { "path", "a path such as /healthz" },
    [TYPE_NAME] = { "name", "a name of up to 256 visible characters" },
    [TYPE_HASH_ON] = { "hash source", "key, path or header:NAME" },
    [TYPE_HOST] = { "host", "a host name or an address, without a port" },
    [TYPE_AUTHORITY] = { "host[:port]", "host[:port]" },
    [TYPE_PROXY] = { "proxy", "off, env, or a URL such as http://proxy:3128 (http, https, socks5, socks5h)" },
    [TYPE_TARGET] = { "target", "a target such as h2c://users.internal:80" },
    [TYPE_ENDPOINTS] = { "endpoints", "a list such as [{\"address\": \"10.0.0.1:80\", \"zone\": \"a\"}] or "
                                      "10.0.0.1:80@a,10.0.0.2:80@b" },
    [TYPE_ZONES] = { "object", "an object such as {\"a\": \"h2c://users-a:80\", \"b\": \"h2c://users-b:80\"}" },
    [TYPE_BOOTSTRAP] = { "file or JSON", "a file, or a JSON object with xds_servers" },
    [TYPE_CONFIG] = { "file or JSON", "a file, or a JSON object" },
    [TYPE_SERVICES] = { "services", "name=target; name=scheme://address:port@zone,...; ... - or a JSON object" },
};

/* ---- finding ---- */

const struct key *key_at(enum key_id id)
{
    return &table[id];
}

enum key_id key_id(const struct key *key)
{
    return (enum key_id)(key - table);
}

const struct key *key_find(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

bool key_is_global(const struct key *key)
{
    return key->scope == SCOPE_GLOBAL;
}

bool key_is_of_service(const struct key *key)
{
    return key->scope != SCOPE_GLOBAL;
}

bool key_is_bare(const struct key *key)
{
    return key->scope != SCOPE_SERVICE;
}

const struct key *key_nearest(const char *name, bool (*allowed)(const struct key *key))
{
    const struct key *nearest = NULL;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        size_t distance = allowed(&table[i]) ? text_distance(name, table[i].name) : SIZE_MAX;

        if (distance < least) {
            least = distance;
            nearest = &table[i];
        }
    }
    return nearest;
}

bool key_is_group(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strncmp(table[i].name, name, len) == 0 && table[i].name[len] == '.')
            return true;
    return false;
}

/* ---- the environment ---- */

const char *key_environment(const struct key *key, char out[KEY_NAME_MAX])
{
    snprintf(out, KEY_NAME_MAX, "MESH_%s", key->name);
    for (char *c = out; *c; c++) {
        if (*c == '.')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char) (*c - 'a' + 'A');
    }
    return out;
}

const struct key *key_of_environment(const char *variable)
{
    char name[KEY_NAME_MAX];

    for (size_t i = 0; i < KEY_COUNT; i++)
        if (key_is_bare(&table[i]) && strcmp(key_environment(&table[i], name), variable) == 0)
            return &table[i];
    return NULL;
}

/* ---- types ---- */

const char *key_type_name(enum key_type type)
{
    return types[type].name;
}

const char *key_allowed(const struct key *key, char *out, size_t out_len)
{
    const char *of = key->unit ? " of " : "";
    const char *unit = key->unit ? key->unit : "";

    if (key->type == TYPE_NUMBER)
        snprintf(out, out_len, "a whole number%s%s from %llu to %llu", of, unit, (unsigned long long) key->min,
                 (unsigned long long) key->max);
    else if (key->type == TYPE_WORD || key->type == TYPE_WORDS)
        snprintf(out, out_len, "%s of %s", key->type == TYPE_WORD ? "one" : "a list", key->words);
    else
        snprintf(out, out_len, "%s", types[key->type].allowed);
    return out;
}

bool key_is_list(const struct key *key)
{
    return key->type == TYPE_WORDS || key->type == TYPE_CIDRS || key->type == TYPE_DISTANCES ||
           key->type == TYPE_SERVERS || key->type == TYPE_HEADERS || key->type == TYPE_STATUSES;
}

const char *key_word(const char **at, size_t *len)
{
    const char *start = *at + strspn(*at, ", \t\r\n");

    *len = strcspn(start, ",");
    *at = start + *len;
    while (*len > 0 && strchr(" \t\r\n", start[*len - 1]))
        (*len)--;
    return *len > 0 ? start : NULL;
}

bool key_has_word(const char *list, const char *word, size_t len)
{
    const char *known;
    size_t known_len;

    while ((known = key_word(&list, &known_len)))
        if (known_len == len && memcmp(known, word, len) == 0)
            return true;
    return false;
}
