/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane's routes say of the requests themselves: how long, how often, after which fault, at which rate, and who gets a
 * copy. */
#include <pthread.h>

#include "support/routed.h"

static const struct route_fraction always = { 100, 100 }, never = { 0, 100 };

/* A route for all paths to "red" with these rules, published. */
static void publish_rules(struct shop *shop, const struct route_rules *rules)
{
    struct model_routes *routes = routed_all_to("xds:red");

    routed_at(routes, 0)->rules = *rules;
    routed_publish(shop->client, routes, NULL);
}

/* ---- how often ---- */

static struct policy_retry retrying(uint32_t attempts, uint32_t on)
{
    return (struct policy_retry){
        .attempts = attempts, .on = on, .refused = true, .backoff_base_ms = 1, .backoff_max_ms = 2
    };
}

static void a_route_without_a_policy_gets_that_of_the_library(void **state)
{
    struct shop shop = shop_open(PAIRS("retry.backoff_base_ms", "1"));

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .n_hash = 0 });
    ANSWER(shop_get(shop.client, "/status?code=503&first=2", "a"), 0, 200, 3);
    ANSWER(shop_post(shop.client, "/status?code=503&first=2", "b"), 0, 503, 1); /* it may have been executed */
    shop_close(&shop);
}

static void a_policy_of_the_route_is_obeyed(void **state)
{
    struct shop shop = shop_open(NULL);
    struct policy_retry retry = retrying(2, RETRY_STATUS_CODES);

    (void) state;
    retry.statuses = (struct policy_statuses){ .codes = { 418 }, .n = 1 };
    publish_rules(&shop, &(struct route_rules){ .retry = &retry });
    ANSWER(shop_get(shop.client, "/status?code=503&first=1", "a"), 0, 503, 1);
    ANSWER(shop_get(shop.client, "/status?code=418&first=1", "b"), 0, 200, 2);
    ANSWER(shop_get(shop.client, "/status?code=418&first=2", "c"), 0, 418, 2);
    ANSWER(shop_post(shop.client, "/status?code=418&first=1", "d"), 0, 200, 2); /* whatever the method, as Envoy does */
    shop_close(&shop);
}

static void no_retries_means_none(void **state)
{
    struct shop shop = shop_open(NULL);
    struct policy_retry retry = retrying(1, RETRY_5XX);
    struct ask ask = { 0 };

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .retry = &retry });
    ANSWER(shop_get(shop.client, "/status?code=503&first=1", "a"), 0, 503, 1);
    shop_ask(&ask, "/status?code=503&first=1", "b")->opts.max_attempts = 2; /* the call wins */
    ANSWER(call(shop.client, &ask), 0, 200, 2);
    shop_close(&shop);
}

static void headers_of_the_answer_ask_for_another_attempt(void **state)
{
    struct shop shop = shop_open(NULL);
    struct policy_retry retry = retrying(2, RETRY_CONNECT_FAILURE);
    struct match_header wanted = { .name = "x-again", .value = { .kind = MATCH_EXACT, .text = "yes", .len = 3 } };

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .retry = &retry, .n_retry_headers = 1, .retry_headers = &wanted });
    ANSWER(shop_get(shop.client, "/status?code=404&first=1&h=x-again:yes", "a"), 0, 200, 2);
    ANSWER(shop_get(shop.client, "/status?code=404&first=1&h=x-again:no", "b"), 0, 404, 1);
    shop_close(&shop);
}

static void only_requests_with_a_header_are_retried(void **state)
{
    struct shop shop = shop_open(NULL);
    struct policy_retry retry = retrying(2, RETRY_5XX);
    struct match_header wanted = { .name = "x-twice", .value = { .kind = MATCH_PRESENT } };
    struct ask ask = { 0 };

    (void) state;
    publish_rules(&shop, &(struct route_rules){
                             .retry = &retry, .n_retry_request_headers = 1, .retry_request_headers = &wanted });
    ANSWER(shop_get(shop.client, "/status?code=503&first=1", "a"), 0, 503, 1);
    ask_header(shop_ask(&ask, "/status?code=503&first=1", "b"), "X-Twice", "1");
    ANSWER(call(shop.client, &ask), 0, 200, 2);
    shop_close(&shop);
}

