/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/request.h: the waiting call, the queued call. */
#include <string.h>

#include "api/api.h"

void mesh_request_opts_init(struct mesh_request_opts *opts, size_t size)
{
    uint32_t own_size = (uint32_t) size;

    if (!opts || size < sizeof own_size)
        return;
    memset(opts, 0, size);
    memcpy(opts, &own_size, sizeof own_size);
}

/* The sentence reaches the caller in a response. */
static int32_t refuse(const struct fault *fault, struct mesh_response **out)
{
    *out = call_refused(fault);
    return fault->code;
}

int32_t mesh_request(struct mesh_client *given, const struct mesh_request_opts *opts, struct mesh_response **out)
{
    struct api_request request;
    struct mesh_client *client;
    struct fault fault;
    int32_t err;

    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    if (!opts)
        return MESH_ERR_INVALID;
    err = api_read_request(opts, API_FLAGS_WAITING, &request, &fault);
    if (err)
        return refuse(&fault, out);
    err = client_take(given, &client, &fault);
    if (err) {
        api_request_clear(&request);
        return refuse(&fault, out);
    }
    err = client_request(client, &request.ask, &request.body, request.flags & MESH_REQ_INTERRUPTIBLE, out);
    client_unref(client);
    api_request_clear(&request);
    return err;
}

int32_t mesh_request_start(struct mesh_client *given, const struct mesh_request_opts *opts, struct mesh_queue *queue,
                           uint64_t tag, struct mesh_call **out)
{
    struct api_request request;
    struct mesh_client *client;
    int32_t err;

    if (out)
        *out = NULL;
    if (!opts || !queue)
        return MESH_ERR_INVALID;
    err = api_begin_queued(given, opts, queue, &request, &client);
    if (err)
        return err;
    err = call_start(queue, &request.ask, &request.body, tag, out);
    api_request_clear(&request);
    client_unref(client);
    return err;
}

int32_t mesh_call_cancel(struct mesh_call *call)
{
    if (!call)
        return MESH_ERR_INVALID;
    call_cancel(call);
    return 0;
}

void mesh_call_free(struct mesh_call *call)
{
    call_free(call);
}
