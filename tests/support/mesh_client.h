/* SPDX-License-Identifier: Apache-2.0 */
/* Clients under test, made and called through the public interface only. The service is called "users". */
#ifndef SUPPORT_MESH_CLIENT_H
#define SUPPORT_MESH_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mesh/mesh.h>

#include "mesh_test.h"
#include "support/h2_server.h"

enum { GUARD_MS = 60000 };

/* Key, value, key, value, ... NULL. */
#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static inline uint64_t test_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* A number of /proc/self/status: "Threads", "VmHWM". */
static inline unsigned long long process_status(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    size_t len = strlen(name);
    unsigned long long n = 0;
    char line[128];

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            n = strtoull(line + len + 1, NULL, 10);
    if (file)
        fclose(file);
    return n;
}

static inline void conf_put(struct mesh_conf *conf, const char *key, const char *value)
{
    char why[256];

    if (mesh_conf_set(conf, key, value, why, sizeof why) != 0)
        fail_msg("%s", why);
}

/* Lists of endpoints for client_of(). */
static inline const char *at_port(uint16_t port)
{
    static _Thread_local char text[64];

    snprintf(text, sizeof text, "[{\"address\":\"127.0.0.1:%u\"}]", port);
    return text;
}

static inline const char *at_ports(const uint16_t *ports, size_t n)
{
    static _Thread_local char text[2048];
    size_t used = 0;

    for (size_t i = 0; i < n; i++)
        used += (size_t) snprintf(text + used, sizeof text - used, "%s{\"address\":\"127.0.0.1:%u\"}", i ? "," : "[",
                                  ports[i]);
    snprintf(text + used, sizeof text - used, "]");
    return text;
}

static inline const char *at_servers(struct h2_server *const *servers, size_t n)
{
    uint16_t ports[64];

    for (size_t i = 0; i < n; i++)
        ports[i] = h2_server_port(servers[i]);
    return at_ports(ports, n);
}

/* An h2c client of these endpoints, with more keys. Logs errors only. Patient unless told otherwise: where attempts are
 * counted, a server thread that has to wait for a processor must not look like a silent peer. */
static inline struct mesh_client *client_of(const char *endpoints, const char *const *keys)
{
    struct mesh_conf *conf = mesh_conf_new();
    struct mesh_client *client;
    char why[256];

    assert_non_null(conf);
    conf_put(conf, "log.level", "error");
    conf_put(conf, "connection.silence_ms", "0");
    conf_put(conf, "connect_timeout_ms", "30000");
    conf_put(conf, "timeout_ms", "60000");
    conf_put(conf, "services.users.protocol", "h2c");
    conf_put(conf, "services.users.endpoints", endpoints);
    for (; keys && keys[0]; keys += 2)
        conf_put(conf, keys[0], keys[1]);
    if (mesh_client_new(conf, &client, why, sizeof why) != 0)
        fail_msg("%s", why);
    mesh_conf_free(conf);
    return client;
}

static inline struct mesh_client *client_of_server(struct h2_server *server, const char *const *keys)
{
    return client_of(at_port(h2_server_port(server)), keys);
}

/* ---- requests ---- */

struct ask {
    struct mesh_request_opts opts;
    struct mesh_header headers[8];
};

/* GET of a path; `id` is what the server counts by, NULL: none. */
static inline struct ask *ask_for(struct ask *ask, const char *path, const char *id)
{
    mesh_request_opts_init(&ask->opts, sizeof ask->opts);
    ask->opts.service = "users";
    ask->opts.path = path;
    ask->opts.headers = ask->headers;
    if (id)
        ask->headers[ask->opts.n_headers++] = (struct mesh_header){ "x-id", id };
    return ask;
}

static inline void ask_header(struct ask *ask, const char *name, const char *value)
{
    ask->headers[ask->opts.n_headers++] = (struct mesh_header){ name, value };
}

/* What a request came to; plain data, so that threads may hand it over. */
struct answer {
    int32_t err, status;
    uint32_t attempts;
    uint64_t took_ms;
    size_t len;
    char body[64], detail[400], endpoint[128];
};

static inline struct answer answer_of(int32_t err, struct mesh_response *response)
{
    struct answer answer = { .err = err, .status = mesh_response_status(response) };
    const void *data;

    answer.attempts = mesh_response_attempts(response);
    mesh_response_body(response, &data, &answer.len);
    snprintf(answer.body, sizeof answer.body, "%.*s", (int) answer.len, answer.len ? (const char *) data : "");
    snprintf(answer.detail, sizeof answer.detail, "%s", mesh_response_detail(response));
    snprintf(answer.endpoint, sizeof answer.endpoint, "%s", mesh_response_endpoint(response));
    mesh_response_free(response);
    return answer;
}

static inline struct answer call(struct mesh_client *client, const struct ask *ask)
{
    struct mesh_response *response;
    uint64_t began = test_now_ms();
    int32_t err = mesh_request(client, &ask->opts, &response);
    struct answer answer = answer_of(err, response);

    answer.took_ms = test_now_ms() - began;
    return answer;
}

static inline struct answer get(struct mesh_client *client, const char *path, const char *id)
{
    struct ask ask = { 0 };

    return call(client, ask_for(&ask, path, id));
}

static inline struct answer post(struct mesh_client *client, const char *path, const char *id)
{
    struct ask ask = { 0 };

    ask_for(&ask, path, id);
    ask.opts.method = "POST";
    ask.opts.body = "body";
    ask.opts.body_len = 4;
    return call(client, &ask);
}

static inline void answer_is(struct answer answer, int32_t err, int32_t status, uint32_t attempts, const char *file,
                             int line)
{
    if (answer.err == err && answer.status == status && answer.attempts == attempts)
        return;
    print_error("%s, status %d, %u attempts; not %s, %d, %u. Detail: %s\n", mesh_error_name(answer.err), answer.status,
                answer.attempts, mesh_error_name(err), status, attempts, answer.detail);
    _fail(file, line);
}
#define ANSWER(what, err, status, attempts) answer_is(what, err, status, attempts, __FILE__, __LINE__)

static inline void says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* Waits for something that another thread does; a guard ends the test, not a limit. */
#define UNTIL(condition)                                   \
    do {                                                   \
        for (int waited_ = 0; !(condition); waited_++) {   \
            if (waited_ > GUARD_MS)                        \
                fail_msg("does not come: %s", #condition); \
            poll(NULL, 0, 1);                              \
        }                                                  \
    } while (0)

#endif
