/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane says about the requests of one service: which cluster each goes to, and what is done to it on the way.
 * Made once, immutable, reference-counted; a request keeps the one it began with. Part of the door model/model.h.
 *
 * Everything lies in one arena (model_routes.arena): texts, arrays and the structs below are given back together. Arrays may be
 * NULL when they are empty. Envoy's meaning holds for everything that has Envoy's name. */
#ifndef MODEL_ROUTES_H
#define MODEL_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct model_entry;

/* ---- what is compared ---- */

enum match_kind {
    MATCH_EXACT,
    MATCH_PREFIX,
    MATCH_SUFFIX,
    MATCH_CONTAINS,
    MATCH_REGEX,       /* the whole text */
    MATCH_PRESENT,     /* headers and query parameters only, as the following */
    MATCH_RANGE,       /* a whole number, `from` <= it < `to` */
    MATCH_PATH_PREFIX, /* paths only: exact, or followed by "/" */
};

struct match_text {
    enum match_kind kind;
    bool ignore_case;
    const char *text; /* lower case with ignore_case */
    size_t len;
    struct regex *regex; /* of MATCH_REGEX: freed with the routes */
    int64_t from, to;    /* of MATCH_RANGE */
};

struct match_header {
    const char *name; /* lower case; ":method", ":path", ":authority", ":scheme" too */
    struct match_text value;
    bool invert;
    bool missing_is_empty;
};

struct match_query {
    const char *name;
    struct match_text value;
};

/* `numerator` of `denominator` (100, 10,000 or 1,000,000). */
struct route_fraction {
    uint32_t numerator, denominator;
};

/* ---- what is done to a request or an answer ---- */

enum header_action {
    HEADER_APPEND, /* a second value, or the first */
    HEADER_ADD_IF_ABSENT,
    HEADER_OVERWRITE, /* or add */
    HEADER_OVERWRITE_IF_EXISTS,
    HEADER_REMOVE,
};

/* A piece of a header's value: text, or a variable of Envoy's that a client knows. */
enum value_part_kind {
    VALUE_TEXT,
    VALUE_REQUEST_HEADER,  /* %REQ(name?alternative):most%; also ":path", ":method", ":authority" */
    VALUE_RESPONSE_HEADER, /* %RESP(...)%; of answers only */
    VALUE_CLUSTER,         /* %UPSTREAM_CLUSTER% */
    VALUE_HOSTNAME,        /* %HOSTNAME%: of this machine */
    VALUE_ENDPOINT,        /* %UPSTREAM_REMOTE_ADDRESS%, %UPSTREAM_HOST% */
    VALUE_PROTOCOL,        /* %PROTOCOL% */
    VALUE_START_TIME,      /* %START_TIME%: RFC 3339, milliseconds */
    VALUE_ROUTE,           /* %ROUTE_NAME% */
};

struct value_part {
    enum value_part_kind kind;
    uint32_t most;                  /* characters of it; 0: all */
    const char *text, *alternative; /* text; names of headers, lower case; NULL: none */
    size_t len;
};

/* Names never are pseudo-headers or "host". */
struct header_change {
    enum header_action action;
    const char *name; /* lower case */
    bool keep_empty;  /* else a value that comes out empty changes nothing */
    size_t n_parts;
    struct value_part *parts; /* of one VALUE_TEXT in most cases */
};

/* In the order in which they are done: levels in Envoy's order, in each level removals first. */
struct header_changes {
    size_t n;
    struct header_change *items;
};

struct regex_rewrite {
    struct regex *regex;      /* NULL: none. Freed with the routes */
    const char *substitution; /* with \1 */
};

/* ---- rules of a route: what the cluster's policy says otherwise ---- */

struct route_hash {
    enum {
        ROUTE_HASH_HEADER,
        ROUTE_HASH_COOKIE,
        ROUTE_HASH_QUERY,
        ROUTE_HASH_CHANNEL, /* a number of this client ("io.grpc.channel_id") */
    } kind;
    const char *name;
    struct regex_rewrite rewrite; /* of the header's value, first */
    bool terminal;                /* enough if this one gave a hash */
};

/* Who says how long to wait before the next attempt. */
struct route_reset_header {
    const char *name;
    bool is_unix_time; /* else seconds */
};

