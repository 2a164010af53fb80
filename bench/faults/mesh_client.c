/* SPDX-License-Identifier: Apache-2.0 */
/* libmesh in the fault rigs: one thread starts requests by the schedule, another takes what has ended from a queue. The service
 * is "users"; everything about it comes from the environment, as in a process that knows nothing of policies. */
#include <mesh/mesh.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "faults/schedule.h"

struct program {
    struct schedule schedule;
    struct mesh_client *client;
    struct mesh_queue *queue;
};

static void give_up(const char *what, int32_t err)
{
    fprintf(stderr, "fault client: %s: %s\n", what, mesh_strerror(err));
    exit(2);
}

/* ---- what has ended ---- */

static void take(const struct program *program, const struct mesh_event *event)
{
    const struct mesh_response *response = event->response;
    int32_t status = response ? mesh_response_status(response) : 0;
    char text[16];
    const char *outcome = "ok";

    if (event->err != 0) {
        outcome = mesh_error_name(event->err);
    } else if (status != 200) {
        snprintf(text, sizeof text, "%d", (int) status);
        outcome = text;
    }
    schedule_record(&program->schedule, event->tag, outcome, response ? mesh_response_endpoint(response) : NULL,
                    response ? mesh_response_attempts(response) : 0);
    mesh_response_free(event->response);
}

static void *take_all(void *argument)
{
    struct program *program = argument;
    uint64_t left = program->schedule.n_requests, end_us = schedule_end_us(&program->schedule);
    struct mesh_event events[64];

    while (left > 0 && schedule_now_us() < end_us) {
        int32_t n = mesh_queue_next(program->queue, events, 64, 100);

        if (n < 0)
            give_up("mesh_queue_next", n);
        for (int32_t i = 0; i < n; i++) {
            if (events[i].kind != MESH_EVENT_RESPONSE)
                continue;
            take(program, &events[i]);
            left--;
        }
    }
    return NULL;
}

/* ---- what is to start ---- */

static void start(const struct program *program, uint64_t i)
{
    const struct schedule *schedule = &program->schedule;
    char id[24];
    const struct mesh_header headers[] = { { "x-request-id", id }, { "x-mesh-attempt", schedule->marked } };
    struct mesh_request_opts call;
    int32_t err;

    snprintf(id, sizeof id, "%llu", (unsigned long long) i);
    mesh_request_opts_init(&call, sizeof call);
    call.service = "users";
    call.method = schedule->method;
    call.path = "/bench.Echo/Say";
    call.headers = headers;
    call.n_headers = schedule->marked ? 2 : 1;
    call.timeout_ms = schedule->timeout_ms;
    call.max_attempts = schedule->attempts;
    err = mesh_request_start(program->client, &call, program->queue, i, NULL);
    if (err != 0)
        give_up("mesh_request_start", err);
}

static void start_all(const struct program *program)
{
    uint64_t when;

    for (uint64_t i = 0; (when = schedule_start_us(&program->schedule, i)) != UINT64_MAX; i++) {
        schedule_sleep_until(when);
        start(program, i);
    }
}

int main(int argc, char **argv)
{
    struct program program;
    pthread_t taker;
    char why[256];
    int32_t err;

    schedule_parse(argc, argv, &program.schedule);
    err = mesh_client_new(NULL, &program.client, why, sizeof why);
    if (err != 0)
        give_up(why, err);
    err = mesh_queue_new(program.client, &program.queue);
    if (err != 0)
        give_up("mesh_queue_new", err);
    if (pthread_create(&taker, NULL, take_all, &program) != 0)
        give_up("pthread_create", MESH_ERR_NOMEM);
    start_all(&program);
    pthread_join(taker, NULL);
    mesh_queue_free(program.queue);
    mesh_client_free(program.client);
    schedule_finish();
    return 0;
}
