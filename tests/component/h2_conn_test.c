/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an HTTP/2 connection: greeting, limits of streams, GOAWAY in all its forms, idle, age, every end. */
#include <signal.h>

#include "http/h2.h"
#include "support/h2_peer.h"

static uint32_t room(struct h2_peer *peer)
{
    return http_conn_room(peer->conn);
}

static void linger_off(struct h2_peer *peer)
{
    struct linger linger = { .l_onoff = 1 };

    assert_int_equal(setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
}

/* ---- greeting ---- */

static uint32_t setting_of(const struct h2_frame *frame, uint16_t id)
{
    for (size_t at = 0; at + 6 <= frame->len; at += 6)
        if (frame->payload[at] == id >> 8 && frame->payload[at + 1] == (id & 0xff))
            return h2_frame_u32(frame, at + 2);
    fail_msg("setting %u is not there", id);
    return 0;
}

static void test_greeting(void **state)
{
    struct http_conn_conf conf = { .window = 123456, .max_header_bytes = 54321 };
    struct h2_peer *peer = h2_peer_new(&conf);
    const struct h2_frame *settings;

    (void) state;
    H2_UNTIL(peer, h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE));
    settings = h2_peer_find(peer, NGHTTP2_SETTINGS);
    assert_int_equal(setting_of(settings, NGHTTP2_SETTINGS_ENABLE_PUSH), 0);
    assert_int_equal(setting_of(settings, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), 123456);
    assert_int_equal(setting_of(settings, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), 54321);
    assert_int_equal(h2_frame_u32(h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE), 0), (16 << 20) - 65535);
    assert_int_equal(peer->n_room, 0);
    assert_int_equal(http_conn_protocol(peer->conn), HTTP_2);
    h2_peer_settings(peer, 0, 0);
    H2_UNTIL(peer, peer->n_room == 1);
    h2_peer_free(peer);
}

static void test_requests_need_not_wait_for_the_greeting(void **state)
{
    struct h2_peer *peer = h2_peer_new(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    assert_int_equal(http_conn_limit(peer->conn), 100);
    h2_exchange_send(peer, &x);
    h2_exchange_cancel(peer, &x);
    h2_peer_free(peer);
}

static void test_something_else_than_http2(void **state)
{
    struct h2_peer *peer = h2_peer_new(NULL);
    struct h2_exchange x = { 0 };
    const char *text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

    (void) state;
    h2_exchange_start(peer, &x);
    h2_peer_send(peer, text, strlen(text));
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_PROTOCOL_ERROR);
    h2_peer_hang_up(peer);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->closed_why.code, MESH_ERR_PROTOCOL);
    h2_peer_free(peer);
}

static void test_an_end_before_the_greeting_is_a_failure(void **state)
{
    struct h2_peer *peer = h2_peer_new(NULL);

    (void) state;
    h2_peer_turn(peer);
    h2_peer_hang_up(peer);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->closed_why.code, MESH_ERR_RESET);
    h2_peer_free(peer);
}

/* ---- how many streams ---- */

static void test_the_peers_limit_is_kept(void **state)
{
    struct h2_peer *peer = h2_peer_new(NULL);
    struct h2_exchange x[3];

    (void) state;
    memset(x, 0, sizeof x);
    h2_peer_greet(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2);
    assert_int_equal(room(peer), 2);
    assert_int_equal(http_conn_limit(peer->conn), 2);
    h2_exchange_send(peer, &x[0]);
    h2_exchange_send(peer, &x[1]);
    assert_int_equal(room(peer), 0);
    MESH_ERR(MESH_ERR_AGAIN, h2_exchange_try(peer, &x[2]));
    assert_null(x[2].stream.conn);

    peer->n_room = 0;
    h2_peer_headers(peer, 1, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x[0], 0, HTTP_MAYBE);
    H2_UNTIL(peer, peer->n_room == 1);
    assert_int_equal(room(peer), 1);

    h2_peer_settings(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0); /* fewer than are open */
    H2_UNTIL(peer, http_conn_limit(peer->conn) == 0);
    assert_int_equal(room(peer), 0);
    h2_peer_settings(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10);
    H2_UNTIL(peer, room(peer) == 9);
    h2_exchange_cancel(peer, &x[1]);
    h2_peer_free(peer);
}

