/* SPDX-License-Identifier: Apache-2.0 */
/* Deadline headers: reading the application's, and what an attempt says. */
#include "request/deadline.h"

#include <string.h>

#include "mesh_test.h"

enum { ALL = DEADLINE_MESH | DEADLINE_GRPC | DEADLINE_ENVOY };

static struct deadline_asked asked_by(const char *name, const char *value)
{
    struct deadline_asked asked = { .is_grpc = true };

    deadline_read(&asked, &(struct mesh_header){ name, value });
    return asked;
}

static uint64_t limit_of(const char *name, const char *value)
{
    struct deadline_asked asked = asked_by(name, value);

    return deadline_limit_us(&asked, ALL);
}

static void what_the_application_says(void **state)
{
    (void) state;
    assert_true(limit_of("x-mesh-deadline-ms", "250") == 250000);
    assert_true(limit_of("X-Mesh-Deadline-Ms", "0") == 0);
    assert_true(limit_of("x-mesh-deadline-ms", "-1") == DEADLINE_NONE);
    assert_true(limit_of("x-mesh-deadline-ms", "soon") == DEADLINE_NONE);
    assert_true(limit_of("x-mesh-deadline-ms", "") == DEADLINE_NONE);
    assert_true(limit_of("x-mesh-deadline-ms", "18446744073709551615") == DEADLINE_NONE);
    assert_true(limit_of("x-envoy-expected-rq-timeout-ms", "250") == DEADLINE_NONE);
    assert_true(limit_of("x-other", "250") == DEADLINE_NONE);
}

