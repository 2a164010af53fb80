/* SPDX-License-Identifier: Apache-2.0 */
/* Long random sequences of both variants against a model of the server. The seeds are fixed: what fails, fails again. */
#include "support/xds_model.h"

enum { SEQUENCES = 300, STEPS = 3000 };

static void run_random(bool is_delta)
{
    uint8_t bytes[STEPS];
    struct rand dice;

    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        rand_seed_with(&dice, seed);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t) rand_u64(&dice);
        model_run(bytes, sizeof bytes, is_delta);
    }
}

BOTH(run_random)

int main(void)
{
    const struct CMUnitTest tests[] = { IN_BOTH(run_random) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
