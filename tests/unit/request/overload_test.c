/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers say that the peer has too much to do. */
#include "request/overload.h"

#include <string.h>

#include "mesh_test.h"

static const struct {
    int status;
    const char *name, *value;
    bool in_trailers;
    bool by_head, by_trailers;
} cases[] = {
    { 200, NULL, NULL, false, false, false },
    { 429, NULL, NULL, false, true, false },
    { 500, "retry-after", "1", false, false, false },
    { 502, NULL, NULL, false, false, false },
    { 503, NULL, NULL, false, false, false },
    { 503, "retry-after", "1", false, true, false },
    { 503, "x-envoy-overloaded", "true", false, true, false },
    { 503, "x-mesh-retry", "no", false, true, false },
    { 503, "x-mesh-retry", "yes", false, false, false },
    { 503, "retry-after", "1", true, false, false },
    { 200, "retry-after", "1", false, false, false },
    { 200, "grpc-status", "8", false, true, false },
    { 200, "grpc-status", "8", true, false, true },
    { 200, "grpc-status", "14", false, false, false },
    { 200, "grpc-status", "14", true, false, false },
    { 200, "grpc-status", "0", true, false, false },
};

static void cases_of_overload(void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mesh_response *response = response_new();

        response->status = cases[i].status;
        MESH_OK(response_add_field(response, "x-other", 7, "8", 1, false));
        if (cases[i].name)
            MESH_OK(response_add_field(response, cases[i].name, strlen(cases[i].name), cases[i].value,
                                       strlen(cases[i].value), cases[i].in_trailers));
        if (overload_told_by_head(response) != cases[i].by_head ||
            overload_told_by_trailers(response) != cases[i].by_trailers)
            fail_msg("case %zu: %d %s", i, cases[i].status, cases[i].name ? cases[i].name : "");
        response_free(response);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { LEAK_TEST(cases_of_overload) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
