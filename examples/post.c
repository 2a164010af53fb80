/* SPDX-License-Identifier: Apache-2.0 */
/* A POST with headers and a body: post SERVICE PATH BODY. Not only what came back is shown, but also how.
 *
 * A POST is not retried once it may have been executed. This one says that it may be executed twice - because the service
 * knows the idempotency key again - and is then retried as a GET is. */
#include <mesh/mesh.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_headers(const struct mesh_response *response)
{
    const char *name, *value;
    size_t n = mesh_response_header_at(response, 0, NULL, NULL);

    for (size_t i = 0; i < n; i++) {
        mesh_response_header_at(response, i, &name, &value);
        printf("%s: %s\n", name, value);
    }
}

static void print_answer(const struct mesh_response *response)
{
    const void *body;
    size_t len;

    mesh_response_body(response, &body, &len);
    printf("%" PRId32 " from %s\n", mesh_response_status(response), mesh_response_endpoint(response));
    print_headers(response);
    printf("\n%.*s\n", (int) len, len > 0 ? (const char *) body : "");
}

int main(int argc, char **argv)
{
    const struct mesh_header headers[] = {
        { "content-type", "application/json" },
        { "idempotency-key", "order-4711" },
    };
    struct mesh_request_opts opts = {
        .size = sizeof opts,
        .flags = MESH_REQ_IDEMPOTENT,
        .method = "POST",
        .headers = headers,
        .n_headers = sizeof headers / sizeof *headers,
        .timeout_ms = 2000, /* all attempts together */
    };
    struct mesh_response *response;
    int32_t err;

    if (argc != 4) {
        fprintf(stderr, "usage: post SERVICE PATH BODY\n");
        return 2;
    }
    opts.service = argv[1];
    opts.path = argv[2];
    opts.body = argv[3];
    opts.body_len = strlen(argv[3]);

    err = mesh_request(NULL, &opts, &response);
    if (err == 0)
        print_answer(response);
    else
        fprintf(stderr, "%s: %s\n", mesh_error_name(err),
                response ? mesh_response_detail(response) : mesh_strerror(err));
    mesh_response_free(response);
    return err != 0;
}
