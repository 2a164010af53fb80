/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that flood: the connection ends at once, with GOAWAY ENHANCE_YOUR_CALM and a sentence that names the flood, before
 * it has read much. Peers that are only lively go on. */
#include "http/h2.h"
#include "support/h2_peer.h"

enum { MANY = 50000 };

/* Sends the next piece of a flood. */
typedef void (*flood_fn)(struct h2_peer *peer, int32_t id, int i);

static size_t blocks_in_use;

static size_t live_blocks(void)
{
    int64_t live;

    mem_unwatch(&live); /* counts on from 0 */
    mem_watch(0, false);
    blocks_in_use += (size_t) live;
    return blocks_in_use;
}

static void flood(flood_fn send_piece, const char *name)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 };
    size_t before;
    int32_t id;
    int i;

    h2_peer_works(peer); /* so that there is a stream that has ended: id - 2 */
    id = h2_exchange_send(peer, &x);
    blocks_in_use = 0;
    before = live_blocks();
    for (i = 0; i < MANY && x.n_ends == 0; i++) {
        send_piece(peer, id, i);
        if (i % 32 == 31)
            h2_peer_turn(peer);
        assert_true(live_blocks() - before < 5000);
    }
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_true(i < MANY);
    if (!strstr(x.fault, name))
        fail_msg("\"%s\" is not in: %s", name, x.fault);
    h2_peer_hang_up(peer);
    H2_UNTIL(peer, peer->n_closed == 1);
    assert_int_equal(peer->closed_why.code, MESH_ERR_PROTOCOL);
    h2_peer_free(peer);
}

