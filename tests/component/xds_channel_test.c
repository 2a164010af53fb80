/* SPDX-License-Identifier: Apache-2.0 */
/* The connection of a control plane and its streams: opened, ended in every way, opened again when it is time. */
#include <unistd.h>

#include <nghttp2/nghttp2.h>

#include "support/fake_dns.h"
#include "support/xds_channel.h"

/* ---- messages ---- */

static void messages_both_ways(void **state)
{
    (void) state;
    start();
    assert_string_equal(theirs()->path,
                        "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources");
    is_within(theirs()->authority, "127.0.0.1:");
    assert_string_equal(theirs()->scheme, "http");
    assert_string_equal(theirs()->user_agent, "libmesh/0.1.0");
    MESH_OK(send_text("first"));
    SCENE_UNTIL(theirs()->n_messages == 1);
    assert_string_equal(theirs()->last, "first");
    says("answer");
    MESH_OK(send_text(""));
    SCENE_UNTIL(theirs()->n_messages == 2);
    assert_int_equal(theirs()->last_len, 0);
    assert_int_equal(status().state, CHANNEL_CONNECTED);
    assert_int_equal(status().sent, 2);
    assert_int_equal(status().received, 1);
    assert_int_equal(status().streams, 1);
    assert_int_equal(status().connections, 1);
    assert_int_equal(status().address->port, plane_port(scene.planes[0]));
    assert_int_equal(status().fault->code, 0);
    assert_int_equal(scene_logged("xds_connected"), 1);
    assert_int_equal(owner.n_down, 0);
    stop();
}

static void a_message_is_read_when_it_is_asked_for(void **state)
{
    (void) state;
    start();
    owner.asks = false; /* one has been asked for */
    plane_send(theirs(), "a", 1);
    plane_send(theirs(), "b", 1);
    SCENE_UNTIL(owner.n_messages == 1);
    scene_turns();
    assert_int_equal(owner.n_messages, 1);
    loop_enter(scene.loop);
    inside = true;
    channel_stream_receive(&owner.stream);
    inside = false;
    loop_leave(scene.loop);
    SCENE_UNTIL(owner.n_messages == 2);
    assert_string_equal(owner.last, "b");
    stop();
}

/* More than a server of gRPC sends by default, as a resource of many endpoints has. */
static void large_messages(void **state)
{
    size_t len = 20 << 20;
    char *bytes = calloc(1, len);

    (void) state;
    start();
    plane_send(theirs(), bytes, len);
    SCENE_UNTIL(owner.n_messages == 1);
    assert_int_equal(owner.last_len, len);
    loop_enter(scene.loop);
    MESH_OK(channel_stream_send(&owner.stream, bytes, len));
    MESH_ERR(MESH_ERR_AGAIN, channel_stream_send(&owner.stream, bytes, 1));
    loop_leave(scene.loop);
    assert_int_equal(owner.n_room, 0);
    SCENE_UNTIL(theirs()->n_messages == 1);
    assert_int_equal(theirs()->last_len, len);
    SCENE_UNTIL(owner.n_room == 1);
    MESH_OK(send_text("more"));
    free(bytes);
    stop();
}

static void streams_share_the_connection(void **state)
{
    struct owner other = { .asks = true };

    (void) state;
    start();
    open_stream(&other, "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats");
    SCENE_UNTIL(other.n_up == 1 && plane_streams(scene.planes[0]) == 2);
    assert_int_equal(plane_accepted(scene.planes[0]), 1);
    assert_int_equal(status().streams, 2);
    plane_end(theirs(), "12", "not here");
    SCENE_UNTIL(other.n_down == 1);
    assert_int_equal(other.code, GRPC_UNIMPLEMENTED);
    is_within(other.fault.text, "StreamLoadStats ended before any answer: UNIMPLEMENTED: not here");
    assert_int_equal(owner.n_down, 0);
    loop_enter(scene.loop);
    channel_stream_close(&other.stream);
    loop_leave(scene.loop);
    scene_pass_ms(60000);
    assert_int_equal(plane_streams(scene.planes[0]), 2);
    MESH_OK(send_text("x"));
    stop();
}

