/* SPDX-License-Identifier: Apache-2.0 */
/* Taking an answer, resource by resource: what is good is used, what is not is told, and both have a place in one reply. */
#include <inttypes.h>
#include <string.h>

#include "source/xds/ads.h"

/* A turn's share: the loop's lock is held as long. */
#define SLICE_US (2 * US_PER_MS)
/* Endpoints between two looks at the clock. */
enum { ENDPOINTS_A_STEP = 500 };

/* google.rpc.Code: what says something about the resource, not about the moment (gRFC A88). */
enum { CODE_NOT_FOUND = 5, CODE_PERMISSION_DENIED = 7 };

/* ---- what is refused ---- */

static void add_error(struct ads_server *server, const char *name, const char *text)
{
    struct buf *errors = &server->work.errors;
    const char *type = xds_type_name(server->work.answer->type);

    buf_printf(errors, "%s%s \"%.200s\": %s", buf_len(errors) > 0 ? "; " : "", type, name, text);
}

static void refuse(struct ads_server *server, struct resource *resource, const char *version, const struct fault *why)
{
    add_error(server, resource->name, why->text);
    store_refuse(resource, version, why);
    if (ads_server_conf(server)->features & BOOTSTRAP_FAIL_ON_DATA_ERRORS)
        store_delete(resource, true, why->text);
}

static void refuse_unread(struct ads_server *server, const struct xds_answer_resource *what, const char *name,
                          size_t name_len, const char *text)
{
    struct resource *resource = store_find(server->ads->conf.store, server->work.answer->type, name, name_len);
    struct fault fault;

    server->work.is_unreadable = true;
    fault_set(&fault, MESH_ERR_INVALID, "%s", text);
    if (resource)
        refuse(server, resource, what->version, &fault);
    else
        add_error(server, name, text);
}

/* ---- what is taken ---- */

static void took(struct ads_server *server, const struct resource *resource, const struct resource_news *news)
{
    if (news->version && news->version[0])
        protocol_hold(server->protocol, resource->type, resource->name, news->version);
}

static int32_t read_endpoints(struct ads_server *server, struct resource *resource, const struct resource_news *news,
                              struct fault *fault)
{
    struct ads_work *work = &server->work;
    struct model_endpoints *set = NULL;
    int32_t err;

    if (!work->reader)
        work->reader = endpoints_reader_new(news->bytes, news->len, &work->ignored);
    if (!work->reader)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    err = endpoints_reader_step(work->reader, ENDPOINTS_A_STEP, &set, fault);
    if (err == MESH_ERR_AGAIN)
        return err;
    endpoints_reader_free(work->reader);
    work->reader = NULL;
    if (!err)
        store_take_endpoints(resource, news, set, &work->ignored);
    ignored_clear(&work->ignored);
    return err;
}

/* MESH_ERR_AGAIN: it goes on with this one. */
static int32_t take(struct ads_server *server, struct resource *resource, const struct resource_news *news)
{
    struct fault fault = { 0 };
    int32_t err;

    resource->seen_in = server->ads->n_answers + 1;
    if (!server->work.reader && resource_is_same(resource, news->bytes, news->len)) {
        store_refresh(resource, news);
        took(server, resource, news);
        return 0;
    }
    err = resource->type == XDS_ENDPOINTS ? read_endpoints(server, resource, news, &fault)
                                          : store_take(resource, news, &fault);
    if (err == MESH_ERR_AGAIN)
        return err;
    if (!err) {
        took(server, resource, news);
        return 0;
    }
    server->work.is_unreadable = true;
    if (err == MESH_ERR_NOMEM)
        protocol_look_again(server->protocol, resource->type);
    refuse(server, resource, news->version, &fault);
    return 0;
}

static const char *version_of(const struct xds_answer *answer, const struct xds_answer_resource *what)
{
    return what->version[0] ? what->version : answer->version;
}

static int32_t take_next(struct ads_server *server)
{
    const struct xds_answer *answer = server->work.answer;
    const struct xds_answer_resource *what = &answer->resources[server->work.next];
    struct resource_news news = { what->bytes, what->len, version_of(answer, what),
                                  what->ttl_us == XDS_NO_TTL ? 0 : what->ttl_us, false };
    const char *name = what->name;
    size_t name_len = name ? strlen(name) : 0;
    struct resource *resource;

    if (!name && !what->error && !endpoints_peek_name(what->bytes, what->len, &name, &name_len))
        name = NULL;
    if (what->error || !name) {
        refuse_unread(server, what, name ? name : "?", name_len, what->error ? what->error : "it has no name");
        return 0;
    }
    resource = store_find(server->ads->conf.store, answer->type, name, name_len);
    if (!resource)
        return 0; /* servers may send more than was asked for */
    if (!what->is_heartbeat)
        return take(server, resource, &news);
    resource->seen_in = server->ads->n_answers + 1;
    if (resource_has_value(resource))
        store_refresh(resource, &news);
    return 0;
}

/* ---- the end of an answer ---- */

