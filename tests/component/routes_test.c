/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that go by a control plane's routes: to which cluster, with which head, and what is answered without one. */
#include <unistd.h>

#include "support/routed.h"

/* ---- where it goes ---- */

static void by_the_path_to_a_cluster(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_new(2);

    (void) state;
    routed_prefix(routed_at(routes, 0), "/ok");
    routed_to(routes, routed_at(routes, 0), PAIRS("xds:blue"));
    routed_to(routes, routed_at(routes, 1), PAIRS("xds:red"));
    routed_publish(shop.client, routes, NULL);
    answered_by(shop_get(shop.client, "/ok", NULL), "blue");
    ANSWER(shop_get(shop.client, "/status?code=204", NULL), 0, 204, 1);
    assert_int_equal(h2_server_seen(shop.red), 1);
    shop_close(&shop);
}

static void a_configured_service_is_called_as_ever(void **state)
{
    struct shop shop = shop_open(NULL);
    struct ask ask = { 0 };

    (void) state;
    routed_publish(shop.client, routed_all_to("xds:blue"), NULL);
    answered_by(shop_get(shop.client, "/ok", NULL), "blue");
    ask_for(&ask, "/ok", NULL)->opts.service = "red";
    answered_by(call(shop.client, &ask), "red");
    ask.opts.service = "blue";
    answered_by(call(shop.client, &ask), "blue");
    assert_int_equal(h2_server_accepted(shop.blue), 2); /* the same address, but another cluster */
    shop_close(&shop);
}

static void by_weight(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_new(1);
    unsigned red;

    (void) state;
    routed_to(routes, routed_at(routes, 0), PAIRS("xds:red", "xds:blue"));
    routed_publish(shop.client, routes, NULL);
    for (int i = 0; i < 400; i++)
        ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    red = h2_server_seen(shop.red);
    assert_int_equal(red + h2_server_seen(shop.blue), 400);
    assert_in_range(red, 100, 300); /* ten standard deviations */
    shop_close(&shop);
}

static void a_retry_stays_with_the_cluster_that_was_drawn(void **state)
{
    struct shop shop = shop_open(PAIRS("retry.backoff_base_ms", "1"));
    struct model_routes *routes = routed_new(1);

    (void) state;
    routed_to(routes, routed_at(routes, 0), PAIRS("xds:red", "xds:blue"));
    routed_publish(shop.client, routes, NULL);
    for (int i = 0; i < 4; i++) {
        char id[8];
        unsigned red, blue;

        snprintf(id, sizeof id, "r%d", i);
        ANSWER(shop_get(shop.client, "/status?code=503&first=2", id), 0, 200, 3);
        red = h2_server_record(shop.red, id).seen;
        blue = h2_server_record(shop.blue, id).seen;
        assert_true((red == 3 && blue == 0) || (red == 0 && blue == 3));
    }
    shop_close(&shop);
}

static void fails_with(struct answer answer, int32_t err, const char *part)
{
    ANSWER(answer, err, 0, 0);
    says(answer.detail, part);
}

static void what_leads_nowhere_fails_alone_and_says_why(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_new(4);

    (void) state;
    routed_prefix(routed_at(routes, 0), "/gone");
    routed_to(routes, routed_at(routes, 0), PAIRS("xds:gone"));
    routed_prefix(routed_at(routes, 1), "/named");
    routed_to(routes, routed_at(routes, 1), PAIRS("xds:red"));
    routed_at(routes, 1)->targets[0].cluster = NULL;
    routed_at(routes, 1)->targets[0].cluster_header = "x-to";
    routed_prefix(routed_at(routes, 2), "/refused");
    routed_at(routes, 2)->action = ROUTE_REFUSE;
    routed_at(routes, 2)->refused = "it asks for a plugin";
    routed_prefix(routed_at(routes, 3), "/ok");
    routed_to(routes, routed_at(routes, 3), PAIRS("xds:red"));
    routed_publish(shop.client, routes, NULL);
    fails_with(shop_get(shop.client, "/gone", NULL), MESH_ERR_NO_ROUTE,
               "route \"the-route\" goes to cluster \"gone\", which the control plane does not give");
    fails_with(shop_get(shop.client, "/named", NULL), MESH_ERR_NO_ROUTE, "the header \"x-to\" names");
    fails_with(shop_get(shop.client, "/refused", NULL), MESH_ERR_NO_ROUTE, "it asks for a plugin");
    fails_with(shop_get(shop.client, "/else", NULL), MESH_ERR_NO_ROUTE, "none of the control plane's routes matches");
    answered_by(shop_get(shop.client, "/ok", NULL), "red");
    routed_publish(shop.client, NULL, "the control plane has no such listener");
    fails_with(shop_get(shop.client, "/ok", NULL), MESH_ERR_NO_ROUTE, "the control plane has no such listener");
    shop_close(&shop);
}

