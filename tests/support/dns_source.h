/* SPDX-License-Identifier: Apache-2.0 */
/* A source on a loop that the test drives, with a clock that the test can move on, and everything it publishes and logs kept. */
#ifndef DNS_SOURCE_H
#define DNS_SOURCE_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/source.h"
#include "test_loop.h"

enum { KEPT_SNAPSHOTS = 512, KEPT_LOG = 1 << 16 };

struct source_fixture {
    struct loop *loop;
    struct conf *conf;
    struct observe *observe;
    struct source *source;
    struct model_snapshot *snapshots[KEPT_SNAPSHOTS];
    unsigned n_snapshots;
    bool inside_want; /* nothing may be published meanwhile */
    char log[KEPT_LOG];
    size_t log_len;
};

/* ---- the clock: the system's, and what the test has skipped ---- */

static _Atomic uint64_t skipped_us;

static inline uint64_t skipping_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * US_PER_S + (uint64_t) now.tv_nsec / 1000 + atomic_load(&skipped_us);
}

static inline void skip_ms(uint64_t ms)
{
    atomic_fetch_add(&skipped_us, ms * US_PER_MS);
}

/* ---- what comes out ---- */

static inline void keep_snapshot(void *user, struct model_snapshot *snapshot)
{
    struct source_fixture *f = user;

    assert_false(f->inside_want);
    assert_true(f->n_snapshots < KEPT_SNAPSHOTS);
    f->snapshots[f->n_snapshots++] = snapshot;
}

static inline void keep_line(int32_t level, const char *event, const char *line, void *user)
{
    struct source_fixture *f = user;
    size_t len = strlen(line);

    (void) level;
    (void) event;
    if (f->log_len + len + 2 > sizeof f->log)
        return;
    memcpy(f->log + f->log_len, line, len);
    f->log_len += len;
    f->log[f->log_len++] = '\n';
    f->log[f->log_len] = '\0';
}

static inline unsigned logged(const struct source_fixture *f, const char *text)
{
    unsigned n = 0;

    for (const char *at = f->log; (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

/* ---- set up, tear down ---- */

static inline void fixture_init(struct source_fixture *f)
{
    *f = (struct source_fixture){ 0 };
    clock_replace(skipping_clock);
    f->loop = test_loop_new();
    f->conf = conf_new();
    assert_non_null(f->conf);
}

static inline void fixture_set(struct source_fixture *f, const char *key, const char *value)
{
    struct fault fault = { 0 };

    if (conf_set(f->conf, key, value, &fault))
        fail_msg("%s=%s: %s", key, value, fault.text);
}

static inline void fixture_start(struct source_fixture *f)
{
    struct observe_conf observe = { .level = MESH_LOG_DEBUG,
                                    .format = OBSERVE_TEXT,
                                    .log = "stderr",
                                    .access_log = "off",
                                    .redact = "",
                                    .service_name = "",
                                    .zone = "",
                                    .hook = keep_line,
                                    .hook_user = f,
                                    .threadless = true };
    struct source_conf conf = { .loop = f->loop, .conf = f->conf, .on_snapshot = keep_snapshot, .user = f };
    struct fault fault = { 0 };

    MESH_OK(observe_new(&observe, &f->observe, &fault));
    conf.observe = f->observe;
    if (source_new(&conf, &f->source, &fault))
        fail_msg("source_new: %s", fault.text);
}

static inline void fixture_clear(struct source_fixture *f)
{
    loop_enter(f->loop);
    source_free(f->source);
    loop_leave(f->loop);
    for (unsigned i = 0; i < f->n_snapshots; i++)
        model_snapshot_unref(f->snapshots[i]);
    observe_free(f->observe);
    conf_free(f->conf);
    loop_free(f->loop);
    clock_replace(NULL);
}

/* ---- asking ---- */

static inline void want(struct source_fixture *f, const char *service)
{
    struct fault fault = { 0 };

    loop_enter(f->loop);
    f->inside_want = true;
    if (source_want(f->source, service, &fault))
        fail_msg("source_want(%s): %s", service, fault.text);
    f->inside_want = false;
    loop_leave(f->loop);
}

static inline struct model_endpoints *endpoints_now(struct source_fixture *f, const char *service)
{
    const struct model_entry *entry;

    loop_enter(f->loop);
    entry = model_snapshot_find(source_snapshot(f->source), service);
    loop_leave(f->loop);
    return entry ? entry->endpoints : NULL;
}

/* "10.0.0.1:80 10.0.0.2:80|[::1]:80@a p1 w100", in their order: address, |alternative, @zone, priority and weight when they are not the usual ones. */
static inline const char *describe_endpoints(const struct model_endpoints *set)
{
    static const char *const states[] = { "PENDING", "READY", "FAILED", "WITHDRAWN" };
    static char out[8192];
    char text[ADDR_TEXT];
    size_t len = (size_t) snprintf(out, sizeof out, "%s", set ? states[set->state] : "no such service");

    for (size_t i = 0; set && i < set->n && len < sizeof out - 300; i++) {
        const struct model_endpoint *e = &set->endpoints[i];
        const struct model_locality *place = model_endpoint_locality(set, e);
        const struct model_rare *rare = model_endpoint_rare(set, e);

        len += (size_t) snprintf(out + len, sizeof out - len, " %s", addr_format(&e->addr, text));
        if (rare->alternative.family != ADDR_NONE)
            len += (size_t) snprintf(out + len, sizeof out - len, "|%s", addr_format(&rare->alternative, text));
        if (place->label[0])
            len += (size_t) snprintf(out + len, sizeof out - len, "@%s", place->label);
        if (place->priority)
            len += (size_t) snprintf(out + len, sizeof out - len, "/p%u", place->priority);
        if (e->weight != 1)
            len += (size_t) snprintf(out + len, sizeof out - len, "/w%u", e->weight);
    }
    return out;
}

/* Waits until the service looks like this; `faulty`: with a fault that contains the text. NULL: without one. */
static inline void expect(struct source_fixture *f, const char *service, const char *endpoints, const char *faulty)
{
    for (int turns = 0; turns < TEST_GUARD_MS / TEST_POLL_MS; turns++) {
        const struct model_endpoints *set = endpoints_now(f, service);
        bool fault_fits = set && (faulty ? strstr(set->fault.text, faulty) != NULL : set->fault.code == 0);

        if (fault_fits && strcmp(describe_endpoints(set), endpoints) == 0)
            return;
        test_loop_turn(f->loop);
    }
    fail_msg("%s is \"%s\" (%s), not \"%s\" (%s)", service, describe_endpoints(endpoints_now(f, service)),
             endpoints_now(f, service) ? endpoints_now(f, service)->fault.text : "", endpoints,
             faulty ? faulty : "no fault");
}

#endif
