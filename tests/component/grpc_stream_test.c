/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of gRPC against a server that is a script of frames: messages in pieces, windows, every way to end. */
#include "support/grpc_script.h"

/* ---- messages ---- */

static void messages_come_one_by_one(void **state)
{
    (void) state;
    start();
    x.asks = false;
    head();
    DATA("\0\0\0\0\1a\0\0\0\0\2bc\0\0\0\0");
    DATA("\0");
    trailers("0");
    turns();
    assert_int_equal(x.n_messages, 0);
    ask();
    H2_UNTIL(peer, x.n_messages == 1);
    assert_string_equal(x.last, "a");
    turns();
    assert_int_equal(x.n_messages, 1);
    ask();
    H2_UNTIL(peer, x.n_messages == 2);
    assert_string_equal(x.last, "bc");
    turns();
    assert_int_equal(x.n_statuses, 0); /* a message is left */
    ask();
    ends(GRPC_OK, "");
    assert_int_equal(x.n_messages, 3);
    assert_int_equal(x.bytes, 3);
    assert_true(x.status.from_peer);
    stop();
}

static void messages_in_single_bytes(void **state)
{
    static const char bytes[] = "\0\0\0\0\5hello";

    (void) state;
    start();
    ask();
    head();
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        data(bytes + i, 1);
    trailers("0");
    ends(GRPC_OK, "");
    assert_int_equal(x.n_messages, 1);
    assert_string_equal(x.last, "hello");
    stop();
}

/* The window is given back for what has been asked for, and only for that. */
static void nobody_asks(void **state)
{
    static char bytes[131070] = "\0\0\1\xfe\xff"; /* 5 + 130815 bytes of a message, then 250 of the next */

    (void) state;
    start_with(131070, (struct grpc_call){ 0 });
    x.asks = false;
    head();
    for (size_t at = 0; at < sizeof bytes; at += 16383)
        data(bytes + at, sizeof bytes - at < 16383 ? sizeof bytes - at : 16383);
    H2_UNTIL(peer, buf_len(&x.stream.in) == sizeof bytes);
    h2_peer_forget_frames(peer);
    turns();
    assert_null(h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE));
    ask();
    H2_UNTIL(peer, x.n_messages == 1);
    assert_int_equal(x.bytes, 130815);
    h2_peer_take(peer, NGHTTP2_WINDOW_UPDATE, id());
    assert_int_equal(buf_len(&x.stream.in), 250);
    x.asks = true; /* fifty empty ones */
    ask();
    H2_UNTIL(peer, x.n_messages == 51);
    assert_int_equal(x.stream.in.cap, 0);
    grpc_exchange_cancel(peer->loop, &x);
    stop();
}

/* One that is larger than the window is let through by pieces. */
static void large_messages_pass_small_windows(void **state)
{
    static char zeros[16384];
    size_t window = 65535, left = 1 << 20;

    (void) state;
    start_with(65535, (struct grpc_call){ 0 });
    ask();
    head();
    DATA("\0\0\x10\0\0");
    window -= 5;
    while (left > 0) {
        const struct h2_frame *update = h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE);

        if (update) {
            window += update->id == id() ? h2_frame_u32(update, 0) : 0;
            h2_peer_take(peer, NGHTTP2_WINDOW_UPDATE, update->id);
        }
        if (window >= sizeof zeros) {
            data(zeros, sizeof zeros);
            window -= sizeof zeros;
            left -= sizeof zeros;
        }
        h2_peer_turn(peer);
    }
    trailers("0");
    ends(GRPC_OK, "");
    assert_int_equal(x.bytes, 1 << 20);
    stop();
}

static void sizes_are_refused_by_the_prefix(void **state)
{
    (void) state;
    start_with(0, (struct grpc_call){ .receive_most = 100 });
    ask();
    head();
    DATA("\0\0\0\0\x65");
    ends(GRPC_RESOURCE_EXHAUSTED, "a message has 101 bytes; at most 100 are taken");
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id()), NGHTTP2_CANCEL);
    h2_peer_works(peer);
    stop();
}

static void wrong_flags(void **state)
{
    (void) state;
    start();
    ask();
    head();
    DATA("\1\0\0\0\1x");
    trailers("0");
    ends(GRPC_INTERNAL, "a message is compressed and grpc-encoding does not say how");
    assert_int_equal(x.n_messages, 0);
    stop();
}