static void a_header_names_the_cluster(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_all_to("xds:red");
    struct ask ask = { 0 };

    (void) state;
    routed_at(routes, 0)->targets[0].cluster = NULL;
    routed_at(routes, 0)->targets[0].cluster_header = "x-to";
    routed_publish(shop.client, routes, NULL);
    ask_header(shop_ask(&ask, "/ok", NULL), "X-To", "blue");
    answered_by(call(shop.client, &ask), "blue");
    ask.headers[0].value = "green";
    fails_with(call(shop.client, &ask), MESH_ERR_NO_ROUTE, "goes to cluster \"green\"");
    shop_close(&shop);
}

static void a_route_may_hash(void **state)
{
    struct h2_server *servers[4];
    struct mesh_client *client;
    struct model_routes *routes;
    unsigned used = 0;
    uint16_t port;
    struct route_hash hash = { .kind = ROUTE_HASH_HEADER, .name = "x-user" };

    (void) state;
    for (int i = 0; i < 4; i++)
        servers[i] = h2_server_start(NULL);
    port = h2_server_port(servers[0]);
    client = routed_client(PAIRS("red"), &port,
                           PAIRS("services.red.endpoints", at_servers(servers, 4), "balance.policy", "maglev"));
    routes = routed_all_to("xds:red");
    routed_at(routes, 0)->rules.n_hash = 1;
    routed_at(routes, 0)->rules.hash = &hash;
    routed_publish(client, routes, NULL);
    for (int i = 0; i < 40; i++) {
        struct ask ask = { 0 };

        ask_header(shop_ask(&ask, "/ok", NULL), "x-user", "joan");
        ANSWER(call(client, &ask), 0, 200, 1);
    }
    for (int i = 0; i < 4; i++)
        used += h2_server_seen(servers[i]) > 0;
    assert_int_equal(used, 1);
    mesh_client_free(client);
    for (int i = 0; i < 4; i++)
        h2_server_stop(servers[i]);
}

/* ---- the head ---- */

static void headers_change_both_ways(void **state)
{
    static const struct value_part of_cluster[] = { { .kind = VALUE_TEXT, .text = "to ", .len = 3 },
                                                    { .kind = VALUE_CLUSTER },
                                                    { .kind = VALUE_TEXT, .text = " at ", .len = 4 },
                                                    { .kind = VALUE_ENDPOINT } };
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_all_to("xds:red");
    struct route_target *target = &routed_at(routes, 0)->targets[0];
    struct mesh_response *response;
    struct ask ask = { 0 };
    char line[64];

    (void) state;
    routed_set(routes, &target->request_changes, "x-tenant", "seven");
    routed_change(routes, &target->request_changes, "x-where", of_cluster, 4);
    routed_set(routes, &target->response_changes, "x-server", "nobody");
    routed_set(routes, &target->response_changes, "x-more", "much");
    routed_publish(shop.client, routes, NULL);
    ask_header(shop_ask(&ask, "/echo", "a"), "X-Tenant", "mine");
    MESH_OK(mesh_request(shop.client, &ask.opts, &response));
    assert_string_equal(mesh_response_header(response, "x-server"), "nobody");
    assert_string_equal(mesh_response_header(response, "x-more"), "much");
    assert_string_equal(mesh_response_trailer(response, "x-bytes"), "0"); /* trailers are as they were */
    mesh_response_free(response);
    head_says(shop.red, "a", "x-tenant: seven\n");
    head_lacks(shop.red, "a", "mine");
    snprintf(line, sizeof line, "x-where: to red at 127.0.0.1:%u\n", h2_server_port(shop.red));
    head_says(shop.red, "a", line);
    shop_close(&shop);
}