static void a_stream_waits_for_its_place(void **state)
{
    struct owner other = { .asks = true };

    (void) state;
    start_with((struct plane_conf){ .max_streams = 1 });
    SCENE_UNTIL(owner.n_up == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    open_stream(&other, CHANNEL_DELTA_PATH);
    scene_pass_ms(60000);
    assert_int_equal(other.n_up + other.n_down, 0);
    plane_end(theirs(), "0", "");
    SCENE_UNTIL(other.n_up == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 2);
    assert_string_equal(theirs()->path, CHANNEL_DELTA_PATH);
    assert_int_equal(plane_accepted(scene.planes[0]), 1);
    stop();
}

/* ---- ends ---- */

static void a_stream_that_ends_after_an_answer_is_opened_again_at_once(void **state)
{
    (void) state;
    start();
    says("a");
    scene_pass_ms(5000);
    plane_end(theirs(), "0", "");
    SCENE_UNTIL(owner.n_down == 1);
    assert_true(owner.had_answer);
    assert_int_equal(owner.code, GRPC_INTERNAL); /* a control plane's OK is no success of a request */
    MESH_ERR(MESH_ERR_RESET, send_text("too late"));
    scene_pass_ms(BACKOFF_SPREAD_MS);
    SCENE_UNTIL(owner.n_up == 2 && plane_streams(scene.planes[0]) == 2);
    assert_int_equal(plane_accepted(scene.planes[0]), 1);
    assert_int_equal(status().fault->code, 0);
    says("b");
    stop();
}

static void a_stream_that_ends_unanswered_waits(void **state)
{
    uint64_t wait_ms = 500;

    (void) state;
    start();
    for (unsigned i = 1; i <= 9; i++) {
        plane_end(theirs(), "3", "not%0Ayou");
        SCENE_UNTIL(owner.n_down == i);
        assert_false(owner.had_answer);
        assert_int_equal(owner.code, GRPC_INTERNAL);
        assert_int_equal(owner.fault.code, MESH_ERR_RESET);
        is_within(owner.fault.text, "StreamAggregatedResources ended before any answer: INVALID_ARGUMENT: not\\x0ayou");
        scene_pass_ms(wait_ms / 10 - 1);
        assert_int_equal(owner.n_up, i);
        scene_pass_ms(wait_ms - wait_ms / 10 + 1);
        SCENE_UNTIL(owner.n_up == i + 1 && plane_streams(scene.planes[0]) == i + 1);
        wait_ms = wait_ms * 2 > 30000 ? 30000 : wait_ms * 2;
    }
    assert_int_equal(scene_logged("xds_stream_ended"), 1); /* the others say the same */
    assert_string_equal(status().fault->text, owner.fault.text);
    says("at last");
    plane_reset(theirs(), NGHTTP2_ENHANCE_YOUR_CALM);
    SCENE_UNTIL(owner.n_down == 10);
    assert_true(owner.had_answer);
    assert_int_equal(owner.code, GRPC_RESOURCE_EXHAUSTED);
    scene_pass_ms(BACKOFF_SPREAD_MS);
    SCENE_UNTIL(owner.n_up == 11 && plane_streams(scene.planes[0]) == 11);
    plane_reset(theirs(), NGHTTP2_REFUSED_STREAM);
    SCENE_UNTIL(owner.n_down == 11);
    assert_int_equal(scene_logged("xds_stream_ended"), 3); /* the end of the one that had an answer, and this */
    scene_pass_ms(500);                                    /* counted anew */
    SCENE_UNTIL(owner.n_up == 12);
    stop();
}

/* Answers, and hangs up, again and again. */
static void short_lived_streams_are_not_opened_without_pause(void **state)
{
    (void) state;
    start();
    for (unsigned i = 1; i < 60; i++) {
        says("a");
        plane_hang_up(scene.planes[0]);
        SCENE_UNTIL(owner.n_down == i);
        assert_true(owner.had_answer);
        for (uint64_t ms = 0; owner.n_up == i; ms += 50) {
            scene_pass_ms(50);
            assert_in_range(ms, 0, BACKOFF_LONGEST_MS);
        }
        SCENE_UNTIL(plane_streams(scene.planes[0]) == i + 1);
    }
    assert_true(mesh_test_now_us > 1000 * US_PER_S + 60 * 3 * US_PER_S);
    stop();
}

/* It is asked again, and what it says is no better: more and more seldom. */
static void a_server_that_talks_nonsense(void **state)
{
    (void) state;
    start();
    owner.at_message = ACT_GIVE_UP;
    for (unsigned i = 1; i <= 8; i++) {
        struct plane_stream *stream = theirs();

        says("nonsense");
        SCENE_UNTIL(owner.n_down == i);
        assert_true(owner.had_answer);
        assert_int_equal(owner.code, GRPC_INTERNAL);
        assert_int_equal(owner.fault.code, MESH_ERR_PROTOCOL);
        is_within(owner.fault.text, ": it is nonsense");
        SCENE_UNTIL(stream->was_reset);
        assert_int_equal(status().state, CHANNEL_CONNECTED);
        scene_pass_ms(i > 1 ? 49 : 0);
        assert_int_equal(owner.n_up, i);
        scene_pass_ms(i > 1 ? 30000 : BACKOFF_SPREAD_MS);
        SCENE_UNTIL(owner.n_up == i + 1 && plane_streams(scene.planes[0]) == i + 1);
    }
    assert_int_equal(plane_accepted(scene.planes[0]), 1);
    assert_int_equal(scene_logged("xds_stream_ended"), 1);
    stop();
}

static void a_lost_connection_is_made_again(void **state)
{
    (void) state;
    start();
    says("a");
    scene_pass_ms(5000);
    plane_hang_up(scene.planes[0]);
    SCENE_UNTIL(owner.n_down == 1);
    assert_true(owner.had_answer);
    assert_int_equal(owner.code, GRPC_UNAVAILABLE);
    assert_int_equal(scene_logged("xds_disconnected"), 1);
    scene_pass_ms(BACKOFF_SPREAD_MS);
    SCENE_UNTIL(owner.n_up == 2);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 2);
    assert_int_equal(plane_accepted(scene.planes[0]), 2);
    says("b");
    stop();
}

