/* SPDX-License-Identifier: Apache-2.0 */
/* The floor: the cheapest gRPC client we know how to build, and what libmesh is measured against. A bare nghttp2 session on
 * one connection; no routing, no policy, no discovery, no error survived.
 *
 *   --mode adaptive  few callers drive themselves, a crowd is driven by a keeper thread
 *   --mode caller    always one of the callers drives
 *   --mode async     one thread keeps --callers calls in flight and drives them itself */
#include <poll.h>
#include <stdlib.h>

#include "floor/engine.h"

enum mode { MODE_ADAPTIVE, MODE_CALLER, MODE_ASYNC };
static const char *const modes[] = { "adaptive", "caller", "async", NULL };

struct program {
    struct http2 http2;
    struct engine engine;
    struct load_message message;
    uint32_t in_flight;
};

static void call_and_wait(struct load_thread *thread, void *argument)
{
    struct program *program = argument;

    while (load_goes_on(thread)) {
        uint64_t began = load_now_ns();
        struct call call;

        call_init(&call, &program->message);
        engine_call(&program->engine, &call);
        call_check(&call);
        load_count(thread, began, load_now_ns());
    }
}

static void begin(struct program *program, struct call *call, uint64_t now_ns)
{
    call_init(call, &program->message);
    call->began_ns = now_ns;
    http2_submit(&program->http2, call);
}

static void wait_for_io(const struct http2 *http2)
{
    struct pollfd fd = { .fd = http2->wire.fd, .events = POLLIN };

    if (http2_is_blocked(http2))
        fd.events |= POLLOUT;
    poll(&fd, 1, 1000);
}

static void keep_in_flight(struct load_thread *thread, void *argument)
{
    struct program *program = argument;
    struct call *calls = calloc(program->in_flight, sizeof *calls);

    if (!calls)
        load_fail("floor: no memory for %u calls", program->in_flight);
    for (uint32_t i = 0; i < program->in_flight; i++)
        begin(program, &calls[i], load_now_ns());
    while (load_goes_on(thread)) {
        uint64_t now_ns;

        http2_write(&program->http2);
        wait_for_io(&program->http2);
        http2_read(&program->http2);
        now_ns = load_now_ns();
        for (struct call *ended = http2_take_ended(&program->http2), *next; ended; ended = next) {
            next = ended->next;
            call_check(ended);
            load_count(thread, ended->began_ns, now_ns);
            begin(program, ended, now_ns);
        }
    }
    free(calls);
}

int main(int argc, char **argv)
{
    static struct program program;
    struct load_options options;
    enum mode mode;

    load_parse(argc, argv, modes, &options);
    mode = (enum mode) load_mode(&options, modes);
    program.message = load_message(options.body);
    program.in_flight = options.callers;
    http2_open(&program.http2, options.port, options.ca);
    if (mode == MODE_ASYNC) {
        load_run(&options, 1, keep_in_flight, &program);
        return 0;
    }
    engine_start(&program.engine, &program.http2, mode == MODE_ADAPTIVE);
    load_run(&options, options.callers, call_and_wait, &program);
    return 0;
}
