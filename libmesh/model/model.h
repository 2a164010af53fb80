/* SPDX-License-Identifier: Apache-2.0 */
/* The door of model/: configuration as immutable, reference-counted values - the contract between the sources, which make
 * them, and the data path, which reads them. Nobody edits a published one. References are atomic: any thread. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "model/endpoints.h"
#include "model/routes.h"
#include "model/subsets.h"

/* ---- targets: model/target.c ---- */

/* What a cluster's connections speak. */
enum model_protocol {
    MODEL_HTTP,  /* http://  HTTP/1.1, plain */
    MODEL_H2C,   /* h2c://   HTTP/2 with prior knowledge, plain */
    MODEL_HTTPS, /* https:// TLS, ALPN decides */
    MODEL_H2,    /* h2://    TLS, HTTP/2 or nothing */
};
const char *model_protocol_name(enum model_protocol protocol); /* "h2c" */
bool model_protocol_tls(enum model_protocol protocol);
bool model_protocol_parse(const char *name, enum model_protocol *out);

enum model_target_kind {
    TARGET_ADDRESS, /* a literal address */
    TARGET_HOST,    /* A and AAAA */
    TARGET_SRV,     /* an SRV name */
    TARGET_UNIX,    /* a socket's path */
    TARGET_XDS,     /* a name for the control plane */
};

/* A target URI taken apart. Owned strings: model_target_free(). */
struct model_target {
    enum model_target_kind kind;
    enum model_protocol protocol;
    char *host;        /* name or literal without brackets; the path of TARGET_UNIX; "users" or "//authority/users" of
                          TARGET_XDS */
    uint16_t port;     /* with the scheme's default; 0 for SRV, unix, xds */
    bool port_written; /* false: `port` is that default */
    struct addr addr;  /* TARGET_ADDRESS, TARGET_UNIX (path borrowed from host) */
};

/* Design section 6: http:// h2c:// https:// h2:// with srv+ in front, h2c+unix:/p, http+unix:/p, xds:///n, dns:///h:p, ipv4:a:p,
 * ipv6:[a]:p, unix:/p, and "host[:port]" with `bare_protocol`. MESH_ERR_INVALID: the sentence names what is wrong and what is
 * allowed. */
int32_t model_target_parse(const char *text, enum model_protocol bare_protocol, struct model_target *out,
                           struct fault *fault);
void model_target_free(struct model_target *target);
/* It says neither how nor at which address: "users", "users:80". */
bool model_target_is_name(const char *text);
/* Another protocol for the same place; a port that was not written becomes the new protocol's default. */
void model_target_set_protocol(struct model_target *target, enum model_protocol protocol);
uint16_t model_protocol_port(enum model_protocol protocol); /* 80, 443 */

/* ---- policies: model/policy.c ---- */

/* Retry conditions, Envoy's names. */
enum {
    RETRY_CONNECT_FAILURE = 1 << 0,          /* "connect-failure" */
    RETRY_REFUSED_STREAM = 1 << 1,           /* "refused-stream" */
    RETRY_RESET = 1 << 2,                    /* "reset" */
    RETRY_GATEWAY_ERROR = 1 << 3,            /* "gateway-error": 502, 503, 504 */
    RETRY_5XX = 1 << 4,                      /* "5xx" */
    RETRY_TIMEOUT = 1 << 5,                  /* "per-try-timeout" */
    RETRY_RETRIABLE_4XX = 1 << 6,            /* "retriable-4xx": 409 */
    RETRY_RESET_BEFORE_REQUEST = 1 << 7,     /* "reset-before-request": no byte of it was sent */
    RETRY_STATUS_CODES = 1 << 8,             /* "retriable-status-codes": policy_retry.statuses */
    RETRY_RATELIMITED = 1 << 9,              /* "envoy-ratelimited": with the header x-envoy-ratelimited */
    RETRY_GRPC_CANCELLED = 1 << 10,          /* "cancelled": grpc-status 1 */
    RETRY_GRPC_DEADLINE_EXCEEDED = 1 << 11,  /* "deadline-exceeded": 4 */
    RETRY_GRPC_INTERNAL = 1 << 12,           /* "internal": 13 */
    RETRY_GRPC_RESOURCE_EXHAUSTED = 1 << 13, /* "resource-exhausted": 8 */
    RETRY_GRPC_UNAVAILABLE = 1 << 14,        /* "unavailable": 14 */
};
/* "gateway-error" from its bit and back; NULL and false: there is none. */
const char *policy_retry_name(uint32_t bit);
bool policy_retry_parse(const char *name, size_t len, uint32_t *bit);
enum {
    RETRY_ON_DEFAULT = RETRY_CONNECT_FAILURE | RETRY_REFUSED_STREAM | RETRY_RESET | RETRY_GATEWAY_ERROR | RETRY_TIMEOUT
};