/* The old connection serves its stream to the end; a new stream takes a new one. */
static void goaway(void **state)
{
    struct owner other = { .asks = true };

    (void) state;
    start();
    says("a");
    plane_goaway(scene.planes[0], NGHTTP2_NO_ERROR);
    scene_turns();
    says("b");
    assert_int_equal(owner.n_down, 0);
    open_stream(&other, CHANNEL_DELTA_PATH);
    SCENE_UNTIL(other.n_up == 1 && plane_streams(scene.planes[0]) == 2);
    assert_int_equal(plane_open(scene.planes[0]), 2);
    assert_int_equal(status().streams, 2);
    scene_pass_ms(5000);
    plane_end(plane_stream(scene.planes[0], 0), "14", "max_age");
    SCENE_UNTIL(owner.n_down == 1);
    scene_pass_ms(BACKOFF_SPREAD_MS);
    SCENE_UNTIL(owner.n_up == 2 && plane_streams(scene.planes[0]) == 3);
    SCENE_UNTIL(plane_open(scene.planes[0]) == 1);
    assert_int_equal(plane_accepted(scene.planes[0]), 2);
    stop();
}

/* No stream has ended, and yet there is no connecting without pause. */
static void a_server_that_greets_and_hangs_up_has_failed(void **state)
{
    (void) state;
    start_with((struct plane_conf){ .says_good_bye = true });
    SCENE_UNTIL(owner.n_down == 1);
    assert_false(owner.had_answer);
    scene_turns();
    assert_int_equal(plane_accepted(scene.planes[0]), 1);
    scene_pass_ms(500);
    SCENE_UNTIL(owner.n_down == 2);
    scene_turns();
    assert_int_equal(plane_accepted(scene.planes[0]), 2);
    stop();
}

/* ---- connecting ---- */