static void send_ping(struct h2_peer *peer, int32_t id, int i)
{
    (void) id, (void) i;
    h2_peer_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void send_ping_ack(struct h2_peer *peer, int32_t id, int i)
{
    (void) id, (void) i;
    h2_peer_frame(peer, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8);
}

static void send_settings(struct h2_peer *peer, int32_t id, int i)
{
    (void) id;
    h2_peer_settings(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535 + (uint32_t) i % 2);
}

static void send_empty_data(struct h2_peer *peer, int32_t id, int i)
{
    if (i == 0)
        h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    h2_peer_data(peer, id, 0, false);
}

static void send_reset(struct h2_peer *peer, int32_t id, int i)
{
    (void) i;
    h2_peer_reset(peer, id - 2, NGHTTP2_CANCEL); /* a stream that has ended long ago */
}

static void send_informational(struct h2_peer *peer, int32_t id, int i)
{
    (void) i;
    h2_peer_headers(peer, id, false, H2_PAIRS(":status", "103", "link", "</style.css>"));
}

static void send_priority(struct h2_peer *peer, int32_t id, int i)
{
    (void) i;
    h2_peer_frame(peer, NGHTTP2_PRIORITY, 0, id, "\0\0\0\0\1", 5);
}

static void send_unknown(struct h2_peer *peer, int32_t id, int i)
{
    (void) i;
    h2_peer_frame(peer, 0xbe, 0, id, "grease", 6);
}

static void send_window_update(struct h2_peer *peer, int32_t id, int i)
{
    (void) id, (void) i;
    h2_peer_window(peer, 0, 1);
}

static void send_continuation(struct h2_peer *peer, int32_t id, int i)
{
    struct h2_headers block = { 0 };

    h2_put_header(&block, i == 0 ? ":status" : "x", i == 0 ? "200" : "y");
    h2_peer_frame(peer, i == 0 ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION, 0, id, block.bytes, block.len);
}

static void send_trailers(struct h2_peer *peer, int32_t id, int i)
{
    if (i == 0)
        h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
    h2_peer_headers(peer, id - 2, true, H2_PAIRS("trailer", "again")); /* of a stream that has ended */
}

/* One entry of 4000 bytes in the dynamic table, then as many references to it as a frame holds. */
static void send_bomb(struct h2_peer *peer, int32_t id, int i)
{
    static uint8_t block[16384];
    size_t len = 0;

    (void) i;
    block[len++] = 0x88; /* :status 200 */
    block[len++] = 0x40; /* literal, to be indexed */
    block[len++] = 1;
    block[len++] = 'x';
    block[len++] = 0x7f; /* 4000 = 127 + 3873 */
    block[len++] = 0x80 | (3873 & 0x7f);
    block[len++] = 3873 >> 7;
    memset(block + len, 'y', 4000);
    len += 4000;
    while (len < sizeof block)
        block[len++] = 0xbe; /* the newest entry */
    h2_peer_frame(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, block, len);
}

static void test_ping(void **state)
{
    (void) state;
    flood(send_ping, "PING");
    flood(send_ping_ack, "PING");
}

static void test_settings(void **state)
{
    (void) state;
    flood(send_settings, "SETTINGS");
}

static void test_empty_data(void **state)
{
    (void) state;
    flood(send_empty_data, "empty DATA");
}

static void test_reset(void **state)
{
    (void) state;
    flood(send_reset, "RST_STREAM");
}

static void test_informational(void **state)
{
    (void) state;
    flood(send_informational, "1xx");
}

static void test_ignored(void **state)
{
    (void) state;
    flood(send_priority, "to be ignored");
    flood(send_unknown, "to be ignored");
}

static void test_window_update(void **state)
{
    (void) state;
    flood(send_window_update, "WINDOW_UPDATE");
}

static void test_continuation(void **state)
{
    (void) state;
    flood(send_continuation, "CONTINUATION");
}

static void test_trailers(void **state)
{
    (void) state;
    flood(send_trailers, "a stream that it had ended");
}

/* A stream that we have reset may still be answered, but not on and on. */
static void test_answers_nobody_waits_for(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange cancelled = { 0 }, x = { 0 };

    (void) state;
    h2_exchange_send(peer, &cancelled);
    h2_exchange_cancel(peer, &cancelled);
    h2_peer_take(peer, NGHTTP2_RST_STREAM, cancelled.stream.id);
    h2_exchange_send(peer, &x);
    for (int i = 0; i < MANY && x.n_ends == 0; i++) {
        h2_peer_headers(peer, cancelled.stream.id, false, H2_PAIRS(":status", "200"));
        if (i % 32 == 31)
            h2_peer_turn(peer);
    }
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_non_null(strstr(x.fault, "with HEADERS frames"));
    h2_peer_free(peer);
}

static void cancel_download(struct h2_peer *peer, struct h2_exchange *x)
{
    h2_exchange_send(peer, x);
    h2_peer_headers(peer, x->stream.id, false, H2_PAIRS(":status", "200"));
    H2_UNTIL(peer, x->status == 200);
    h2_exchange_cancel(peer, x);
    h2_peer_take(peer, NGHTTP2_RST_STREAM, x->stream.id);
}

/* What we had allowed may come after the reset, the rest may not. */
static void test_downloads_nobody_waits_for(void **state)
{
    struct h2_peer *peer = h2_peer_ready(&(struct http_conn_conf){ .window = 1 << 20 });
    struct h2_exchange cancelled = { 0 }, x = { 0 };

    (void) state;
    cancel_download(peer, &cancelled);
    for (int i = 0; i < 64; i++)
        h2_peer_data(peer, cancelled.stream.id, 16384, false);
    h2_peer_works(peer);
    h2_exchange_send(peer, &x);
    h2_peer_data(peer, cancelled.stream.id, 1, false);
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_non_null(strstr(x.fault, "with DATA frames of streams that had been reset"));
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_ENHANCE_YOUR_CALM);
    h2_peer_free(peer);
}

/* The request ends as too large; the expansion without measure ends the connection. */
static void test_expanding_headers(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { 0 }, y = { 0 };
    int32_t id = h2_exchange_send(peer, &x);

    (void) state;
    h2_exchange_send(peer, &y);
    send_bomb(peer, id, 0);
    h2_exchange_ended(peer, &x, MESH_ERR_TOO_LARGE, HTTP_MAYBE);
    h2_exchange_ended(peer, &y, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    assert_non_null(strstr(y.fault, "header block"));
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_ENHANCE_YOUR_CALM);
    h2_peer_free(peer);
}

