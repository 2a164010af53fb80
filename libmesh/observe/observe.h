/* SPDX-License-Identifier: Apache-2.0 */
/* The door of observe/: events and the access log of one client, one line each, never making a request wait. */
#ifndef OBSERVE_OBSERVE_H
#define OBSERVE_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

#include <mesh/log.h>

struct observe;

enum observe_format { OBSERVE_TEXT, OBSERVE_JSON };

struct observe_conf {
    int32_t level; /* MESH_LOG_*; events below it are not written */
    enum observe_format format;
    const char *log;          /* "stderr", "off", "fd:N" or a path: where events go; copied */
    const char *access_log;   /* the same for the access log; copied */
    const char *redact;       /* comma-separated header names, for what ever writes headers; copied */
    const char *service_name; /* of this process (OTEL_SERVICE_NAME); "" none; copied */
    const char *zone;         /* MESH_ZONE; copied */
    mesh_log_fn hook;         /* takes all lines instead, when set */
    void *hook_user;
    bool threadless; /* no thread of our own: lines are written by who makes them, without blocking */
};

/* [any thread] A path is opened for appending here, so that a wrong one is told: MESH_ERR_IO with a sentence. */
int32_t observe_new(const struct observe_conf *conf, struct observe **out, struct fault *fault);
/* [any thread] Writes what is buffered (bounded: 500 ms), closes. NULL is fine. */
void observe_free(struct observe *observe);
/* [any thread] In a forked child: the writer thread is gone and locks may be held by nobody; starts afresh, drops what the
 * parent had buffered (the parent writes it). */
void observe_after_fork(struct observe *observe);

/* ---- events ---- */

struct observe_field {
    const char *name;
    const char *text; /* NULL: a number */
    int64_t number;
};
#define FIELD_TEXT(name, value)   ((struct observe_field){ (name), (value), 0 })
#define FIELD_NUMBER(name, value) ((struct observe_field){ (name), NULL, (int64_t) (value) })

/* [any thread] One state change: "event" is a stable name such as "connection_closed". Values are escaped and cut.
 * `observe` may be NULL. */
void observe_event(struct observe *observe, int32_t level, const char *event, const struct observe_field *fields,
                   size_t n_fields);
#define OBSERVE(observe, level, event, ...)                                                                            \
    do {                                                                                                               \
        struct observe_field observe_fields_[] = { __VA_ARGS__ };                                                      \
        observe_event((observe), (level), (event), observe_fields_, sizeof observe_fields_ / sizeof *observe_fields_); \
    } while (0)
bool observe_wants(const struct observe *observe, int32_t level);

/* ---- the access log ---- */

/* Envoy's response flags, as far as a client has them. */
enum {
    FLAG_NO_HEALTHY_UPSTREAM = 1 << 0,   /* UH */
    FLAG_CONNECT_FAILURE = 1 << 1,       /* UF */
    FLAG_UPSTREAM_OVERFLOW = 1 << 2,     /* UO */
    FLAG_NO_ROUTE = 1 << 3,              /* NR */
    FLAG_NO_CLUSTER = 1 << 4,            /* NC */
    FLAG_UPSTREAM_TIMEOUT = 1 << 5,      /* UT */
    FLAG_CONNECTION_TERMINATED = 1 << 6, /* UC */
    FLAG_RETRY_LIMIT = 1 << 7,           /* URX */
    FLAG_REMOTE_RESET = 1 << 8,          /* UR */
    FLAG_LOCAL_RESET = 1 << 9,           /* LR */
    FLAG_DOWNSTREAM_END = 1 << 10,       /* DC: the application cancelled */
    FLAG_PROTOCOL_ERROR = 1 << 11,       /* UPE */
    FLAG_RATE_LIMITED = 1 << 12,         /* RL */
    FLAG_DNS_FAILURE = 1 << 13,          /* DF */
    FLAG_RETRY_BUDGET = 1 << 14,         /* URX too: the budget said no */
    FLAG_DROP_OVERLOAD = 1 << 15,        /* DO */
    FLAG_DELAY_INJECTED = 1 << 16,       /* DI */
    FLAG_FAULT_INJECTED = 1 << 17,       /* FI */
};

struct observe_access {
    uint64_t started_wall_us;
    const char *service, *cluster, *host, *zone;      /* upstream_cluster, upstream_host, upstream_zone */
    const char *route;                                /* route_name, of a control plane; "" none */
    const char *method, *path, *authority, *protocol; /* the path's query is not written, only that there was one */
    const char *trace_id;                             /* from the request's traceparent; "" none */
    const char *detail;                               /* of a failure */
    int32_t status, err;
    uint32_t flags, attempts;
    bool hedged; /* one of the attempts was sent beside another */
    uint64_t duration_us, bytes_sent, bytes_received;
};

/* Whether anybody reads the access log: ask before filling the record. */
bool observe_wants_access(const struct observe *observe);
/* [any thread] Does not block; drops with a counter when the sink is full. */
void observe_access(struct observe *observe, const struct observe_access *record);
/* [any thread] Lines dropped so far. */
uint64_t observe_dropped(const struct observe *observe);

/* ---- JSON text: observe/json.c, also for describing things ---- */

/* Appends a quoted, escaped JSON string; invalid UTF-8 becomes U+FFFD; cut at `most` bytes of input (0: not). */
bool json_text(struct buf *out, const char *text, size_t len, size_t most);
/* A writer that sets the commas: json_begin('{'), json_key(), json_value_*(), json_end(). Fails softly: `failed` is set. */
struct json_writer {
    struct buf out;
    uint64_t has_items; /* a bit per depth */
    unsigned depth;
    bool failed, after_key;
};
void json_begin(struct json_writer *w, char bracket); /* '{' or '[' */
void json_end(struct json_writer *w, char bracket);   /* '}' or ']' */
void json_key(struct json_writer *w, const char *key);
void json_quoted(struct json_writer *w, const char *text); /* a string; NULL: null (json_string is jansson's) */
void json_number(struct json_writer *w, int64_t number);
/* A key with its value. */
void json_put_text(struct json_writer *w, const char *key, const char *text);
void json_put_number(struct json_writer *w, const char *key, uint64_t number);
void json_bool(struct json_writer *w, bool value);
void json_raw(struct json_writer *w, const char *json);
/* The finished text, NUL-terminated, from mem_alloc(); NULL when out of memory. The writer is empty afterwards. */
char *json_finish(struct json_writer *w);

#endif
