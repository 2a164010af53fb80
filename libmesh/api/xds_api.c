/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/xds.h: what a client has of its control planes. */
#include "api/api.h"

enum { XDS_FLAGS = MESH_XDS_CONNECT | MESH_XDS_CONTENTS };

int32_t mesh_client_xds(struct mesh_client *given, uint32_t flags, uint32_t timeout_ms, char **out)
{
    struct mesh_client *client;
    struct fault fault;
    int32_t err;

    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    if (flags & ~(uint32_t) XDS_FLAGS)
        return MESH_ERR_INVALID;
    err = client_take(given, &client, &fault);
    if (err)
        return err;
    err = client_xds(client, flags, api_until_us(timeout_ms), out, &fault);
    client_unref(client);
    return err == MESH_ERR_TIMEOUT && timeout_ms == 0 ? 0 : err;
}

int32_t mesh_client_csds(struct mesh_client *given, const void *request, size_t request_len, void **out,
                         size_t *out_len)
{
    struct mesh_client *client;
    struct fault fault;
    int32_t err;

    if (out)
        *out = NULL;
    if (!out || !out_len || (!request && request_len > 0))
        return MESH_ERR_INVALID;
    err = client_take(given, &client, &fault);
    if (err)
        return err;
    err = client_csds(client, request, request_len, out, out_len, &fault);
    client_unref(client);
    return err;
}