static void nobody_listens_and_then_somebody_does(void **state)
{
    uint64_t wait_ms = 500;

    (void) state;
    start_with((struct plane_conf){ .deaf = true });
    for (unsigned i = 1; i <= 8; i++) {
        SCENE_UNTIL(owner.n_down == i);
        assert_false(owner.had_answer);
        assert_int_equal(owner.code, GRPC_UNAVAILABLE);
        assert_int_equal(owner.fault.code, MESH_ERR_CONNECT);
        is_within(owner.fault.text, "control plane 127.0.0.1:");
        is_within(owner.fault.text, "refused");
        assert_int_equal(status().state, CHANNEL_BACKOFF);
        scene_pass_ms(wait_ms / 10 - 1);
        assert_int_equal(owner.n_down, i);
        scene_pass_ms(wait_ms - wait_ms / 10 + 1);
        wait_ms = wait_ms * 2 > 30000 ? 30000 : wait_ms * 2;
    }
    SCENE_UNTIL(owner.n_down == 9);
    assert_int_equal(scene_logged("xds_connect_failed"), 1);
    plane_listen(scene.planes[0]);
    scene_pass_ms(30000);
    SCENE_UNTIL(owner.n_up == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    says("a");
    assert_int_equal(status().state, CHANNEL_CONNECTED);
    is_within(status().fault->text, "refused"); /* the last one */
    assert_int_equal(status().connections, 1);
    stop();
}

static void a_server_that_does_not_greet(void **state)
{
    (void) state;
    start_with((struct plane_conf){ .mute = true });
    SCENE_UNTIL(plane_accepted(scene.planes[0]) == 1);
    scene_turns();
    assert_int_equal(status().state, CHANNEL_CONNECTING);
    scene_pass_ms(4999);
    assert_int_equal(owner.n_down, 0);
    scene_pass_ms(1);
    SCENE_UNTIL(owner.n_down == 1);
    is_within(owner.fault.text, "no HTTP/2 settings came within 5000 ms");
    stop();
}

/* A server that has stopped keeps its connection: the kernel answers for it. */
static void silence_is_asked_about_every_five_minutes(void **state)
{
    (void) state;
    start();
    says("a");
    for (unsigned i = 1; i <= 5; i++) {
        scene_pass_ms(299000);
        assert_int_equal(plane_pings(scene.planes[0]), i - 1);
        scene_pass_ms(1000);
        SCENE_UNTIL(plane_pings(scene.planes[0]) == i);
        scene_turns();
    }
    assert_int_equal(owner.n_down, 0);
    plane_set_mute(scene.planes[0], true);
    scene_pass_ms(300000);
    scene_pass_ms(19999);
    assert_int_equal(owner.n_down, 0);
    scene_pass_ms(1);
    SCENE_UNTIL(owner.n_down == 1);
    is_within(owner.fault.text, "was silent for");
    stop();
}

/* ---- names ---- */

static void a_name_that_is_found_late(void **state)
{
    struct fake_dns *dns = fake_dns_start();
    char list[128];

    (void) state;
    fake_dns_fail(dns, "control.test", FAKE_A, FAKE_SERVFAIL);
    fake_dns_fail(dns, "control.test", FAKE_AAAA, FAKE_SERVFAIL);
    scene_begin(dns->servers);
    scene.planes[0] = plane_start((struct plane_conf){ 0 });
    snprintf(list, sizeof list, "{\"server_uri\": \"dns:///control.test:%u\", " INSECURE "}",
             plane_port(scene.planes[0]));
    make_channel(list);
    open_stream(&owner, CHANNEL_ADS_PATH);
    assert_int_equal(status().state, CHANNEL_RESOLVING);
    SCENE_UNTIL(owner.n_down == 1);
    assert_int_equal(owner.fault.code, MESH_ERR_DNS);
    is_within(owner.fault.text, "control.test");
    fake_dns_set(dns, "control.test", FAKE_A, 60, "127.0.0.1");
    fake_dns_set(dns, "control.test", FAKE_AAAA, 60, "");
    for (int i = 0; i < 10 && owner.n_up == 0; i++) {
        scene_pass_ms(1100);
        for (int turn = 0; turn < 200 && owner.n_up == 0; turn++) {
            scene_turn();
            poll(NULL, 0, 1);
        }
    }
    assert_int_equal(owner.n_up, 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    is_within(theirs()->authority, "control.test:");
    stop();
    fake_dns_stop(dns);
}

static void unix_sockets(void **state)
{
    char path[64], list[256];

    (void) state;
    snprintf(path, sizeof path, "/tmp/mesh-xds-%d.sock", (int) getpid());
    scene_begin(NULL);
    scene.planes[0] = plane_start((struct plane_conf){ .unix_path = path });
    snprintf(list, sizeof list, "{\"server_uri\": \"unix://%s\", " INSECURE "}", path);
    make_channel(list);
    open_stream(&owner, CHANNEL_ADS_PATH);
    SCENE_UNTIL(owner.n_up == 1);
    SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
    assert_string_equal(theirs()->authority, "localhost");
    says("a");
    stop();
}

/* ---- closing ---- */

static void without_streams_there_is_no_connection(void **state)
{
    (void) state;
    start();
    loop_enter(scene.loop);
    channel_stream_close(&owner.stream);
    channel_stream_close(&owner.stream);
    loop_leave(scene.loop);
    SCENE_UNTIL(plane_open(scene.planes[0]) == 0);
    assert_true(theirs()->was_reset);
    assert_int_equal(status().state, CHANNEL_IDLE);
    open_stream(&owner, CHANNEL_ADS_PATH);
    SCENE_UNTIL(owner.n_up == 2 && plane_streams(scene.planes[0]) == 2);
    assert_int_equal(owner.n_down, 0);
    stop();
}

static void everything_may_be_closed_from_callbacks(void **state)
{
    (void) state;
    for (enum act what = ACT_CLOSE; what <= ACT_FREE_CHANNEL; what++)
        for (int at = 0; at < 4; at++) {
            start_with((struct plane_conf){ .deaf = at == 3 });
            owner.at_up = at == 0 ? what : ACT_NOTHING;
            owner.at_message = at == 1 ? what : ACT_NOTHING;
            owner.at_down = at >= 2 ? what : ACT_NOTHING;
            if (at < 3)
                SCENE_UNTIL(owner.n_up == 1);
            if (at == 1 || at == 2)
                SCENE_UNTIL(plane_streams(scene.planes[0]) == 1);
            if (at == 1)
                plane_send(theirs(), "a", 1);
            if (at == 2)
                plane_end(theirs(), "0", "");
            SCENE_UNTIL(at == 0 || owner.n_messages + owner.n_down == 1);
            scene_pass_ms(60000);
            assert_int_equal(owner.n_up, at < 3);
            assert_int_equal(owner.n_messages, at == 1);
            assert_int_equal(owner.n_down, at >= 2);
            SCENE_UNTIL(plane_open(scene.planes[0]) == 0);
            stop();
        }
}

static void freed_at_any_moment(void **state)
{
    (void) state;
    for (int turns = 0; turns < 12; turns++) {
        start_with((struct plane_conf){ 0 });
        for (int i = 0; i < turns; i++)
            scene_turn();
        stop();
    }
}

/* ---- memory ---- */

/* Up, or told why not; a connection can also be ended when memory is short. */
static void scenario(void)
{
    const struct channel_conf conf = { scene.loop, scene.names, NULL, &scene.bootstrap->servers.items[0] };
    int32_t err;

    loop_enter(scene.loop);
    err = channel_new(&conf, &channel);
    loop_leave(scene.loop);
    if (err)
        return;
    owner = (struct owner){ .asks = true };
    open_stream(&owner, CHANNEL_ADS_PATH);
    SCENE_UNTIL(owner.n_up + owner.n_down > 0);
    loop_enter(scene.loop);
    channel_free(channel);
    loop_leave(scene.loop);
    scene_turns();
}

static void each_allocation_fails_once(void **state)
{
    bool reached = true;
    char list[128];

    (void) state;
    scene_begin(NULL);
    scene.planes[0] = plane_start((struct plane_conf){ 0 });
    snprintf(list, sizeof list, "{\"server_uri\": \"127.0.0.1:%u\", " INSECURE "}", plane_port(scene.planes[0]));
    scene_servers(list);
    scenario(); /* what the loop keeps is there */
    for (uint64_t nth = 1; reached; nth++) {
        int64_t live;

        mem_watch(nth, false);
        scenario();
        reached = mem_unwatch(&live);
        assert_int_equal(live, 0);
    }
    scene_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(messages_both_ways),
        LEAK_TEST(a_message_is_read_when_it_is_asked_for),
        LEAK_TEST(large_messages),
        LEAK_TEST(streams_share_the_connection),
        LEAK_TEST(a_stream_waits_for_its_place),
        LEAK_TEST(a_stream_that_ends_after_an_answer_is_opened_again_at_once),
        LEAK_TEST(a_stream_that_ends_unanswered_waits),
        LEAK_TEST(short_lived_streams_are_not_opened_without_pause),
        LEAK_TEST(a_server_that_talks_nonsense),
        LEAK_TEST(a_lost_connection_is_made_again),
        LEAK_TEST(goaway),
        LEAK_TEST(a_server_that_greets_and_hangs_up_has_failed),
        LEAK_TEST(nobody_listens_and_then_somebody_does),
        LEAK_TEST(a_server_that_does_not_greet),
        LEAK_TEST(silence_is_asked_about_every_five_minutes),
        LEAK_TEST(a_name_that_is_found_late),
        LEAK_TEST(unix_sockets),
        LEAK_TEST(without_streams_there_is_no_connection),
        LEAK_TEST(everything_may_be_closed_from_callbacks),
        LEAK_TEST(freed_at_any_moment),
        cmocka_unit_test(each_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