enum { POLICY_MOST_STATUSES = 16 };

struct policy_statuses {
    uint16_t codes[POLICY_MOST_STATUSES];
    uint32_t n;
};
bool policy_has_status(const struct policy_statuses *statuses, int status);

struct policy_retry {
    uint32_t attempts;               /* in all, the first included */
    uint32_t on;                     /* RETRY_* */
    struct policy_statuses statuses; /* of RETRY_STATUS_CODES */
    bool refused;                /* the free retry of what the peer refused; false: it counts as "maybe processed" */
    uint32_t per_try_timeout_ms; /* 0: none */
    uint32_t backoff_base_ms, backoff_max_ms;
    uint32_t budget_percent;    /* of the requests of the last 10 s */
    uint32_t budget_per_second; /* plus so many a second */
    uint32_t budget_min;        /* at least so many in hand */
};

/* What hashing policies (ring_hash, maglev) go by. */
enum policy_hash_on {
    HASH_ON_KEY,    /* the number that comes with the request */
    HASH_ON_PATH,   /* with its query */
    HASH_ON_HEADER, /* a header's value */
};

struct policy_hash {
    enum policy_hash_on on;
    const char *header; /* of HASH_ON_HEADER; owned by the cluster's strings */
    bool by_hostname;   /* endpoints are known by their host names, where they have one and no hash_key */
};

/* A second attempt beside the first. */
struct policy_hedge {
    uint32_t percentile; /* of the latency, after which it begins; 0: off */
    uint32_t min_delay_ms;
    bool on_per_try_timeout;
};

struct policy_breaker {
    uint32_t max_connections, max_pending, max_requests;
    uint32_t high_max_pending, high_max_requests; /* of CRITICALITY_CRITICAL_PLUS */
};

/* Who is refused first, the last. */
enum policy_criticality {
    CRITICALITY_CRITICAL_PLUS,
    CRITICALITY_CRITICAL,
    CRITICALITY_SHEDDABLE_PLUS,
    CRITICALITY_SHEDDABLE,
    CRITICALITY_COUNT
};
const char *policy_criticality_name(enum policy_criticality criticality); /* "sheddable-plus" */
bool policy_criticality_parse(const char *name, enum policy_criticality *out);

enum {
    DEADLINE_MESH = 1 << 0,  /* x-mesh-deadline-ms */
    DEADLINE_GRPC = 1 << 1,  /* grpc-timeout, to gRPC requests */
    DEADLINE_ENVOY = 1 << 2, /* x-envoy-expected-rq-timeout-ms */
};

/* Adaptive concurrency. */
struct policy_concurrency {
    bool adaptive;
    uint32_t initial, min, max;
    uint32_t queue_ms;
};

struct policy_throttle {
    bool adaptive;
    uint32_t max_percent;
};

struct policy_rate_limit {
    uint32_t per_second; /* 0: none */
    uint32_t burst;      /* 0: as many as a second has */
};

/* Zones and priorities. */
struct policy_spill {
    bool zones, load, warm;
    bool weighted; /* the control plane's weights of localities share a priority, not the own zone first */
    uint32_t overprovisioning_percent;
    uint32_t panic_percent; /* 0: only when nobody is usable */
    const char *zone;       /* own one; NULL: not known. Owned by the cluster's strings */
    const char *distances;  /* "b=500,c=12000", microseconds; NULL: none. Owned by the cluster's strings */
};

