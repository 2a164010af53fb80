/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in any pieces, limits that hold before anything is kept, compression and its bombs. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "mesh_test.h"

#include "grpc/frame.h"
#include "grpc/inflate.h"

static struct grpc_status status;

/* ---- making messages ---- */

static void put(struct buf *out, uint8_t flags, const void *bytes, size_t len)
{
    uint8_t head[GRPC_FRAME_HEAD];

    grpc_frame_head(head, (uint32_t) len);
    head[0] = flags;
    assert_true(buf_append(out, head, sizeof head));
    assert_true(len == 0 || buf_append(out, bytes, len));
}

static void gzip(struct buf *out, const void *bytes, size_t len)
{
    z_stream z = { 0 };
    uint8_t *room;

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    room = buf_room(out, deflateBound(&z, len));
    assert_non_null(room);
    z.next_in = (uint8_t *) (uintptr_t) bytes;
    z.avail_in = (unsigned) len;
    z.next_out = room;
    z.avail_out = (unsigned) deflateBound(&z, len);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_added(out, z.total_out);
    deflateEnd(&z);
}

static void put_gzip(struct buf *out, const void *bytes, size_t len)
{
    struct buf zipped = { 0 };

    gzip(&zipped, bytes, len);
    put(out, 1, buf_bytes(&zipped), buf_len(&zipped));
    buf_free(&zipped);
}

/* ---- reading them ---- */

static enum grpc_read feed(struct grpc_reader *reader, const void *bytes, size_t len)
{
    size_t used;
    enum grpc_read result = grpc_reader_feed(reader, bytes, len, &used, &status);

    if (result == GRPC_READ_MORE)
        assert_int_equal(used, len);
    return result;
}

static void refuses(struct grpc_reader *reader, const void *bytes, size_t len, enum grpc_code code, const char *message)
{
    assert_int_equal(feed(reader, bytes, len), GRPC_READ_REFUSED);
    assert_int_equal(status.code, code);
    assert_string_equal(status.message, message);
    grpc_reader_free(reader);
}

static void prefixes(void **state)
{
    uint8_t head[GRPC_FRAME_HEAD];

    (void) state;
    grpc_frame_head(head, 0x01020304);
    assert_memory_equal(head, "\0\1\2\3\4", 5);
}

static void whole_messages(void **state)
{
    static const uint8_t bytes[] = "\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\1d";
    static const char *const messages[] = { "abc", "", "d" };
    struct grpc_reader reader = { 0 };
    size_t at = 0, used;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        assert_int_equal(grpc_reader_feed(&reader, bytes + at, sizeof bytes - 1 - at, &used, &status),
                         GRPC_READ_MESSAGE);
        assert_int_equal(reader.len, strlen(messages[i]));
        assert_int_equal(used, 5 + reader.len);
        if (reader.len > 0)
            assert_memory_equal(reader.message, messages[i], reader.len);
        assert_false(grpc_reader_is_within(&reader));
        at += used;
    }
    assert_int_equal(at, sizeof bytes - 1);
    assert_int_equal(feed(&reader, NULL, 0), GRPC_READ_MORE);
    grpc_reader_free(&reader);
}

/* G6: where an answer may end. */
static void within_a_message(void **state)
{
    static const uint8_t bytes[] = "\0\0\0\0\3abc";
    struct grpc_reader reader = { 0 };

    (void) state;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(feed(&reader, bytes + i, 1), GRPC_READ_MORE);
        assert_true(grpc_reader_is_within(&reader));
    }
    assert_int_equal(feed(&reader, bytes + 7, 1), GRPC_READ_MESSAGE);
    assert_false(grpc_reader_is_within(&reader));
    grpc_reader_free(&reader);
}

/* G4: refused by the prefix; a length that is promised takes no memory. */
static void lengths_are_limited(void **state)
{
    struct grpc_reader reader = { 0 };

    (void) state;
    assert_int_equal(feed(&reader, "\0\0\x40\0\0", 5), GRPC_READ_MORE); /* 4 MiB, then silence */
    assert_null(reader.wire.data);
    reader = (struct grpc_reader){ 0 };
    refuses(&reader, "\0\0\x40\0\1", 5, GRPC_RESOURCE_EXHAUSTED,
            "a message has 4194305 bytes; at most 4194304 are taken");
    assert_null(reader.wire.data);
    reader = (struct grpc_reader){ .most = 10 };
    refuses(&reader, "\0\xff\xff\xff\xff", 5, GRPC_RESOURCE_EXHAUSTED,
            "a message has 4294967295 bytes; at most 10 are taken");
    reader = (struct grpc_reader){ .most = 10, .encoding = GRPC_GZIP };
    refuses(&reader, "\1\0\0\0\x0b", 5, GRPC_RESOURCE_EXHAUSTED, "a message has 11 bytes; at most 10 are taken");
}