static void a_reset_header_says_when(void **state)
{
    struct shop shop = shop_open(NULL);
    struct policy_retry retry = retrying(2, RETRY_STATUS_CODES);
    struct route_reset_header reset = { .name = "x-reset" };
    struct answer answer;

    (void) state;
    retry.statuses = (struct policy_statuses){ .codes = { 429 }, .n = 1 };
    publish_rules(&shop,
                  &(struct route_rules){
                      .retry = &retry, .n_reset_headers = 1, .reset_headers = &reset, .reset_most_us = 5 * US_PER_S });
    answer = shop_get(shop.client, "/status?code=429&first=1&h=x-reset:1", "a");
    ANSWER(answer, 0, 200, 2);
    assert_true(answer.took_ms >= 1000);
    answer = shop_get(shop.client, "/status?code=429&first=1&h=x-reset:6000", "b"); /* longer than is waited for */
    ANSWER(answer, 0, 200, 2);
    shop_close(&shop);
}

/* ---- how long ---- */

static void the_route_says_how_long(void **state)
{
    struct shop shop = shop_open(NULL);
    struct answer answer;
    struct ask ask = { 0 };

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .has_timeout = true, .timeout_us = 80 * US_PER_MS });
    answer = shop_get(shop.client, "/never", "a");
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 1);
    assert_true(answer.took_ms < 30000);
    shop_ask(&ask, "/slow?ms=300", "b")->opts.timeout_ms = GUARD_MS; /* the call wins */
    ANSWER(call(shop.client, &ask), 0, 200, 1);
    shop_close(&shop);
}

static void silence_within_an_attempt_ends_it(void **state)
{
    struct shop shop = shop_open(NULL);
    struct policy_retry retry = retrying(2, RETRY_5XX);
    struct answer answer;

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .retry = &retry, .per_try_idle_us = 100 * US_PER_MS });
    answer = shop_get(shop.client, "/hang", "a"); /* half of an answer, then nothing */
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 2);
    says(answer.detail, "silent for the route's per_try_idle_timeout of 100 ms");
    assert_int_equal(h2_server_record(shop.red, "a").seen, 2);
    shop_close(&shop);
}

static void silence_of_a_stream_ends_it(void **state)
{
    struct shop shop = shop_open(NULL);
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    char body[4096];
    size_t got;
    int32_t err = 0;

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .has_idle = true, .idle_us = 100 * US_PER_MS });
    MESH_OK(mesh_stream_open(shop.client, &shop_ask(&ask, "/hang", "a")->opts, NULL, 0, &stream));
    mesh_stream_finish(stream);
    do
        err = mesh_stream_read(stream, body, sizeof body, &got);
    while (err == 0 && got > 0);
    assert_int_equal(err, MESH_ERR_TIMEOUT);
    mesh_stream_free(stream);
    shop_close(&shop);
}

/* The head comes at once, and the call's own time is over with it; then nothing comes. */
static void a_stream_ends_when_its_route_wants_it(void **state)
{
    struct shop shop = shop_open(PAIRS("stream.idle_ms", "0"));
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    char body[4096];
    size_t got;
    int32_t err;

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .stream_us = 200 * US_PER_MS });
    shop_ask(&ask, "/hang", "a")->opts.timeout_ms = GUARD_MS;
    MESH_OK(mesh_stream_open(shop.client, &ask.opts, NULL, 0, &stream));
    mesh_stream_finish(stream);
    do
        err = mesh_stream_read(stream, body, sizeof body, &got);
    while (err == 0 && got > 0);
    assert_int_equal(err, MESH_ERR_TIMEOUT);
    assert_int_equal(mesh_response_status(mesh_stream_response(stream)), 200);
    mesh_stream_free(stream);
    shop_close(&shop);
}