enum policy_outlier_kind { OUTLIER_ADAPTIVE, OUTLIER_ENVOY, OUTLIER_OFF };

/* Envoy's outlier detection, with its names; 0 in a threshold: not enforced. */
struct policy_outlier_envoy {
    uint32_t interval_ms, base_ejection_ms, max_ejection_ms, max_ejection_percent;
    uint32_t consecutive_5xx, consecutive_gateway_failure, consecutive_local_origin_failure;
    bool split_local_origin;
    uint32_t success_rate_stdev_factor, success_rate_minimum_hosts, success_rate_request_volume;
    uint32_t failure_percentage_threshold, failure_percentage_minimum_hosts, failure_percentage_request_volume;
};

struct policy_outlier {
    enum policy_outlier_kind kind;
    uint32_t consecutive;     /* failures in a row; 0: off */
    uint32_t success_percent; /* of the last ten seconds, below which it is isolated; 0: off */
    uint32_t min_requests;    /* that the rate is judged by */
    uint32_t base_ms, max_ms; /* first and longest isolation; it doubles in between */
    uint32_t max_percent;     /* of a cluster's endpoints that may be isolated at once */
    uint32_t slow_start_ms;   /* at most; 0: off */
    bool ramp;                /* after a total outage */
    struct policy_outlier_envoy envoy;
};

enum { POLICY_MOST_RANGES = 8 };

/* from <= status < to */
struct policy_status_range {
    uint16_t from, to;
};

enum policy_health_kind { HEALTH_OFF, HEALTH_HTTP, HEALTH_GRPC, HEALTH_TCP };

/* Active health checks. Strings are owned by the cluster's strings. */
struct policy_health {
    enum policy_health_kind kind;
    const char *path;
    const char *host;         /* NULL: the cluster's authority */
    const char *grpc_service; /* NULL: the whole server */
    struct policy_statuses statuses;
    struct policy_status_range ranges[POLICY_MOST_RANGES]; /* healthy, too */
    uint32_t n_ranges;
    uint32_t interval_ms, timeout_ms, unhealthy_threshold, healthy_threshold;
};

/* Weights by what endpoints report (ORCA, gRFC A58). */
struct policy_load {
    uint32_t blackout_ms;     /* of reports, before they count */
    uint32_t expiration_ms;   /* without a report */
    uint32_t update_ms;       /* how often weights are looked at */
    uint32_t penalty_percent; /* what a failure costs, in requests */
    const char
        *metrics; /* utilization, where the application says none: "named_metrics.queue,..."; NULL: the processor.
                                 Owned by the cluster's strings */
};

struct policy {
    uint32_t timeout_ms; /* whole request; 0: none */
    uint32_t connect_timeout_ms;
    uint32_t stream_idle_ms;     /* silence of a stream after its head; 0: none */
    uint64_t response_max_bytes; /* that mesh_request() collects */
    uint32_t max_header_bytes;
    uint32_t window_bytes; /* HTTP/2 window of a stream */
    uint32_t connection_idle_ms, connection_age_ms;
    uint32_t silence_ms;                /* 250; 0: off */
    uint32_t alive_ms, alive_answer_ms; /* PINGs also without work, and what their answers may take; 0: none. HTTP/2 */
    uint32_t max_streams;               /* at once on one connection of HTTP/2; 0: as the peer allows */
    uint32_t connection_requests;       /* then an HTTP/2 connection is replaced; 0: never */
    uint32_t deadline_headers;          /* DEADLINE_* */
    enum policy_criticality criticality;
    struct policy_retry retry;
    struct policy_hedge hedge;
    struct policy_spill spill;
    struct policy_outlier outlier;
    struct policy_health health;
    struct policy_breaker breaker;
    struct policy_concurrency concurrency;
    struct policy_throttle throttle;
    struct policy_rate_limit rate_limit;
    const char *balance; /* "adaptive", ... ; owned by the cluster's strings */
    struct policy_hash hash;
    uint64_t ring_min_size, ring_max_size; /* of ring_hash: points */
    uint32_t hash_balance_percent;         /* of its share that an endpoint may have at once; 0: any number */
    struct policy_load load;               /* of weighted_round_robin */
    bool shuffle;                          /* of pick_first: each client has an order of its own */
    uint32_t subset_size;                  /* endpoints that one client uses; 0: by the cluster's size */
    uint32_t slow_start_ms;                /* of endpoints that join; 0: off */
};

