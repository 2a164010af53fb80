/* SPDX-License-Identifier: Apache-2.0 */
/* libmesh as a stranger uses it, with every default policy on; the bare modes have every policy off that can be.
 *
 *   --mode sync, bare        --callers threads in mesh_request()
 *   --mode async, bare-async one thread keeps --callers calls in flight through a completion queue */
#include <mesh/mesh.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"

enum mode { MODE_SYNC, MODE_ASYNC, MODE_BARE, MODE_BARE_ASYNC };
static const char *const modes[] = { "sync", "async", "bare", "bare-async", NULL };

static const char *const bare[][2] = {
    { "timeout_ms", "0" },       { "deadline.headers", "off" },    { "retry.attempts", "1" },
    { "outlier.policy", "off" }, { "connection.silence_ms", "0" }, { "balance.policy", "round_robin" },
    { "spill.zones", "off" },    { "spill.load", "off" },
};

static const struct mesh_header headers[] = { { "content-type", "application/grpc" }, { "te", "trailers" } };

struct program {
    struct mesh_client *client;
    struct mesh_request_opts call;
    uint32_t in_flight;
};

static void set(struct mesh_conf *conf, const char *key, const char *value)
{
    char why[256];

    if (mesh_conf_set(conf, key, value, why, sizeof why) != 0)
        load_fail("mesh: %s", why);
}

static struct mesh_client *make_client(const struct load_options *options, bool is_bare)
{
    struct mesh_conf *conf = mesh_conf_new();
    struct mesh_client *client;
    char target[64], why[256];

    if (!conf)
        load_fail("mesh: no memory for a configuration");
    snprintf(target, sizeof target, "%s://127.0.0.1:%u", options->ca ? "h2" : "h2c", options->port);
    set(conf, "services.echo.target", target);
    if (options->ca)
        set(conf, "services.echo.tls.ca", options->ca);
    for (size_t i = 0; is_bare && i < sizeof bare / sizeof bare[0]; i++)
        set(conf, bare[i][0], bare[i][1]);
    if (mesh_client_new(conf, &client, why, sizeof why) != 0)
        load_fail("mesh: %s", why);
    mesh_conf_free(conf);
    return client;
}

static void check(const struct program *program, const struct mesh_response *response)
{
    const char *status = mesh_response_trailer(response, "grpc-status");
    const void *body;
    size_t len;

    if (mesh_response_error(response) != 0)
        load_fail("mesh: %s", mesh_response_detail(response));
    mesh_response_body(response, &body, &len);
    if (!status || strcmp(status, "0") != 0 || len != program->call.body_len)
        load_fail("mesh: grpc-status %s, %zu of %zu bytes", status ? status : "none", len, program->call.body_len);
}

/* ---- a thread that waits for each call ---- */

static void call_and_wait(struct load_thread *thread, void *argument)
{
    const struct program *program = argument;

    while (load_goes_on(thread)) {
        uint64_t began = load_now_ns();
        struct mesh_response *response;
        int32_t err = mesh_request(program->client, &program->call, &response);

        if (!response)
            load_fail("mesh: %s", mesh_strerror(err));
        check(program, response);
        mesh_response_free(response);
        load_count(thread, began, load_now_ns());
    }
}

/* ---- a thread that keeps many in flight ---- */

struct flight {
    const struct program *program;
    struct mesh_queue *queue;
    uint64_t *began_ns; /* by tag */
};

static void begin(struct flight *flight, uint64_t tag, uint64_t now_ns)
{
    int32_t err;

    flight->began_ns[tag] = now_ns;
    err = mesh_request_start(flight->program->client, &flight->program->call, flight->queue, tag, NULL);
    if (err != 0)
        load_fail("mesh: %s", mesh_strerror(err));
}

static void end(struct load_thread *thread, struct flight *flight, const struct mesh_event *event, uint64_t now_ns)
{
    if (!event->response)
        load_fail("mesh: %s", mesh_strerror(event->err));
    check(flight->program, event->response);
    mesh_response_free(event->response);
    load_count(thread, flight->began_ns[event->tag], now_ns);
    begin(flight, event->tag, now_ns);
}

static void keep_in_flight(struct load_thread *thread, void *argument)
{
    struct program *program = argument;
    struct flight flight = { .program = program, .began_ns = calloc(program->in_flight, sizeof(uint64_t)) };
    struct mesh_event events[64];

    if (!flight.began_ns || mesh_queue_new(program->client, &flight.queue) != 0)
        load_fail("mesh: no queue");
    for (uint64_t tag = 0; tag < program->in_flight; tag++)
        begin(&flight, tag, load_now_ns());
    while (load_goes_on(thread)) {
        int32_t n = mesh_queue_next(flight.queue, events, 64, 1000);
        uint64_t now_ns = load_now_ns();

        if (n < 0)
            load_fail("mesh: %s", mesh_strerror(n));
        for (int32_t i = 0; i < n; i++)
            end(thread, &flight, &events[i], now_ns);
    }
    mesh_queue_free(flight.queue);
    free(flight.began_ns);
}

int main(int argc, char **argv)
{
    struct load_options options;
    struct load_message message;
    struct program program;
    bool is_async, is_bare;
    enum mode mode;

    load_parse(argc, argv, modes, &options);
    mode = (enum mode) load_mode(&options, modes);
    is_async = mode == MODE_ASYNC || mode == MODE_BARE_ASYNC;
    is_bare = mode == MODE_BARE || mode == MODE_BARE_ASYNC;
    message = load_message(options.body);
    program.client = make_client(&options, is_bare);
    program.in_flight = options.callers;
    mesh_request_opts_init(&program.call, sizeof program.call);
    program.call.service = "echo";
    program.call.method = "POST";
    program.call.path = "/bench.Echo/Say";
    program.call.headers = headers;
    program.call.n_headers = sizeof headers / sizeof headers[0];
    program.call.body = message.data;
    program.call.body_len = message.len;
    load_run(&options, is_async ? 1 : options.callers, is_async ? keep_in_flight : call_and_wait, &program);
    mesh_client_free(program.client);
    free(message.data);
    return 0;
}
