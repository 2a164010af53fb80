/* SPDX-License-Identifier: Apache-2.0 */
/* A server and owners without plan, by seed: whatever comes in whatever order, every stream that was not cancelled ends once, the
 * connection closes once, and nothing is left behind. */
#include "support/h2_peer.h"

enum { SEEDS = 400, STEPS = 60, EXCHANGES = 12 };

static struct rand dice;

static bool one_in(uint64_t n)
{
    return rand_below(&dice, n) == 0;
}

static int32_t some_id(void)
{
    return one_in(20) ? (int32_t) rand_below(&dice, 100) : 1 + 2 * (int32_t) rand_below(&dice, EXCHANGES);
}

/* ---- the owners ---- */

struct actor {
    struct h2_exchange x;
    bool was_opened, was_cancelled;
};

static struct actor actors[EXCHANGES];
static struct h2_peer *stage;

static void cancel(struct actor *actor)
{
    if (actor->x.stream.conn)
        actor->was_cancelled = true;
    http_stream_cancel(&actor->x.stream);
}

/* What an owner may do in any of its callbacks, to itself and to others. */
static void do_something(struct http_stream *self)
{
    if (one_in(20))
        cancel(&actors[rand_below(&dice, EXCHANGES)]);
    if (one_in(60) && self->conn)
        http_conn_drain(self->conn);
    if (one_in(100) && self->conn)
        http_conn_close(self->conn, MESH_ERR_CLOSING, "the client is closing");
}

static ssize_t read_body(struct http_stream *stream, uint8_t *buf, size_t cap, bool *eof)
{
    struct h2_exchange *x = CONTAINER_OF(stream, struct h2_exchange, stream);

    x->waits = one_in(3);
    if (one_in(50))
        return MESH_ERR_CANCELLED;
    do_something(stream);
    return h2_exchange_read_body(stream, buf, cap, eof);
}

static int32_t on_header(struct http_stream *stream, const char *name, size_t name_len, const char *value,
                         size_t value_len, bool is_trailer)
{
    (void) name, (void) name_len, (void) value, (void) value_len, (void) is_trailer;
    do_something(stream);
    return one_in(50) ? MESH_ERR_TOO_LARGE : 0;
}

static void on_head(struct http_stream *stream, int status, bool end)
{
    (void) status, (void) end;
    do_something(stream);
}

static int32_t on_data(struct http_stream *stream, const uint8_t *bytes, size_t len)
{
    (void) bytes;
    do_something(stream);
    if (stream->hold && one_in(2))
        http_stream_consume(stream, len);
    return one_in(50) ? MESH_ERR_NOMEM : 0;
}

static void on_end(struct http_stream *stream, const struct http_result *result)
{
    h2_exchange_on_end(stream, result);
    do_something(stream);
}

static const struct http_stream_ops ops = { read_body, on_header, on_head, on_data, on_end };

static void open_one(struct actor *actor)
{
    const struct mesh_header header = { "X-Test", "yes" };
    const struct http_request request = { .method = "POST",
                                          .scheme = "http",
                                          .authority = "users",
                                          .path = "/",
                                          .headers = &header,
                                          .n_headers = 1,
                                          .has_body = one_in(2),
                                          .body_len = -1 };

    if (actor->was_opened || !stage->conn)
        return;
    actor->x.stream.ops = &ops;
    actor->x.stream.hold = one_in(2);
    actor->x.body_left = rand_below(&dice, 100000);
    actor->was_opened = http_stream_open(stage->conn, &actor->x.stream, &request) == 0;
}

/* ---- the server ---- */

static void send_garbage(void)
{
    uint8_t bytes[64];
    size_t len = rand_below(&dice, sizeof bytes);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t) rand_u64(&dice);
    h2_peer_frame(stage, (uint8_t) rand_below(&dice, 12), (uint8_t) rand_u64(&dice), some_id(), bytes, len);
}

