/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies over HTTP/1.1 in both directions: lengths, pauses, back-pressure, early answers, and what cancelling leaves behind. */
#include "support/h1_server.h"
#include "support/h1_call.h"

enum { LARGE = 4 << 20, WINDOW = 64 << 10, PIECE = 16 << 10 };

static struct loop *loop;
static struct server server;
static struct h1_owner owner;

static int setup(void **state)
{
    mesh_test_watch(state);
    loop = test_loop_new();
    return 0;
}

static int teardown(void **state)
{
    h1_owner_free(loop, &owner);
    server_stop(&server);
    loop_free(loop);
    return mesh_test_unwatch(state);
}

static void start(void (*serve)(struct server_conn *), const void *user)
{
    struct http_conn_conf conf = { .window = WINDOW };
    struct http_h1_conf h1;

    server_start(&server, serve, user);
    h1 = h1_conf_for(&server.addr);
    h1_owner_open_with(loop, &owner, &h1, &conf);
}

/* ---- uploads ---- */

static void report_body(struct server_conn *conn)
{
    char answer[128];

    while (server_read(conn)) {
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nx-got: %zu\r\nContent-Length: 0\r\n\r\n", conn->body_bytes);
        server_send(conn, answer);
    }
}

static ssize_t read_large(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    size_t left = LARGE - call->uploaded;
    size_t n = left < cap ? left : cap;

    memset(buf, 'x', n);
    call->uploaded += n;
    *eof = call->uploaded == LARGE;
    return (ssize_t) n;
}

static void large_bodies_are_sent_with_and_without_length(void **state)
{
    int64_t lengths[] = { LARGE, -1 };

    (void) state;
    start(report_body, NULL);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct h1_call call = { .method = "PUT", .read = read_large, .upload_len = lengths[i] };
        char expected[64];

        snprintf(expected, sizeof expected, "x-got=%d\n", LARGE);
        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        assert_non_null(strstr(call.lines, expected));
        assert_int_equal(call.stream.bytes_sent, LARGE);
        assert_int_equal(strstr(server.head, "Transfer-Encoding: chunked\r\n") != NULL, lengths[i] < 0);
        assert_null(strstr(server.head, "Expect"));
    }
    assert_int_equal(server.accepted, 1);
}

static void a_body_of_nothing_is_sent(void **state)
{
    int64_t lengths[] = { 0, -1 };

    (void) state;
    start(report_body, NULL);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct h1_call call = { .method = "POST", .upload = "", .upload_len = lengths[i] };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        assert_non_null(strstr(call.lines, "x-got=0\n"));
    }
}

/* Gives five bytes, one at a time, when the test says so. */
static ssize_t read_when_allowed(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    int *allowed = call->user;

    assert_true(cap > 0);
    if (*allowed == 0)
        return 0;
    --*allowed;
    buf[0] = (uint8_t) ('a' + call->uploaded++);
    *eof = call->uploaded == 5;
    return 1;
}

static bool has_sent_what_it_may(void *user)
{
    struct h1_call *call = user;

    return *(int *) call->user == 0;
}

static void an_upload_waits_until_it_has_more(void **state)
{
    int64_t lengths[] = { 5, -1 };

    (void) state;
    start(report_body, NULL);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        int allowed = 0;
        struct h1_call call = {
            .method = "POST", .read = read_when_allowed, .upload_len = lengths[i], .user = &allowed
        };

        h1_call_start(loop, &owner, &call);
        for (int n = 0; n < 5; n++) {
            test_loop_turn(loop);
            assert_int_equal(call.uploaded, n);
            loop_enter(loop);
            allowed = 1;
            http_stream_resume(&call.stream);
            http_stream_resume(&call.stream);
            loop_leave(loop);
            test_loop_until(loop, has_sent_what_it_may, &call);
        }
        h1_call_wait(loop, &call);
        assert_int_equal(call.err, 0);
        assert_non_null(strstr(call.lines, "x-got=5\n"));
    }
}

static ssize_t read_fails(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    (void) call, (void) buf, (void) cap, (void) eof;
    return MESH_ERR_NOMEM;
}

static ssize_t read_short(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    (void) call, (void) cap;
    buf[0] = 'x';
    *eof = true;
    return 1;
}

