/* SPDX-License-Identifier: Apache-2.0 */
/* What a client has of its control planes, as JSON for people and tools. */
#include "client/client.h"

#include <mesh/xds.h>

/* How often it is looked at while somebody waits to read it. */
#define LOOK_EVERY_US (5 * US_PER_MS)

/* On the stack of the thread that waits. */
struct looking {
    struct engine *engine;
    uint64_t until_us;
    bool connect;
    bool is_settled;
    struct loop_timer timer;
    struct loop_waiter waiter;
};

static void on_look(struct loop_timer *timer)
{
    struct looking *looking = CONTAINER_OF(timer, struct looking, timer);
    struct loop *loop = looking->engine->lanes[0].loop;
    uint64_t now = loop_now_us(loop);

    if (looking->connect)
        source_connect_xds(looking->engine->source);
    looking->connect = false;
    looking->is_settled = source_is_xds_settled(looking->engine->source);
    if (looking->is_settled || now >= looking->until_us)
        loop_waiter_done(loop, &looking->waiter);
    else
        loop_timer_set(loop, timer, now + LOOK_EVERY_US);
}

/* True: all that is wanted has been answered. */
static bool wait_for_answers(struct engine *engine, bool connect, uint64_t until_us)
{
    struct loop *loop = engine->lanes[0].loop;
    struct looking looking = { .engine = engine, .until_us = until_us, .connect = connect };

    looking.timer.on_due = on_look;
    loop_waiter_init(&looking.waiter);
    loop_enter(loop);
    loop_timer_set(loop, &looking.timer, 0);
    loop_leave(loop);
    loop_wait(loop, &looking.waiter, LOOP_FOREVER, false);
    return looking.is_settled;
}

/* Contents are written when the loop is free again: they may be large. */
static void describe(struct engine *engine, bool with_contents, struct json_writer *w)
{
    struct loop *loop = engine->lanes[0].loop;
    struct xds_contents *contents = NULL;
    bool copied = true;

    json_begin(w, '{');
    loop_enter(loop);
    source_describe_xds(engine->source, w);
    if (with_contents)
        copied = source_copy_xds(engine->source, &contents);
    loop_leave(loop);
    if (with_contents && copied)
        source_write_xds(contents, w);
    source_free_xds(contents);
    json_end(w, '}');
    w->failed |= !copied;
}

int32_t client_xds(struct mesh_client *client, uint32_t flags, uint64_t until_us, char **out, struct fault *fault)
{
    struct json_writer w = { 0 };
    struct engine *engine;
    int32_t err = client_engine(client, &engine, fault);
    bool settled;

    *out = NULL;
    if (err)
        return err;
    settled = wait_for_answers(engine, flags & MESH_XDS_CONNECT, until_us);
    describe(engine, flags & MESH_XDS_CONTENTS, &w);
    *out = json_finish(&w);
    if (!*out)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    return settled ? 0 : fault_set(fault, MESH_ERR_TIMEOUT, "not everything was answered in time");
}

/* ---- the way of a service ---- */

bool client_is_xds(struct engine *engine, const char *target)
{
    bool is_xds;

    loop_enter(engine->lanes[0].loop);
    is_xds = source_is_xds(engine->source, target);
    loop_leave(engine->lanes[0].loop);
    return is_xds;
}

static void write_way(struct engine *engine, const char *target, struct json_writer *w, struct fault *fault)
{
    json_begin(w, '{');
    json_put_text(w, "target", target);
    source_describe_way(engine->source, target, w, fault);
    json_put_text(w, "error", fault->code ? error_name(fault->code) : NULL);
    json_put_text(w, "detail", fault->code ? fault->text : NULL);
    json_end(w, '}');
}

int32_t client_resolve_xds(struct engine *engine, const char *target, uint64_t until_us, char **out,
                           struct fault *fault)
{
    struct loop *loop = engine->lanes[0].loop;
    struct json_writer w = { 0 };
    int32_t err;

    loop_enter(loop);
    err = source_want(engine->source, target, fault);
    loop_leave(loop);
    if (err)
        return err;
    wait_for_answers(engine, false, until_us);
    loop_enter(loop);
    write_way(engine, target, &w, fault);
    loop_leave(loop);
    *out = json_finish(&w);
    return *out ? fault->code : fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

/* ---- for machines ---- */

int32_t client_csds(struct mesh_client *client, const void *request, size_t request_len, void **out, size_t *out_len,
                    struct fault *fault)
{
    struct buf bytes = { 0 };
    struct engine *engine;
    int32_t err = client_engine(client, &engine, fault);

    if (err)
        return err;
    loop_enter(engine->lanes[0].loop);
    err = source_write_csds(engine->source, request, request_len, &bytes, fault);
    loop_leave(engine->lanes[0].loop);
    *out_len = buf_len(&bytes);
    *out = err ? NULL : mem_strndup(*out_len > 0 ? (const char *) buf_bytes(&bytes) : "", *out_len);
    buf_free(&bytes);
    if (!err && !*out)
        err = fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    return err;
}
