/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded request in words. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "request/trace.h"

enum { SENTENCE = 256 };

static uint64_t between(uint64_t from_us, uint64_t to_us)
{
    return from_us && to_us > from_us ? to_us - from_us : 0;
}

/* ---- the zone ---- */

static const char *why_passed(const struct trace *trace, const struct trace_attempt *attempt, char out[SENTENCE])
{
    const struct choice_facts *facts = &attempt->facts;
    const char *by = trace_string(trace, attempt->passed_by);

    if (facts->pass == ZONE_FAILS)
        snprintf(out, SENTENCE, "retry: most attempts in zone %s fail", by);
    else if (facts->pass == ZONE_ALL_TRIED)
        snprintf(out, SENTENCE, "retry: all endpoints of zone %s were tried", by);
    else if (facts->pass == ZONE_BESIDE)
        snprintf(out, SENTENCE, "hedge: the other attempt is in zone %s", by);
    else
        snprintf(out, SENTENCE, "zone %s keeps %u %%: passed on", by, facts->kept_percent);
    return out;
}

static const char *why_zone(const struct trace *trace, const struct trace_attempt *attempt, char out[SENTENCE])
{
    const struct choice_facts *facts = &attempt->facts;
    char passed[SENTENCE];
    int used;

    if (!facts->has_zones)
        return "zones make no difference";
    if (facts->came_back)
        snprintf(out, SENTENCE, "the nearest, since no zone takes it; %s", why_passed(trace, attempt, passed));
    else if (attempt->passed_by)
        why_passed(trace, attempt, out);
    else
        snprintf(out, SENTENCE, "%s", facts->is_own ? "own zone" : "the nearest zone");
    used = (int) strlen(out);
    if (facts->priority > 0 || facts->priority_percent < 100)
        snprintf(out + used, (size_t) (SENTENCE - used), "; priority %u has %u %%", facts->priority,
                 facts->priority_percent);
    return out;
}

/* ---- the endpoint ---- */

static const char *who_may(const struct choice_facts *facts)
{
    if (facts->panics)
        return "; panic: nobody is usable, so everybody may be picked";
    return facts->is_lenient ? "; few are left, so that those whose success rate is low may be picked, too" : "";
}

static const char *how_picked(const struct trace_attempt *attempt, char out[SENTENCE])
{
    const struct choice_facts *facts = &attempt->facts;

    if (facts->is_due)
        return "due: its isolation was over, and this attempt finds out how it is";
    if (facts->is_trial)
        snprintf(out, SENTENCE, "%s: idle for long, this attempt finds out how it is", facts->policy);
    else if (attempt->n_candidates > 0)
        snprintf(out, SENTENCE, "%s: the least score of %u drawn", facts->policy, attempt->n_candidates);
    else
        snprintf(out, SENTENCE, "%s", facts->policy);
    return out;
}

static void write_choice(struct json_writer *w, const struct trace_attempt *attempt)
{
    const struct choice_facts *facts = &attempt->facts;
    char how[SENTENCE], all[2 * SENTENCE], passed_over[64] = "";

    if (facts->passed_over > 0)
        snprintf(passed_over, sizeof passed_over, "; %u that fell silent just now passed over", facts->passed_over);
    snprintf(all, sizeof all, "%s%s%s%s", how_picked(attempt, how),
             facts->was_moved ? "; that was tried before: the next one" : "", passed_over,
             facts->is_due ? "" : who_may(facts));
    json_put_text(w, "choice", all);
}

static void write_candidates(struct json_writer *w, const struct trace *trace, const struct trace_attempt *attempt)
{
    json_key(w, "candidates");
    json_begin(w, '[');
    for (uint8_t i = 0; i < attempt->n_candidates; i++) {
        const struct trace_candidate *candidate = &attempt->candidates[i];

        json_begin(w, '{');
        json_put_text(w, "endpoint", trace_string(trace, candidate->endpoint));
        json_key(w, "score");
        if (isfinite(candidate->score))
            json_number(w, llroundf(candidate->score));
        else
            json_quoted(w, NULL);
        json_key(w, "tried");
        json_bool(w, !isfinite(candidate->score));
        json_end(w, '}');
    }
    json_end(w, ']');
}

/* ---- the outcome ---- */

static void write_outcome(struct json_writer *w, int32_t status, int32_t err, const char *detail)
{
    json_put_number(w, "status", (uint64_t) status);
    json_put_text(w, "error", err ? error_name(err) : NULL);
    json_put_text(w, "detail", detail);
}