static void test_our_own_limit_is_kept_too(void **state)
{
    struct http_conn_conf conf = { .max_streams = 3 };
    struct h2_peer *peer = h2_peer_new(&conf);

    (void) state;
    assert_int_equal(http_conn_limit(peer->conn), 3);
    h2_peer_greet(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10);
    assert_int_equal(http_conn_limit(peer->conn), 3);
    assert_int_equal(room(peer), 3);
    h2_peer_settings(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2);
    H2_UNTIL(peer, room(peer) == 2);
    h2_peer_free(peer);
}

static void test_a_connection_has_its_number_of_requests(void **state)
{
    struct http_conn_conf conf = { .max_requests = 2 };
    struct h2_peer *peer = h2_peer_new(&conf);
    struct h2_exchange x[2];

    (void) state;
    memset(x, 0, sizeof x);
    h2_peer_greet(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10);
    assert_int_equal(room(peer), 2);
    h2_exchange_send(peer, &x[0]);
    assert_int_equal(room(peer), 1);
    h2_exchange_send(peer, &x[1]);
    assert_int_equal(room(peer), 0);
    H2_UNTIL(peer, peer->n_draining == 1);
    assert_int_equal(peer->draining_why.code, 0);
    h2_peer_headers(peer, 1, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x[0], 0, HTTP_MAYBE);
    h2_peer_headers(peer, 3, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x[1], 0, HTTP_MAYBE);
    H2_UNTIL(peer, peer->n_closed == 1);
    h2_peer_free(peer);
}

static void test_stream_ids_run_out(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    assert_int_equal(nghttp2_session_set_next_stream_id(h2_of(peer->conn)->session, H2_LAST_ID), 0);
    h2_exchange_send(peer, &x);
    assert_int_equal(room(peer), 0);
    H2_UNTIL(peer, peer->n_draining == 1);
    assert_int_equal(peer->draining_why.code, 0);
    h2_peer_headers(peer, x.stream.id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    H2_UNTIL(peer, peer->n_closed == 1);
    h2_peer_free(peer);
}

/* ---- GOAWAY ---- */

static void test_goaway(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x[4], late = { 0 };

    (void) state;
    memset(x, 0, sizeof x);
    for (int i = 0; i < 4; i++)
        h2_exchange_send(peer, &x[i]);
    h2_peer_goaway(peer, 3, NGHTTP2_NO_ERROR);
    h2_exchange_ended(peer, &x[2], MESH_ERR_RESET, HTTP_REFUSED);
    h2_exchange_ended(peer, &x[3], MESH_ERR_RESET, HTTP_REFUSED);
    H2_UNTIL(peer, peer->n_draining == 1);
    assert_int_equal(peer->draining_why.code, 0);
    assert_non_null(strstr(peer->draining_why.text, "GOAWAY"));
    assert_int_equal(room(peer), 0);
    MESH_ERR(MESH_ERR_AGAIN, h2_exchange_try(peer, &late));

    h2_peer_headers(peer, 1, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x[0], 0, HTTP_MAYBE);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_headers(peer, 3, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x[1], 0, HTTP_MAYBE);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->closed_why.code, 0);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_NO_ERROR);
    H2_UNTIL(peer, peer->has_ended);
    assert_int_equal(peer->n_draining, 1);
    h2_peer_free(peer);
}

static void test_goaway_in_two_steps(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 }, y = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    h2_exchange_send(peer, &y);
    h2_peer_goaway(peer, INT32_MAX, NGHTTP2_NO_ERROR);
    H2_UNTIL(peer, peer->n_draining == 1);
    assert_int_equal(x.n_ends + y.n_ends, 0);
    h2_peer_goaway(peer, 1, NGHTTP2_NO_ERROR);
    h2_exchange_ended(peer, &y, MESH_ERR_RESET, HTTP_REFUSED);
    h2_peer_headers(peer, 1, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->n_draining, 1);
    h2_peer_free(peer);
}