static void path_and_host_are_rewritten(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_all_to("xds:red");
    struct route *route = routed_at(routes, 0);
    struct ask ask = { 0 };

    (void) state;
    routed_prefix(route, "/api/");
    route->prefix_rewrite = "/";
    route->host_rewrite = "inside.example";
    route->append_forwarded_host = true;
    route->rules.attempt_count = true;
    routed_publish(shop.client, routes, NULL);
    shop_ask(&ask, "/api/status?code=503&first=1", "a");
    ask_header(&ask, "x-forwarded-host", "first.example");
    ask_header(&ask, "X-Envoy-Original-Path", "/forged");
    ask.opts.flags = MESH_REQ_IDEMPOTENT;
    ANSWER(call(shop.client, &ask), 0, 200, 2);
    head_says(shop.red, "a", ":path: /status?code=503&first=1\n");
    head_says(shop.red, "a", ":authority: inside.example\n");
    head_says(shop.red, "a", "x-envoy-original-path: /api/status?code=503&first=1");
    head_says(shop.red, "a", "x-forwarded-host: first.example,shop");
    head_says(shop.red, "a", "x-envoy-attempt-count: 2");
    head_lacks(shop.red, "a", "/forged");
    head_lacks(shop.red, "a", "x-forwarded-host: first.example\n");
    shop_close(&shop);
}

static void what_cannot_be_sent_fails_alone(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_all_to("xds:red");
    struct route *route = routed_at(routes, 0);

    (void) state;
    routed_prefix(route, "/");
    route->host_header = "x-host";
    routed_publish(shop.client, routes, NULL);
    for (int i = 0; i < 20; i++) { /* no harm is done to the endpoint */
        struct ask ask = { 0 };
        struct answer answer;

        ask_header(shop_ask(&ask, "/ok", NULL), "x-host", "a b");
        answer = call(shop.client, &ask);
        ANSWER(answer, MESH_ERR_INVALID, 0, 1);
        says(answer.detail, "what route \"the-route\" makes of its path or host cannot be sent");
    }
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    assert_int_equal(h2_server_seen(shop.red), 1);
    shop_close(&shop);
}

static void without_rewriting_the_head_is_what_the_application_says(void **state)
{
    struct shop shop = shop_open(NULL);
    struct ask ask = { 0 };

    (void) state;
    routed_publish(shop.client, routed_all_to("xds:red"), NULL);
    ANSWER(shop_get(shop.client, "/ok", "a"), 0, 200, 1);
    head_says(shop.red, "a", ":authority: shop\n");
    head_lacks(shop.red, "a", "x-envoy-original-path");
    head_lacks(shop.red, "a", "x-envoy-attempt-count");
    ask_header(shop_ask(&ask, "/ok", "b"), "host", "shop.example:8080");
    ANSWER(call(shop.client, &ask), 0, 200, 1);
    head_says(shop.red, "b", ":authority: shop.example:8080\n");
    shop_close(&shop);
}

/* ---- answered here ---- */

static struct model_routes *answering(uint16_t status, const char *body)
{
    struct model_routes *routes = routed_new(1);
    struct route *route = routed_at(routes, 0);

    route->action = ROUTE_ANSWER;
    route->answer_status = status;
    route->answer_body = body;
    route->answer_len = strlen(body);
    routed_set(routes, &route->response_changes, "x-by", "the route");
    return routes;
}

static void a_route_answers_itself(void **state)
{
    struct shop shop = shop_open(NULL);
    struct mesh_response *response;
    struct ask ask = { 0 };
    const void *body;
    size_t len;

    (void) state;
    routed_publish(shop.client, answering(418, "no coffee"), NULL);
    MESH_OK(mesh_request(shop.client, &shop_ask(&ask, "/ok", NULL)->opts, &response));
    assert_int_equal(mesh_response_status(response), 418);
    assert_int_equal(mesh_response_attempts(response), 0);
    assert_string_equal(mesh_response_header(response, "x-by"), "the route");
    assert_string_equal(mesh_response_header(response, "content-type"), "text/plain");
    mesh_response_body(response, &body, &len);
    assert_int_equal(len, 9);
    assert_memory_equal(body, "no coffee", 9);
    says(mesh_response_detail(response), "answered by a direct response of route \"the-route\"");
    mesh_response_free(response);
    shop_close(&shop);
}