static void what_is_late_is_hedged(void **state)
{
    struct h2_server *servers[2] = { h2_server_start(&(struct h2_server_conf){ .name = "one", .number = 1 }),
                                     h2_server_start(&(struct h2_server_conf){ .name = "two", .number = 2 }) };
    uint16_t port = h2_server_port(servers[0]);
    struct mesh_client *client =
        routed_client(PAIRS("red"), &port, PAIRS("services.red.endpoints", at_servers(servers, 2)));
    struct policy_retry retry = retrying(2, RETRY_5XX);
    struct model_routes *routes = routed_all_to("xds:red");
    unsigned hedged = 0;

    (void) state;
    retry.per_try_timeout_ms = 100;
    routed_at(routes, 0)->rules.retry = &retry;
    routed_at(routes, 0)->rules.hedge_on_per_try_timeout = true;
    routed_publish(client, routes, NULL);
    for (int i = 0; i < 6; i++) {
        struct answer answer = shop_get(client, "/never?at=1", NULL);

        ANSWER(answer, 0, 200, answer.attempts);
        assert_string_equal(answer.body, "two");
        hedged += answer.attempts == 2;
    }
    assert_true(hedged > 0);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

static void what_is_critical_has_limits_of_its_own(void **state)
{
    struct shop shop = shop_open(PAIRS("breaker.max_requests", "1"));
    struct mesh_queue *queue;
    struct mesh_event event;
    struct ask ask = { 0 };

    (void) state;
    MESH_OK(mesh_queue_new(shop.client, &queue));
    publish_rules(&shop, &(struct route_rules){ .is_critical = false });
    MESH_OK(mesh_request_start(shop.client, &shop_ask(&ask, "/slow?ms=1000", "slow")->opts, queue, 1, NULL));
    UNTIL(h2_server_streams(shop.red) == 1);
    ANSWER(shop_get(shop.client, "/ok", NULL), MESH_ERR_OVERFLOW, 0, 0);
    publish_rules(&shop, &(struct route_rules){ .is_critical = true });
    ANSWER(shop_get(shop.client, "/ok", "a"), 0, 200, 1);
    head_says(shop.red, "a", "x-mesh-criticality: critical-plus");
    assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
    mesh_response_free(event.response);
    mesh_queue_free(queue);
    shop_close(&shop);
}

/* ---- faults ---- */

static void an_abort_is_an_answer_and_is_never_retried(void **state)
{
    struct shop shop = shop_open(NULL);
    struct route_fault fault = {
        .has_abort = true, .abort_status = 503, .abort_fraction = always, .most_active = UINT32_MAX
    };
    struct answer answer;

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .n_faults = 1, .faults = &fault });
    answer = shop_get(shop.client, "/ok", NULL);
    ANSWER(answer, 0, 503, 0);
    assert_string_equal(answer.body, "fault filter abort");
    says(answer.detail, "answered by an injected fault");
    assert_int_equal(h2_server_seen(shop.red), 0);
    assert_int_equal(fault.active, 0);
    shop_close(&shop);
}

static void an_abort_of_grpc_has_its_status(void **state)
{
    struct shop shop = shop_open(NULL);
    struct route_fault fault = {
        .has_abort = true, .abort_grpc = 7, .abort_fraction = always, .most_active = UINT32_MAX
    };
    struct mesh_response *response;
    struct ask ask = { 0 };

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .n_faults = 1, .faults = &fault });
    ask_header(shop_ask(&ask, "/a.B/C", NULL), "content-type", "application/grpc");
    MESH_OK(mesh_request(shop.client, &ask.opts, &response));
    assert_int_equal(mesh_response_status(response), 200);
    assert_string_equal(mesh_response_header(response, "grpc-status"), "7");
    assert_string_equal(mesh_response_header(response, "grpc-message"), "fault filter abort");
    mesh_response_free(response);
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 403, 0); /* what is no call of gRPC gets what it means */
    shop_close(&shop);
}

static void a_delay_comes_before_the_time_of_the_route(void **state)
{
    struct shop shop = shop_open(NULL);
    struct route_fault fault = {
        .has_delay = true, .delay_us = 300 * US_PER_MS, .delay_fraction = always, .most_active = UINT32_MAX
    };
    struct route_rules rules = {
        .n_faults = 1, .faults = &fault, .has_timeout = true, .timeout_us = 20000 * US_PER_MS
    };
    struct answer answer;
    struct ask ask = { 0 };

    (void) state;
    publish_rules(&shop, &rules);
    answer = shop_get(shop.client, "/ok", NULL);
    ANSWER(answer, 0, 200, 1);
    assert_true(answer.took_ms >= 300);
    shop_ask(&ask, "/ok", NULL)->opts.timeout_ms = 50;
    answer = call(shop.client, &ask);
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 0);
    says(answer.detail, "an injected fault held it back");
    assert_int_equal(fault.active, 0);
    shop_close(&shop);
}