static void answers_that_end_within_a_message(void **state)
{
    static const char *const statuses[] = { "0", "9" };

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        start();
        ask();
        head();
        DATA("\0\0\0\0\3ab");
        trailers(statuses[i]);
        if (i == 0)
            ends(GRPC_INTERNAL, "the answer ends within a message");
        else
            ends(GRPC_FAILED_PRECONDITION, "");
        stop();
    }
}

static void answers_of_one_message(void **state)
{
    (void) state;
    for (size_t n = 0; n < 3; n++) {
        start_with(0, (struct grpc_call){ .one_answer = true });
        x.asks = false;
        ask();
        head();
        for (size_t i = 0; i < n; i++)
            DATA("\0\0\0\0\1a");
        trailers("0");
        if (n == 1)
            ends(GRPC_OK, "");
        else
            ends(GRPC_INTERNAL, n == 0 ? "the answer has no message" : "the answer has more than one message");
        assert_int_equal(x.n_messages, n > 0);
        stop();
    }
    start_with(0, (struct grpc_call){ .one_answer = true });
    head();
    trailers("5");
    ends(GRPC_NOT_FOUND, "");
    stop();
}

/* ---- the end ---- */

static void trailers_only(void **state)
{
    (void) state;
    start();
    h2_peer_headers(peer, id(), true,
                    H2_PAIRS(":status", "200", "content-type", "application/grpc", "grpc-status", "7", "grpc-message",
                             "not%20you", "grpc-status-details-bin", "CAc", "why-bin", "Zm9v", "why", "so"));
    ends(GRPC_PERMISSION_DENIED, "not you");
    assert_true(x.status.from_peer);
    assert_int_equal(x.status.n_details, 2);
    assert_memory_equal(x.details, "\x08\x07", 2);
    assert_string_equal(x.metadata, "why-bin=foo;why=so;");
    stop();
}

static void metadata_comes_at_both_ends(void **state)
{
    (void) state;
    start();
    h2_peer_headers(peer, id(), false,
                    H2_PAIRS(":status", "200", "content-type", "application/grpc", "a", "1", "b-bin", "Zg==,!,Zm8"));
    h2_peer_headers(peer, id(), true, H2_PAIRS("c", "2", "grpc-status", "0"));
    ends(GRPC_OK, "");
    assert_string_equal(x.metadata, "a=1;b-bin=f;b-bin=fo;");
    assert_string_equal(x.trailers, "c=2;");
    stop();
}

static void no_status(void **state)
{
    (void) state;
    start();
    ask();
    head();
    h2_peer_frame(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id(), "\0\0\0\0\1a", 6);
    ends(GRPC_UNKNOWN, "the answer has no grpc-status");
    assert_int_equal(x.n_messages, 1);
    stop();
}

/* Not read to its end: the status comes with the head, and the rest is not wanted. */
static void pages_of_proxies(void **state)
{
    (void) state;
    start();
    h2_peer_headers(peer, id(), false, H2_PAIRS(":status", "502", "content-type", "text/html"));
    ends(GRPC_UNAVAILABLE, "the answer is not gRPC's: HTTP status 502, content-type text/html");
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id()), NGHTTP2_CANCEL);
    stop();
}

static void resets(void **state)
{
    static const struct {
        uint32_t reset;
        enum grpc_code code;
    } cases[] = {
        { NGHTTP2_NO_ERROR, GRPC_INTERNAL },
        { NGHTTP2_INTERNAL_ERROR, GRPC_INTERNAL },
        { NGHTTP2_REFUSED_STREAM, GRPC_UNAVAILABLE },
        { NGHTTP2_CANCEL, GRPC_CANCELLED },
        { NGHTTP2_ENHANCE_YOUR_CALM, GRPC_RESOURCE_EXHAUSTED },
        { NGHTTP2_INADEQUATE_SECURITY, GRPC_PERMISSION_DENIED },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        start();
        head();
        h2_peer_reset(peer, id(), cases[i].reset);
        H2_UNTIL(peer, x.n_statuses > 0);
        assert_int_equal(x.status.code, cases[i].code);
        assert_false(x.status.from_peer);
        assert_non_null(strstr(x.status.message, "reset the request"));
        stop();
    }
}

static void messages_before_a_reset_come(void **state)
{
    (void) state;
    start();
    head();
    DATA("\0\0\0\0\1a");
    h2_peer_reset(peer, id(), NGHTTP2_INTERNAL_ERROR);
    turns();
    assert_int_equal(x.n_statuses, 0);
    ask();
    H2_UNTIL(peer, x.n_statuses > 0);
    assert_int_equal(x.n_messages, 1);
    assert_int_equal(x.status.code, GRPC_INTERNAL);
    stop();
}

