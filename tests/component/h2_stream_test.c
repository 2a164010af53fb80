/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 exchanges, one by one: answers, bodies, trailers, all ways in which a stream ends early. */
#include "support/h2_peer.h"

/* ---- answers ---- */

static void test_simple_answer(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    assert_true(x.stream.sent);
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200", "server", "test"));
    h2_peer_data(peer, id, 1000, false);
    h2_peer_headers(peer, id, true, H2_PAIRS("grpc-status", "0"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(x.status, 200);
    assert_false(x.head_was_end);
    assert_string_equal(x.headers, "server=test;");
    assert_string_equal(x.trailers, "grpc-status=0;");
    assert_int_equal(x.received, 1000);
    assert_int_equal(x.stream.bytes_received, 1000);
    h2_peer_free(peer);
}

static void test_head_only(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "404"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(x.status, 404);
    assert_true(x.head_was_end);
    h2_peer_free(peer);
}

static void test_informational_answers_are_skipped(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "100"));
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "103", "link", "no"));
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200", "a", "b"));
    h2_peer_headers(peer, id, true, H2_PAIRS("t", "1"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(x.status, 200);
    assert_string_equal(x.headers, "a=b;");
    assert_string_equal(x.trailers, "t=1;");
    h2_peer_free(peer);
}

static void test_broken_answers_end_their_stream_only(void **state)
{
    const char *const *const broken[] = {
        H2_PAIRS("server", "no status"),
        H2_PAIRS(":status", "101"),
        H2_PAIRS(":status", "200", "Server", "upper case"),
        H2_PAIRS(":status", "200", "connection", "close"),
        H2_PAIRS(":status", "200", ":path", "/"),
        H2_PAIRS(":status", "200", "x", "line\nbreak"),
        H2_PAIRS(":status", "200", "content-length", "1", "content-length", "2"),
        H2_PAIRS(":status", "20"),
    };
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct h2_exchange x = { 0 };
        int32_t id = h2_exchange_send(peer, &x);

        h2_peer_headers(peer, id, true, broken[i]);
        h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
        assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id), NGHTTP2_PROTOCOL_ERROR);
    }
    h2_peer_works(peer);
    assert_int_equal(peer->n_draining, 0);
    h2_peer_free(peer);
}

static void test_body_must_fit_content_length(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200", "content-length", "10"));
    h2_peer_data(peer, id, 9, true);
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_the_value_of_a_bad_header_is_not_told(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200", "Set-Cookie", "hunter2"));
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_non_null(strstr(x.fault, "Set-Cookie"));
    assert_null(strstr(x.fault, "hunter2"));
    h2_peer_free(peer);
}

/* ---- limits ---- */

static void test_headers_have_a_limit(void **state)
{
    struct http_conn_conf conf = { .max_header_bytes = 1000 };
    struct h2_peer *peer = h2_peer_ready(&conf);
    struct h2_exchange x = { 0 };
    struct h2_headers block = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_put_header(&block, ":status", "200");
    for (int i = 0; i < 20; i++)
        h2_put_header(&block, "filler", "01234567890123456789012345678901234567890123456789");
    h2_peer_frame(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, block.bytes, block.len);
    h2_exchange_ended(peer, &x, MESH_ERR_TOO_LARGE, HTTP_MAYBE);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id), NGHTTP2_CANCEL);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_the_owner_may_refuse(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 }, y = { .refuses = MESH_ERR_NOMEM };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    H2_UNTIL(peer, x.status == 200);
    x.refuses = MESH_ERR_TOO_LARGE;
    h2_peer_data(peer, id, 1, false);
    h2_exchange_ended(peer, &x, MESH_ERR_TOO_LARGE, HTTP_MAYBE);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id), NGHTTP2_CANCEL);

    id = h2_exchange_send(peer, &y);
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200", "a", "b"));
    h2_exchange_ended(peer, &y, MESH_ERR_NOMEM, HTTP_MAYBE);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_too_many_request_headers(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .stream.ops = &h2_exchange_ops };
    static char value[300 << 10];
    struct mesh_header header = { "large", value };
    struct http_request request = {
        .method = "GET", .scheme = "http", .authority = "a", .path = "/", .headers = &header, .n_headers = 1
    };
    int32_t err;

    (void) state;
    memset(value, 'x', sizeof value - 1);
    loop_enter(peer->loop);
    err = http_stream_open(peer->conn, &x.stream, &request);
    loop_leave(peer->loop);
    MESH_ERR(MESH_ERR_TOO_LARGE, err);
    assert_null(x.stream.conn);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_many_request_headers(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .stream.ops = &h2_exchange_ops };
    struct mesh_header headers[200];
    struct http_request request = {
        .method = "GET", .scheme = "http", .authority = "a", .path = "/", .headers = headers, .n_headers = 200
    };
    int32_t err;

    (void) state;
    for (int i = 0; i < 200; i++)
        headers[i] = (struct mesh_header){ "name", "value" };
    loop_enter(peer->loop);
    err = http_stream_open(peer->conn, &x.stream, &request);
    loop_leave(peer->loop);
    MESH_OK(err);
    h2_peer_take(peer, NGHTTP2_HEADERS, 1);
    h2_exchange_cancel(peer, &x);
    h2_peer_free(peer);
}

