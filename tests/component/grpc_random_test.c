/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of gRPC with what no test has thought of: answers by dice, and memory that runs out anywhere. */
#include "support/grpc_script.h"

/* ---- random answers ---- */

enum { RANDOM_ROUNDS = 300, RANDOM_MESSAGES = 30 };

/* Each message says its number in its first byte, and a piece of the last may be missing. */
static size_t make_messages(struct rand *dice, struct buf *out, unsigned n)
{
    static uint8_t bytes[GRPC_FRAME_HEAD + 5000];
    size_t missing = rand_below(dice, 3) ? 0 : rand_below(dice, 5), len = 0;

    for (unsigned i = 0; i < n; i++) {
        len = 1 + rand_below(dice, rand_below(dice, 2) ? 10 : 4999);
        grpc_frame_head(bytes, (uint32_t) len);
        bytes[GRPC_FRAME_HEAD] = (uint8_t) i;
        assert_true(buf_append(out, bytes, GRPC_FRAME_HEAD + len));
    }
    if (n == 0)
        return 0;
    out->end -= missing;
    return missing;
}

static void ask_sometimes(struct rand *dice)
{
    if (rand_below(dice, 2))
        ask();
    if (rand_below(dice, 2))
        h2_peer_turn(peer);
    if (x.n_messages > 0)
        assert_int_equal((uint8_t) x.last[0], x.n_messages - 1);
}

/* In pieces, asked for at any time, ended in any way: all that is whole comes, in order, and one status. */
static void random_round(struct rand *dice)
{
    unsigned n = rand_below(dice, RANDOM_MESSAGES), way = rand_below(dice, 3);
    struct buf bytes = { 0 };
    size_t missing = make_messages(dice, &bytes, n);

    start();
    x.asks = false;
    head();
    while (buf_len(&bytes) > 0) {
        size_t len = 1 + rand_below(dice, 4000);

        len = len < buf_len(&bytes) ? len : buf_len(&bytes);
        data(buf_bytes(&bytes), len);
        buf_consume(&bytes, len);
        ask_sometimes(dice);
    }
    if (way == 2)
        h2_peer_reset(peer, id(), NGHTTP2_REFUSED_STREAM);
    else
        trailers(way == 0 ? "0" : "10");
    for (int i = 0; i < 20000 && x.n_statuses == 0; i++) {
        ask_sometimes(dice);
        h2_peer_turn(peer);
    }
    turns();
    assert_int_equal(x.n_statuses, 1);
    assert_int_equal(x.n_messages, missing ? n - 1 : n);
    assert_int_equal(x.status.code, way == 2   ? GRPC_UNAVAILABLE
                                    : way == 1 ? GRPC_ABORTED
                                               : (missing ? GRPC_INTERNAL : GRPC_OK));
    stop();
    buf_free(&bytes);
}

static void random_answers(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 23);
    for (int i = 0; i < RANDOM_ROUNDS; i++)
        random_round(&dice);
}

/* ---- memory ---- */

static void answer_at_once(void)
{
    static const char messages[] = "\0\0\0\0\1a\1\0\0\0\x19"
                                   "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10"
                                   "\x36\x05\x00\x00\x00"; /* "a", and "hello" by gzip */

    h2_peer_settings(peer, 0, 0);
    h2_peer_headers(peer, 1, false,
                    H2_PAIRS(":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip"));
    h2_peer_frame(peer, NGHTTP2_DATA, 0, 1, messages, sizeof messages - 1);
    h2_peer_headers(peer, 1, true, H2_PAIRS("grpc-status", "0", "grpc-status-details-bin", "CAc"));
}

static int32_t whole_call(void)
{
    const struct grpc_metadata metadata = { "a-bin", "b", 1 };
    int32_t err = h2_peer_try_connect(peer);

    x = (struct grpc_exchange){ .asks = true };
    if (!err)
        err = grpc_exchange_try(peer->loop, peer->conn, &x,
                                (struct grpc_call){ .metadata = &metadata, .n_metadata = 1 }, NULL);
    if (!err)
        err = grpc_exchange_send(peer->loop, &x, "hello", 5);
    if (err == MESH_ERR_AGAIN || err == MESH_ERR_RESET) /* the connection could not begin, and ended of it */
        err = peer->closed_why.code;
    if (err) {
        grpc_exchange_cancel(peer->loop, &x);
        return err;
    }
    grpc_exchange_send_end(peer->loop, &x);
    grpc_exchange_receive(peer->loop, &x);
    answer_at_once();
    for (int i = 0; i < 20000 && x.n_statuses == 0; i++) {
        loop_turn(peer->loop);
        if (i > 100)
            poll(NULL, 0, 1);
    }
    assert_int_equal(x.n_statuses, 1);
    if (x.status.code != GRPC_OK && x.status.code != GRPC_RESOURCE_EXHAUSTED)
        print_error("%s\n", x.status.message);
    assert_true(x.status.code != GRPC_OK || x.n_messages == 2);
    return x.status.code == GRPC_OK ? 0 : x.status.code == GRPC_RESOURCE_EXHAUSTED ? MESH_ERR_NOMEM : MESH_ERR_INTERNAL;
}

static int32_t scenario(void)
{
    struct loop_conf conf = { .threadless = true };
    int32_t err;

    peer = calloc(1, sizeof *peer);
    peer->fd = -1;
    err = loop_new(&conf, &peer->loop);
    if (!err)
        err = loop_open(peer->loop, NULL);
    if (!err)
        err = whole_call();
    if (peer->conn)
        h2_peer_free_conn(peer);
    h2_peer_hang_up(peer);
    loop_free(peer->loop);
    buf_free(&peer->in);
    free(peer);
    return err;
}

static void each_allocation_fails(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(random_answers),
        cmocka_unit_test(each_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