static ssize_t read_short_with_empty_end(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    (void) cap;
    buf[0] = 'x';
    *eof = call->uploaded > 0;
    return call->uploaded++ == 0;
}

static void a_body_that_breaks_off_ends_the_stream(void **state)
{
    struct h1_call fails = { .method = "POST", .read = read_fails, .upload_len = -1 };
    struct h1_call too_short = { .method = "POST", .read = read_short, .upload_len = 9 };
    struct h1_call empty_end = { .method = "POST", .read = read_short_with_empty_end, .upload_len = 9 };
    struct h1_call good = { 0 };

    (void) state;
    start(report_body, NULL);
    h1_call_do(loop, &owner, &fails);
    assert_int_equal(fails.err, MESH_ERR_NOMEM);
    h1_call_do(loop, &owner, &too_short);
    assert_int_equal(too_short.err, MESH_ERR_INVALID);
    h1_call_do(loop, &owner, &empty_end);
    assert_int_equal(empty_end.err, MESH_ERR_INVALID);
    h1_call_do(loop, &owner, &good);
    assert_int_equal(good.err, 0);
}

static void answer_without_reading(struct server_conn *conn)
{
    if (!server_read_head(conn))
        return;
    server_send(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch");
    server_wait_end(conn);
}

static void an_early_refusal_is_heard(void **state)
{
    (void) state;
    start(answer_without_reading, NULL);
    for (int i = 0; i < 3; i++) {
        int allowed = 1;
        struct h1_call call = { .method = "POST", .read = read_when_allowed, .upload_len = -1, .user = &allowed };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        assert_int_equal(call.status, 413);
        assert_string_equal(call.body, "much");
    }
    assert_int_equal(server.accepted, 3); /* each with an unfinished request */
}

/* ---- answers ---- */

static void answer_large(struct server_conn *conn)
{
    char piece[PIECE];
    char head[128];

    memset(piece, 'y', sizeof piece);
    while (server_read(conn)) {
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s%d\r\n\r\n", (const char *) conn->server->user, LARGE);
        server_send(conn, head);
        for (int i = 0; i < LARGE / PIECE; i++)
            server_send_bytes(conn, piece, sizeof piece);
    }
}

static void answer_large_chunks(struct server_conn *conn)
{
    char piece[PIECE];

    memset(piece, 'y', sizeof piece);
    while (server_read(conn)) {
        server_send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < LARGE / PIECE; i++) {
            server_send(conn, "4000\r\n");
            server_send_bytes(conn, piece, sizeof piece);
            server_send(conn, "\r\n");
        }
        server_send(conn, "0\r\nx-sum: 7\r\n\r\n");
    }
}

static void large_answers_arrive(void **state)
{
    struct h1_call call = { 0 };

    (void) state;
    start(answer_large, "Content-Length: ");
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, 0);
    assert_int_equal(call.body_bytes, LARGE);
    assert_int_equal(call.stream.bytes_received, LARGE);
}

struct reader {
    uint64_t unconsumed, most;
};

static int32_t count_unconsumed(struct h1_call *call, size_t len)
{
    struct reader *reader = call->user;

    reader->unconsumed += len;
    if (reader->unconsumed > reader->most)
        reader->most = reader->unconsumed;
    return 0;
}

static bool window_is_full(void *user)
{
    struct h1_call *call = user;

    return ((struct reader *) call->user)->unconsumed >= WINDOW;
}

static void consume(struct h1_call *call, size_t n)
{
    struct reader *reader = call->user;

    loop_enter(loop);
    reader->unconsumed -= n;
    http_stream_consume(&call->stream, n);
    loop_leave(loop);
}

static void read_slowly(void (*serve)(struct server_conn *), const void *user)
{
    struct reader reader = { 0 };
    struct h1_call call = { .on_data = count_unconsumed, .user = &reader, .stream.hold = true };

    start(serve, user);
    h1_call_start(loop, &owner, &call);
    test_loop_until(loop, window_is_full, &call);
    test_loop_turns(loop, 5);
    assert_int_equal(call.ends, 0);
    while (!call.ends) {
        if (reader.unconsumed >= WINDOW) {
            consume(&call, (size_t) reader.unconsumed - WINDOW + 1); /* room for one more byte is enough to go on */
            consume(&call, WINDOW / 2);
        }
        test_loop_turn(loop);
    }
    assert_int_equal(call.err, 0);
    assert_int_equal(call.body_bytes, LARGE);
    assert_true(reader.most <= WINDOW + PIECE);
    if (serve == answer_large_chunks)
        assert_string_equal(call.trailers, "x-sum=7\n");
}

