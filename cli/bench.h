/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `mesh bench`: what is to be done, who does it, and what came of it. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/call.h"
#include "cli/histogram.h"
#include "cli/tally.h"

struct bench_values {
    struct call_values call;
    uint64_t callers, calls, duration_ms, rate;
    bool async, json;
};

struct bench_counts {
    uint64_t calls, failed, attempts;
    struct histogram latency_us;
    struct tally statuses, errors, endpoints, zones;
};

struct bench {
    struct mesh_client *client;
    struct mesh_request_opts opts;
    uint64_t callers, calls, rate; /* calls, rate 0: no limit */
    uint64_t begin_us, end_us;     /* no call but the first begins at or after end_us; 0: no end */
    _Atomic uint64_t next;         /* number of the next call */
    atomic_bool stop;              /* end at once, whatever is under way */
    atomic_bool refused;           /* a call's own arguments were refused: `why` says so */
    char why[512];
};

/* One thread: one caller, or all of them with --async. */
struct bench_worker {
    struct bench *bench;
    pthread_t thread;
    struct mesh_queue *queue;   /* --async */
    struct bench_counts counts; /* the thread's own until `ended` */
    _Atomic uint64_t done, failed;
    atomic_bool ended;
};

uint64_t now_us(void);

/* Whether another call is to be made, and from when its latency counts: the scheduled moment of an open loop, which
 * may lie ahead, else now. */
bool bench_take(struct bench *bench, uint64_t *scheduled_us);
/* Counts an outcome and frees the response. */
void bench_count(struct bench_worker *worker, struct mesh_response *response, int32_t err, uint64_t latency_us);

/* Thread functions; `user` is the worker. */
void *bench_wait_calls(void *user);
void *bench_queue_calls(void *user);

/* Prints the result and frees the counts. Returns the exit code. */
int bench_report(struct bench_counts *counts, uint64_t elapsed_us, uint64_t cpu_us, bool json);

#endif