/* ---- resets by the peer ---- */

static void reset_gives(uint32_t code, int32_t err, enum http_reach reach, bool wants_http1)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    h2_peer_reset(peer, id, code);
    h2_exchange_ended(peer, &x, err, reach);
    assert_int_equal(x.wants_http1, wants_http1);
    assert_non_null(strstr(x.fault, nghttp2_http2_strerror(code)));
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_resets(void **state)
{
    (void) state;
    reset_gives(NGHTTP2_REFUSED_STREAM, MESH_ERR_RESET, HTTP_REFUSED, false);
    reset_gives(NGHTTP2_HTTP_1_1_REQUIRED, MESH_ERR_RESET, HTTP_REFUSED, true);
    reset_gives(NGHTTP2_INTERNAL_ERROR, MESH_ERR_RESET, HTTP_MAYBE, false);
    reset_gives(NGHTTP2_PROTOCOL_ERROR, MESH_ERR_RESET, HTTP_MAYBE, false);
    reset_gives(NGHTTP2_CANCEL, MESH_ERR_RESET, HTTP_MAYBE, false);
    reset_gives(NGHTTP2_NO_ERROR, MESH_ERR_RESET, HTTP_MAYBE, false);
}

static void test_refused_after_the_head(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    h2_peer_reset(peer, id, NGHTTP2_REFUSED_STREAM);
    h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_MAYBE);
    h2_peer_free(peer);
}

static void test_early_answer_ends_an_upload(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .endless = true };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "413"));
    h2_peer_data(peer, id, 5, true);
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(x.status, 413);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id), NGHTTP2_NO_ERROR);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_reset_after_an_early_answer(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .endless = true };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_peer_reset(peer, id, NGHTTP2_NO_ERROR);
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_early_answer_of_a_peer_that_does_not_read(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .endless = true };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    peer->deaf = true;
    h2_peer_window(peer, 0, 1u << 30);
    h2_peer_window(peer, id, 1u << 30);
    for (int i = 0; i < 100; i++)
        h2_peer_turn(peer); /* until the socket is full */
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "503"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    h2_peer_free(peer);
}

/* ---- request bodies ---- */

static void test_upload(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .body = "", .body_left = 300000 };
    size_t received = 0, frames = 0;
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    while (received < 300000) {
        H2_UNTIL(peer, h2_peer_count(peer, NGHTTP2_DATA) > 0);
        received += h2_peer_find(peer, NGHTTP2_DATA)->len;
        frames++;
        h2_peer_window(peer, 0, (uint32_t) h2_peer_find(peer, NGHTTP2_DATA)->len);
        h2_peer_window(peer, id, (uint32_t) h2_peer_find(peer, NGHTTP2_DATA)->len);
        h2_peer_take(peer, NGHTTP2_DATA, id);
    }
    assert_int_equal(received, 300000);
    assert_true(frames >= 300000 / 16384);
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(x.stream.bytes_sent, 300000);
    h2_peer_free(peer);
}