static void who_holds_gets_no_more_than_the_window(void **state)
{
    (void) state;
    read_slowly(answer_large, "Content-Length: ");
}

static void chunks_are_held_back_too(void **state)
{
    (void) state;
    read_slowly(answer_large_chunks, NULL);
}

static int32_t consume_at_once(struct h1_call *call, size_t len)
{
    http_stream_consume(&call->stream, len);
    return 0;
}

static void who_consumes_at_once_is_never_stopped(void **state)
{
    struct h1_call call = { .on_data = consume_at_once, .stream.hold = true };

    (void) state;
    start(answer_large_chunks, NULL);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, 0);
    assert_int_equal(call.body_bytes, LARGE);
}

static int32_t refuse_data(struct h1_call *call, size_t len)
{
    (void) len;
    return call->body_bytes > PIECE ? MESH_ERR_TOO_LARGE : 0;
}

static void who_refuses_data_ends_the_stream(void **state)
{
    struct h1_call call = { .on_data = refuse_data };

    (void) state;
    start(answer_large, "Content-Length: ");
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_TOO_LARGE);
    assert_true(call.body_bytes < LARGE);
}

static int32_t refuse_any(struct h1_call *call, size_t len)
{
    (void) call, (void) len;
    return MESH_ERR_TOO_LARGE;
}

/* The refusal comes while libcurl hands out what it kept during the pause. */
static void who_refuses_data_after_a_pause_ends_the_stream(void **state)
{
    struct reader reader = { 0 };
    struct h1_call call = { .on_data = count_unconsumed, .user = &reader, .stream.hold = true };

    (void) state;
    start(answer_large, "Content-Length: ");
    h1_call_start(loop, &owner, &call);
    test_loop_until(loop, window_is_full, &call);
    test_loop_turns(loop, 3);
    call.on_data = refuse_any;
    consume(&call, WINDOW);
    h1_call_wait(loop, &call);
    assert_int_equal(call.err, MESH_ERR_TOO_LARGE);
}

static void answer_large_then_reset(struct server_conn *conn)
{
    char piece[PIECE] = { 0 };

    if (!server_read(conn))
        return;
    server_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n");
    for (int i = 0; i < 16; i++)
        server_send_bytes(conn, piece, sizeof piece);
    while (!conn->server->user && !conn->server->stop)
        sched_yield();
    server_reset(conn);
}

/* The peer goes away while nobody wants to hear of it: noticed when reading goes on, without a busy loop before. */
static void a_reset_during_a_pause_is_told_after_it(void **state)
{
    struct reader reader = { 0 };
    struct h1_call call = { .on_data = count_unconsumed, .user = &reader, .stream.hold = true };

    (void) state;
    start(answer_large_then_reset, NULL);
    h1_call_start(loop, &owner, &call);
    test_loop_until(loop, window_is_full, &call);
    server.user = &server; /* go */
    test_loop_turns(loop, 10);
    assert_int_equal(call.ends, 0);
    while (!call.ends) {
        consume(&call, (size_t) reader.unconsumed);
        test_loop_turn(loop);
    }
    assert_int_equal(call.err, MESH_ERR_RESET);
    assert_int_equal(call.reach, HTTP_MAYBE);
}

/* ---- cancelling ---- */

static void cancel(struct h1_call *call)
{
    http_stream_cancel(&call->stream);
    memset(&call->stream, 0x5a, sizeof call->stream); /* it may be freed at once */
}

static int32_t cancel_in_data(struct h1_call *call, size_t len)
{
    (void) len;
    cancel(call);
    return 0;
}

static void cancel_in_head(struct h1_call *call)
{
    cancel(call);
}

static ssize_t cancel_in_read(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    (void) buf, (void) cap, (void) eof;
    cancel(call);
    return 0;
}

static bool all_are_free(void *user)
{
    (void) user;
    return http_conn_room(owner.conn) == 4;
}

