/* SPDX-License-Identifier: Apache-2.0 */
/* The first way in: mesh_request(), from one thread and from many. */
#include <pthread.h>

#include "support/mesh_client.h"

static void a_request_is_answered(void **state)
{
    struct h2_server *server = h2_server_start(&(struct h2_server_conf){ .name = "alice" });
    struct mesh_client *client = client_of_server(server, NULL);
    struct answer answer = get(client, "/ok", "a");

    (void) state;
    ANSWER(answer, 0, 200, 1);
    assert_string_equal(answer.body, "alice");
    assert_string_equal(answer.detail, "");
    assert_int_equal(h2_server_record(server, "a").executed, 1);
    mesh_client_free(client);
    h2_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