static void test_upload_that_waits(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .body = "", .body_left = 10, .waits = true };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    for (int i = 0; i < 5; i++)
        h2_peer_turn(peer);
    assert_null(h2_peer_find(peer, NGHTTP2_DATA));
    x.waits = false;
    loop_enter(peer->loop);
    http_stream_resume(&x.stream);
    loop_leave(peer->loop);
    H2_UNTIL(peer, h2_peer_find(peer, NGHTTP2_DATA));
    assert_int_equal(h2_peer_find(peer, NGHTTP2_DATA)->len, 10);
    assert_int_equal(h2_peer_find(peer, NGHTTP2_DATA)->flags, NGHTTP2_FLAG_END_STREAM);
    h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    h2_peer_free(peer);
}

static void test_empty_body_is_told_with_the_head(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .body = "", .body_left = 0 };

    (void) state;
    h2_exchange_start(peer, &x);
    H2_UNTIL(peer, h2_peer_find(peer, NGHTTP2_HEADERS));
    assert_true(h2_peer_find(peer, NGHTTP2_HEADERS)->flags & NGHTTP2_FLAG_END_STREAM);
    h2_exchange_cancel(peer, &x);
    h2_peer_free(peer);
}

/* ---- cancelling ---- */

static void test_cancel(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 }, never_sent = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_exchange_cancel(peer, &x);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id), NGHTTP2_CANCEL);
    h2_exchange_cancel(peer, &x); /* fine */

    loop_enter(peer->loop); /* opened and cancelled in one turn: nothing of it leaves */
    MESH_OK(
        http_stream_open(peer->conn, &never_sent.stream,
                         &(struct http_request){ .method = "GET", .scheme = "http", .authority = "a", .path = "/" }));
    http_stream_cancel(&never_sent.stream);
    loop_leave(peer->loop);
    h2_peer_works(peer);
    assert_int_equal(peer->n_frames, 0);
    assert_int_equal(x.n_ends + never_sent.n_ends, 0);
    assert_int_equal(http_conn_room(peer->conn), http_conn_limit(peer->conn));
    h2_peer_free(peer);
}

static void test_cancel_within_a_callback(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .cancels_on_head = true };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    h2_peer_data(peer, id, 5, false);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id), NGHTTP2_CANCEL);
    assert_int_equal(x.n_ends, 0);
    assert_int_equal(x.received, 0);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

/* So many may be cancelled at once. */
enum { CANCELS = 300 };

static void spend_cancels(struct h2_peer *peer, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct h2_exchange x = { 0 };

        h2_exchange_send(peer, &x);
        h2_exchange_cancel(peer, &x);
        h2_peer_take(peer, NGHTTP2_RST_STREAM, x.stream.id);
    }
}

static void test_cancels_are_limited(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x[60];
    size_t resets, before;

    (void) state;
    spend_cancels(peer, CANCELS - 30);
    before = h2_peer_count(peer, NGHTTP2_RST_STREAM);
    memset(x, 0, sizeof x);
    for (int i = 0; i < 60; i++)
        h2_exchange_send(peer, &x[i]);
    for (int i = 0; i < 60; i++)
        h2_exchange_cancel(peer, &x[i]);
    for (int i = 0; i < 10; i++)
        h2_peer_turn(peer);
    resets = h2_peer_count(peer, NGHTTP2_RST_STREAM) - before;
    assert_in_range(resets, 30, 40); /* it fills up, 30 a second, meanwhile */
    assert_int_equal(http_conn_room(peer->conn), 100 - (60 - resets) + (http_conn_limit(peer->conn) - 100));

    /* Those that were left alone end unheard, and give their places back. */
    for (size_t i = resets; i < 59; i++)
        h2_peer_headers(peer, x[i].stream.id, true, H2_PAIRS(":status", "200"));
    h2_peer_headers(peer, x[59].stream.id, false, H2_PAIRS(":status", "200"));
    H2_UNTIL(peer, http_conn_room(peer->conn) == http_conn_limit(peer->conn) - 1);
    for (int i = 0; i < 60; i++)
        assert_int_equal(x[i].n_ends, 0);

    /* One that goes on is reset as soon as the limit allows. */
    mesh_test_clock_advance_ms(1000);
    h2_peer_forget_frames(peer);
    h2_peer_data(peer, x[59].stream.id, 100, false);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, x[59].stream.id), NGHTTP2_CANCEL);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_an_unfinished_upload_is_always_reset(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x[40];

    (void) state;
    memset(x, 0, sizeof x);
    for (int i = 0; i < 40; i++) {
        x[i].body = "";
        x[i].waits = true;
        h2_exchange_send(peer, &x[i]);
    }
    for (int i = 0; i < 40; i++)
        h2_exchange_cancel(peer, &x[i]);
    H2_UNTIL(peer, h2_peer_count(peer, NGHTTP2_RST_STREAM) == 40);
    h2_peer_free(peer);
}

