/* SPDX-License-Identifier: Apache-2.0 */
/* How many loops an engine has: by the CPUs that the process may use, not by those of the machine. */
#include <sched.h>
#include <unistd.h>

#include "client/client.h"
#include "mesh_test.h"

static void test_lanes_by_cpus(void **state)
{
    static const size_t cases[][2] = { { 1, 1 }, { 2, 1 },  { 3, 1 },  { 4, 2 },
                                       { 8, 4 }, { 16, 8 }, { 17, 8 }, { 1024, 8 } };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(engine_lanes_for(cases[i][0]), cases[i][1]);
}

static void test_affinity_counts(void **state)
{
    cpu_set_t before, one;
    int cpu = 0;

    (void) state;
    assert_int_equal(sched_getaffinity(getpid(), sizeof before, &before), 0);
    assert_int_equal(engine_cpus(), CPU_COUNT(&before));
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(getpid(), sizeof one, &one), 0);
    assert_int_equal(engine_cpus(), 1);
    assert_int_equal(sched_setaffinity(getpid(), sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_by_cpus),
        cmocka_unit_test(test_affinity_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
