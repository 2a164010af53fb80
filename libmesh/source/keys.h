/* SPDX-License-Identifier: Apache-2.0 */
/* The table of configuration keys: the one place that knows their names, types, ranges, defaults and meanings.
 * Environment names, JSON names, docs/configuration.md and `mesh config` are made from it. Private to source/. */
#ifndef SOURCE_KEYS_H
#define SOURCE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_id {
    KEY_CONFIG,
    KEY_SERVICES,
    KEY_ZONE,
    KEY_REGION,
    KEY_ZONE_CIDRS,
    KEY_ZONE_DISTANCES,
    KEY_LOOPS,
    KEY_THREADS,
    KEY_DNS_SERVERS,
    KEY_DNS_TIMEOUT_MS,
    KEY_DNS_TRIES,
    KEY_DNS_MIN_TTL_MS,
    KEY_DNS_MAX_TTL_MS,
    KEY_LOG,
    KEY_LOG_LEVEL,
    KEY_LOG_FORMAT,
    KEY_LOG_REDACT,
    KEY_ACCESS_LOG,
    KEY_XDS_BOOTSTRAP,
    KEY_XDS_CACHE_DIR,
    KEY_XDS_HOLD_MS,
    KEY_XDS_OBEY_DELETES,
    KEY_TARGET,
    KEY_ENDPOINTS,
    KEY_ZONES,
    KEY_PROTOCOL,
    KEY_AUTHORITY,
    KEY_PROXY,
    KEY_TIMEOUT_MS,
    KEY_CONNECT_TIMEOUT_MS,
    KEY_STREAM_IDLE_MS,
    KEY_RESPONSE_MAX_BYTES,
    KEY_HTTP_MAX_HEADER_BYTES,
    KEY_HTTP_WINDOW_BYTES,
    KEY_DEADLINE_HEADERS,
    KEY_CRITICALITY,
    KEY_CONNECTION_IDLE_MS,
    KEY_CONNECTION_AGE_MS,
    KEY_CONNECTION_SILENCE_MS,
    KEY_RETRY_ATTEMPTS,
    KEY_RETRY_ON,
    KEY_RETRY_STATUSES,
    KEY_RETRY_REFUSED,
    KEY_RETRY_PER_TRY_TIMEOUT_MS,
    KEY_RETRY_BACKOFF_BASE_MS,
    KEY_RETRY_BACKOFF_MAX_MS,
    KEY_RETRY_BUDGET_PERCENT,
    KEY_RETRY_BUDGET_PER_SECOND,
    KEY_RETRY_BUDGET_MIN,
    KEY_HEDGE_PERCENTILE,
    KEY_HEDGE_MIN_DELAY_MS,
    KEY_HEDGE_ON_PER_TRY_TIMEOUT,
    KEY_BALANCE_POLICY,
    KEY_BALANCE_HASH_ON,
    KEY_BALANCE_RING_MIN_SIZE,
    KEY_BALANCE_RING_MAX_SIZE,
    KEY_BALANCE_HASH_BALANCE_PERCENT,
    KEY_BALANCE_SUBSET_SIZE,
    KEY_BALANCE_SLOW_START_MS,
    KEY_BALANCE_LOAD_BLACKOUT_MS,
    KEY_BALANCE_LOAD_EXPIRATION_MS,
    KEY_BALANCE_LOAD_UPDATE_MS,
    KEY_BALANCE_LOAD_PENALTY_PERCENT,
    KEY_SPILL_ZONES,
    KEY_SPILL_LOAD,
    KEY_SPILL_WARM,
    KEY_SPILL_OVERPROVISIONING_PERCENT,
    KEY_SPILL_PANIC_PERCENT,
    KEY_OUTLIER_POLICY,
    KEY_OUTLIER_CONSECUTIVE,
    KEY_OUTLIER_SUCCESS_PERCENT,
    KEY_OUTLIER_MIN_REQUESTS,
    KEY_OUTLIER_BASE_MS,
    KEY_OUTLIER_MAX_MS,
    KEY_OUTLIER_MAX_PERCENT,
    KEY_OUTLIER_SLOW_START_MS,
    KEY_OUTLIER_RAMP,
    KEY_OUTLIER_INTERVAL_MS,
    KEY_OUTLIER_BASE_EJECTION_MS,
    KEY_OUTLIER_MAX_EJECTION_MS,
    KEY_OUTLIER_MAX_EJECTION_PERCENT,
    KEY_OUTLIER_CONSECUTIVE_5XX,
    KEY_OUTLIER_CONSECUTIVE_GATEWAY_FAILURE,
    KEY_OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE,
    KEY_OUTLIER_SPLIT_LOCAL_ORIGIN,
    KEY_OUTLIER_SUCCESS_RATE_STDEV_FACTOR,
    KEY_OUTLIER_SUCCESS_RATE_MINIMUM_HOSTS,
    KEY_OUTLIER_SUCCESS_RATE_REQUEST_VOLUME,
    KEY_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD,
    KEY_OUTLIER_FAILURE_PERCENTAGE_MINIMUM_HOSTS,
    KEY_OUTLIER_FAILURE_PERCENTAGE_REQUEST_VOLUME,
    KEY_HEALTH_CHECK,
    KEY_HEALTH_PATH,
    KEY_HEALTH_HOST,
    KEY_HEALTH_STATUSES,
    KEY_HEALTH_GRPC_SERVICE,
    KEY_HEALTH_INTERVAL_MS,
    KEY_HEALTH_TIMEOUT_MS,
    KEY_HEALTH_UNHEALTHY_THRESHOLD,
    KEY_HEALTH_HEALTHY_THRESHOLD,
    KEY_BREAKER_MAX_CONNECTIONS,
    KEY_BREAKER_MAX_PENDING,
    KEY_BREAKER_MAX_REQUESTS,
    KEY_BREAKER_HIGH_MAX_PENDING,
    KEY_BREAKER_HIGH_MAX_REQUESTS,
    KEY_CONCURRENCY_ADAPTIVE,
    KEY_CONCURRENCY_INITIAL,
    KEY_CONCURRENCY_MIN,
    KEY_CONCURRENCY_MAX,
    KEY_CONCURRENCY_QUEUE_MS,
    KEY_THROTTLE_ADAPTIVE,
    KEY_THROTTLE_MAX_PERCENT,
    KEY_RATE_LIMIT_PER_SECOND,
    KEY_RATE_LIMIT_BURST,
    KEY_TLS_CA,
    KEY_TLS_CERT,
    KEY_TLS_KEY,
    KEY_TLS_SERVER_NAME,
    KEY_TLS_VERIFY,
    KEY_TLS_MIN_VERSION,
    KEY_COUNT
};