static void test_goaway_with_an_error(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    h2_peer_frame(peer, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\x0btoo_many_pings\n", 8 + 15);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->draining_why.code, MESH_ERR_RESET);
    assert_non_null(strstr(peer->draining_why.text, "ENHANCE_YOUR_CALM: too_many_pings\\x0a"));
    h2_peer_free(peer);
}

static void test_goaway_that_wants_http1(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    h2_peer_goaway(peer, 0, NGHTTP2_HTTP_1_1_REQUIRED);
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_REFUSED);
    assert_true(x.wants_http1);
    h2_peer_free(peer);
}

static void test_goaway_that_meets_new_requests(void **state)
{
    const struct http_request get = { .method = "GET", .scheme = "http", .authority = "a", .path = "/" };
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    h2_peer_goaway(peer, 0, NGHTTP2_NO_ERROR);
    poll(NULL, 0, 1);
    mesh_test_clock_advance_ms(1);
    loop_enter(
        peer->loop); /* in one turn: the request is opened, then the GOAWAY is read, before anything is written */
    x.stream.ops = &h2_exchange_ops;
    MESH_OK(http_stream_open(peer->conn, &x.stream, &get));
    http_conn_refresh(peer->conn);
    loop_leave(peer->loop);
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_NOT_SENT);
    assert_null(h2_peer_find(peer, NGHTTP2_HEADERS));
    h2_peer_free(peer);
}

/* ---- refresh ---- */

static void test_refresh_finds_what_nobody_polled_for(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    h2_peer_hang_up(peer);
    poll(NULL, 0, 1);
    mesh_test_clock_advance_ms(5);
    loop_enter(peer->loop);
    assert_true(room(peer) > 0);
    http_conn_refresh(peer->conn);
    assert_int_equal(room(peer), 0);
    loop_leave(peer->loop);
    assert_int_equal(peer->n_closed, 1);
    assert_int_equal(peer->closed_why.code, 0); /* nothing was in flight */
    h2_peer_free(peer);
}

static void test_refresh_is_cheap(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    h2_peer_works(peer);
    h2_peer_hang_up(peer);
    loop_enter(peer->loop);
    http_conn_refresh(peer->conn); /* read within this millisecond: not again */
    assert_true(room(peer) > 0);
    loop_leave(peer->loop);
    h2_peer_free(peer);
}

/* ---- ends ---- */

static void test_end_with_work_in_flight(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 }, y = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_exchange_send(peer, &y);
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    h2_peer_hang_up(peer);
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_MAYBE);
    h2_exchange_ended(peer, &y, MESH_ERR_RESET, HTTP_MAYBE);
    assert_int_equal(x.status, 200);
    assert_int_equal(peer->n_draining, 1);
    assert_int_equal(peer->n_closed, 1);
    assert_int_equal(peer->closed_why.code, MESH_ERR_RESET);
    h2_peer_free(peer);
}

static void test_tcp_reset(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    linger_off(peer);
    h2_peer_hang_up(peer);
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_MAYBE);
    assert_non_null(strstr(x.fault, "reset"));
    h2_peer_free(peer);
}

static void test_a_write_that_fails_has_sent_nothing(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    linger_off(peer);
    h2_peer_hang_up(peer);
    poll(NULL, 0, 1);
    h2_exchange_start(peer, &x);
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_NOT_SENT);
    assert_false(x.stream.sent);
    h2_peer_free(peer);
}