static void streams_may_be_cancelled_in_their_callbacks(void **state)
{
    struct h1_call calls[] = { { .on_data = cancel_in_data },
                               { .on_head = cancel_in_head },
                               { .method = "POST", .read = cancel_in_read, .upload_len = -1 } };

    (void) state;
    start(answer_large, "Content-Length: ");
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct h1_call after = { 0 };

        h1_call_start(loop, &owner, &calls[i]);
        test_loop_until(loop, all_are_free, NULL);
        test_loop_turns(loop, 3);
        assert_int_equal(calls[i].ends, 0);
        h1_call_do(loop, &owner, &after);
        assert_int_equal(after.err, 0);
    }
    assert_int_equal(server.accepted, 4);
}

static bool has_head(void *user)
{
    return ((struct h1_call *) user)->heads > 0;
}

static void cancelled_streams_are_not_heard_of_again(void **state)
{
    struct h1_call at_once = { 0 }, connecting = { 0 }, reading = { 0 };
    struct reader reader = { 0 };
    struct h1_call paused = { .on_data = count_unconsumed, .user = &reader, .stream.hold = true };

    (void) state;
    start(answer_large, "Content-Length: ");
    loop_enter(loop);
    MESH_OK(h1_call_open(&owner, &at_once));
    cancel(&at_once);
    assert_int_equal(owner.rooms, 0);
    loop_leave(loop);
    assert_int_equal(owner.rooms, 1);

    h1_call_start(loop, &owner, &connecting);
    loop_enter(loop);
    cancel(&connecting);
    loop_leave(loop);

    h1_call_start(loop, &owner, &reading);
    test_loop_until(loop, has_head, &reading);
    loop_enter(loop);
    cancel(&reading);
    loop_leave(loop);

    h1_call_start(loop, &owner, &paused);
    test_loop_until(loop, window_is_full, &paused);
    loop_enter(loop);
    http_stream_consume(&paused.stream, 1);
    cancel(&paused);
    loop_leave(loop);

    test_loop_turns(loop, 3);
    assert_int_equal(at_once.ends + connecting.ends + reading.ends + paused.ends, 0);
    assert_true(all_are_free(NULL));
}

/* One stream's callback cancels another stream, and opens a third. */
static int32_t cancel_other_and_open(struct h1_call *call, size_t len)
{
    struct h1_call *others = call->user;

    (void) len;
    call->on_data = NULL;
    cancel(&others[0]);
    MESH_OK(h1_call_open(call->owner, &others[1]));
    MESH_OK(h1_call_open(call->owner, &others[2]));
    cancel(&others[2]);
    return 0;
}

static void callbacks_may_cancel_and_open_others(void **state)
{
    struct h1_call others[3] = { { .stream.hold = true } }; /* the first cannot end by itself */
    struct h1_call call = { .on_data = cancel_other_and_open, .user = others };

    (void) state;
    start(answer_large, "Content-Length: ");
    h1_call_start(loop, &owner, &others[0]);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, 0);
    assert_int_equal(call.body_bytes, LARGE);
    h1_call_wait(loop, &others[1]);
    assert_int_equal(others[1].err, 0);
    assert_int_equal(others[0].ends + others[2].ends, 0);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(large_bodies_are_sent_with_and_without_length),
        WITH_SERVER(a_body_of_nothing_is_sent),
        WITH_SERVER(an_upload_waits_until_it_has_more),
        WITH_SERVER(a_body_that_breaks_off_ends_the_stream),
        WITH_SERVER(an_early_refusal_is_heard),
        WITH_SERVER(large_answers_arrive),
        WITH_SERVER(who_holds_gets_no_more_than_the_window),
        WITH_SERVER(chunks_are_held_back_too),
        WITH_SERVER(who_consumes_at_once_is_never_stopped),
        WITH_SERVER(who_refuses_data_ends_the_stream),
        WITH_SERVER(who_refuses_data_after_a_pause_ends_the_stream),
        WITH_SERVER(a_reset_during_a_pause_is_told_after_it),
        WITH_SERVER(streams_may_be_cancelled_in_their_callbacks),
        WITH_SERVER(cancelled_streams_are_not_heard_of_again),
        WITH_SERVER(callbacks_may_cancel_and_open_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
