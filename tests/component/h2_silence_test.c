/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that fall silent with work in flight, on a clock that only the test moves. */
#include "support/h2_peer.h"

static struct h2_peer *ready(void)
{
    const struct http_conn_conf conf = { .silence_us = 250 * US_PER_MS };

    return h2_peer_ready(&conf);
}

static bool is_silent(struct h2_peer *peer)
{
    bool is;

    loop_enter(peer->loop);
    is = http_conn_silent(peer->conn);
    loop_leave(peer->loop);
    return is;
}

static void answer_ping(struct h2_peer *peer)
{
    const struct h2_frame *ping;

    H2_UNTIL(peer, h2_peer_find(peer, NGHTTP2_PING));
    ping = h2_peer_find(peer, NGHTTP2_PING);
    h2_peer_frame(peer, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, ping->payload, ping->len);
    h2_peer_take(peer, NGHTTP2_PING, 0);
    H2_UNTIL(peer, !is_silent(peer));
}

static void test_no_work_no_silence(void **state)
{
    struct h2_peer *peer = ready();

    (void) state;
    for (int i = 0; i < 10; i++)
        h2_peer_pass_ms(peer, 1000);
    assert_false(is_silent(peer));
    assert_int_equal(peer->n_frames, 0);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

/* ---- PINGs that are wanted, also without work ---- */

static void test_a_peer_is_asked_without_work(void **state)
{
    const struct http_conn_conf conf = { .alive_us = 10 * US_PER_S, .alive_answer_us = 2 * US_PER_S };
    struct h2_peer *peer = h2_peer_ready(&conf);

    (void) state;
    for (int i = 0; i < 5; i++) {
        h2_peer_pass_ms(peer, 9900);
        assert_null(h2_peer_find(peer, NGHTTP2_PING));
        h2_peer_pass_ms(peer, 1700); /* 15 % may come on top */
        answer_ping(peer);
        h2_peer_pass_ms(peer, 2100);
    }
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_a_peer_that_does_not_answer_is_closed(void **state)
{
    const struct http_conn_conf conf = { .alive_us = 10 * US_PER_S, .alive_answer_us = 2 * US_PER_S };
    struct h2_peer *peer = h2_peer_ready(&conf);

    (void) state;
    h2_peer_pass_ms(peer, 11600);
    assert_non_null(h2_peer_find(peer, NGHTTP2_PING));
    assert_int_equal(peer->n_closed, 0);
    h2_peer_pass_ms(peer, 2100);
    assert_int_equal(peer->n_closed, 1);
    assert_int_equal(peer->closed_why.code, MESH_ERR_RESET);
    assert_non_null(strstr(peer->closed_why.text, "did not answer a PING within 2000 ms"));
    h2_peer_free(peer);
}

static void test_a_silent_peer_is_closed(void **state)
{
    struct h2_peer *peer = ready();
    struct h2_exchange x = { 0 };

    (void) state;
    h2_peer_pass_ms(peer, 5000); /* a long time without work does not count */
    h2_exchange_send(peer, &x);
    h2_peer_pass_ms(peer, 240);
    assert_false(is_silent(peer));
    assert_null(h2_peer_find(peer, NGHTTP2_PING));
    h2_peer_pass_ms(peer, 15);
    assert_true(is_silent(peer));
    h2_peer_take(peer, NGHTTP2_PING, 0);
    h2_peer_pass_ms(peer, 230);
    assert_int_equal(x.n_ends, 0);
    h2_peer_pass_ms(peer, 30);
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_MAYBE);
    assert_non_null(strstr(x.fault, "silent for 515 ms"));
    assert_int_equal(peer->n_closed, 1);
    assert_int_equal(peer->closed_why.code, MESH_ERR_RESET);
    h2_peer_free(peer);
}

static void test_any_byte_is_a_sign_of_life(void **state)
{
    struct h2_peer *peer = ready();
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    for (int i = 0; i < 20; i++) {
        h2_peer_pass_ms(peer, 200);
        h2_peer_window(peer, 0, 1);
        H2_UNTIL(peer, !is_silent(peer));
    }
    assert_null(h2_peer_find(peer, NGHTTP2_PING));
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    h2_peer_free(peer);
}

/* Two PINGs are answered; then there are no more, and the connection stays, until the peer sends HEADERS or DATA. */
static void test_two_pings_between_two_answers(void **state)
{
    struct h2_peer *peer = ready();
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_pass_ms(peer, 260);
    answer_ping(peer);
    h2_peer_pass_ms(peer, 260);
    answer_ping(peer);
    for (int i = 0; i < 20; i++)
        h2_peer_pass_ms(peer, 300);
    assert_null(h2_peer_find(peer, NGHTTP2_PING));
    assert_int_equal(x.n_ends, 0);
    assert_false(is_silent(peer)); /* a long stream that rests blocks nobody */

    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    H2_UNTIL(peer, x.status == 200);
    h2_peer_pass_ms(peer, 260);
    answer_ping(peer);
    h2_exchange_cancel(peer, &x);
    h2_peer_free(peer);
}

/* Without PINGs to be had, a new request that gets no answer keeps others away. */
static void test_a_new_request_finds_the_silence(void **state)
{
    struct h2_peer *peer = ready();
    struct h2_exchange x = { 0 }, y = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    for (int i = 0; i < 2; i++) {
        h2_peer_pass_ms(peer, 260);
        answer_ping(peer);
    }
    h2_peer_pass_ms(peer, 10000);
    assert_false(is_silent(peer));
    h2_exchange_send(peer, &y);
    h2_peer_pass_ms(peer, 100);
    assert_false(is_silent(peer));
    h2_peer_pass_ms(peer, 200);
    assert_true(is_silent(peer));
    h2_peer_headers(peer, y.stream.id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &y, 0, HTTP_MAYBE);
    assert_false(is_silent(peer));
    h2_exchange_cancel(peer, &x);
    h2_peer_free(peer);
}

/* The process slept, not the peer: the answer is there. */
static void test_who_slept(void **state)
{
    struct h2_peer *peer = ready();
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    poll(NULL, 0, 1);
    mesh_test_clock_advance_ms(60000);
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_free(peer);
}

static void test_the_time_can_be_changed(void **state)
{
    struct h2_peer *peer = ready();
    struct h2_exchange x = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    loop_enter(peer->loop);
    http_conn_set_silence(peer->conn, 1000 * US_PER_MS);
    loop_leave(peer->loop);
    h2_peer_pass_ms(peer, 600);
    assert_false(is_silent(peer));
    loop_enter(peer->loop);
    http_conn_set_silence(peer->conn, 100 * US_PER_MS); /* the timer comes earlier */
    loop_leave(peer->loop);
    assert_true(is_silent(peer));
    h2_peer_pass_ms(peer, 110);
    h2_peer_take(peer, NGHTTP2_PING, 0);
    loop_enter(peer->loop);
    http_conn_set_silence(peer->conn, 0);
    loop_leave(peer->loop);
    h2_peer_pass_ms(peer, 60000);
    assert_false(is_silent(peer));
    assert_int_equal(x.n_ends, 0);
    h2_exchange_cancel(peer, &x);
    h2_peer_free(peer);
}

/* The last request ends (its deadline) while the PING is out: the question stands. */
static void test_a_ping_outlives_its_work(void **state)
{
    struct h2_peer *peer = ready();
    struct h2_exchange x = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    h2_peer_pass_ms(peer, 260);
    h2_peer_take(peer, NGHTTP2_PING, 0);
    h2_exchange_cancel(peer, &x);
    assert_true(is_silent(peer));
    h2_peer_pass_ms(peer, 260);
    assert_int_equal(peer->n_closed, 1);
    h2_peer_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_no_work_no_silence),
        LEAK_TEST(test_a_peer_is_asked_without_work),
        LEAK_TEST(test_a_peer_that_does_not_answer_is_closed),
        LEAK_TEST(test_a_silent_peer_is_closed),
        LEAK_TEST(test_any_byte_is_a_sign_of_life),
        LEAK_TEST(test_two_pings_between_two_answers),
        LEAK_TEST(test_a_new_request_finds_the_silence),
        LEAK_TEST(test_who_slept),
        LEAK_TEST(test_the_time_can_be_changed),
        LEAK_TEST(test_a_ping_outlives_its_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