static void test_what_a_full_socket_does_not_take_is_not_sent(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange upload = { .endless = true }, x = { 0 };
    uint64_t sent = UINT64_MAX;

    (void) state;
    h2_exchange_send(peer, &upload);
    h2_peer_window(peer, 0, 1u << 30);
    h2_peer_window(peer, upload.stream.id, 1u << 30);
    peer->deaf = true;
    while (sent != upload.stream.bytes_sent) {
        sent = upload.stream.bytes_sent;
        for (int i = 0; i < 50; i++) {
            h2_peer_turn(peer);
            poll(NULL, 0, 1);
        }
    }
    h2_exchange_start(peer, &x);
    for (int i = 0; i < 5; i++)
        h2_peer_turn(peer);
    h2_peer_hang_up(peer); /* with unread bytes: a reset */
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_NOT_SENT);
    h2_exchange_ended(peer, &upload, MESH_ERR_RESET, HTTP_MAYBE);
    h2_peer_free(peer);
}

static void test_drain(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    loop_enter(peer->loop);
    http_conn_drain(peer->conn);
    assert_int_equal(room(peer), 0);
    loop_leave(peer->loop);
    for (int i = 0; i < 3; i++)
        h2_peer_turn(peer);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->n_draining, 0); /* the owner knows */
    assert_int_equal(peer->closed_why.code, 0);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_NO_ERROR);
    h2_peer_free(peer);
}

static void test_close(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    loop_enter(peer->loop);
    http_conn_close(peer->conn, MESH_ERR_CLOSING, "the client is closing");
    assert_int_equal(room(peer), 0);
    assert_int_equal(x.n_ends + peer->n_closed, 0); /* not from within the call */
    loop_leave(peer->loop);
    assert_int_equal(peer->n_closed, 1);
    h2_exchange_ended(peer, &x, MESH_ERR_CLOSING, HTTP_MAYBE);
    assert_string_equal(x.fault, "the client is closing");
    h2_peer_free(peer);
}

static void test_close_and_free_within_callbacks(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .closes_on_data = true };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    peer->free_when_closed = true;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    h2_peer_data(peer, id, 10, false);
    h2_peer_data(peer, id, 10, true);
    h2_exchange_ended(peer, &x, MESH_ERR_CLOSING, HTTP_MAYBE);
    assert_int_equal(x.received, 10);
    assert_null(peer->conn);
    h2_peer_free(peer);
}

static void test_free_without_a_word(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    h2_peer_free_conn(peer);
    H2_UNTIL(peer, peer->has_ended);
    assert_int_equal(peer->n_frames, 0);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_free(peer);
}

static void test_a_protocol_error_is_told_and_survives(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };

    (void) state;
    h2_exchange_send(peer, &x);
    h2_peer_data(peer, 99, 5, false); /* a stream nobody opened */
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    h2_peer_data(peer, 99, 5, false); /* goes on talking: the GOAWAY must not be lost to a TCP reset */
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_PROTOCOL_ERROR);
    H2_UNTIL(peer, peer->has_ended);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_hang_up(peer);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->closed_why.code, MESH_ERR_PROTOCOL);
    h2_peer_free(peer);
}

static void test_lingering_ends(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    h2_peer_data(peer, 99, 5, false);
    h2_peer_take(peer, NGHTTP2_GOAWAY, 0);
    h2_peer_pass_ms(peer, 900);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_pass_ms(peer, 200);
    assert_int_equal(peer->n_closed, 1);
    h2_peer_free(peer);
}

/* ---- idle and age ---- */

static void test_idle(void **state)
{
    struct http_conn_conf conf = { .idle_us = 10 * US_PER_S };
    struct h2_peer *peer = h2_peer_ready(&conf);
    struct h2_exchange x = { 0 };
    int32_t id;

    (void) state;
    h2_peer_pass_ms(peer, 9000);
    id = h2_exchange_send(peer, &x);
    h2_peer_pass_ms(peer, 60000);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    h2_peer_pass_ms(peer, 9900);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_pass_ms(peer, 200);
    h2_peer_pass_ms(peer, 10000); /* the timer may have looked before the last stream ended */
    assert_int_equal(peer->n_closed, 1);
    assert_int_equal(peer->n_draining, 1);
    assert_int_equal(peer->closed_why.code, 0);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_NO_ERROR);
    h2_peer_free(peer);
}