static void a_call_of_grpc_is_answered_as_one(void **state)
{
    struct shop shop = shop_open(NULL);
    struct mesh_response *response;
    struct ask ask = { 0 };

    (void) state;
    routed_publish(shop.client, answering(503, "100% \n"), NULL);
    ask_header(shop_ask(&ask, "/a.B/C", NULL), "content-type", "application/grpc+proto");
    MESH_OK(mesh_request(shop.client, &ask.opts, &response));
    assert_int_equal(mesh_response_status(response), 200);
    assert_string_equal(mesh_response_header(response, "grpc-status"), "14");
    assert_string_equal(mesh_response_header(response, "grpc-message"), "100%25 %0A");
    mesh_response_free(response);
    shop_close(&shop);
}

static void a_stream_gets_the_answer_too(void **state)
{
    struct shop shop = shop_open(NULL);
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    char body[32];
    size_t got;

    (void) state;
    routed_publish(shop.client, answering(201, "made"), NULL);
    shop_ask(&ask, "/ok", NULL)->opts.method = "POST";
    MESH_OK(mesh_stream_open(shop.client, &ask.opts, NULL, 0, &stream));
    assert_int_equal(mesh_response_status(mesh_stream_response(stream)), 201);
    assert_string_equal(mesh_response_header(mesh_stream_response(stream), "x-by"), "the route");
    MESH_OK(mesh_stream_read(stream, body, sizeof body, &got));
    assert_int_equal(got, 4);
    assert_memory_equal(body, "made", 4);
    MESH_OK(mesh_stream_read(stream, body, sizeof body, &got));
    assert_int_equal(got, 0);
    mesh_stream_free(stream);
    shop_close(&shop);
}

static void a_redirect_says_where(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_new(1);
    struct mesh_response *response;
    struct ask ask = { 0 };

    (void) state;
    routed_at(routes, 0)->action = ROUTE_REDIRECT;
    routed_at(routes, 0)->redirect = (struct route_redirect){ .status = 308, .host = "else.example", .path = "/new" };
    routed_publish(shop.client, routes, NULL);
    MESH_OK(mesh_request(shop.client, &shop_ask(&ask, "/old?a=b", NULL)->opts, &response));
    assert_int_equal(mesh_response_status(response), 308);
    assert_string_equal(mesh_response_header(response, "location"), "http://else.example/new?a=b");
    assert_int_equal(mesh_response_attempts(response), 0);
    mesh_response_free(response);
    shop_close(&shop);
}

static void plain_requests_to_a_host_that_wants_https_are_redirected(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_all_to("xds:red");
    struct mesh_response *response;
    struct ask ask = { 0 };

    (void) state;
    routes->hosts[0].https_only = true;
    routed_publish(shop.client, routes, NULL);
    MESH_OK(mesh_request(shop.client, &shop_ask(&ask, "/ok?a=b", NULL)->opts, &response));
    assert_int_equal(mesh_response_status(response), 301);
    assert_string_equal(mesh_response_header(response, "location"), "https://shop/ok?a=b");
    mesh_response_free(response);
    assert_int_equal(h2_server_seen(shop.red), 0);
    shop_close(&shop);
}

/* ---- what is told ---- */

static void the_access_log_names_route_and_cluster(void **state)
{
    char path[] = "/tmp/mesh_routes_XXXXXX", text[4096];
    struct shop shop;
    struct model_routes *routes = routed_new(2);
    FILE *file;
    size_t len;

    (void) state;
    close(mkstemp(path));
    shop = shop_open(PAIRS("access_log", path));
    routed_prefix(routed_at(routes, 0), "/ok");
    routed_to(routes, routed_at(routes, 0), PAIRS("xds:blue"));
    routed_to(routes, routed_at(routes, 1), PAIRS("xds:gone"));
    routed_publish(shop.client, routes, NULL);
    ANSWER(shop_get(shop.client, "/ok", NULL), 0, 200, 1);
    ANSWER(shop_get(shop.client, "/gone", NULL), MESH_ERR_NO_ROUTE, 0, 0);
    routed_publish(shop.client, routed_new(0), NULL);
    ANSWER(shop_get(shop.client, "/gone", NULL), MESH_ERR_NO_ROUTE, 0, 0);
    shop_close(&shop);
    file = fopen(path, "r");
    assert_non_null(file);
    len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    unlink(path);
    says(text, "\"service\":\"shop\",\"upstream_cluster\":\"blue\",\"route_name\":\"the-route\"");
    says(text, "\"response_flags\":\"NC\",\"attempts\":0");
    says(text, "\"response_flags\":\"NR\",\"attempts\":0");
}