/* Who may have the key. */
enum key_scope {
    SCOPE_GLOBAL, /* the process: "zone" */
    SCOPE_POLICY, /* each service, and by its bare name the default of all: "services.users.timeout_ms", "timeout_ms" */
    SCOPE_SERVICE, /* one service only: "services.users.target" */
};

enum key_type {
    TYPE_NUMBER,    /* min to max */
    TYPE_SWITCH,    /* on or off */
    TYPE_WORD,      /* one of `words` */
    TYPE_WORDS,     /* any of `words` */
    TYPE_FILE,      /* made absolute when it is read */
    TYPE_SINK,      /* where lines go */
    TYPE_ZONE,      /* a zone's name */
    TYPE_CIDRS,     /* zones of networks */
    TYPE_DISTANCES, /* how far zones are */
    TYPE_SERVERS,   /* addresses of DNS servers */
    TYPE_HEADERS,   /* header names */
    TYPE_STATUSES,  /* HTTP status codes */
    TYPE_PATH,      /* of a request */
    TYPE_NAME,      /* of a gRPC service */
    TYPE_HASH_ON,   /* key, path or header:NAME */
    TYPE_HOST,      /* name or address, without port */
    TYPE_AUTHORITY, /* host[:port] */
    TYPE_PROXY,
    TYPE_TARGET,
    TYPE_ENDPOINTS,
    TYPE_ZONES,     /* a target per zone */
    TYPE_BOOTSTRAP, /* of xDS */
    TYPE_CONFIG,
    TYPE_SERVICES,
};

struct key {
    const char *name;
    enum key_scope scope;
    enum key_type type;
    uint64_t min, max;    /* TYPE_NUMBER */
    const char *unit;     /* "ms", "bytes", ... ; NULL: a mere number */
    const char *words;    /* comma-separated; TYPE_WORD, TYPE_WORDS */
    const char *standard; /* the default as text; "" none */
    const char *help;     /* one line */
};

const struct key *key_at(enum key_id id);
enum key_id key_id(const struct key *key);
/* NULL: there is none of that name. */
const struct key *key_find(const char *name);
/* The key whose name is nearest to a wrong one, among those that `allowed` says yes to; NULL: it says no to all. */
const struct key *key_nearest(const char *name, bool (*allowed)(const struct key *key));
bool key_is_global(const struct key *key);     /* SCOPE_GLOBAL */
bool key_is_of_service(const struct key *key); /* SCOPE_POLICY, SCOPE_SERVICE */
bool key_is_bare(const struct key *key); /* SCOPE_GLOBAL, SCOPE_POLICY: stands without a service, has a variable */
/* Whether "retry" stands in front of keys. */
bool key_is_group(const char *name);

/* "retry.attempts" as environment variable, "MESH_RETRY_ATTEMPTS". */
enum { KEY_NAME_MAX = 64 };
const char *key_environment(const struct key *key, char out[KEY_NAME_MAX]);
/* The key behind a variable's name; NULL: none. */
const struct key *key_of_environment(const char *variable);

/* What is allowed, for sentences: "a whole number of ms from 1 to 600000". Returns out. */
const char *key_allowed(const struct key *key, char *out, size_t out_len);
const char *key_type_name(enum key_type type);
/* Lists as JSON arrays, and text that may hold commas. */
bool key_is_list(const struct key *key);
/* Walks a comma-separated list: the next word, without surrounding spaces, its length in *len; NULL at the end. *at begins
 * as the list. Empty words are passed over. */
const char *key_word(const char **at, size_t *len);
bool key_has_word(const char *list, const char *word, size_t len);

#endif