/* Local rate limit of Envoy's filter: a bucket that all requests of the client share. */
struct route_limit {
    uint32_t bucket; /* index into model_routes.buckets */
    uint16_t status; /* of the answer that whoever is refused gets: 429 */
    struct route_fraction enabled, enforced;
};

struct route_fault {
    bool has_delay, has_abort;
    bool delay_by_header, abort_by_header; /* x-envoy-fault-*-request say what */
    uint64_t delay_us;
    uint16_t abort_status; /* HTTP; 0: grpc_status */
    uint32_t abort_grpc;
    struct route_fraction delay_fraction, abort_fraction;
    const char *cluster; /* only requests that go there; NULL: any */
    size_t n_headers;
    struct match_header *headers; /* only requests with all of these */
    uint32_t most_active;         /* at once; UINT32_MAX: any number */
    _Atomic uint32_t active;      /* now; mutable, 0 in new routes */
};

struct route_mirror {
    const char *cluster;        /* key of it; NULL: by header */
    const char *cluster_header; /* its value is the name */
    struct route_fraction fraction;
    bool keep_host;   /* else "-shadow" is appended */
    const char *host; /* NULL: the request's */
};

/* "envoy.lb": which endpoints may serve it. Sorted by key. The value is the JSON of the metadata's value. */
struct route_subset_entry {
    const char *key, *value;
};
struct route_subset {
    size_t n;
    struct route_subset_entry *entries;
};

struct route_rules {
    bool has_timeout, has_idle;
    uint64_t timeout_us;        /* whole request; 0: none */
    uint64_t idle_us;           /* silence of a stream; 0: any */
    uint64_t stream_us;         /* a stream ends after so long, whatever it does; 0: any time */
    bool has_grpc_max;          /* a gRPC call's own timeout counts, up to ... */
    uint64_t grpc_max_us;       /* ... this; 0: whatever it is */
    struct policy_retry *retry; /* NULL: the cluster's; budget_* are never read from here */
    size_t n_retry_headers, n_retry_request_headers, n_reset_headers;
    struct match_header *retry_headers;         /* of answers: retried as listed statuses are */
    struct match_header *retry_request_headers; /* only requests with one of these are retried; none: all */
    struct route_reset_header *reset_headers;
    uint64_t reset_most_us;
    uint64_t per_try_idle_us; /* 0: none */
    bool hedge_on_per_try_timeout;
    bool is_critical;   /* priority HIGH: the breaker's high_ limits, as CRITICALITY_CRITICAL_PLUS */
    bool attempt_count; /* x-envoy-attempt-count is sent */
    size_t n_hash;
    struct route_hash *hash; /* none: the cluster's */
    size_t n_mirrors;
    struct route_mirror *mirrors;
    size_t n_faults;
    struct route_fault *faults;
    size_t n_limits;
    struct route_limit *limits;
};

/* ---- where it goes ---- */

struct route_target {
    const char *cluster;                                     /* key, "xds:" in front; NULL: by header */
    const char *cluster_header;                              /* its value is the cluster's name */
    uint32_t weight;                                         /* of `total_weight` */
    const char *host;                                        /* NULL: not rewritten here */
    struct route_subset subset;                              /* joined with the route's */
    struct header_changes request_changes, response_changes; /* all levels */
};

enum route_action {
    ROUTE_FORWARD,
    ROUTE_REDIRECT,
    ROUTE_ANSWER, /* a direct response */
    ROUTE_REFUSE, /* "non_forwarding_action", or what libmesh does not know: requests fail, `refused` says why */
};

struct route_redirect {
    uint16_t status;
    const char *host, *scheme; /* NULL: kept */
    uint32_t port;             /* 0: kept */
    const char *path, *prefix_rewrite;
    struct regex_rewrite regex_rewrite;
    bool strip_query;
};

struct route {
    const char *name; /* "" none */

    /* What it matches: all of it. */
    struct match_text path; /* without the query */
    size_t n_headers, n_queries;
    struct match_header *headers;
    struct match_query *queries;
    bool grpc_only;
    bool has_fraction;
    struct route_fraction fraction;

    enum route_action action;
    struct route_rules rules;

