/* SPDX-License-Identifier: Apache-2.0 */
/* weighted_round_robin: what servers report of their load, in headers or trailers, decides how much each one gets. */
#include "support/mesh_client.h"

/* cpu_utilization 0.1 and 0.9 at 100 requests a second, as binary: one can do nine times what the other can. */
#define IDLE_REPORT "CZqZmZmZmbk/MQAAAAAAAFlA"
#define BUSY_REPORT "Cc3MzMzMzOw/MQAAAAAAAFlA"

static unsigned share_of_first(struct mesh_client *client, struct h2_server *first)
{
    unsigned before = h2_server_seen(first);

    for (int i = 0; i < 100; i++)
        ANSWER(get(client, "/ok?at=9", NULL), 0, 200, 1);
    return h2_server_seen(first) - before;
}

/* The field says where the report stands: "h" a header, "t" a trailer. */
static void reports_move_requests(const char *field)
{
    char idle[128], busy[128];
    struct h2_server *servers[2];
    struct mesh_client *client;
    unsigned share = 0;

    snprintf(idle, sizeof idle, "/status?code=200&%s=endpoint-load-metrics-bin:" IDLE_REPORT, field);
    snprintf(busy, sizeof busy, "/status?code=200&%s=endpoint-load-metrics-bin:" BUSY_REPORT, field);
    servers[0] = h2_server_start(&(struct h2_server_conf){ .number = 1, .else_path = idle });
    servers[1] = h2_server_start(&(struct h2_server_conf){ .number = 2, .else_path = busy });
    client =
        client_of(at_servers(servers, 2), PAIRS("balance.policy", "weighted_round_robin", "balance.load_blackout_ms",
                                                "0", "balance.load_update_ms", "100", "loops", "1"));
    for (uint64_t until = test_now_ms() + GUARD_MS; share < 85 && test_now_ms() < until;)
        share = share_of_first(client, servers[0]);
    assert_in_range(share, 85, 95);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

static void reports_in_headers(void **state)
{
    (void) state;
    reports_move_requests("h");
}

static void reports_in_trailers(void **state)
{
    (void) state;
    reports_move_requests("t");
}

/* Other policies do not look at them. */
static void round_robin_stays_what_it_is(void **state)
{
    struct h2_server *servers[2];
    struct mesh_client *client;

    (void) state;
    servers[0] = h2_server_start(&(struct h2_server_conf){
        .number = 1, .else_path = "/status?code=200&h=endpoint-load-metrics-bin:" IDLE_REPORT });
    servers[1] = h2_server_start(&(struct h2_server_conf){
        .number = 2, .else_path = "/status?code=200&h=endpoint-load-metrics-bin:" BUSY_REPORT });
    client = client_of(at_servers(servers, 2), PAIRS("balance.policy", "round_robin", "loops", "1"));
    assert_int_equal(share_of_first(client, servers[0]), 50);
    assert_int_equal(share_of_first(client, servers[0]), 50);
    mesh_client_free(client);
    h2_server_stop(servers[0]);
    h2_server_stop(servers[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(reports_in_headers),
        LEAK_TEST(reports_in_trailers),
        LEAK_TEST(round_robin_stays_what_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