static void lost_connections(void **state)
{
    (void) state;
    start();
    h2_peer_hang_up(peer);
    for (int i = 0; i < 20000 && x.n_statuses == 0; i++)
        loop_turn(peer->loop);
    assert_int_equal(x.status.code, GRPC_UNAVAILABLE);
    assert_int_equal(x.n_statuses, 1);
    stop();
    start();
    h2_peer_goaway(peer, 0, NGHTTP2_NO_ERROR); /* not processed */
    H2_UNTIL(peer, x.n_statuses > 0);
    assert_int_equal(x.status.code, GRPC_UNAVAILABLE);
    stop();
}

static void answers_before_the_request_is_whole(void **state)
{
    (void) state;
    start();
    MESH_OK(grpc_exchange_send(peer->loop, &x, "abc", 3));
    head();
    trailers("0");
    ends(GRPC_OK, "");
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id()), NGHTTP2_NO_ERROR);
    MESH_ERR(MESH_ERR_RESET, grpc_exchange_send(peer->loop, &x, "abc", 3));
    stop();
}

/* ---- time ---- */

static void deadlines(void **state)
{
    (void) state;
    start_with(0, (struct grpc_call){ .timeout_us = 500 * US_PER_MS });
    head();
    h2_peer_pass_ms(peer, 499);
    assert_int_equal(x.n_statuses, 0);
    h2_peer_pass_ms(peer, 1);
    ends(GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id()), NGHTTP2_CANCEL);
    h2_peer_works(peer);
    stop();
}

/* A server that knows the deadline resets the call, and may be quicker than we are. */
static void resets_at_the_deadline(void **state)
{
    (void) state;
    start_with(0, (struct grpc_call){ .timeout_us = 500 * US_PER_MS });
    h2_peer_reset(peer, id(), NGHTTP2_CANCEL);
    mesh_test_clock_advance_ms(500);
    H2_UNTIL(peer, x.n_statuses > 0);
    assert_int_equal(x.status.code, GRPC_DEADLINE_EXCEEDED);
    turns();
    assert_int_equal(x.n_statuses, 1);
    stop();
}

/* Messages that nobody has asked for do not keep a deadline from coming. */
static void deadlines_wait_for_nobody(void **state)
{
    (void) state;
    start_with(0, (struct grpc_call){ .timeout_us = 500 * US_PER_MS });
    head();
    DATA("\0\0\0\0\1a");
    h2_peer_pass_ms(peer, 500);
    ends(GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
    assert_int_equal(x.n_messages, 0);
    stop();
}

static void answers_in_time_stay(void **state)
{
    (void) state;
    start_with(0, (struct grpc_call){ .timeout_us = 500 * US_PER_MS });
    head();
    DATA("\0\0\0\0\1a");
    trailers("0");
    turns();
    h2_peer_pass_ms(peer, 1000);
    ask();
    ends(GRPC_OK, "");
    assert_int_equal(x.n_messages, 1);
    stop();
}

/* ---- sending ---- */

static size_t body_bytes(void)
{
    size_t n = 0;

    for (size_t i = 0; i < peer->n_frames; i++)
        n += peer->frames[i].type == NGHTTP2_DATA ? peer->frames[i].len : 0;
    return n;
}

static void messages_are_framed(void **state)
{
    const struct h2_frame *frame;

    (void) state;
    start();
    MESH_OK(grpc_exchange_send(peer->loop, &x, "hello", 5));
    MESH_OK(grpc_exchange_send(peer->loop, &x, NULL, 0));
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_exchange_send(peer->loop, &x, "x", (size_t) UINT32_MAX + 1));
    grpc_exchange_send_end(peer->loop, &x);
    MESH_ERR(MESH_ERR_INVALID, grpc_exchange_send(peer->loop, &x, "x", 1));
    H2_UNTIL(peer, body_bytes() >= 15 && (frame = h2_peer_find(peer, NGHTTP2_DATA)) != NULL);
    assert_int_equal(body_bytes(), 15);
    assert_memory_equal(frame->payload, "\0\0\0\0\5hello\0\0\0\0\0", frame->len);
    for (size_t i = 0; i < peer->n_frames; i++)
        if (peer->frames[i].type == NGHTTP2_DATA)
            frame = &peer->frames[i];
    assert_true(frame->flags & NGHTTP2_FLAG_END_STREAM);
    head();
    trailers("0");
    ends(GRPC_OK, "");
    stop();
}

