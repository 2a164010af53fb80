/* SPDX-License-Identifier: Apache-2.0 */
/* One request for each line of stdin, and on stdout the endpoint that answered it or the name of the error, a line each.
 *
 *   keys SERVICE header NAME    the line is the header's value; several values are separated by "|"
 *   keys SERVICE path           the line is the path
 *   keys SERVICE key            the line is the hash_key, a decimal number */
#include <mesh/mesh.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 8, MOST_LINE = 4096 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "keys: %s: %s\n", what, why);
    exit(2);
}

static size_t split(char *line, const char *name, struct mesh_header *headers)
{
    char *rest = NULL;
    size_t n = 0;

    for (char *value = strtok_r(line, "|", &rest); value && n < MOST_VALUES; value = strtok_r(NULL, "|", &rest))
        headers[n++] = (struct mesh_header){ name, value };
    return n;
}

static void send_one(struct mesh_client *client, const struct mesh_request_opts *opts)
{
    struct mesh_response *response;
    int32_t err = mesh_request(client, opts, &response);

    puts(err ? mesh_error_name(err) : mesh_response_endpoint(response));
    fflush(stdout);
    mesh_response_free(response);
}

int main(int argc, char **argv)
{
    const char *by = argc > 2 ? argv[2] : "";
    char line[MOST_LINE], error[256];
    struct mesh_header headers[MOST_VALUES];
    struct mesh_client *client;

    if (argc != (strcmp(by, "header") == 0 ? 4 : 3))
        die("usage", "keys SERVICE header NAME | path | key");
    if (mesh_client_new(NULL, &client, error, sizeof error) != 0)
        die("no client", error);
    while (fgets(line, sizeof line, stdin)) {
        struct mesh_request_opts opts = { .size = sizeof opts, .service = argv[1] };

        line[strcspn(line, "\n")] = '\0';
        if (strcmp(by, "path") == 0) {
            opts.path = line;
        } else if (strcmp(by, "key") == 0) {
            opts.flags = MESH_REQ_HAS_HASH_KEY;
            opts.hash_key = strtoull(line, NULL, 10);
        } else {
            opts.headers = headers;
            opts.n_headers = split(line, argv[3], headers);
        }
        send_one(client, &opts);
    }
    mesh_client_free(client);
    return 0;
}