static bool obeys(const struct ads_server *server)
{
    const struct ads_conf *conf = &server->ads->conf;

    return (ads_server_conf(server)->features & BOOTSTRAP_FAIL_ON_DATA_ERRORS) || conf->obeys_deletes(conf->user);
}

/* What had a value and is not in a full answer is gone; what had none may only not have been heard of yet. */
static void delete_absent(struct ads_server *server)
{
    const struct ads_conf *conf = &server->ads->conf;
    enum xds_type type = server->work.answer->type;
    struct resource *resource;
    size_t at = 0;

    while ((resource = map_next(&conf->store->types[type], &at)))
        if (resource->seen_in != server->ads->n_answers + 1 && resource_has_value(resource) &&
            conf->is_mine(conf->user, server->ads, resource))
            store_delete(resource, obeys(server), "");
}

static void delete_removed(struct ads_server *server)
{
    const struct xds_answer *answer = server->work.answer;

    for (size_t i = 0; i < answer->n_removed; i++) {
        const char *name = answer->removed[i];
        struct resource *resource = store_find(server->ads->conf.store, answer->type, name, strlen(name));

        protocol_hold(server->protocol, answer->type, name, NULL);
        if (resource)
            store_delete(resource, obeys(server), "");
    }
}

static void take_errors(struct ads_server *server)
{
    const struct xds_answer *answer = server->work.answer;

    for (size_t i = 0; i < answer->n_errors; i++) {
        const struct xds_answer_error *error = &answer->errors[i];
        struct resource *resource = store_find(server->ads->conf.store, answer->type, error->name, strlen(error->name));
        struct fault fault;

        if (!resource)
            continue;
        resource->seen_in = server->ads->n_answers + 1;
        fault_set(&fault, MESH_ERR_NO_ROUTE, "the control plane gives no %s \"%.100s\" (code %" PRId32 "): %.150s",
                  xds_type_name(answer->type), error->name, error->code, error->message);
        store_error(resource, error->code == CODE_NOT_FOUND || error->code == CODE_PERMISSION_DENIED, obeys(server),
                    &fault);
    }
}

/* NULL: everything was taken. */
static const char *refusal_of(struct ads_work *work)
{
    if (!work->is_unreadable)
        return NULL;
    if (buf_len(&work->errors) > 0 && buf_append(&work->errors, "", 1))
        return (const char *) buf_bytes(&work->errors);
    return "out of memory";
}

static void finish(struct ads_server *server)
{
    struct ads_work *work = &server->work;
    uint64_t now = loop_now_us(server->ads->conf.loop);
    bool is_full = xds_type_is_full(work->answer->type) && !servers_is_delta(server->ads->servers, server->index);

    take_errors(server);
    delete_removed(server);
    if (is_full && !work->is_unreadable)
        delete_absent(server);
    protocol_conclude(server->protocol, work->answer, refusal_of(work), now);
    work->answer = NULL;
    buf_clear(&work->errors);
    ads_answered(server);
}

/* ---- slices ---- */

/* True: all of it is done. */
static bool work_for(struct ads_server *server, uint64_t us)
{
    struct ads_work *work = &server->work;
    uint64_t until = clock_now_us() + us;

    while (work->next < work->answer->n_resources) {
        if (take_next(server) != MESH_ERR_AGAIN)
            work->next++;
        if (clock_now_us() >= until)
            break;
    }
    return work->next == work->answer->n_resources;
}

static void work_on(struct ads_server *server)
{
    struct loop *loop = server->ads->conf.loop;

    if (work_for(server, SLICE_US))
        finish(server);
    else
        loop_timer_set(loop, &server->slice, loop_now_us(loop));
}

void ads_work_on_slice(struct loop_timer *timer)
{
    work_on(CONTAINER_OF(timer, struct ads_server, slice));
}

/* An answer that is refused as a whole, or again, is not looked into. */
static void conclude_refused(struct ads_server *server)
{
    struct ads_work *work = &server->work;
    uint64_t now = loop_now_us(server->ads->conf.loop);

    if (!work->answer->is_repeated)
        OBSERVE(server->ads->conf.observe, MESH_LOG_ERROR, "xds_rejected",
                FIELD_TEXT("type", xds_type_name(work->answer->type)), FIELD_TEXT("version", work->answer->version),
                FIELD_TEXT("detail", work->answer->refusal));
    protocol_conclude(server->protocol, work->answer, work->answer->refusal, now);
    work->answer = NULL;
    ads_answered(server);
}

void ads_work_begin(struct ads_server *server, struct xds_answer *answer)
{
    server->work.answer = answer;
    server->work.next = 0;
    server->work.is_unreadable = false;
    if (answer->refusal)
        conclude_refused(server);
    else
        work_on(server);
}

void ads_work_drop(struct ads_server *server)
{
    struct ads_work *work = &server->work;

    loop_timer_cancel(server->ads->conf.loop, &server->slice);
    endpoints_reader_free(work->reader);
    work->reader = NULL;
    ignored_clear(&work->ignored);
    buf_clear(&work->errors);
    if (work->answer)
        protocol_drop(server->protocol, work->answer);
    work->answer = NULL;
}