    /* ROUTE_FORWARD: */
    size_t n_targets;
    struct route_target *targets; /* with weight 0: none of the requests */
    uint64_t total_weight;        /* more than 0 with several targets */
    const char *weight_header;    /* a number in it instead of a draw; NULL */
    bool weight_by_hash;
    const char *prefix_rewrite;
    struct regex_rewrite path_rewrite;
    const char *host_rewrite, *host_header; /* literal; the value of a header */
    struct regex_rewrite host_path_rewrite; /* the path, rewritten, is the host */
    bool host_of_endpoint;                  /* auto_host_rewrite */
    bool append_forwarded_host;
    uint16_t missing_status; /* of the answer when there is no such cluster: 503, 404, 500 */

    struct route_redirect redirect;
    uint16_t answer_status; /* ROUTE_ANSWER */
    const char *answer_body;
    size_t answer_len;
    struct header_changes response_changes; /* of redirects and answers; targets have their own */
    const char *refused;
};

/* Looked for in this order: exact, longest suffix ("*.example.com"), longest prefix ("example.*"), "*". */
struct route_host {
    const char *name;
    size_t n_domains;
    const char **domains; /* lower case, "*" in front, at the end, or alone */
    size_t n_routes;
    struct route *routes;
    bool https_only; /* plain requests are redirected; EXTERNAL_ONLY and ALL are the same to a client */

    /* Of many routes, made by model_routes_finish(): those that match a path exactly are found by it. */
    struct map exact;    /* the first route of each path */
    uint32_t *same_path; /* by route: number of the next one with the same path; 0: none */
    size_t n_others;
    uint32_t *others; /* numbers of all other routes; NULL: there is no index */
};

/* A token bucket of a rate limit, made with the routes; its level lives with whoever uses it, by `key`. */
struct route_bucket {
    uint64_t key; /* stays the same while filter, place and numbers do */
    uint32_t most, per_fill;
    uint64_t fill_us;
};

/* Domains with "*" at the same end: by their text without it. */
struct route_wildcards {
    struct map hosts;
    size_t n_lengths;
    size_t *lengths; /* of those texts, longest first */
};

struct kept_regex; /* model/routes.c */

struct model_routes {
    _Atomic uint32_t refs;
    _Atomic uint64_t used_us; /* when a request last went by it; mutable: the mark that keeps the subscription */
    const char *name;         /* of the route configuration */
    const char *version;      /* of the control plane, shown */
    bool from_api_listener;
    bool ignore_port;            /* in hosts */
    bool ignore_path_parameters; /* ";..." */
    uint64_t idle_us;            /* of streams, where no route says; UINT64_MAX: not said */
    size_t n_hosts;
    struct route_host *hosts;
    size_t n_buckets;
    struct route_bucket *buckets;
    size_t n_clusters;
    const char **clusters;    /* keys of all clusters that may be needed, each once, sorted */
    const char *authority;    /* of requests that say none: the service's own name */
    struct route_host *usual; /* the virtual host of that name; NULL: none */
    struct map domains;       /* exact domains: struct route_host */
    struct route_wildcards suffixes, prefixes;
    struct route_host *any; /* of "*"; NULL: none */
    struct kept_regex *regexes;
    struct arena *arena;
};

/* Empty. NULL: out of memory. */
struct model_routes *model_routes_new(void);
/* Zeroed memory that lives as long as the routes. NULL: out of memory. */
void *model_routes_alloc(struct model_routes *routes, size_t count, size_t size);
const char *model_routes_text(struct model_routes *routes, const char *text, size_t len);
/* The regex is freed with the routes; it is taken over, also on failure. */
bool model_routes_keep_regex(struct model_routes *routes, struct regex *regex);
/* Last step before publishing: the indexes, `clusters`, `usual` for requests to `service`. MESH_ERR_INVALID with a sentence: a
 * domain stands twice; MESH_ERR_NOMEM. */
int32_t model_routes_finish(struct model_routes *routes, const char *service, struct fault *fault);
/* The virtual host of an authority, which may be in any case. NULL: none. */
struct route_host *model_routes_host(const struct model_routes *routes, const char *authority);
struct model_routes *model_routes_ref(struct model_routes *routes);
void model_routes_unref(struct model_routes *routes); /* NULL is fine */

#endif
