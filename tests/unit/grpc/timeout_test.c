/* SPDX-License-Identifier: Apache-2.0 */
/* grpc-timeout: what is read, what is refused, and that writing never promises more time. */
#include <string.h>

#include "mesh_test.h"

#include "base/base.h"
#include "grpc/timeout.h"

static void every_unit_is_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } cases[] = {
        { "1H", 3600 * US_PER_S },
        { "2M", 120 * US_PER_S },
        { "3S", 3 * US_PER_S },
        { "4m", 4000 },
        { "5u", 5 },
        { "6000n", 6 },
        { "999n", 0 },
        { "0S", 0 },
        { "99999999H", UINT64_C(99999999) * 3600 * US_PER_S },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t us;

        assert_true(grpc_timeout_read(cases[i].text, strlen(cases[i].text), &us));
        assert_int_equal(us, cases[i].us);
    }
}

static void other_values_are_none(void **state)
{
    static const char *const texts[] = { "",    "S",   "1",    "1s",         "-1S", "+1S",
                                         "1 S", "1S ", "1.5S", "100000000n", "1Sm", "0x1S" };
    uint64_t us;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_false(grpc_timeout_read(texts[i], strlen(texts[i]), &us));
}

static void is_written(uint64_t us, const char *text)
{
    char out[GRPC_TIMEOUT_TEXT];

    grpc_timeout_write(us, out);
    assert_string_equal(out, text);
}

static void the_finest_unit_that_fits_is_written(void **state)
{
    (void) state;
    is_written(0, "1u");
    is_written(1, "1u");
    is_written(99999999, "99999999u");
    is_written(100000000, "100000m");
    is_written(99999999999, "99999999m");
    is_written(100000000000, "100000S");
    is_written(UINT64_MAX / 2, "99999999H");
    is_written(UINT64_MAX, "99999999H");
}

static void written_times_are_never_later(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 5);
    for (int i = 0; i < 100000; i++) {
        uint64_t us = rand_below(&dice, UINT32_MAX) << rand_below(&dice, 24), read;
        char out[GRPC_TIMEOUT_TEXT];

        grpc_timeout_write(us, out);
        assert_true(strlen(out) <= 9);
        assert_true(grpc_timeout_read(out, strlen(out), &read));
        assert_true(us == 0 ? read == 1 : read <= us && read >= us - us / 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_is_read),
        cmocka_unit_test(other_values_are_none),
        cmocka_unit_test(the_finest_unit_that_fits_is_written),
        cmocka_unit_test(written_times_are_never_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