static void headers_ask_for_faults(void **state)
{
    struct shop shop = shop_open(NULL);
    struct route_fault fault = {
        .has_abort = true, .abort_by_header = true, .abort_fraction = always, .most_active = UINT32_MAX
    };
    struct ask ask = { 0 };

    (void) state;
    publish_rules(&shop, &(struct route_rules){ .n_faults = 1, .faults = &fault });
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    ask_header(shop_ask(&ask, "/ok", NULL), "x-envoy-fault-abort-request", "429");
    ANSWER(call(shop.client, &ask), 0, 429, 0);
    ask_header(&ask, "x-envoy-fault-abort-request-percentage", "0");
    ANSWER(call(shop.client, &ask), 0, 200, 1);
    shop_close(&shop);
}

/* ---- rates ---- */

/* One bucket, which is full again next year. */
static void publish_limit(struct shop *shop, struct route_fraction enforced, uint64_t key, uint32_t most)
{
    struct model_routes *routes = routed_all_to("xds:red");
    struct route_rules *rules = &routed_at(routes, 0)->rules;

    routes->n_buckets = 1;
    routes->buckets = model_routes_alloc(routes, 1, sizeof *routes->buckets);
    routes->buckets[0] = (struct route_bucket){ key, most, 1, UINT64_C(31536000) * US_PER_S };
    rules->n_limits = 1;
    rules->limits = model_routes_alloc(routes, 1, sizeof *rules->limits);
    rules->limits[0] = (struct route_limit){ .status = 429, .enabled = always, .enforced = enforced };
    routed_publish(shop->client, routes, NULL);
}

static void a_bucket_lets_through_what_it_has(void **state)
{
    struct shop shop = shop_open(NULL);
    struct answer answer;

    (void) state;
    publish_limit(&shop, always, 1, 2);
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    answer = shop_get(shop.client, "/ok", NULL);
    ANSWER(answer, MESH_ERR_RATE_LIMITED, 0, 0);
    says(answer.detail, "the local rate limit of route \"the-route\": 2 at once, 1 more each");
    publish_limit(&shop, always, 1, 2); /* other routes, the same bucket */
    ANSWER(shop_get(shop.client, "/ok", NULL), MESH_ERR_RATE_LIMITED, 0, 0);
    publish_limit(&shop, never, 1, 2); /* nobody is refused by it */
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    publish_limit(&shop, always, 2, 2);
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    shop_close(&shop);
}

enum { CALLERS = 8, CALLS = 5, TOKENS = 20 };

static void *call_often(void *user)
{
    uintptr_t answered = 0;

    for (int i = 0; i < CALLS; i++)
        answered += shop_get(user, "/ok", NULL).err == 0;
    return (void *) answered;
}

static void all_loops_share_a_bucket(void **state)
{
    struct shop shop = shop_open(PAIRS("loops", "3"));
    pthread_t callers[CALLERS];
    uintptr_t answered = 0;

    (void) state;
    publish_limit(&shop, always, 1, TOKENS);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, shop.client), 0);
    for (int i = 0; i < CALLERS; i++) {
        void *n;

        pthread_join(callers[i], &n);
        answered += (uintptr_t) n;
    }
    assert_int_equal(answered, TOKENS);
    shop_close(&shop);
}

/* ---- shadows ---- */

static void publish_mirror(struct shop *shop, const struct route_mirror *mirror)
{
    struct model_routes *routes = routed_all_to("xds:red");
    struct route *route = routed_at(routes, 0);

    route->rules.n_mirrors = 1;
    route->rules.mirrors = model_routes_alloc(routes, 1, sizeof *route->rules.mirrors);
    route->rules.mirrors[0] = *mirror;
    routed_set(routes, &route->targets[0].request_changes, "x-tenant", "seven");
    routed_publish(shop->client, routes, NULL);
}

static void another_cluster_gets_a_copy(void **state)
{
    struct shop shop = shop_open(PAIRS("retry.backoff_base_ms", "1"));
    struct answer answer;

    (void) state;
    publish_mirror(&shop, &(struct route_mirror){ .cluster = "xds:blue", .fraction = always });
    answer = shop_post(shop.client, "/echo", "a");
    ANSWER(answer, 0, 200, 1);
    assert_string_equal(answer.body, "body");
    UNTIL(h2_server_record(shop.blue, "a").executed == 1);
    UNTIL(h2_server_record(shop.blue, "a").bytes == 4);
    head_says(shop.blue, "a", ":authority: shop-shadow\n");
    head_says(shop.blue, "a", ":path: /echo\n");
    head_says(shop.blue, "a", "x-tenant: seven\n");
    head_says(shop.red, "a", ":authority: shop\n");
    shop_close(&shop);
}

