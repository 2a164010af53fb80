/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies: read in pieces, written in pieces, kept for another attempt while they fit. */
#include "request/body.h"

#include <string.h>

#include "mesh_test.h"

static uint8_t bytes[300000];

static int fill(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t) (i * 7 + (i >> 9));
    return 0;
}

/* Reads n bytes, which begin at `at` of what was written. */
static void reads(struct body *body, size_t at, size_t n, bool ends)
{
    static uint8_t out[sizeof bytes];
    bool eof = false;

    assert_int_equal(body_read(body, out, n, &eof), n);
    assert_memory_equal(out, bytes + at, n);
    assert_int_equal(eof, ends);
}

static void in_memory(void **state)
{
    struct body body = { .bytes = bytes, .len = 1000 }, none = { 0 };
    bool eof = false;
    uint8_t out[8];

    (void) state;
    assert_true(body_is_empty(&none));
    assert_int_equal(body_length(&none), 0);
    assert_int_equal(body_read(&none, out, 8, &eof), 0);
    assert_true(eof);
    assert_false(body_is_empty(&body));
    assert_int_equal(body_length(&body), 1000);
    reads(&body, 0, 400, false);
    reads(&body, 400, 600, true);
    assert_true(body_is_replayable(&body));
    body_rewind(&body);
    reads(&body, 0, 1000, true);
}

static void writes(struct body *body, size_t at, size_t n, size_t expected)
{
    size_t taken;

    assert_true(body_write(body, bytes + at, n, &taken));
    assert_int_equal(taken, expected);
}

static void in_pieces(void **state)
{
    struct body body = { .is_stream = true };
    bool eof = true;
    uint8_t out[8];

    (void) state;
    assert_false(body_is_empty(&body));
    assert_int_equal(body_length(&body), -1);
    assert_int_equal(body_read(&body, out, 8, &eof), 0);
    assert_false(eof);
    writes(&body, 0, 100, 100);
    reads(&body, 0, 60, false);
    reads(&body, 60, 40, false);
    writes(&body, 100, 50, 50);
    body.finished = true;
    assert_int_equal(body_length(&body), 150);
    reads(&body, 100, 50, true);
    body_free(&body);
}

static void finished_after_the_last_piece_was_read(void **state)
{
    struct body body = { .is_stream = true };
    bool eof = false;
    uint8_t out[8];

    (void) state;
    writes(&body, 0, 10, 10);
    reads(&body, 0, 10, false);
    body.finished = true;
    assert_int_equal(body_read(&body, out, 8, &eof), 0);
    assert_true(eof);
    body_free(&body);
}

static void no_more_is_taken_than_fits(void **state)
{
    struct body body = { .is_stream = true };

    (void) state;
    writes(&body, 0, BODY_KEPT - 10, BODY_KEPT - 10);
    assert_true(body_has_room(&body));
    writes(&body, BODY_KEPT - 10, 100, 10);
    assert_false(body_has_room(&body));
    reads(&body, 0, 1000, false);
    assert_true(body_has_room(&body));
    writes(&body, BODY_KEPT, 5000, 1000);
    body_free(&body);
}

static void what_fits_is_kept_for_another_attempt(void **state)
{
    struct body body = { .is_stream = true };

    (void) state;
    writes(&body, 0, 1000, 1000);
    reads(&body, 0, 1000, false);
    writes(&body, 1000, BODY_KEPT - 1000, BODY_KEPT - 1000);
    reads(&body, 1000, BODY_KEPT - 1000, false);
    assert_true(body_is_replayable(&body));
    body_rewind(&body);
    assert_false(body_has_room(&body));
    reads(&body, 0, BODY_KEPT, false);
    body_free(&body);
}

static void beyond_that_it_is_gone(void **state)
{
    struct body body = { .is_stream = true };
    size_t at = 0;

    (void) state;
    while (at + 10000 <= sizeof bytes) {
        writes(&body, at, 10000, 10000);
        reads(&body, at, 10000, false);
        at += 10000;
        assert_int_equal(body_is_replayable(&body), at <= BODY_KEPT);
        assert_true(buf_len(&body.written) <= BODY_KEPT);
    }
    body.finished = true;
    assert_int_equal(body_length(&body), at);
    body_free(&body);
}

/* What the options bring is there at once, whatever its length. */
static void a_large_first_piece(void **state)
{
    struct body body = { .is_stream = true };

    (void) state;
    assert_true(buf_append(&body.written, bytes, 200000));
    assert_false(body_has_room(&body));
    reads(&body, 0, 150000, false);
    assert_true(body_has_room(&body));
    assert_true(body_is_replayable(&body));
    body_rewind(&body);
    reads(&body, 0, 200000, false);
    writes(&body, 200000, 100, 100);
    assert_false(body_is_replayable(&body));
    reads(&body, 200000, 100, false);
    body_free(&body);
}

static int32_t write_some(void)
{
    struct body body = { .is_stream = true };
    size_t taken;
    bool ok = body_write(&body, bytes, 10, &taken);

    assert_int_equal(taken, ok ? 10 : 0);
    body_free(&body);
    return ok ? 0 : MESH_ERR_NOMEM;
}

static void out_of_memory(void **state)
{
    (void) state;
    mesh_test_each_allocation_fails(write_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(in_memory),
        LEAK_TEST(in_pieces),
        LEAK_TEST(finished_after_the_last_piece_was_read),
        LEAK_TEST(no_more_is_taken_than_fits),
        LEAK_TEST(what_fits_is_kept_for_another_attempt),
        LEAK_TEST(beyond_that_it_is_gone),
        LEAK_TEST(a_large_first_piece),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