/* G5 */
static void flags_and_encodings(void **state)
{
    struct grpc_reader reader = { 0 };

    (void) state;
    refuses(&reader, "\2\0\0\0\0", 5, GRPC_INTERNAL, "a message has the flags 0x02; 0 and 1 are known");
    reader = (struct grpc_reader){ 0 };
    refuses(&reader, "\1\0\0\0\0", 5, GRPC_INTERNAL, "a message is compressed and grpc-encoding does not say how");
    reader = (struct grpc_reader){ .encoding = GRPC_OTHER_ENCODING };
    refuses(&reader, "\1\0\0\0\0", 5, GRPC_INTERNAL,
            "a message is compressed in a way that was not offered: identity,gzip");
    reader = (struct grpc_reader){ .encoding = GRPC_OTHER_ENCODING };
    assert_int_equal(feed(&reader, "\0\0\0\0\1x", 6), GRPC_READ_MESSAGE); /* this one is not compressed */
    grpc_reader_free(&reader);
    reader = (struct grpc_reader){ .encoding = GRPC_GZIP };
    refuses(&reader, "\1\0\0\0\3abc", 8, GRPC_INTERNAL, "a message of 3 bytes is not gzip");
    reader = (struct grpc_reader){ .encoding = GRPC_GZIP };
    assert_int_equal(feed(&reader, "\1\0\0\0\0", 5), GRPC_READ_MESSAGE);
    assert_int_equal(reader.len, 0);
    grpc_reader_free(&reader);
}

static void gzip_is_read(void **state)
{
    struct grpc_reader reader = { .encoding = GRPC_GZIP };
    struct buf bytes = { 0 };
    char *text = malloc(100000);

    (void) state;
    for (size_t i = 0; i < 100000; i++)
        text[i] = (char) (i * 7 / 5);
    put_gzip(&bytes, text, 100000);
    assert_int_equal(feed(&reader, buf_bytes(&bytes), buf_len(&bytes)), GRPC_READ_MESSAGE);
    assert_int_equal(reader.len, 100000);
    assert_memory_equal(reader.message, text, 100000);
    buf_clear(&bytes);
    put_gzip(&bytes, "", 0);
    assert_int_equal(feed(&reader, buf_bytes(&bytes), buf_len(&bytes)), GRPC_READ_MESSAGE);
    assert_int_equal(reader.len, 0);
    grpc_reader_free(&reader);
    buf_free(&bytes);
    free(text);
}

static void gzip_that_is_broken(void **state)
{
    struct buf zipped = { 0 }, followed = { 0 };

    (void) state;
    gzip(&zipped, "hello, hello, hello", 19);
    for (size_t cut = 1; cut < buf_len(&zipped); cut++) {
        struct buf out = { 0 };

        MESH_ERR(MESH_ERR_PROTOCOL, grpc_inflate(buf_bytes(&zipped), cut, 100, &out));
        buf_free(&out);
    }
    assert_true(buf_append(&zipped, "x", 1));
    MESH_ERR(MESH_ERR_PROTOCOL, grpc_inflate(buf_bytes(&zipped), buf_len(&zipped), 100, &followed));
    buf_free(&followed);
    buf_free(&zipped);
}

static void inflating_stops_at_the_limit(void **state)
{
    struct buf zipped = { 0 }, out = { 0 };

    (void) state;
    gzip(&zipped, "0123456789", 10);
    MESH_OK(grpc_inflate(buf_bytes(&zipped), buf_len(&zipped), 10, &out));
    assert_int_equal(buf_len(&out), 10);
    buf_clear(&out);
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_inflate(buf_bytes(&zipped), buf_len(&zipped), 9, &out));
    buf_clear(&out);
    MESH_ERR(MESH_ERR_TOO_LARGE, grpc_inflate(buf_bytes(&zipped), (size_t) UINT32_MAX + 1, 10, &out)); /* unread */
    assert_int_equal(buf_len(&out), 0);
    buf_free(&zipped);
    buf_free(&out);
}

/* 64 MiB of zeros in 64 KiB. */
static void bombs_are_refused(void **state)
{
    size_t len = 64 << 20;
    uint8_t *zeros = calloc(1, len);
    struct grpc_reader reader = { .encoding = GRPC_GZIP };
    struct buf bytes = { 0 };

    (void) state;
    put_gzip(&bytes, zeros, len);
    free(zeros);
    assert_true(buf_len(&bytes) < 70000);
    assert_int_equal(feed(&reader, buf_bytes(&bytes), buf_len(&bytes)), GRPC_READ_REFUSED);
    assert_int_equal(status.code, GRPC_RESOURCE_EXHAUSTED);
    assert_string_equal(status.message, "a message has more than 4194304 bytes; at most 4194304 are taken");
    assert_true(reader.inflated.cap <= 2 * GRPC_RECEIVE_MOST);
    grpc_reader_free(&reader);
    buf_free(&bytes);
}

static void large_messages_leave_nothing_behind(void **state)
{
    struct grpc_reader reader = { 0 };
    struct buf bytes = { 0 };
    uint8_t *zeros = calloc(1, 1 << 20);

    (void) state;
    put(&bytes, 0, zeros, 1 << 20);
    assert_int_equal(feed(&reader, buf_bytes(&bytes), buf_len(&bytes)), GRPC_READ_MESSAGE);
    assert_int_equal(feed(&reader, "\0\0\0\0\1x", 6), GRPC_READ_MESSAGE);
    assert_true(reader.wire.cap <= 64 << 10);
    grpc_reader_free(&reader);
    buf_free(&bytes);
    free(zeros);
}