static void send_something(void)
{
    switch (rand_below(&dice, one_in(8) ? 14 : 9)) {
    case 0:
    case 1:
        h2_peer_headers(stage, some_id(), one_in(3), H2_PAIRS(":status", "200", "a", "b"));
        break;
    case 2:
    case 3:
        h2_peer_data(stage, some_id(), rand_below(&dice, 16384), one_in(4));
        break;
    case 4:
        h2_peer_headers(stage, some_id(), true, H2_PAIRS("trailer", "1"));
        break;
    case 5:
        h2_peer_reset(stage, some_id(), (uint32_t) rand_below(&dice, 14));
        break;
    case 6:
        h2_peer_window(stage, one_in(2) ? 0 : some_id(), 1 + (uint32_t) rand_below(&dice, 100000));
        break;
    case 7:
        h2_peer_frame(stage, NGHTTP2_PING, one_in(2), 0, "12345678", 8);
        break;
    case 8:
        h2_peer_headers(stage, some_id(), false, H2_PAIRS(":status", "103"));
        break;
    case 9:
        h2_peer_settings(stage, (uint16_t) rand_below(&dice, 8), (uint32_t) rand_below(&dice, 70000));
        break;
    case 10:
        h2_peer_goaway(stage, (uint32_t) some_id(), (uint32_t) rand_below(&dice, 14));
        break;
    case 11:
        h2_peer_headers(stage, some_id(), one_in(2), H2_PAIRS(":status", "2", "Upper", "case"));
        break;
    case 12:
        send_garbage();
        break;
    default:
        if (one_in(4))
            h2_peer_hang_up(stage);
    }
}

/* ---- both ---- */

static void take_a_step(void)
{
    struct actor *actor = &actors[rand_below(&dice, EXCHANGES)];

    if (one_in(2))
        send_something();
    loop_enter(stage->loop);
    if (one_in(2))
        open_one(actor);
    if (one_in(30))
        cancel(actor);
    if (one_in(8))
        http_stream_resume(&actor->x.stream);
    if (one_in(8))
        http_conn_refresh(stage->conn);
    loop_leave(stage->loop);
    if (one_in(20))
        mesh_test_clock_advance_ms(rand_below(&dice, 300));
    if (one_in(2))
        h2_peer_turn(stage);
    if (stage->n_frames > H2_FRAMES / 2)
        h2_peer_forget_frames(stage);
}

static void check_end(uint64_t seed)
{
    for (int i = 0; i < EXCHANGES; i++) {
        const struct actor *actor = &actors[i];
        unsigned expected = actor->was_opened && !actor->was_cancelled;

        if (actor->x.n_ends != expected || actor->x.stream.conn)
            fail_msg("seed %llu: exchange %d ended %u times, not %u", (unsigned long long) seed, i, actor->x.n_ends,
                     expected);
    }
    if (stage->n_closed != 1 || stage->n_draining > 1)
        fail_msg("seed %llu: closed %u times, draining %u times", (unsigned long long) seed, stage->n_closed,
                 stage->n_draining);
}

static void play(uint64_t seed)
{
    const struct http_conn_conf conf = { .silence_us = 250 * US_PER_MS, .window = 100000, .idle_us = US_PER_S };

    rand_seed_with(&dice, seed);
    memset(actors, 0, sizeof actors);
    stage = h2_peer_new(&conf);
    h2_peer_settings(stage, 0, 0);
    for (int i = 0; i < STEPS; i++)
        take_a_step();
    loop_enter(stage->loop);
    http_conn_close(stage->conn, MESH_ERR_CLOSING, "the scene is over");
    loop_leave(stage->loop);
    h2_peer_hang_up(stage);
    H2_UNTIL(stage, stage->n_closed > 0);
    check_end(seed);
    h2_peer_free(stage);
}

static void test_random_scenes(void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = { LEAK_TEST(test_random_scenes) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