static void a_shadow_is_not_retried_and_its_end_means_nothing(void **state)
{
    struct shop shop = shop_open(PAIRS("retry.backoff_base_ms", "1"));

    (void) state;
    publish_mirror(&shop,
                   &(struct route_mirror){ .cluster = "xds:blue", .fraction = always, .host = "inside.example" });
    ANSWER(shop_get(shop.client, "/status?code=503&first=1", "a"), 0, 200, 2);
    UNTIL(h2_server_record(shop.blue, "a").seen == 1);
    head_says(shop.blue, "a", ":authority: inside.example\n");
    ANSWER(shop_get(shop.client, "/ok", "b"), 0, 200, 1);
    UNTIL(h2_server_record(shop.blue, "b").seen == 1);
    assert_int_equal(h2_server_record(shop.blue, "a").seen, 1); /* once for the request, not for each attempt */
    publish_mirror(&shop, &(struct route_mirror){ .cluster = "xds:gone", .fraction = always });
    ANSWER(shop_get(shop.client, "/ok", "c"), 0, 200, 1);
    publish_mirror(&shop, &(struct route_mirror){ .cluster = "xds:blue", .fraction = never });
    ANSWER(shop_get(shop.client, "/ok", "d"), 0, 200, 1);
    assert_int_equal(h2_server_record(shop.blue, "d").seen, 0);
    shop_close(&shop);
}

/* Red is number 0 and answers at once, blue is number 1 and never does. */
static void a_shadow_ends_with_the_client(void **state)
{
    struct shop shop = shop_open(NULL);

    (void) state;
    publish_mirror(&shop, &(struct route_mirror){ .cluster = "xds:blue", .fraction = always });
    ANSWER(shop_get(shop.client, "/never?at=1", "a"), 0, 200, 1);
    UNTIL(h2_server_streams(shop.blue) == 1);
    shop_close(&shop);
}

static void nobody_waits_for_a_shadow(void **state)
{
    struct shop shop = shop_open(NULL);

    (void) state;
    publish_mirror(&shop, &(struct route_mirror){ .cluster = "xds:blue", .fraction = always });
    ANSWER(shop_get(shop.client, "/never?at=1", "a"), 0, 200, 1);
    UNTIL(h2_server_streams(shop.blue) == 1);
    MESH_OK(mesh_client_drain(shop.client, GUARD_MS));
    assert_int_equal(h2_server_streams(shop.blue), 1);
    shop_close(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_without_a_policy_gets_that_of_the_library),
        cmocka_unit_test(a_policy_of_the_route_is_obeyed),
        cmocka_unit_test(no_retries_means_none),
        cmocka_unit_test(headers_of_the_answer_ask_for_another_attempt),
        cmocka_unit_test(only_requests_with_a_header_are_retried),
        cmocka_unit_test(a_reset_header_says_when),
        cmocka_unit_test(the_route_says_how_long),
        cmocka_unit_test(silence_within_an_attempt_ends_it),
        cmocka_unit_test(silence_of_a_stream_ends_it),
        cmocka_unit_test(a_stream_ends_when_its_route_wants_it),
        cmocka_unit_test(what_is_late_is_hedged),
        cmocka_unit_test(what_is_critical_has_limits_of_its_own),
        cmocka_unit_test(an_abort_is_an_answer_and_is_never_retried),
        cmocka_unit_test(an_abort_of_grpc_has_its_status),
        cmocka_unit_test(a_delay_comes_before_the_time_of_the_route),
        cmocka_unit_test(headers_ask_for_faults),
        cmocka_unit_test(a_bucket_lets_through_what_it_has),
        cmocka_unit_test(all_loops_share_a_bucket),
        cmocka_unit_test(another_cluster_gets_a_copy),
        cmocka_unit_test(a_shadow_is_not_retried_and_its_end_means_nothing),
        cmocka_unit_test(a_shadow_ends_with_the_client),
        cmocka_unit_test(nobody_waits_for_a_shadow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
