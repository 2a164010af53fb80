/* SPDX-License-Identifier: Apache-2.0 */
/* A stranger's program: built against the installed library only, as C and as C++. Its calls fail as they should. */
#include <mesh/mesh.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int version_is_the_headers(void)
{
    char built_with[32];

    snprintf(built_with, sizeof built_with, "%d.%d.%d", MESH_VERSION_MAJOR, MESH_VERSION_MINOR, MESH_VERSION_PATCH);
    printf("built with mesh %s, runs with %s\n", built_with, mesh_version_string());
    return strcmp(mesh_version_string(), built_with) == 0;
}

/* A target at which nobody listens: a port of the kernel's choice, given back at once. */
static void refusing_target(char *out, size_t out_len)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd, (struct sockaddr *) &address, sizeof address);
    getsockname(fd, (struct sockaddr *) &address, &len);
    close(fd);
    snprintf(out, out_len, "h2c://127.0.0.1:%d", ntohs(address.sin_port));
}

static int request_ends_with(const char *service, int32_t expected)
{
    struct mesh_request_opts opts;
    struct mesh_response *response = NULL;
    int32_t err;

    mesh_request_opts_init(&opts, sizeof opts);
    opts.service = service;
    opts.timeout_ms = 5000;
    err = mesh_request(NULL, &opts, &response);
    printf("%s: %s %s\n", service ? service : "no service", mesh_error_name(err),
           response ? mesh_response_detail(response) : "");
    mesh_response_free(response);
    return err == expected;
}

int main(void)
{
    char target[64];

    refusing_target(target, sizeof target);
    if (!version_is_the_headers())
        return 1;
    if (!request_ends_with(NULL, MESH_ERR_INVALID))
        return 1;
    if (!request_ends_with(target, MESH_ERR_CONNECT))
        return 1;
    return 0;
}
