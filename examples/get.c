/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest way: one request to the service "users", configured by the environment (MESH_SERVICES). */
#include <mesh/mesh.h>
#include <stdio.h>

int main(void)
{
    struct mesh_request_opts opts = { .size = sizeof opts, .service = "users", .path = "/hello" };
    struct mesh_response *answer;
    int32_t err = mesh_request(NULL, &opts, &answer);
    printf("%d %s %s\n", mesh_response_status(answer), mesh_response_endpoint(answer), mesh_response_detail(answer));
    mesh_response_free(answer);
    return err != 0;
}