static void what_grpc_timeouts_mean(void **state)
{
    static const struct {
        const char *value;
        uint64_t us;
    } cases[] = {
        { "1H", 3600000000 },
        { "2M", 120000000 },
        { "3S", 3000000 },
        { "4m", 4000 },
        { "5u", 5 },
        { "6000n", 6 },
        { "999n", 0 },
        { "99999999H", 359999996400000000 },
        { "0m", 0 },
        { "007m", 7000 },
        { "100000000u", DEADLINE_NONE },
        { "m", DEADLINE_NONE },
        { "", DEADLINE_NONE },
        { "10", DEADLINE_NONE },
        { "1 m", DEADLINE_NONE },
        { "1s", DEADLINE_NONE },
        { "-1m", DEADLINE_NONE },
        { "1ms", DEADLINE_NONE },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (limit_of("grpc-timeout", cases[i].value) != cases[i].us)
            fail_msg("\"%s\"", cases[i].value);
}

static void the_earliest_counts_of_those_that_the_policy_knows(void **state)
{
    struct deadline_asked asked = { 0 };

    (void) state;
    deadline_read(&asked, &(struct mesh_header){ "x-mesh-deadline-ms", "300" });
    deadline_read(&asked, &(struct mesh_header){ "x-mesh-deadline-ms", "200" });
    deadline_read(&asked, &(struct mesh_header){ "x-mesh-deadline-ms", "nothing" });
    deadline_read(&asked, &(struct mesh_header){ "grpc-timeout", "100m" });
    assert_int_equal(deadline_limit_us(&asked, ALL), 200000); /* no gRPC request */
    deadline_read(&asked, &(struct mesh_header){ "Content-Type", "application/gRPC+proto" });
    assert_int_equal(deadline_limit_us(&asked, ALL), 100000);
    assert_int_equal(deadline_limit_us(&asked, DEADLINE_MESH), 200000);
    assert_true(deadline_limit_us(&asked, 0) == DEADLINE_NONE);
    deadline_read(&asked, &(struct mesh_header){ "content-type", "application/json" });
    assert_int_equal(deadline_limit_us(&asked, ALL), 200000);
}

/* ---- writing ---- */

static void says_in(const struct deadline_asked *asked, uint32_t which, struct deadline_times times, const char *all)
{
    struct deadline_lines lines;
    char text[256] = "";

    deadline_write(&lines, asked, which, &times);
    for (size_t i = 0; i < lines.n; i++) {
        size_t used = strlen(text);

        snprintf(text + used, sizeof text - used, "%s%.1s=%s", i ? " " : "", strrchr(lines.headers[i].name, '-') - 1,
                 lines.headers[i].value);
    }
    assert_string_equal(text, all);
}

/* "e" is x-mesh-deadline-ms, "c" grpc-timeout, "t" x-envoy-expected-rq-timeout-ms: the letter before the last dash. */
static void what_is_left_is_told(void **state)
{
    static const struct deadline_asked none = { 0 }, grpc = { .is_grpc = true };

    (void) state;
    says_in(&none, ALL, (struct deadline_times){ 0, DEADLINE_NONE, DEADLINE_NONE }, "");
    says_in(&none, 0, (struct deadline_times){ 0, 5000, 3000 }, "");
    says_in(&none, ALL, (struct deadline_times){ 0, 15000999, DEADLINE_NONE }, "e=15000 t=15000");
    says_in(&none, ALL, (struct deadline_times){ 0, 15000999, 250000 }, "e=15000 t=250");
    says_in(&none, ALL, (struct deadline_times){ 0, 100000, 250000 }, "e=100 t=100");
    says_in(&none, ALL, (struct deadline_times){ 0, DEADLINE_NONE, 250000 }, "t=250");
    says_in(&none, ALL, (struct deadline_times){ 0, 999, DEADLINE_NONE }, "e=1 t=1");
    says_in(&none, ALL, (struct deadline_times){ 0, 0, DEADLINE_NONE }, "e=1 t=1");
    says_in(&grpc, ALL, (struct deadline_times){ 0, 15000999, DEADLINE_NONE }, "e=15000 c=15000999u t=15000");
    says_in(&grpc, DEADLINE_GRPC, (struct deadline_times){ 0, 99999999, DEADLINE_NONE }, "c=99999999u");
    says_in(&grpc, DEADLINE_GRPC, (struct deadline_times){ 0, 100000999, DEADLINE_NONE }, "c=100000m");
    says_in(&grpc, DEADLINE_GRPC, (struct deadline_times){ 0, 99999999999999, DEADLINE_NONE }, "c=99999999S");
    says_in(&grpc, DEADLINE_GRPC, (struct deadline_times){ 0, DEADLINE_NONE - 1, DEADLINE_NONE }, "c=99999999H");
}

static void never_later_than_the_application_says(void **state)
{
    struct deadline_asked asked = asked_by("x-mesh-deadline-ms", "200");

    (void) state;
    says_in(&asked, DEADLINE_MESH, (struct deadline_times){ 0, 15000000, DEADLINE_NONE }, "e=200");
    says_in(&asked, DEADLINE_MESH, (struct deadline_times){ 50000, 15000000, DEADLINE_NONE }, "e=150");
    says_in(&asked, DEADLINE_MESH, (struct deadline_times){ 50000, 100000, DEADLINE_NONE }, "e=100");
    says_in(&asked, DEADLINE_MESH, (struct deadline_times){ 50000, DEADLINE_NONE, DEADLINE_NONE }, "e=150");
    says_in(&asked, DEADLINE_MESH, (struct deadline_times){ 300000, DEADLINE_NONE, DEADLINE_NONE }, "e=1");
    asked = asked_by("x-envoy-expected-rq-timeout-ms", "200");
    says_in(&asked, DEADLINE_ENVOY, (struct deadline_times){ 0, 15000000, 250000 }, "t=200");
    asked = asked_by("grpc-timeout", "1S");
    says_in(&asked, DEADLINE_GRPC, (struct deadline_times){ 0, 15000000, DEADLINE_NONE }, "c=1000000u");
    asked = asked_by("grpc-timeout", "whenever"); /* worth nothing: ours */
    says_in(&asked, DEADLINE_GRPC, (struct deadline_times){ 0, 15000000, DEADLINE_NONE }, "c=15000000u");
    says_in(&asked, DEADLINE_GRPC, (struct deadline_times){ 0, DEADLINE_NONE, DEADLINE_NONE }, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_application_says),
        cmocka_unit_test(what_grpc_timeouts_mean),
        cmocka_unit_test(the_earliest_counts_of_those_that_the_policy_knows),
        cmocka_unit_test(what_is_left_is_told),
        cmocka_unit_test(never_later_than_the_application_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
