/* SPDX-License-Identifier: Apache-2.0 */
/* Several control planes in order: falling back when something is lacking, and returning with the first answer. */
#include "source/xds/servers.h"
#include "support/xds_scene.h"

enum { MOST = SCENE_PLANES };

static struct servers *servers;
static bool inside; /* a function of the servers is on the stack: nothing may be called */
static struct {
    unsigned n_up[MOST], n_messages[MOST], n_down[MOST], n_room, n_switch;
    size_t switched_to;
    unsigned messages_at_switch;
    char last[64];
    bool frees_at_message;
} seen;

static void on_up(void *user, size_t server)
{
    assert_ptr_equal(user, &seen);
    assert_false(inside);
    seen.n_up[server]++;
    servers_receive(servers, server);
}

static void on_message(void *user, size_t server, const uint8_t *bytes, size_t len)
{
    assert_ptr_equal(user, &seen);
    assert_false(inside);
    seen.n_messages[server]++;
    snprintf(seen.last, sizeof seen.last, "%.*s", (int) len, (const char *) bytes);
    servers_receive(servers, server);
    if (!seen.frees_at_message)
        return;
    servers_free(servers);
    servers = NULL;
}

static void on_room(void *user, size_t server)
{
    (void) user, (void) server;
    seen.n_room++;
}

static void on_down(void *user, size_t server, const struct channel_end *end)
{
    assert_ptr_equal(user, &seen);
    assert_false(inside);
    assert_non_null(end->fault);
    seen.n_down[server]++;
}

static void on_switch(void *user, size_t server)
{
    assert_ptr_equal(user, &seen);
    assert_false(inside);
    seen.n_switch++;
    seen.switched_to = server;
    seen.messages_at_switch = seen.n_messages[server];
}

static const struct servers_ops ops = { on_up, on_message, on_room, on_down, on_switch };

/* ---- the scene ---- */

/* The last one speaks the incremental protocol; the first so many listen. */
static void start(size_t n, unsigned n_listening)
{
    char list[1024] = "";
    size_t len = 0;

    scene_begin(NULL);
    memset(&seen, 0, sizeof seen);
    for (size_t i = 0; i < n; i++) {
        scene.planes[i] = plane_start((struct plane_conf){ .deaf = i >= n_listening });
        len += (size_t) snprintf(list + len, sizeof list - len,
                                 "%s{\"server_uri\": \"127.0.0.1:%u\", " INSECURE ", \"server_features\": [\"%s\"]}",
                                 i > 0 ? ", " : "", plane_port(scene.planes[i]), i + 1 == n ? "mesh.delta" : "xds_v3");
    }
    loop_enter(scene.loop);
    inside = true;
    MESH_OK(servers_new(
        &(struct servers_conf){ scene.loop, scene.names, scene.observe, scene_servers(list), &ops, &seen }, &servers));
    inside = false;
    loop_leave(scene.loop);
}

static void stop(void)
{
    loop_enter(scene.loop);
    servers_free(servers);
    loop_leave(scene.loop);
    servers = NULL;
    scene_end();
}

static void lacks(bool something)
{
    loop_enter(scene.loop);
    inside = true;
    servers_set_lacks(servers, something);
    inside = false;
    loop_leave(scene.loop);
}

static size_t asked(void)
{
    size_t n;

    loop_enter(scene.loop);
    n = servers_asked(servers);
    loop_leave(scene.loop);
    return n;
}

static bool is_lost(void)
{
    bool lost;

    loop_enter(scene.loop);
    lost = servers_fault(servers) != NULL;
    loop_leave(scene.loop);
    return lost;
}

