/* SPDX-License-Identifier: Apache-2.0 */
/* Flood counters: frames found in any pieces, buckets that fill with time and with what we send. */
#include "http/h2_guard.h"
#include "mesh_test.h"

#include <string.h>

enum { SECOND = 1000000 };

static size_t put(uint8_t *out, uint8_t type, uint8_t flags, size_t len)
{
    const uint8_t head[9] = { (uint8_t) (len >> 16), (uint8_t) (len >> 8), (uint8_t) len, type, flags, 0, 0, 0, 1 };

    memcpy(out, head, sizeof head);
    memset(out + sizeof head, 0xff, len);
    return sizeof head + len;
}

static enum h2_flood frame(struct h2_guard *guard, uint8_t type, uint8_t flags, size_t len, uint64_t now)
{
    uint8_t bytes[64];

    return h2_guard_read(guard, bytes, put(bytes, type, flags, len), now);
}

/* How many frames of a type are taken in one moment. */
static unsigned taken(struct h2_guard *guard, uint8_t type, uint8_t flags, size_t len, uint64_t now)
{
    unsigned n = 0;

    while (n < 1000000 && frame(guard, type, flags, len, now) == H2_FLOOD_NONE)
        n++;
    guard->payload_left = 0; /* a flood ends the connection; the test goes on */
    return n;
}

static void test_kinds(void **state)
{
    static const struct {
        uint8_t type, flags;
        size_t len;
        enum h2_flood flood;
    } cases[] = {
        { 0, 0, 0, H2_FLOOD_EMPTY_DATA }, { 1, 4, 5, H2_FLOOD_HEADERS },       { 2, 0, 5, H2_FLOOD_IGNORED },
        { 3, 0, 4, H2_FLOOD_RESET },      { 4, 0, 6, H2_FLOOD_SETTINGS },      { 6, 0, 8, H2_FLOOD_PING },
        { 7, 0, 8, H2_FLOOD_IGNORED },    { 8, 0, 4, H2_FLOOD_WINDOW_UPDATE }, { 10, 0, 3, H2_FLOOD_IGNORED },
        { 255, 0, 0, H2_FLOOD_IGNORED },  { 0, 8, 5, H2_FLOOD_EMPTY_DATA },
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct h2_guard guard;
        enum h2_flood flood = H2_FLOOD_NONE;

        h2_guard_init(&guard, SECOND);
        for (int n = 0; n < 5000 && !flood; n++)
            flood = frame(&guard, cases[i].type, cases[i].flags, cases[i].len, SECOND);
        assert_int_equal(flood, cases[i].flood);
        assert_non_null(strstr(h2_flood_name(flood), "rame"));
    }
}

static void test_what_is_never_a_flood(void **state)
{
    struct h2_guard guard;

    (void) state;
    h2_guard_init(&guard, 0);
    assert_int_equal(taken(&guard, 0, 0, 1, 0), 1000000);
    assert_int_equal(taken(&guard, 0, 1, 0, 0), 1000000); /* empty with END_STREAM: one a stream */
    assert_int_equal(guard.frames_useful, 2000000);
}

static void test_time_fills_up_to_the_burst(void **state)
{
    struct h2_guard guard;

    (void) state;
    h2_guard_init(&guard, 0);
    assert_int_equal(taken(&guard, 6, 0, 8, 0), 200);
    assert_int_equal(taken(&guard, 6, 0, 8, SECOND), 50);
    assert_int_equal(taken(&guard, 6, 0, 8, SECOND + SECOND / 2), 25);
    assert_int_equal(taken(&guard, 6, 0, 8, 1000ull * SECOND), 200);
    assert_int_equal(taken(&guard, 4, 0, 0, 0), 100); /* each kind has its own */
}

static void test_sending_fills_more(void **state)
{
    struct h2_guard guard;

    (void) state;
    h2_guard_init(&guard, 0);
    assert_int_equal(taken(&guard, 6, 0, 8, 0), 200);
    guard.frames_sent += 300;
    assert_int_equal(taken(&guard, 6, 0, 8, 0), 300);
    guard.frames_sent += 1000000;
    assert_int_equal(taken(&guard, 6, 0, 8, 0), 1000);
    guard.frames_sent += 10;
    assert_int_equal(taken(&guard, 6, 0, 8, 0), 10);
    assert_int_equal(taken(&guard, 4, 0, 0, 0), 100); /* SETTINGS answer no request */
}