static void test_age(void **state)
{
    struct http_conn_conf conf = { .age_us = 100 * US_PER_S };
    struct h2_peer *peer = h2_peer_ready(&conf);
    struct h2_exchange x = { 0 };
    int32_t id;

    (void) state;
    h2_peer_pass_ms(peer, 89000);
    id = h2_exchange_send(peer, &x);
    assert_int_equal(peer->n_draining, 0);
    h2_peer_pass_ms(peer, 22000);
    assert_int_equal(peer->n_draining, 1);
    assert_int_equal(peer->draining_why.code, 0);
    assert_int_equal(peer->n_closed, 0);
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    H2_UNTIL(peer, peer->n_closed == 1);
    h2_peer_free(peer);
}

/* ---- out of memory ---- */

/* Without cmocka's assertions: they would leave by longjmp. */
static int32_t scenario(void)
{
    struct h2_peer *peer = calloc(1, sizeof *peer);
    struct loop_conf conf = { .threadless = true };
    struct h2_exchange x = { 0 };
    int32_t err = loop_new(&conf, &peer->loop);

    peer->fd = -1;
    if (!err)
        err = loop_open(peer->loop, NULL);
    if (!err)
        err = h2_peer_try_connect(peer);
    if (!err)
        err = h2_exchange_try(peer, &x);
    if (err == MESH_ERR_AGAIN) /* the preface could not be made: the connection has ended of it */
        err = peer->closed_why.code;
    if (!err) {
        h2_peer_settings(peer, 0, 0);
        h2_peer_headers(peer, 1, false, H2_PAIRS(":status", "200", "a", "b"));
        h2_peer_data(peer, 1, 1000, true);
        for (int i = 0; i < 20000 && x.n_ends == 0 && peer->n_closed == 0; i++) {
            loop_turn(peer->loop);
            if (i > 100)
                poll(NULL, 0, 1);
        }
        err = x.n_ends == 1 ? x.err : MESH_ERR_INTERNAL;
        if (err && err != MESH_ERR_NOMEM)
            print_error("%s; %s\n", x.fault, peer->closed_why.text);
    }
    if (peer->conn)
        h2_peer_free_conn(peer);
    h2_peer_hang_up(peer);
    loop_free(peer->loop);
    buf_free(&peer->in);
    free(peer);
    return err;
}

static void test_each_allocation_fails(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_greeting),
        LEAK_TEST(test_requests_need_not_wait_for_the_greeting),
        LEAK_TEST(test_something_else_than_http2),
        LEAK_TEST(test_an_end_before_the_greeting_is_a_failure),
        LEAK_TEST(test_the_peers_limit_is_kept),
        LEAK_TEST(test_our_own_limit_is_kept_too),
        LEAK_TEST(test_a_connection_has_its_number_of_requests),
        LEAK_TEST(test_stream_ids_run_out),
        LEAK_TEST(test_goaway),
        LEAK_TEST(test_goaway_in_two_steps),
        LEAK_TEST(test_goaway_with_an_error),
        LEAK_TEST(test_goaway_that_wants_http1),
        LEAK_TEST(test_goaway_that_meets_new_requests),
        LEAK_TEST(test_refresh_finds_what_nobody_polled_for),
        LEAK_TEST(test_refresh_is_cheap),
        LEAK_TEST(test_end_with_work_in_flight),
        LEAK_TEST(test_tcp_reset),
        LEAK_TEST(test_a_write_that_fails_has_sent_nothing),
        LEAK_TEST(test_what_a_full_socket_does_not_take_is_not_sent),
        LEAK_TEST(test_drain),
        LEAK_TEST(test_close),
        LEAK_TEST(test_close_and_free_within_callbacks),
        LEAK_TEST(test_free_without_a_word),
        LEAK_TEST(test_a_protocol_error_is_told_and_survives),
        LEAK_TEST(test_lingering_ends),
        LEAK_TEST(test_idle),
        LEAK_TEST(test_age),
        cmocka_unit_test(test_each_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