/* Passes time until it is so: attempts are at most half a minute apart. */
#define SOON(condition)                                \
    do {                                               \
        for (int times_ = 0; !(condition); times_++) { \
            if (times_ > 400)                          \
                fail_msg("not soon: %s", #condition);  \
            scene_pass_ms(100);                        \
        }                                              \
    } while (0)

static void says(size_t server, const char *text)
{
    unsigned before = seen.n_messages[server];

    SCENE_UNTIL(plane_streams(scene.planes[server]) > 0);
    plane_send(plane_last(scene.planes[server]), text, strlen(text));
    SCENE_UNTIL(seen.n_messages[server] > before);
    assert_string_equal(seen.last, text);
}

/* ---- tests ---- */

static void one_that_answers(void **state)
{
    (void) state;
    start(2, 1);
    lacks(true);
    SOON(seen.n_up[0] == 1);
    says(0, "a");
    scene_pass_ms(60000);
    assert_int_equal(asked(), 1);
    assert_int_equal(plane_accepted(scene.planes[1]), 0);
    loop_enter(scene.loop);
    MESH_OK(servers_send(servers, 0, "x", 1));
    MESH_ERR(MESH_ERR_RESET, servers_send(servers, 1, "x", 1));
    assert_non_null(servers_channel(servers, 0));
    assert_null(servers_channel(servers, 1));
    loop_leave(scene.loop);
    SCENE_UNTIL(plane_last(scene.planes[0])->n_messages == 1);
    assert_int_equal(seen.n_switch, 0);
    stop();
}

static void nothing_is_lacking(void **state)
{
    (void) state;
    start(2, 0);
    plane_listen(scene.planes[1]);
    SOON(seen.n_down[0] == 3);
    assert_int_equal(asked(), 1);
    assert_true(is_lost());
    lacks(true); /* the next service is wanted */
    assert_int_equal(asked(), 2);
    assert_false(is_lost());
    SCENE_UNTIL(seen.n_up[1] == 1);
    says(1, "from the second");
    assert_int_equal(scene_logged("xds_fallback_begins"), 1);
    assert_int_equal(seen.n_switch, 0);
    stop();
}

static void the_protocol_is_each_ones_own(void **state)
{
    (void) state;
    start(2, 0);
    plane_listen(scene.planes[1]);
    lacks(true);
    SOON(seen.n_up[1] == 1);
    SCENE_UNTIL(plane_streams(scene.planes[1]) == 1);
    assert_string_equal(plane_last(scene.planes[1])->path, CHANNEL_DELTA_PATH);
    assert_true(servers_is_delta(servers, 1));
    assert_false(servers_is_delta(servers, 0));
    plane_listen(scene.planes[0]);
    SOON(seen.n_up[0] == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    assert_string_equal(plane_last(scene.planes[0])->path, CHANNEL_ADS_PATH);
    stop();
}

/* The third answers; the second comes back, then the first: each time those after it are left with its answer, not before. */
static void back_to_the_first(void **state)
{
    (void) state;
    start(3, 0);
    plane_listen(scene.planes[2]);
    lacks(true);
    SOON(seen.n_up[2] == 1);
    assert_int_equal(asked(), 3);
    says(2, "third");
    plane_listen(scene.planes[1]);
    SOON(seen.n_up[1] == 1);
    scene_turns();
    assert_int_equal(seen.n_switch, 0);
    says(2, "still third");
    says(1, "second");
    assert_int_equal(seen.n_switch, 1);
    assert_int_equal(seen.switched_to, 1);
    assert_int_equal(seen.messages_at_switch, 0);
    assert_int_equal(asked(), 2);
    SCENE_UNTIL(plane_open(scene.planes[2]) == 0);
    plane_listen(scene.planes[0]);
    SOON(seen.n_up[0] == 1);
    says(0, "first");
    assert_int_equal(seen.n_switch, 2);
    assert_int_equal(asked(), 1);
    SCENE_UNTIL(plane_open(scene.planes[1]) == 0);
    assert_int_equal(scene_logged("xds_fallback_ends"), 2);
    stop();
}

/* A stream that ends after answers is no failure; that nobody can be connected to then is one. */
static void a_fallback_that_goes_away(void **state)
{
    (void) state;
    start(2, 1);
    lacks(true);
    SOON(seen.n_up[0] == 1);
    says(0, "a");
    scene_pass_ms(5000);
    plane_end(plane_last(scene.planes[0]), "14", "restarting");
    SCENE_UNTIL(seen.n_down[0] == 1);
    assert_int_equal(asked(), 1);
    plane_deafen(scene.planes[0]);
    plane_hang_up(scene.planes[0]);
    SOON(seen.n_down[1] > 0);
    assert_true(is_lost());
    plane_listen(scene.planes[0]);
    SOON(seen.n_up[0] >= 2);
    says(0, "back");
    assert_false(is_lost());
    assert_int_equal(asked(), 1);
    stop();
}

/* Its stream opens, and ends without an answer. */
static void a_server_that_refuses_streams_has_failed(void **state)
{
    (void) state;
    start(2, 2);
    lacks(true);
    SOON(seen.n_up[0] == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    plane_end(plane_last(scene.planes[0]), "14", "not ready");
    SCENE_UNTIL(seen.n_up[1] == 1);
    says(1, "instead");
    stop();
}

static void freed_from_a_message_that_brings_a_switch(void **state)
{
    (void) state;
    start(2, 0);
    plane_listen(scene.planes[1]);
    lacks(true);
    SOON(seen.n_up[1] == 1);
    plane_listen(scene.planes[0]);
    SOON(seen.n_up[0] == 1);
    seen.frees_at_message = true;
    says(0, "a");
    assert_int_equal(seen.n_switch, 1);
    SCENE_UNTIL(plane_open(scene.planes[0]) == 0 && plane_open(scene.planes[1]) == 0);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(one_that_answers),
        LEAK_TEST(nothing_is_lacking),
        LEAK_TEST(the_protocol_is_each_ones_own),
        LEAK_TEST(back_to_the_first),
        LEAK_TEST(a_fallback_that_goes_away),
        LEAK_TEST(a_server_that_refuses_streams_has_failed),
        LEAK_TEST(freed_from_a_message_that_brings_a_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