static void test_a_clock_that_stands_still_or_is_far(void **state)
{
    struct h2_guard guard;

    (void) state;
    h2_guard_init(&guard, 5 * SECOND);
    assert_int_equal(taken(&guard, 6, 0, 8, 5 * SECOND), 200);
    assert_int_equal(taken(&guard, 6, 0, 8, 0), 0);
    guard.frames_sent = UINT64_MAX / 2;
    assert_int_equal(taken(&guard, 6, 0, 8, UINT64_MAX / 2), 1000);
}

/* The same bytes, cut in every way, are the same frames. */
static void test_any_pieces(void **state)
{
    uint8_t bytes[8192];
    size_t len = 0;

    (void) state;
    for (int i = 0; i < 60; i++) {
        len += put(bytes + len, 0, 0, (size_t) i);
        len += put(bytes + len, 6, 0, 8);
        len += put(bytes + len, 1, 4, 3);
    }
    for (size_t piece = 1; piece < 40; piece++) {
        struct h2_guard guard;

        h2_guard_init(&guard, 0);
        for (size_t at = 0; at < len; at += piece)
            assert_int_equal(h2_guard_read(&guard, bytes + at, len - at < piece ? len - at : piece, 0), H2_FLOOD_NONE);
        assert_int_equal(guard.frames_useful, 119); /* the first DATA frame is empty */
        assert_int_equal(taken(&guard, 6, 0, 8, 0), 140);
    }
}

/* ---- DATA of streams that we have reset ---- */

static enum h2_arrival late(struct h2_guard *guard, uint8_t type, uint8_t flags, int32_t id)
{
    (void) guard, (void) type, (void) flags;
    return id == 1 ? H2_ARRIVES_LATE : H2_ARRIVES;
}

static void test_what_was_on_its_way_is_excused(void **state)
{
    struct h2_guard guard;

    (void) state;
    h2_guard_init(&guard, 0);
    guard.arrival = late;
    h2_guard_excuse(&guard, 100, 1000);
    assert_int_equal(frame(&guard, 0, 0, 50, 0), H2_FLOOD_NONE);
    assert_int_equal(frame(&guard, 0, 1, 50, SECOND), H2_FLOOD_NONE);
    assert_int_equal(frame(&guard, 1, 4, 50, SECOND), H2_FLOOD_NONE); /* HEADERS have a count of their own */
    assert_int_equal(frame(&guard, 0, 1, 0, SECOND), H2_FLOOD_NONE);
    assert_int_equal(frame(&guard, 0, 0, 1, 1000ull * SECOND), H2_FLOOD_LATE); /* time excuses nothing */
    assert_non_null(strstr(h2_flood_name(H2_FLOOD_LATE), "had been reset"));
}

static void test_no_more_is_excused_than_the_connection_allows(void **state)
{
    struct h2_guard guard;

    (void) state;
    h2_guard_init(&guard, 0);
    guard.arrival = late;
    h2_guard_excuse(&guard, 60, 100);
    h2_guard_excuse(&guard, 60, 100);
    h2_guard_excuse(&guard, UINT32_MAX, 100);
    assert_int_equal(taken(&guard, 0, 0, 10, 0), 10);
    h2_guard_excuse(&guard, 55, 100);
    assert_int_equal(taken(&guard, 0, 0, 10, 0), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_what_is_never_a_flood),
        cmocka_unit_test(test_time_fills_up_to_the_burst),
        cmocka_unit_test(test_sending_fills_more),
        cmocka_unit_test(test_a_clock_that_stands_still_or_is_far),
        cmocka_unit_test(test_any_pieces),
        cmocka_unit_test(test_what_was_on_its_way_is_excused),
        cmocka_unit_test(test_no_more_is_excused_than_the_connection_allows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