/* What stands in the files of a TLS identity, read at one time; NULL where there is no file. */
struct model_pem {
    _Atomic uint32_t refs;
    char *ca, *cert, *key;
};

struct policy_tls {
    const char *ca, *cert, *key; /* files; NULL: none */
    struct model_pem *pem;       /* their content; NULL: not read */
    const char *server_name;     /* NULL: see `by_endpoint` */
    bool by_endpoint;            /* the endpoint's host name is the peer's, where it has one; else no name is sent */
    bool insecure;
    bool any_name;            /* the peer may be any host; what its certificate must name stands in `names` */
    struct peer_names *names; /* one of which it has, too; NULL: none. A reference */
    int min_version;          /* 12, 13 */
};

/* ---- clusters and snapshots: model/snapshot.c ---- */

/* A cluster's configuration, endpoints apart. */
struct model_cluster {
    _Atomic uint32_t refs;
    char *name;        /* the key of it: "users", "xds:users" */
    const char *label; /* for logs and people: "users"; in `name` */
    enum model_protocol protocol;
    char *authority; /* of requests that set none: the target's host[:port], or the name */
    char *proxy;     /* NULL: none; "http://proxy:3128" */
    struct policy policy;
    struct policy_tls tls;
    struct model_subsets *subsets; /* NULL: none. Its own */
    uint64_t identity;             /* hash of everything a connection depends on: TLS, protocol, proxy. A change of it
                                     replaces the connections, other changes keep them */
    char *strings;                 /* where the policy's strings live */
};

/* Everything but the name is zero. NULL: out of memory. */
struct model_cluster *model_cluster_new(const char *name);
/* Texts of policy and TLS may be anybody's while a cluster is made: now they are copied into `strings`. False: out of memory, nothing
 * has changed. */
bool model_cluster_own_texts(struct model_cluster *cluster);
/* Fills `identity` from the fields, the last step before publishing. */
void model_cluster_identify(struct model_cluster *cluster);
struct model_cluster *model_cluster_ref(struct model_cluster *cluster);
void model_cluster_unref(struct model_cluster *cluster);

/* NULL is fine for these. */
struct model_pem *model_pem_ref(struct model_pem *pem);
void model_pem_unref(struct model_pem *pem);
bool model_pem_equal(const struct model_pem *a, const struct model_pem *b);

struct model_entry {
    struct model_cluster *cluster;
    struct model_endpoints *endpoints;
};

/* A service that a control plane knows, or is known not to know. */
struct model_service {
    char *name;
    struct model_routes *routes; /* NULL: `fault` says why; MESH_ERR_AGAIN: they are awaited */
    struct fault fault;
};

/* One state of everything. */
struct model_snapshot {
    _Atomic uint32_t refs;
    uint64_t version;
    const char *zone; /* where this process runs; "" unknown. Owned */
    size_t n;
    struct model_entry *entries; /* sorted by cluster name */
    size_t n_services;
    struct model_service *services; /* those of a control plane, sorted by name */
};

/* Takes references on what the entries hold. NULL: out of memory. */
struct model_snapshot *model_snapshot_new(uint64_t version, const char *zone, const struct model_entry *entries,
                                          size_t n);
/* Before publishing: what a control plane knows. Names are copied, references taken. False: out of memory. */
bool model_snapshot_add_services(struct model_snapshot *snapshot, const struct model_service *services, size_t n);
struct model_snapshot *model_snapshot_ref(struct model_snapshot *snapshot);
void model_snapshot_unref(struct model_snapshot *snapshot);
/* NULL: no such cluster. */
const struct model_entry *model_snapshot_find(const struct model_snapshot *snapshot, const char *cluster);
const struct model_service *model_snapshot_service(const struct model_snapshot *snapshot, const char *service);

#endif