/* ---- frames after the end ---- */

static void broken_by_frames_after_the_end(struct h2_peer *peer, struct h2_exchange *other)
{
    h2_exchange_ended(peer, other, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_non_null(strstr(other->fault, "STREAM_CLOSED"));
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_STREAM_CLOSED);
    h2_peer_free(peer);
}

static void test_frames_after_the_end(void **state)
{
    (void) state;
    for (int way = 0; way < 6; way++) {
        struct h2_peer *peer = h2_peer_ready(NULL);
        struct h2_exchange x = { 0 }, other = { 0 };
        int32_t id = h2_exchange_send(peer, &x);

        h2_exchange_send(peer, &other);
        if (way < 4)
            h2_peer_headers(peer, id, true, H2_PAIRS(":status", "200"));
        else
            h2_peer_reset(peer, id, NGHTTP2_CANCEL);
        if (way % 2) /* else in the same read */
            H2_UNTIL(peer, x.n_ends == 1);
        if (way < 2)
            h2_peer_headers(peer, id, true, H2_PAIRS("more", "1"));
        else
            h2_peer_data(peer, id, 1, false);
        broken_by_frames_after_the_end(peer, &other);
    }
}

static void test_frames_on_the_way_when_we_reset(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x[100], first = { 0 };

    (void) state;
    memset(x, 0, sizeof x);
    h2_exchange_send(peer, &first);
    h2_peer_headers(peer, first.stream.id, true, H2_PAIRS(":status", "200"));
    h2_exchange_ended(peer, &first, 0, HTTP_MAYBE);
    for (int i = 0; i < 100; i++) {
        x[i].body = "";
        x[i].waits = true;
        h2_exchange_send(peer, &x[i]);
        h2_exchange_cancel(peer, &x[i]);
    }
    for (int i = 0; i < 100; i++) {
        h2_peer_headers(peer, x[i].stream.id, false, H2_PAIRS(":status", "200"));
        h2_peer_data(peer, x[i].stream.id, 1, true);
    }
    h2_peer_works(peer);
    h2_peer_data(peer, first.stream.id, 1, true); /* too long ago to be sure: ignored */
    h2_peer_works(peer);
    assert_int_equal(peer->n_draining, 0);
    h2_peer_free(peer);
}

/* ---- flow control ---- */

static void test_hold_limits_what_is_buffered(void **state)
{
    struct http_conn_conf conf = { .window = 100000 };
    struct h2_peer *peer = h2_peer_new(&conf);
    struct h2_exchange x = { .stream.hold = true };
    int32_t id;

    (void) state;
    h2_peer_greet(peer, 0, 0);
    id = h2_exchange_send(peer, &x);
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    for (int i = 0; i < 10; i++)
        h2_peer_data(peer, id, 10000, false);
    H2_UNTIL(peer, x.received == 100000);
    for (int i = 0; i < 5; i++)
        h2_peer_turn(peer);
    assert_null(h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE)); /* the window is spent, the owner has not taken anything */

    loop_enter(peer->loop);
    http_stream_consume(&x.stream, 60000);
    loop_leave(peer->loop);
    H2_UNTIL(peer, h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE));
    assert_int_equal(h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE)->id, id);
    assert_int_equal(h2_frame_u32(h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE), 0), 60000);

    /* More than the window is an error of the stream. */
    for (int i = 0; i < 7; i++)
        h2_peer_data(peer, id, 10000, false);
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_RST_STREAM, id), NGHTTP2_FLOW_CONTROL_ERROR);
    h2_peer_works(peer);
    h2_peer_free(peer);
}