/* An answer that no rule was asked about stands, whatever its status is. */
static const char *why_last(const struct trace_attempt *attempt)
{
    if (attempt->verdict == VERDICT_NONE && attempt->status >= 400 && !attempt->err)
        return "not retried: retry.on does not name this status";
    return retry_verdict_text(attempt->verdict);
}

static const char *why_hedged(enum trace_hedge hedge)
{
    static const char *const texts[] = {
        [TRACE_NOT_LATE] = "",
        [TRACE_HEDGED] = "hedged",
        [TRACE_NOT_WORTH] = "not hedged: most attempts fail lately, or too little of the request's time was left",
        [TRACE_NO_OTHER] = "not hedged: there was no other endpoint",
        [TRACE_HEDGE_UNPAID] = "not hedged: the retry budget is spent",
    };

    return texts[hedge];
}

/* What our own side ended has no sentence from anybody. */
static const char *detail_of(const struct trace *trace, const struct trace_attempt *attempt)
{
    bool has_none = attempt->ended_us && !attempt->status && !attempt->err;

    if (attempt->detail || !(attempt->is_outrun || has_none))
        return trace_string(trace, attempt->detail);
    return trace->err ? "given up when the request ended" : "given up: the other attempt was answered first";
}

static void write_attempt(struct json_writer *w, const struct trace *trace, uint32_t index, uint64_t now_us)
{
    const struct trace_attempt *attempt = &trace->attempts[index];
    uint64_t until = attempt->ended_us ? attempt->ended_us : now_us;
    char why[SENTENCE];

    json_begin(w, '{');
    json_put_number(w, "number", index + 1);
    json_put_text(w, "endpoint", trace_string(trace, attempt->endpoint));
    json_put_text(w, "zone", trace_string(trace, attempt->zone));
    json_put_text(w, "zone_reason", why_zone(trace, attempt, why));
    write_choice(w, attempt);
    write_candidates(w, trace, attempt);
    json_key(w, "hedge");
    json_bool(w, attempt->is_hedge);
    json_put_number(w, "after_us", between(trace->began_us, attempt->began_us));
    json_put_number(w, "waited_us", between(attempt->began_us, attempt->opened_us ? attempt->opened_us : until));
    json_put_number(w, "duration_us", between(attempt->began_us, until));
    write_outcome(w, attempt->status, attempt->err, detail_of(trace, attempt));
    json_put_text(w, "hedging", why_hedged(attempt->hedge));
    json_put_text(w, "retry", why_last(attempt));
    json_put_number(w, "pause_us", attempt->wait_us);
    json_end(w, '}');
}

/* null: a configured service, which has no routes. */
static void write_route(struct json_writer *w, const struct trace *trace)
{
    json_key(w, "route");
    if (!trace->is_routed) {
        json_quoted(w, NULL);
        return;
    }
    json_begin(w, '{');
    json_put_text(w, "virtual_host", trace_string(trace, trace->host));
    json_put_text(w, "name", trace_string(trace, trace->route));
    json_put_text(w, "cluster", trace_string(trace, trace->cluster));
    json_put_number(w, "weight", trace->weight);
    json_put_number(w, "total_weight", trace->total_weight);
    json_put_number(w, "delay_us", trace->delay_us);
    json_put_number(w, "mirrored", trace->mirrored);
    json_put_text(w, "answered_by", trace->answered_by);
    json_end(w, '}');
}

void trace_write(struct json_writer *w, const struct trace *trace, uint64_t now_us)
{
    uint64_t until = trace->ended_us ? trace->ended_us : now_us;

    json_begin(w, '{');
    json_put_text(w, "service", trace_string(trace, trace->service));
    json_put_text(w, "method", trace_string(trace, trace->method));
    json_put_text(w, "path", trace_string(trace, trace->path));
    json_put_number(w, "age_us", between(trace->began_us, now_us));
    json_put_number(w, "duration_us", between(trace->began_us, until));
    write_outcome(w, trace->status, trace->err, trace_string(trace, trace->detail));
    json_key(w, "idempotent");
    json_bool(w, trace->idempotent);
    json_key(w, "chained");
    json_bool(w, trace->chained);
    write_route(w, trace);
    json_put_number(w, "attempts_made", trace->made);
    json_put_number(w, "attempts_most", trace->most);
    json_key(w, "attempts");
    json_begin(w, '[');
    for (uint32_t i = 0; i < trace->n_attempts; i++)
        write_attempt(w, trace, i, now_us);
    json_end(w, ']');
    json_end(w, '}');
}