/* ---- random pieces ---- */

enum { ROUNDS = 300, MESSAGES = 20, LONGEST = 3000 };

struct round {
    struct buf bytes;
    uint8_t messages[MESSAGES][LONGEST];
    size_t lens[MESSAGES];
};

static void make_round(struct round *round, struct rand *dice)
{
    buf_clear(&round->bytes);
    for (size_t i = 0; i < MESSAGES; i++) {
        round->lens[i] = rand_below(dice, 2) ? rand_below(dice, 8) : rand_below(dice, LONGEST);
        for (size_t k = 0; k < round->lens[i]; k++)
            round->messages[i][k] = (uint8_t) rand_below(dice, 5);
        if (rand_below(dice, 2))
            put(&round->bytes, 0, round->messages[i], round->lens[i]);
        else
            put_gzip(&round->bytes, round->messages[i], round->lens[i]);
    }
}

/* Each piece lies in a block of its own size, so that a sanitizer sees every byte that is read beyond. */
static void read_round(const struct round *round, struct rand *dice)
{
    struct grpc_reader reader = { .encoding = GRPC_GZIP };
    size_t at = 0, n = 0, longest = 1 + rand_below(dice, 2000);

    while (at < buf_len(&round->bytes)) {
        size_t left = buf_len(&round->bytes) - at, len = 1 + rand_below(dice, (uint32_t) longest), used;
        uint8_t *piece = malloc(len = len < left ? len : left);

        memcpy(piece, buf_bytes(&round->bytes) + at, len);
        if (grpc_reader_feed(&reader, piece, len, &used, &status) == GRPC_READ_MESSAGE) {
            assert_int_equal(reader.len, round->lens[n]);
            if (reader.len > 0)
                assert_memory_equal(reader.message, round->messages[n], reader.len);
            n++;
        } else {
            assert_int_equal(used, len);
        }
        at += used;
        free(piece);
    }
    assert_int_equal(n, MESSAGES);
    assert_false(grpc_reader_is_within(&reader));
    grpc_reader_free(&reader);
}

static void random_pieces(void **state)
{
    struct round *round = calloc(1, sizeof *round);
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 41);
    for (int i = 0; i < ROUNDS; i++) {
        make_round(round, &dice);
        read_round(round, &dice);
    }
    buf_free(&round->bytes);
    free(round);
}

/* Whatever comes, it is read, or refused within the limit. */
static void random_bytes(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 43);
    for (int i = 0; i < 20000; i++) {
        struct grpc_reader reader = { .most = 500, .encoding = (enum grpc_encoding) rand_below(&dice, 3) };
        size_t len = rand_below(&dice, 600), at = 0, used;
        enum grpc_read result = GRPC_READ_MORE;
        uint8_t *bytes = malloc(len + 1);

        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t) (rand_below(&dice, 4) ? rand_below(&dice, 2) : rand_below(&dice, 256));
        while (at < len && result != GRPC_READ_REFUSED) {
            result = grpc_reader_feed(&reader, bytes + at, len - at, &used, &status);
            assert_true(used <= len - at && buf_len(&reader.wire) <= 500);
            at += used;
        }
        grpc_reader_free(&reader);
        free(bytes);
    }
}

/* In several pieces, so that zlib wants a window, too. */
static int32_t read_zipped(void)
{
    static const uint8_t zeros[40000];
    static uint8_t bytes[100];
    static size_t len;
    struct grpc_reader reader = { .encoding = GRPC_GZIP };
    struct buf made = { 0 };
    enum grpc_read result;

    if (len == 0) { /* before the memory that is counted */
        put_gzip(&made, zeros, sizeof zeros);
        len = buf_len(&made);
        assert_true(len <= sizeof bytes);
        memcpy(bytes, buf_bytes(&made), len);
        buf_free(&made);
    }
    result = feed(&reader, bytes, len);
    grpc_reader_free(&reader);
    return result == GRPC_READ_MESSAGE ? 0 : MESH_ERR_NOMEM;
}

static void memory_is_wanted(void **state)
{
    (void) state;
    MESH_OK(read_zipped());
    mesh_test_each_allocation_fails(read_zipped);
    assert_int_equal(status.code, GRPC_RESOURCE_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(prefixes),
        LEAK_TEST(whole_messages),
        LEAK_TEST(within_a_message),
        LEAK_TEST(lengths_are_limited),
        LEAK_TEST(flags_and_encodings),
        LEAK_TEST(gzip_is_read),
        LEAK_TEST(gzip_that_is_broken),
        LEAK_TEST(inflating_stops_at_the_limit),
        LEAK_TEST(bombs_are_refused),
        LEAK_TEST(large_messages_leave_nothing_behind),
        LEAK_TEST(random_pieces),
        LEAK_TEST(random_bytes),
        cmocka_unit_test(memory_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
