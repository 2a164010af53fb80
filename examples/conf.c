/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration by the program instead of the environment, and a client of its own: conf ADDRESS PATH.
 *
 * docs/configuration.md lists the keys. What is wrong is refused with a sentence that names key, value and what is allowed;
 * the example makes one such mistake on purpose. */
#include <mesh/mesh.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the library has to say goes where the program's own log goes. */
static void on_log(int32_t level, const char *event, const char *line, void *user)
{
    (void) event;
    if (level >= MESH_LOG_WARN)
        fprintf(user, "library: %s\n", line);
}

static void set(struct mesh_conf *conf, const char *key, const char *value)
{
    char why[256];

    if (mesh_conf_set(conf, key, value, why, sizeof why) == 0)
        return;
    fprintf(stderr, "%s\n", why);
    exit(2);
}

static struct mesh_conf *configure(const char *address)
{
    struct mesh_conf *conf = mesh_conf_new();

    if (!conf)
        exit(1);
    set(conf, "services.users.endpoints", address);
    set(conf, "services.users.protocol", "h2c");
    set(conf, "services.users.timeout_ms", "500"); /* of this service */
    set(conf, "retry.attempts", "2");              /* of all services */
    mesh_conf_set_log(conf, on_log, stderr);
    return conf;
}

static void make_a_mistake(struct mesh_conf *conf)
{
    char why[256];

    if (mesh_conf_set(conf, "services.users.retry.atempts", "5", why, sizeof why) != 0)
        printf("refused: %s\n", why);
}

static int call(struct mesh_client *client, const char *path)
{
    struct mesh_request_opts opts = { .size = sizeof opts, .service = "users", .path = path };
    struct mesh_response *response;
    int32_t err = mesh_request(client, &opts, &response);

    if (err == 0)
        printf("%" PRId32 " after %" PRIu32 " attempt(s)\n", mesh_response_status(response),
               mesh_response_attempts(response));
    else
        printf("%s: %s\n", mesh_error_name(err), response ? mesh_response_detail(response) : mesh_strerror(err));
    mesh_response_free(response);
    return err != 0;
}

int main(int argc, char **argv)
{
    struct mesh_client *client;
    struct mesh_conf *conf;
    char why[256];
    int result;

    if (argc != 3) {
        fprintf(stderr, "usage: conf ADDRESS PATH\n");
        return 2;
    }
    conf = configure(argv[1]);
    make_a_mistake(conf);
    if (mesh_client_new(conf, &client, why, sizeof why) != 0) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    mesh_conf_free(conf); /* the client has its own copy */
    result = call(client, argv[2]);
    mesh_client_drain(client, 1000);
    mesh_client_free(client);
    return result;
}
