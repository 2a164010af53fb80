/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, the workers, and what becomes of work whose client has left. */
#include <math.h>
#include <stdlib.h>

#include "faults/server.h"

void work_init(struct work *work, uint64_t seed)
{
    TAILQ_INIT(&work->queue);
    work->dice = seed * 0x9e3779b97f4a7c15u + 1;
}

void work_free(struct work *work)
{
    struct request *request;

    while ((request = TAILQ_FIRST(&work->queue))) {
        TAILQ_REMOVE(&work->queue, request, in_queue);
        free(request);
    }
    for (size_t i = 0; i < work->heap_len; i++)
        free(work->heap[i]);
    free(work->heap);
}

/* Uniform, above 0, at most 1. */
static double roll(struct work *work)
{
    work->dice ^= work->dice << 13;
    work->dice ^= work->dice >> 7;
    work->dice ^= work->dice << 17;
    return ((double) (work->dice >> 11) + 1) / 9007199254740992.0;
}

/* ---- what is due, the earliest first ---- */

static void place(struct work *work, size_t at, struct request *request)
{
    work->heap[at] = request;
    request->heap_at = at;
}

static void rise(struct work *work, size_t at, struct request *request)
{
    while (at > 0 && work->heap[(at - 1) / 2]->due_us > request->due_us) {
        place(work, at, work->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(work, at, request);
}

static void sink(struct work *work, size_t at, struct request *request)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < work->heap_len && work->heap[child + 1]->due_us < work->heap[child]->due_us)
            child++;
        if (child >= work->heap_len || work->heap[child]->due_us >= request->due_us)
            break;
        place(work, at, work->heap[child]);
        at = child;
    }
    place(work, at, request);
}

static void schedule(struct work *work, struct request *request, uint64_t due_us)
{
    if (work->heap_len == work->heap_cap) {
        work->heap_cap = work->heap_cap ? 2 * work->heap_cap : 64;
        work->heap = realloc(work->heap, work->heap_cap * sizeof *work->heap);
        if (!work->heap)
            give_up("no memory");
    }
    request->due_us = due_us;
    work->heap_len++;
    rise(work, work->heap_len - 1, request);
}

static void unschedule(struct work *work, const struct request *request)
{
    size_t at = request->heap_at;
    struct request *last = work->heap[--work->heap_len];

    if (last == request)
        return;
    if (at > 0 && work->heap[(at - 1) / 2]->due_us > last->due_us)
        rise(work, at, last);
    else
        sink(work, at, last);
}

/* ---- the way of a request ---- */

static void forget(struct request *request)
{
    if (request->conn) {
        nghttp2_session_set_stream_user_data(request->conn->session, request->stream, NULL);
        LIST_REMOVE(request, of_conn);
    }
    free(request);
}

static void answer(struct request *request, bool ok)
{
    if (request->conn)
        session_answer(request, ok);
    forget(request);
}

static uint64_t service_time(struct server *server)
{
    const struct settings *settings = &server->settings;
    double us = (double) settings->service_us * (double) settings->slow_percent / 100;

    return (uint64_t) (settings->exponential ? -log(roll(&server->work)) * us : us);
}

static void hire(struct server *server, uint64_t now)
{
    struct work *work = &server->work;

    while (work->n_working < server->settings.slots && work->n_waiting > 0) {
        struct request *request = TAILQ_FIRST(&work->queue);

        TAILQ_REMOVE(&work->queue, request, in_queue);
        work->n_waiting--;
        work->n_working++;
        request->state = WORKING;
        ledger_note(server, 'x', request);
        schedule(work, request, now + service_time(server));
    }
}

void work_arrived(struct server *server, struct request *request)
{
    struct work *work = &server->work;
    const struct settings *settings = &server->settings;

    ledger_note(server, 'a', request);
    if (settings->refuse) {
        ledger_note(server, 'r', request);
        session_refuse(request);
        forget(request);
        return;
    }
    if (roll(work) * 1000 <= (double) settings->fail_permille ||
        (settings->queue_max > 0 && work->n_waiting >= settings->queue_max)) {
        ledger_note(server, 'f', request);
        answer(request, false);
        return;
    }
    request->state = WAITING;
    work->n_waiting++;
    TAILQ_INSERT_TAIL(&work->queue, request, in_queue);
}

static void drop(struct server *server, struct request *request)
{
    struct work *work = &server->work;

    if (request->state == WAITING) {
        ledger_note(server, 'd', request);
        TAILQ_REMOVE(&work->queue, request, in_queue);
        work->n_waiting--;
    } else if (request->state != ARRIVING) {
        unschedule(work, request);
        work->n_working -= request->state == WORKING;
    }
    forget(request);
}

void work_abandoned(struct server *server, struct request *request)
{
    if (!server->settings.execute_abandoned || request->state == ARRIVING) {
        drop(server, request);
        return;
    }
    LIST_REMOVE(request, of_conn);
    request->conn = NULL;
}

static void finish(struct server *server, struct request *request)
{
    unschedule(&server->work, request);
    if (request->state == WORKING)
        server->work.n_working--;
    if (request->state == DELAYED || server->settings.delay_us == 0) {
        answer(request, true);
        return;
    }
    request->state = DELAYED;
    schedule(&server->work, request, request->due_us + server->settings.delay_us);
}

uint64_t work_run(struct server *server, uint64_t now)
{
    struct work *work = &server->work;

    hire(server, now);
    while (work->heap_len > 0 && work->heap[0]->due_us <= now) {
        finish(server, work->heap[0]);
        hire(server, now);
    }
    return work->heap_len > 0 ? work->heap[0]->due_us : 0;
}
