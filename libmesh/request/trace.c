/* SPDX-License-Identifier: Apache-2.0 */
/* Recording requests, and keeping the last ones. */
#include "request/trace.h"

#include <string.h>

enum { MOST_SERVICE = 96, MOST_METHOD = 16, MOST_PATH = 128, MOST_DETAIL = 160 };

/* ---- texts ---- */

static trace_text keep(struct trace *trace, const char *text, size_t len)
{
    uint16_t at = trace->used;

    if (len == 0 || at + len >= sizeof trace->texts)
        return 0;
    memcpy(trace->texts + at, text, len);
    trace->texts[at + len] = '\0';
    trace->used = (uint16_t) (at + len + 1);
    return at;
}

static trace_text keep_cut(struct trace *trace, const char *text, size_t most)
{
    return keep(trace, text, strnlen(text, most));
}

/* Queries may hold what belongs to nobody else. */
static trace_text keep_path(struct trace *trace, const char *path)
{
    size_t len = strcspn(path, "?");

    return keep(trace, path, len < MOST_PATH ? len : MOST_PATH);
}

const char *trace_string(const struct trace *trace, trace_text text)
{
    return trace->texts + text;
}

/* ---- records ---- */

void traces_init(struct traces *traces)
{
    *traces = (struct traces){ 0 };
    list_init(&traces->recent);
    list_init(&traces->spare);
}

void traces_free(struct traces *traces)
{
    struct list *link;

    if (!traces->recent.next)
        return;
    list_take_all(&traces->spare, &traces->recent);
    while ((link = list_pop_front(&traces->spare)))
        mem_free(CONTAINER_OF(link, struct trace, link));
    traces_init(traces);
}

static void put_back(struct traces *traces, struct trace *trace)
{
    if (traces->n_spare < TRACE_SPARE) {
        list_push_front(&traces->spare, &trace->link);
        traces->n_spare++;
        return;
    }
    mem_free(trace);
    traces->n--;
}

static struct trace *take(struct traces *traces, bool is_wanted)
{
    struct list *link = list_pop_front(&traces->spare);
    struct trace *trace = NULL;

    if (link) {
        traces->n_spare--;
        return CONTAINER_OF(link, struct trace, link);
    }
    if (is_wanted || traces->n < TRACE_MOST)
        trace = mem_alloc(sizeof *trace);
    traces->n += trace != NULL;
    return trace;
}

/* Texts and attempts beyond the record's counts are what they were. */
struct trace *trace_begin(struct traces *traces, const struct trace_ask *ask, uint64_t now_us)
{
    struct trace *trace = take(traces, ask->is_wanted);

    if (!trace)
        return NULL;
    trace->link = (struct list){ 0 };
    trace->began_us = now_us;
    trace->ended_us = 0;
    trace->err = trace->status = 0;
    trace->made = trace->most = trace->n_attempts = 0;
    trace->idempotent = ask->idempotent;
    trace->chained = ask->chained;
    trace->is_routed = false;
    trace->texts[0] = '\0';
    trace->used = 1;
    trace->detail = 0;
    trace->service = keep_cut(trace, ask->service, MOST_SERVICE);
    trace->method = keep_cut(trace, ask->method, MOST_METHOD);
    trace->path = keep_path(trace, ask->path);
    return trace;
}

void trace_routed(struct trace *trace, const struct trace_way *way)
{
    if (!trace)
        return;
    trace->is_routed = true;
    trace->host = keep_cut(trace, way->host, MOST_SERVICE);
    trace->route = keep_cut(trace, way->route, MOST_SERVICE);
    trace->cluster = keep_cut(trace, way->cluster, MOST_SERVICE);
    trace->weight = way->weight;
    trace->total_weight = way->total_weight;
    trace->delay_us = 0;
    trace->mirrored = 0;
    trace->answered_by = NULL;
}

void trace_treated(struct trace *trace, uint64_t delay_us, const char *answered_by)
{
    if (!trace || !trace->is_routed)
        return;
    trace->delay_us = delay_us;
    trace->answered_by = answered_by;
}

void trace_mirrored(struct trace *trace)
{
    if (trace)
        trace->mirrored++;
}

void trace_end(struct traces *traces, struct trace *trace, int32_t err, const char *detail, uint64_t now_us)
{
    if (!trace)
        return;
    trace->err = err;
    trace->ended_us = now_us;
    trace->detail = keep_cut(trace, detail, MOST_DETAIL);
    list_push_front(&traces->recent, &trace->link);
    if (traces->n_recent < TRACE_RECENT) {
        traces->n_recent++;
        return;
    }
    trace = CONTAINER_OF(traces->recent.prev, struct trace, link);
    list_remove(&trace->link);
    put_back(traces, trace);
}

/* ---- attempts ---- */

static void keep_candidates(struct trace *trace, struct trace_attempt *attempt, const struct balance_choice *balance)
{
    attempt->n_candidates = balance->n;
    for (uint8_t i = 0; i < balance->n; i++)
        attempt->candidates[i] = (struct trace_candidate){
            .endpoint = keep_cut(trace, balance->candidates[i].endpoint->hash_key, ADDR_TEXT),
            .score = balance->candidates[i].score,
        };
}

struct trace_attempt *trace_attempt_begin(struct trace *trace, const struct endpoint *endpoint,
                                          const struct cluster_choice *choice, uint64_t now_us)
{
    struct trace_attempt *attempt;

    if (!trace || trace->n_attempts == TRACE_ATTEMPTS)
        return NULL;
    attempt = &trace->attempts[trace->n_attempts++];
    attempt->began_us = now_us;
    attempt->opened_us = attempt->ended_us = attempt->wait_us = 0;
    attempt->err = attempt->status = 0;
    attempt->verdict = VERDICT_NONE;
    attempt->hedge = TRACE_NOT_LATE;
    attempt->is_hedge = attempt->is_outrun = false;
    attempt->detail = 0;
    attempt->endpoint = keep_cut(trace, endpoint->address, ADDR_TEXT);
    attempt->zone = keep_cut(trace, endpoint->zone, MOST_SERVICE);
    attempt->facts = choice->facts;
    attempt->facts.is_trial = choice->balance.is_trial;
    attempt->facts.was_moved = choice->balance.was_moved;
    attempt->passed_by = choice->passed_by ? keep_cut(trace, choice->passed_by, MOST_SERVICE) : 0;
    keep_candidates(trace, attempt, &choice->balance);
    return attempt;
}

void trace_attempt_failed(struct trace *trace, struct trace_attempt *attempt, int32_t err, const char *detail)
{
    if (!attempt)
        return;
    attempt->err = err;
    attempt->detail = keep_cut(trace, detail, MOST_DETAIL);
}

void trace_attempt_end(struct trace_attempt *attempt, int32_t status, uint64_t now_us)
{
    if (!attempt)
        return;
    attempt->status = status;
    attempt->ended_us = now_us;
}