static void test_a_held_stream_that_is_cancelled_gives_its_window_back(void **state)
{
    struct http_conn_conf conf = { .window = 100000 };
    struct h2_peer *peer = h2_peer_ready(&conf);
    struct h2_exchange x = { .stream.hold = true }, others[20];
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    spend_cancels(peer, CANCELS);
    memset(others, 0, sizeof others);
    for (size_t i = 0; i < COUNT_OF(others); i++) { /* what has filled up since */
        h2_exchange_send(peer, &others[i]);
        h2_exchange_cancel(peer, &others[i]);
    }
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    for (int i = 0; i < 10; i++)
        h2_peer_data(peer, id, 10000, false);
    H2_UNTIL(peer, x.received == 100000);
    h2_exchange_cancel(peer, &x);
    h2_peer_take(peer, NGHTTP2_WINDOW_UPDATE, id);
    h2_peer_free(peer);
}

static void test_a_large_download_does_not_stall(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    size_t total = 40u << 20, sent = 0;
    int64_t stream_window = 1 << 20, connection_window = 65535 + (16 << 20) - 65535;
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    while (sent < total) {
        while (h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE)) {
            const struct h2_frame *update = h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE);

            if (update->id)
                stream_window += h2_frame_u32(update, 0);
            else
                connection_window += h2_frame_u32(update, 0);
            h2_peer_take(peer, NGHTTP2_WINDOW_UPDATE, update->id);
        }
        if (stream_window >= 16384 && connection_window >= 16384) {
            h2_peer_data(peer, id, 16384, sent + 16384 == total);
            sent += 16384;
            stream_window -= 16384;
            connection_window -= 16384;
            continue;
        }
        H2_UNTIL(peer, h2_peer_find(peer, NGHTTP2_WINDOW_UPDATE));
    }
    h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
    assert_int_equal(x.received, total);
    h2_peer_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_simple_answer),
        LEAK_TEST(test_head_only),
        LEAK_TEST(test_informational_answers_are_skipped),
        LEAK_TEST(test_broken_answers_end_their_stream_only),
        LEAK_TEST(test_body_must_fit_content_length),
        LEAK_TEST(test_the_value_of_a_bad_header_is_not_told),
        LEAK_TEST(test_headers_have_a_limit),
        LEAK_TEST(test_the_owner_may_refuse),
        LEAK_TEST(test_too_many_request_headers),
        LEAK_TEST(test_many_request_headers),
        LEAK_TEST(test_resets),
        LEAK_TEST(test_refused_after_the_head),
        LEAK_TEST(test_early_answer_ends_an_upload),
        LEAK_TEST(test_reset_after_an_early_answer),
        LEAK_TEST(test_early_answer_of_a_peer_that_does_not_read),
        LEAK_TEST(test_upload),
        LEAK_TEST(test_upload_that_waits),
        LEAK_TEST(test_empty_body_is_told_with_the_head),
        LEAK_TEST(test_cancel),
        LEAK_TEST(test_cancel_within_a_callback),
        LEAK_TEST(test_cancels_are_limited),
        LEAK_TEST(test_an_unfinished_upload_is_always_reset),
        LEAK_TEST(test_frames_after_the_end),
        LEAK_TEST(test_frames_on_the_way_when_we_reset),
        LEAK_TEST(test_hold_limits_what_is_buffered),
        LEAK_TEST(test_a_held_stream_that_is_cancelled_gives_its_window_back),
        LEAK_TEST(test_a_large_download_does_not_stall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