/* The peer's window is 65535 bytes and stays so: one message more than `send_ahead` waits, then no more. */
static void senders_are_held_back(void **state)
{
    static char bytes[20000];
    unsigned n = 0;
    int32_t err;

    (void) state;
    start_with(0, (struct grpc_call){ .send_ahead = 30000 });
    while ((err = grpc_exchange_send(peer->loop, &x, bytes, sizeof bytes)) == 0) {
        n++;
        turns();
    }
    assert_int_equal(err, MESH_ERR_AGAIN);
    assert_int_equal(n, 5); /* 65535 are gone, 34490 wait */
    assert_int_equal(x.n_room, 0);
    h2_peer_window(peer, id(), 20000);
    h2_peer_window(peer, 0, 20000);
    H2_UNTIL(peer, x.n_room > 0);
    MESH_OK(grpc_exchange_send(peer->loop, &x, bytes, sizeof bytes));
    turns();
    assert_int_equal(x.n_room, 1);
    grpc_exchange_cancel(peer->loop, &x);
    stop();
}

static void calls_that_are_not_opened(void **state)
{
    const struct grpc_metadata bad = { "grpc-x", "", 0 };
    static char value[9000];
    const struct grpc_metadata large = { "x-bin", value, sizeof value };
    struct fault fault;

    (void) state;
    start();
    grpc_exchange_cancel(peer->loop, &x);
    MESH_ERR(MESH_ERR_INVALID,
             grpc_exchange_try(peer->loop, peer->conn, &x, (struct grpc_call){ .path = "no slash" }, &fault));
    MESH_ERR(MESH_ERR_INVALID,
             grpc_exchange_try(peer->loop, peer->conn, &x, (struct grpc_call){ .authority = "a b" }, &fault));
    MESH_ERR(MESH_ERR_INVALID,
             grpc_exchange_try(peer->loop, peer->conn, &x, (struct grpc_call){ .user_agent = "a\nb" }, &fault));
    MESH_ERR(MESH_ERR_INVALID, grpc_exchange_try(peer->loop, peer->conn, &x,
                                                 (struct grpc_call){ .metadata = &bad, .n_metadata = 1 }, &fault));
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_exchange_try(peer->loop, peer->conn, &x,
                                                   (struct grpc_call){ .metadata = &large, .n_metadata = 1 }, &fault));
    grpc_exchange_cancel(peer->loop, &x); /* fine for one that is not open */
    ask();
    assert_int_equal(x.n_statuses, 0);
    stop();
}

static void http1_is_refused(void **state)
{
    struct http_h1_conf conf = { .n_addrs = 1, .max_connections = 1, .connect_timeout_us = US_PER_S };
    struct http_conn *conn;
    struct fault fault;

    (void) state;
    start();
    grpc_exchange_cancel(peer->loop, &x);
    assert_true(addr_parse(&conf.addrs[0], "127.0.0.1", 9, 1));
    loop_enter(peer->loop);
    MESH_OK(http_conn_h1(peer->loop, &peer->conf, &conf, &h2_peer_ops, peer, &conn, &fault));
    loop_leave(peer->loop);
    MESH_ERR(MESH_ERR_INVALID, grpc_exchange_try(peer->loop, conn, &x, (struct grpc_call){ 0 }, &fault));
    assert_string_equal(fault.text, "gRPC needs HTTP/2; the connection has HTTP/1.1");
    loop_enter(peer->loop);
    http_conn_free(conn);
    loop_leave(peer->loop);
    stop();
}

