/* SPDX-License-Identifier: Apache-2.0 */
/* Making the calls of a benchmark: threads that wait for one each, or one thread that keeps many under way. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mesh/mesh.h>

#include "cli/bench.h"
#include "cli/output.h"

uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

bool bench_take(struct bench *bench, uint64_t *scheduled_us)
{
    uint64_t number;

    if (atomic_load_explicit(&bench->stop, memory_order_relaxed))
        return false;
    number = atomic_fetch_add_explicit(&bench->next, 1, memory_order_relaxed);
    if (bench->calls > 0 && number >= bench->calls)
        return false;
    *scheduled_us = bench->rate > 0 ? bench->begin_us + number * 1000000 / bench->rate : now_us();
    if (number == 0)
        return true; /* however late the thread comes to run: there is something to tell of */
    return bench->end_us == 0 || *scheduled_us < bench->end_us;
}

/* ---- outcomes ---- */

/* Arguments that are refused once are refused always. */
static void give_up(struct bench *bench, const struct mesh_response *response, int32_t err)
{
    const char *detail = mesh_response_detail(response);

    if (!atomic_exchange(&bench->refused, true))
        snprintf(bench->why, sizeof bench->why, "%s", *detail ? detail : mesh_strerror(err));
    atomic_store(&bench->stop, true);
}

static void count_answer(struct bench_counts *counts, const struct mesh_response *response)
{
    char status[16];

    snprintf(status, sizeof status, "%d", mesh_response_status(response));
    tally_add(&counts->statuses, status, 1);
    tally_add(&counts->endpoints, mesh_response_endpoint(response), 1);
    if (*mesh_response_zone(response))
        tally_add(&counts->zones, mesh_response_zone(response), 1);
}

void bench_count(struct bench_worker *worker, struct mesh_response *response, int32_t err, uint64_t latency_us)
{
    struct bench_counts *counts = &worker->counts;

    if (err == MESH_ERR_INVALID)
        give_up(worker->bench, response, err);
    counts->calls++;
    counts->attempts += mesh_response_attempts(response);
    histogram_add(&counts->latency_us, latency_us);
    if (err) {
        counts->failed++;
        tally_add(&counts->errors, mesh_error_name(err), 1);
        atomic_fetch_add_explicit(&worker->failed, 1, memory_order_relaxed);
    } else {
        count_answer(counts, response);
    }
    atomic_fetch_add_explicit(&worker->done, 1, memory_order_relaxed);
    mesh_response_free(response);
}

/* Tells the thread that watches over the workers. */
static void *end(struct bench_worker *worker)
{
    atomic_store(&worker->ended, true);
    kill(getpid(), SIGUSR1);
    return NULL;
}

/* ---- one thread for each caller ---- */

/* False: interrupted by the end of the benchmark. */
static bool sleep_until(const struct bench *bench, uint64_t us)
{
    struct timespec at = { (time_t) (us / 1000000), (long) (us % 1000000 * 1000) };

    while (!atomic_load(&bench->stop) && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
    return !atomic_load(&bench->stop);
}

void *bench_wait_calls(void *user)
{
    struct bench_worker *worker = user;
    struct bench *bench = worker->bench;
    struct mesh_request_opts opts = bench->opts;
    uint64_t scheduled_us;

    opts.flags |= MESH_REQ_INTERRUPTIBLE;
    while (bench_take(bench, &scheduled_us)) {
        struct mesh_response *response = NULL;
        int32_t err;

        if (bench->rate > 0 && !sleep_until(bench, scheduled_us))
            break;
        err = mesh_request(bench->client, &opts, &response);
        if (err == MESH_ERR_INTERRUPTED) {
            mesh_response_free(response);
            continue;
        }
        bench_count(worker, response, err, now_us() - scheduled_us);
    }
    return end(worker);
}

/* ---- one thread for all callers ---- */

struct in_flight {
    struct bench_worker *worker;
    uint64_t *began_us;  /* of each tag */
    uint64_t *free_tags; /* the first n_free are free */
    size_t n_free, room;
    uint64_t scheduled_us; /* of the call that was taken and not started yet */
    bool taken, over;
};

static void start_one(struct in_flight *flight)
{
    struct bench_worker *worker = flight->worker;
    uint64_t tag = flight->free_tags[--flight->n_free];
    int32_t err = mesh_request_start(worker->bench->client, &worker->bench->opts, worker->queue, tag, NULL);

    flight->taken = false;
    flight->began_us[tag] = flight->scheduled_us;
    if (!err)
        return;
    flight->free_tags[flight->n_free++] = tag;
    bench_count(worker, NULL, err, now_us() - flight->scheduled_us);
}

/* Starts what is due. Returns how long it is until the next one is, microseconds. */
static uint64_t start_due(struct in_flight *flight)
{
    struct bench *bench = flight->worker->bench;

    while (!flight->over && flight->n_free > 0) {
        uint64_t now;

        if (!flight->taken && !bench_take(bench, &flight->scheduled_us)) {
            flight->over = true;
            break;
        }
        flight->taken = true;
        now = now_us();
        if (flight->scheduled_us > now)
            return flight->scheduled_us - now;
        start_one(flight);
    }
    return UINT64_MAX;
}

static void take_events(struct in_flight *flight, uint32_t timeout_ms)
{
    struct mesh_event events[64];
    int32_t n = mesh_queue_next(flight->worker->queue, events, sizeof events / sizeof *events, timeout_ms);
    uint64_t now = now_us();

    for (int32_t i = 0; i < n; i++) {
        if (events[i].kind != MESH_EVENT_RESPONSE)
            continue;
        flight->free_tags[flight->n_free++] = events[i].tag;
        bench_count(flight->worker, events[i].response, events[i].err, now - flight->began_us[events[i].tag]);
    }
}

/* The queue counts in milliseconds, and a call that begins late counts as slow: an open loop watches the descriptor, as
 * event loops do, and libmesh's own thread does the I/O. */
static void wait_for_events(struct in_flight *flight, uint64_t wait_us)
{
    struct pollfd watched = { .fd = mesh_queue_fd(flight->worker->queue), .events = POLLIN };
    struct timespec wait = { (time_t) (wait_us / 1000000), (long) (wait_us % 1000000 * 1000) };

    ppoll(&watched, 1, wait_us == UINT64_MAX ? NULL : &wait, NULL);
    take_events(flight, 0);
}

void *bench_queue_calls(void *user)
{
    struct bench_worker *worker = user;
    struct in_flight flight = { .worker = worker, .room = worker->bench->callers };

    flight.began_us = must_have(calloc(flight.room, sizeof *flight.began_us));
    flight.free_tags = must_have(calloc(flight.room, sizeof *flight.free_tags));
    while (flight.n_free < flight.room) {
        flight.free_tags[flight.n_free] = flight.n_free;
        flight.n_free++;
    }
    while (!atomic_load(&worker->bench->stop)) {
        uint64_t wait_us = start_due(&flight);

        if (flight.over && flight.n_free == flight.room)
            break;
        if (worker->bench->rate > 0)
            wait_for_events(&flight, wait_us);
        else
            take_events(&flight, MESH_FOREVER);
    }
    free(flight.began_us);
    free(flight.free_tags);
    return end(worker);
}