static void test_the_goaway_says_calm(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    for (int i = 0; i < 1100; i++)
        send_ping(peer, 0, i);
    assert_int_equal(h2_peer_take(peer, NGHTTP2_GOAWAY, 0), NGHTTP2_ENHANCE_YOUR_CALM);
    H2_UNTIL(peer, peer->n_draining == 1);
    h2_peer_free(peer);
}

/* A peer that sends but does not read: what is owed to it is bounded. */
static void test_owing_is_bounded(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);
    struct h2_exchange x = { .endless = true };

    (void) state;
    h2_exchange_send(peer, &x);
    peer->deaf = true;
    h2_peer_window(peer, 0, 1u << 30);
    h2_peer_window(peer, x.stream.id, 1u << 30);
    for (int i = 0; i < 100; i++)
        h2_peer_turn(peer);
    for (int i = 0; i < MANY && x.n_ends == 0; i++) {
        send_ping(peer, 0, i);
        if (i % 32 == 31)
            h2_peer_turn(peer);
        if (i % 100 == 99)
            mesh_test_clock_advance_ms(2000); /* slow enough to be no flood by the clock */
    }
    h2_exchange_ended(peer, &x, MESH_ERR_PROTOCOL, HTTP_MAYBE);
    h2_peer_free(peer);
}

/* ---- honest ---- */

static void test_lively_peers_go_on(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    for (int round = 0; round < 300; round++) { /* each request is answered with some of everything */
        struct h2_exchange x = { 0 };
        int32_t id = h2_exchange_send(peer, &x);

        send_ping(peer, id, round);
        send_unknown(peer, id, round);
        h2_peer_window(peer, 0, 1);
        h2_peer_headers(peer, id, false, H2_PAIRS(":status", "103"));
        h2_peer_headers(peer, id, false, H2_PAIRS(":status", "200"));
        h2_peer_data(peer, id, 0, false);
        h2_peer_data(peer, id, 10, false);
        h2_peer_headers(peer, id, true, H2_PAIRS("grpc-status", "0"));
        h2_exchange_ended(peer, &x, 0, HTTP_MAYBE);
        h2_peer_forget_frames(peer);
    }
    h2_peer_free(peer);
}

static void test_refusing_everything_is_no_flood(void **state)
{
    struct h2_peer *peer = h2_peer_ready(NULL);

    (void) state;
    for (int i = 0; i < 3000; i++) {
        struct h2_exchange x = { 0 };
        int32_t id = h2_exchange_send(peer, &x);

        h2_peer_reset(peer, id, NGHTTP2_REFUSED_STREAM);
        h2_exchange_ended(peer, &x, MESH_ERR_RESET, HTTP_REFUSED);
    }
    h2_peer_works(peer);
    h2_peer_free(peer);
}

/* Each sends its whole window before it hears of the reset; more of them than anybody remembers. */
static void test_cancelled_downloads_are_no_flood(void **state)
{
    struct h2_peer *peer = h2_peer_ready(&(struct http_conn_conf){ .window = 1 << 20 });

    (void) state;
    for (int i = 0; i < 200; i++) {
        struct h2_exchange x = { 0 };

        cancel_download(peer, &x);
        for (int frame = 0; frame < 64; frame++)
            h2_peer_data(peer, x.stream.id, 16384, false);
        h2_peer_works(peer);
        h2_peer_forget_frames(peer);
    }
    h2_peer_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_empty_data),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_informational),
        cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_window_update),
        cmocka_unit_test(test_continuation),
        cmocka_unit_test(test_trailers),
        LEAK_TEST(test_answers_nobody_waits_for),
        LEAK_TEST(test_downloads_nobody_waits_for),
        LEAK_TEST(test_expanding_headers),
        LEAK_TEST(test_the_goaway_says_calm),
        LEAK_TEST(test_owing_is_bounded),
        LEAK_TEST(test_lively_peers_go_on),
        LEAK_TEST(test_refusing_everything_is_no_flood),
        LEAK_TEST(test_cancelled_downloads_are_no_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