static void explanations_tell_the_way(void **state)
{
    struct shop shop = shop_open(NULL);
    struct model_routes *routes = routed_new(1);
    struct mesh_response *response;
    struct ask ask = { 0 };
    char *text;

    (void) state;
    routed_to(routes, routed_at(routes, 0), PAIRS("xds:red", "xds:blue"));
    routed_at(routes, 0)->targets[1].weight = 0;
    routed_at(routes, 0)->total_weight = 1;
    routed_publish(shop.client, routes, NULL);
    shop_ask(&ask, "/ok", NULL)->opts.flags = MESH_REQ_EXPLAIN;
    MESH_OK(mesh_request(shop.client, &ask.opts, &response));
    says(mesh_response_explanation(response),
         "\"route\":{\"virtual_host\":\"host\",\"name\":\"the-route\",\"cluster\":\"red\",\"weight\":1,"
         "\"total_weight\":1,\"delay_us\":0,\"mirrored\":0,\"answered_by\":null}");
    mesh_response_free(response);
    MESH_OK(mesh_client_explain(shop.client, "shop", "GET", "/ok", GUARD_MS, &text));
    says(text, "\"virtual_host\":\"host\",\"name\":\"the-route\",\"action\":\"forwards\"");
    says(text, "\"cluster\":\"red\"");
    mesh_string_free(text);
    routed_publish(shop.client, answering(200, "x"), NULL);
    MESH_OK(mesh_client_explain(shop.client, "shop", "GET", "/ok", GUARD_MS, &text));
    says(text, "\"action\":\"answers itself\"");
    mesh_string_free(text);
    shop_close(&shop);
}

static void descriptions_name_clusters_as_people_do(void **state)
{
    struct shop shop = shop_open(NULL);
    char *text;

    (void) state;
    routed_publish(shop.client, routed_all_to("xds:blue"), NULL);
    answered_by(shop_get(shop.client, "/ok", NULL), "blue");
    MESH_OK(mesh_client_describe(shop.client, "shop", 0, GUARD_MS, &text));
    says(text, "{\"service\":\"shop\",\"cluster\":\"blue\"");
    mesh_string_free(text);
    MESH_OK(mesh_client_describe(shop.client, NULL, 0, GUARD_MS, &text));
    says(text, "\"service\":\"red\",\"cluster\":\"red\"");
    says(text, "\"service\":\"blue\",\"cluster\":\"blue\"");
    assert_null(strstr(text, "xds:"));
    mesh_string_free(text);
    routed_publish(shop.client, answering(200, "x"), NULL);
    MESH_OK(mesh_client_describe(shop.client, "shop", 0, GUARD_MS, &text));
    says(text, "\"cluster\":null,\"route\":\"the-route\"");
    mesh_string_free(text);
    routed_publish(shop.client, NULL, "the control plane has no such listener");
    assert_int_equal(mesh_client_describe(shop.client, "shop", 0, GUARD_MS, &text), MESH_ERR_NO_ROUTE);
    shop_close(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_the_path_to_a_cluster),
        cmocka_unit_test(a_configured_service_is_called_as_ever),
        cmocka_unit_test(by_weight),
        cmocka_unit_test(a_retry_stays_with_the_cluster_that_was_drawn),
        cmocka_unit_test(what_leads_nowhere_fails_alone_and_says_why),
        cmocka_unit_test(a_header_names_the_cluster),
        cmocka_unit_test(a_route_may_hash),
        cmocka_unit_test(headers_change_both_ways),
        cmocka_unit_test(path_and_host_are_rewritten),
        cmocka_unit_test(what_cannot_be_sent_fails_alone),
        cmocka_unit_test(without_rewriting_the_head_is_what_the_application_says),
        cmocka_unit_test(a_route_answers_itself),
        cmocka_unit_test(a_call_of_grpc_is_answered_as_one),
        cmocka_unit_test(a_stream_gets_the_answer_too),
        cmocka_unit_test(a_redirect_says_where),
        cmocka_unit_test(plain_requests_to_a_host_that_wants_https_are_redirected),
        cmocka_unit_test(the_access_log_names_route_and_cluster),
        cmocka_unit_test(explanations_tell_the_way),
        cmocka_unit_test(descriptions_name_clusters_as_people_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
