/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out once, at each allocation in turn, while a request goes by a route that changes all that can be changed: an error or success,
 * nothing leaks, and the next request works. */
#include "support/routed.h"

static const struct route_fraction always = { 100, 100 };
static struct h2_server *red, *blue;

static int begin(void **state)
{
    (void) state;
    red = h2_server_start(NULL);
    blue = h2_server_start(NULL);
    return 0;
}

static int finish(void **state)
{
    (void) state;
    h2_server_stop(red);
    h2_server_stop(blue);
    return 0;
}

static struct route_fault delay = {
    .has_delay = true, .delay_us = 10, .delay_fraction = { 100, 100 }, .most_active = UINT32_MAX
};

static void make_route(struct model_routes *routes, struct route *route)
{
    static const struct value_part parts[] = { { .kind = VALUE_CLUSTER }, { .kind = VALUE_ENDPOINT } };

    routed_prefix(route, "/api/");
    routed_to(routes, route, PAIRS("xds:red"));
    route->prefix_rewrite = "/";
    route->host_rewrite = "inside.example";
    route->append_forwarded_host = true;
    route->rules.attempt_count = true;
    route->rules.n_faults = 1;
    route->rules.faults = &delay;
    route->rules.n_mirrors = 1;
    route->rules.mirrors = model_routes_alloc(routes, 1, sizeof *route->rules.mirrors);
    route->rules.mirrors[0] = (struct route_mirror){ .cluster = "xds:blue", .fraction = always };
    routes->n_buckets = 1;
    routes->buckets = model_routes_alloc(routes, 1, sizeof *routes->buckets);
    routes->buckets[0] = (struct route_bucket){ 1, 100, 100, US_PER_S };
    route->rules.n_limits = 1;
    route->rules.limits = model_routes_alloc(routes, 1, sizeof *route->rules.limits);
    route->rules.limits[0] = (struct route_limit){ .enabled = always, .enforced = always };
    routed_change(routes, &route->targets[0].request_changes, "x-where", parts, 2);
    routed_change(routes, &route->targets[0].response_changes, "x-where", parts, 2);
}

static void make_answer(struct model_routes *routes, struct route *route)
{
    route->action = ROUTE_ANSWER;
    route->answer_status = 200;
    route->answer_body =
        "made here, and longer than what a response has room for without asking anybody for more of it: "
        "0123456789012345678901234567890123456789012345678901234567890123456789";
    route->answer_len = strlen(route->answer_body);
    routed_set(routes, &route->response_changes, "x-by", "the route");
}

static struct mesh_client *client_with_routes(void)
{
    uint16_t ports[] = { h2_server_port(red), h2_server_port(blue) };
    struct mesh_client *client = routed_client(PAIRS("red", "blue"), ports, PAIRS("log", "off"));
    struct model_routes *routes = routed_new(3);

    make_route(routes, routed_at(routes, 0));
    routed_at(routes, 1)->action = ROUTE_REDIRECT;
    routed_at(routes, 1)->redirect = (struct route_redirect){ .status = 301, .host = "else.example" };
    routed_prefix(routed_at(routes, 1), "/old");
    make_answer(routes, routed_at(routes, 2));
    routed_publish(client, routes, NULL);
    return client;
}

/* ---- using it ---- */

static int32_t forwarded(struct mesh_client *client)
{
    struct ask ask = { 0 };

    shop_ask(&ask, "/api/echo", "a");
    ask_header(&ask, "x-forwarded-host", "first.example");
    ask.opts.method = "PUT";
    ask.opts.body = "body";
    ask.opts.body_len = 4;
    return call(client, &ask).err;
}

static int32_t redirected(struct mesh_client *client)
{
    return shop_get(client, "/old/path", NULL).err;
}

static int32_t answered(struct mesh_client *client)
{
    return shop_get(client, "/else", NULL).err;
}

static int32_t answered_as_grpc(struct mesh_client *client)
{
    struct ask ask = { 0 };

    ask_header(shop_ask(&ask, "/a.B/C", NULL), "content-type", "application/grpc");
    return call(client, &ask).err;
}

static int32_t streamed(struct mesh_client *client)
{
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    char body[512];
    size_t got = 1;
    int32_t err = mesh_stream_open(client, &shop_ask(&ask, "/api/ok", NULL)->opts, NULL, 0, &stream);

    if (err)
        return err;
    err = mesh_stream_finish(stream);
    while (!err && got > 0)
        err = mesh_stream_read(stream, body, sizeof body, &got);
    mesh_stream_free(stream);
    return err;
}

static bool one_failure(int32_t (*use)(struct mesh_client *client), uint64_t nth)
{
    int64_t before, during, after;
    struct mesh_client *client;
    int32_t err, next;
    bool reached;

    mem_watch(0, false);
    client = client_with_routes();
    mem_unwatch(&before);
    mem_watch(nth, false);
    err = use(client);
    reached = mem_unwatch(&during);
    mem_watch(0, false);
    next = use(client);
    /* What was refused to a thread of the library in that very moment may yet end what this one waited for. */
    if (next == MESH_ERR_NOMEM)
        next = use(client);
    mesh_client_free(client);
    mem_unwatch(&after);
    if ((err != 0 && err != MESH_ERR_NOMEM && err != MESH_ERR_RESET && err != MESH_ERR_CONNECT) || next != 0 ||
        before + during + after != 0)
        fail_msg("allocation %llu: %s, then %s, %lld blocks left", (unsigned long long) nth, mesh_error_name(err),
                 mesh_error_name(next), (long long) (before + during + after));
    return reached;
}

static void each_fails(int32_t (*use)(struct mesh_client *client))
{
    uint64_t nth = 1;

    while (one_failure(use, nth))
        nth++;
    assert_true(nth > 1);
}

static void a_request_that_is_forwarded(void **state)
{
    (void) state;
    each_fails(forwarded);
}

static void a_stream_that_is_forwarded(void **state)
{
    (void) state;
    each_fails(streamed);
}

static void answers_from_here(void **state)
{
    (void) state;
    each_fails(redirected);
    each_fails(answered);
    each_fails(answered_as_grpc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_is_forwarded),
        cmocka_unit_test(a_stream_that_is_forwarded),
        cmocka_unit_test(answers_from_here),
    };

    return cmocka_run_group_tests(tests, begin, finish);
}
