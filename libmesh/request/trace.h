/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of a request so that it can be explained: where each attempt went and why, how it ended, and who said no to
 * another. Plain data, written while the request runs without formatting anything; sentences are made when somebody asks.
 *
 * Each loop keeps the last TRACE_RECENT that have ended. Records are used again: a request pays for no allocation. */
#ifndef REQUEST_TRACE_H
#define REQUEST_TRACE_H

#include "cluster/cluster.h"
#include "request/retry.h"

/* Attempts beyond these are counted only. More than TRACE_MOST requests at once in one loop: those beyond are not recorded. */
enum { TRACE_ATTEMPTS = 4, TRACE_RECENT = 32, TRACE_SPARE = 32, TRACE_MOST = 1024, TRACE_TEXTS = 1024 };

/* Begins in `texts` of its record; 0: the empty text, or there was no room left. */
typedef uint16_t trace_text;

struct trace_candidate {
    trace_text endpoint;
    float score; /* the least wins; INFINITY: it was tried before */
};

/* Whether another one was sent beside an attempt that is late. */
enum trace_hedge {
    TRACE_NOT_LATE, /* or it may not be hedged */
    TRACE_HEDGED,
    TRACE_NOT_WORTH, /* most attempts fail lately, or too little time is left */
    TRACE_NO_OTHER,
    TRACE_HEDGE_UNPAID,
};

/* Times are the loop's; 0: not, or not yet. */
struct trace_attempt {
    uint64_t began_us, opened_us, ended_us; /* opened: it has a connection, and is sent */
    uint64_t wait_us;                       /* before the next one, when that was decided */
    int32_t err;
    int32_t status;
    enum retry_verdict verdict;
    enum trace_hedge hedge;
    bool is_hedge;
    bool is_outrun; /* given up, since the other one was answered or the request is over */
    trace_text endpoint, zone, detail;
    struct choice_facts facts;
    trace_text passed_by;
    uint8_t n_candidates;
    struct trace_candidate candidates[BALANCE_MOST_CANDIDATES];
};

struct trace {
    struct list link;
    uint64_t began_us, ended_us; /* ended 0: it runs */
    int32_t err;
    int32_t status;
    uint32_t made, most; /* attempts */
    bool idempotent, chained;
    trace_text service, method, path, detail;
    uint16_t used;  /* of the texts */
    bool is_routed; /* by a control plane's route: the following are said */
    trace_text host, route, cluster;
    uint32_t weight;         /* of the cluster, ... */
    uint64_t total_weight;   /* ... of so much; 0: it was no draw */
    uint64_t delay_us;       /* by injected faults */
    uint32_t mirrored;       /* shadows that were sent */
    const char *answered_by; /* constant: what answered instead of an endpoint; NULL: nothing did */
    uint32_t n_attempts;
    struct trace_attempt attempts[TRACE_ATTEMPTS];
    char texts[TRACE_TEXTS];
};

/* Those of one loop. */
struct traces {
    struct list recent; /* struct trace, ended, the newest first */
    struct list spare;  /* to be used again */
    size_t n_recent, n_spare;
    size_t n; /* in all, also those of requests that run */
};

void traces_init(struct traces *traces);
void traces_free(struct traces *traces);

struct trace_ask {
    const char *service, *method, *path;
    bool idempotent, chained;
    bool is_wanted; /* its caller asks for it: it is recorded however many run */
};

/* A request begins. NULL: no memory, or too many run; the functions below take NULL and do nothing. */
struct trace *trace_begin(struct traces *traces, const struct trace_ask *ask, uint64_t now_us);
/* Which way it goes; texts are copied. */
struct trace_way {
    const char *host, *route, *cluster;
    uint32_t weight;
    uint64_t total_weight;
};
void trace_routed(struct trace *trace, const struct trace_way *way);
/* Injected faults held it back; its route answered it itself, or a fault did (NULL: neither); a shadow was sent. */
void trace_treated(struct trace *trace, uint64_t delay_us, const char *answered_by);
void trace_mirrored(struct trace *trace);
/* For cluster_choose(): `choice`, ready to be filled; NULL when nobody would read it. */
static inline struct cluster_choice *trace_choice(const struct trace *trace, struct cluster_choice *choice)
{
    if (!trace || trace->n_attempts == TRACE_ATTEMPTS)
        return NULL;
    choice->facts = (struct choice_facts){ 0 };
    choice->passed_by = NULL;
    choice->balance.n = 0;
    choice->balance.is_trial = choice->balance.was_moved = false;
    return choice;
}

/* An attempt on an endpoint begins. NULL: it is one too many. */
struct trace_attempt *trace_attempt_begin(struct trace *trace, const struct endpoint *endpoint,
                                          const struct cluster_choice *choice, uint64_t now_us);
/* It has ended without an answer. */
void trace_attempt_failed(struct trace *trace, struct trace_attempt *attempt, int32_t err, const char *detail);
void trace_attempt_end(struct trace_attempt *attempt, int32_t status, uint64_t now_us);
/* The request has ended. The record is kept as long as it is one of the last. */
void trace_end(struct traces *traces, struct trace *trace, int32_t err, const char *detail, uint64_t now_us);

const char *trace_string(const struct trace *trace, trace_text text);

/* trace_json.c. The record as one JSON object. now_us: the loop's, when began_us was taken from the same clock. */
void trace_write(struct json_writer *w, const struct trace *trace, uint64_t now_us);

#endif
