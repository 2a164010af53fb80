/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/client.h and mesh/loop.h: clients, and driving one without threads. */
#include "api/api.h"

int32_t mesh_client_new(const struct mesh_conf *given, struct mesh_client **out, char *err, size_t err_len)
{
    struct conf *own = NULL;
    struct fault fault = { 0 };

    if (err && err_len > 0)
        err[0] = '\0';
    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    if (!given) {
        own = conf_new();
        if (!own)
            fault_set(&fault, MESH_ERR_NOMEM, "out of memory");
        else
            conf_read_env(own, &fault);
    }
    if (fault.code == 0)
        client_new(given ? api_conf(given) : own, out, &fault);
    conf_free(own);
    return *out ? 0 : fault_tell(&fault, err, err_len);
}

int32_t mesh_client_drain(struct mesh_client *client, uint32_t timeout_ms)
{
    if (!client)
        return MESH_ERR_INVALID;
    return client_drain(client, api_until_us(timeout_ms));
}

void mesh_client_free(struct mesh_client *client)
{
    if (client)
        client_close(client);
}

int32_t mesh_client_describe(struct mesh_client *given, const char *service, int32_t connect, uint32_t timeout_ms,
                             char **out)
{
    struct mesh_client *client;
    struct fault fault;
    int32_t err;

    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    err = client_take(given, &client, &fault);
    if (err)
        return err;
    err = client_describe(client, service, connect != 0, api_until_us(timeout_ms), out, &fault);
    client_unref(client);
    return err;
}

int32_t mesh_client_resolve(struct mesh_client *given, const char *target, uint32_t timeout_ms, char **out)
{
    struct mesh_client *client;
    struct fault fault;
    int32_t err;

    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    if (!target)
        return MESH_ERR_INVALID;
    err = client_take(given, &client, &fault);
    if (err)
        return err;
    err = client_resolve(client, target, api_until_us(timeout_ms), out, &fault);
    client_unref(client);
    return err;
}

int32_t mesh_client_recent(struct mesh_client *given, char **out)
{
    struct mesh_client *client;
    struct fault fault;
    int32_t err;

    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    err = client_take(given, &client, &fault);
    if (err)
        return err;
    err = client_recent(client, out, &fault);
    client_unref(client);
    return err;
}

int32_t mesh_client_explain(struct mesh_client *given, const char *service, const char *method, const char *path,
                            uint32_t timeout_ms, char **out)
{
    const struct mesh_request_opts opts = { .size = sizeof opts, .service = service, .method = method, .path = path };
    struct api_request request;
    struct mesh_client *client;
    struct fault fault;
    int32_t err;

    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    err = api_read_request(&opts, 0, &request, &fault);
    if (err)
        return client_explain_refused(&fault, out);
    err = client_take(given, &client, &fault);
    if (err)
        return err;
    err = client_explain(client, &request.ask, api_until_us(timeout_ms), out, &fault);
    client_unref(client);
    api_request_clear(&request);
    return err;
}

void mesh_string_free(char *text)
{
    mem_free(text);
}

/* ---- mesh/loop.h ---- */

int32_t mesh_loop_fd(struct mesh_client *client)
{
    struct loop *loop;
    int32_t err = client_threadless_loop(client, &loop);

    return err ? err : loop_fd(loop);
}

int32_t mesh_loop_timeout_ms(struct mesh_client *client)
{
    struct loop *loop;
    int32_t err = client_threadless_loop(client, &loop);

    return err ? err : loop_timeout_ms(loop);
}

int32_t mesh_loop_process(struct mesh_client *client)
{
    struct loop *loop;
    int32_t err = client_threadless_loop(client, &loop);

    if (!err)
        loop_turn(loop);
    return err;
}