/* With MESH_ERR_AGAIN, the struct as it was, and no callback. */
static void connections_without_room(void **state)
{
    struct fault fault;

    (void) state;
    peer = h2_peer_new(NULL);
    h2_peer_greet(peer, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    x = (struct grpc_exchange){ 0 };
    MESH_ERR(MESH_ERR_AGAIN,
             grpc_exchange_try(peer->loop, peer->conn, &x, (struct grpc_call){ .timeout_us = 1000 }, &fault));
    assert_non_null(strstr(fault.text, "/test.Echo/Unary"));
    h2_peer_pass_ms(peer, 1000);
    assert_int_equal(x.n_statuses, 0);
    stop();
}

static void opened_anew_when_it_has_ended(void **state)
{
    (void) state;
    start_with(0, (struct grpc_call){ .timeout_us = UINT64_MAX });
    x.again = peer->conn;
    head();
    trailers("5");
    H2_UNTIL(peer, x.n_statuses == 1);
    H2_UNTIL(peer, x.stream.http.sent);
    head();
    trailers("0");
    H2_UNTIL(peer, x.n_statuses == 2);
    assert_int_equal(x.status.code, GRPC_OK);
    stop();
}

/* ---- cancelling ---- */

static void cancelled_calls_are_quiet(void **state)
{
    (void) state;
    start_with(0, (struct grpc_call){ .timeout_us = US_PER_S });
    ask();
    head();
    DATA("\0\0\0\0\1a\0\0\0\0\5ab");
    H2_UNTIL(peer, x.n_messages == 1);
    grpc_exchange_cancel(peer->loop, &x);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id()), NGHTTP2_CANCEL);
    h2_peer_pass_ms(peer, 2000);
    assert_int_equal(x.n_messages, 1);
    assert_int_equal(x.n_statuses, 0);
    h2_peer_works(peer);
    stop();
}

/* With its memory gone: a sanitizer tells whether anything is touched. */
static void calls_are_freed_in_callbacks(void **state)
{
    static const enum grpc_exchange_place places[] = { ON_METADATA, ON_MESSAGE, ON_ROOM, ON_STATUS };
    static char bytes[70000];

    (void) state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        enum grpc_exchange_place freed = ON_NOTHING;
        struct grpc_exchange *own = calloc(1, sizeof *own);
        int32_t stream;

        peer = h2_peer_ready(NULL);
        own->frees = places[i];
        own->freed = &freed;
        grpc_exchange_open(peer->loop, peer->conn, own, (struct grpc_call){ .timeout_us = US_PER_S });
        stream = own->stream.http.id;
        grpc_exchange_receive(peer->loop, own);
        MESH_OK(grpc_exchange_send(peer->loop, own, bytes, sizeof bytes));
        while (places[i] == ON_ROOM && grpc_exchange_send(peer->loop, own, bytes, sizeof bytes) != MESH_ERR_AGAIN)
            ;
        h2_peer_take(peer, NGHTTP2_HEADERS, stream);
        if (places[i] != ON_ROOM) {
            h2_peer_headers(peer, stream, false,
                            H2_PAIRS(":status", "200", "content-type", "application/grpc", "a-bin", "Zg,Zg", "b", "c"));
            h2_peer_frame(peer, NGHTTP2_DATA, 0, stream, "\0\0\0\0\1a\0\0\0\0\1b", 12);
            h2_peer_headers(peer, stream, true, H2_PAIRS("grpc-status", "3"));
        }
        h2_peer_window(peer, 0, 1 << 20);
        h2_peer_window(peer, stream, 1 << 20);
        for (int k = 0; k < 100; k++) {
            h2_peer_turn(peer);
            if (places[i] == ON_STATUS && freed == ON_NOTHING)
                grpc_exchange_receive(peer->loop, own);
        }
        assert_int_equal(freed, places[i]);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(messages_come_one_by_one),
        LEAK_TEST(messages_in_single_bytes),
        LEAK_TEST(nobody_asks),
        LEAK_TEST(large_messages_pass_small_windows),
        LEAK_TEST(sizes_are_refused_by_the_prefix),
        LEAK_TEST(wrong_flags),
        LEAK_TEST(answers_that_end_within_a_message),
        LEAK_TEST(answers_of_one_message),
        LEAK_TEST(trailers_only),
        LEAK_TEST(metadata_comes_at_both_ends),
        LEAK_TEST(no_status),
        LEAK_TEST(pages_of_proxies),
        LEAK_TEST(resets),
        LEAK_TEST(messages_before_a_reset_come),
        LEAK_TEST(lost_connections),
        LEAK_TEST(answers_before_the_request_is_whole),
        LEAK_TEST(deadlines),
        LEAK_TEST(resets_at_the_deadline),
        LEAK_TEST(deadlines_wait_for_nobody),
        LEAK_TEST(answers_in_time_stay),
        LEAK_TEST(messages_are_framed),
        LEAK_TEST(senders_are_held_back),
        LEAK_TEST(calls_that_are_not_opened),
        LEAK_TEST(http1_is_refused),
        LEAK_TEST(connections_without_room),
        LEAK_TEST(opened_anew_when_it_has_ended),
        LEAK_TEST(cancelled_calls_are_quiet),
        LEAK_TEST(calls_are_freed_in_callbacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
