/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/queue.h: completion queues. */
#include "api/api.h"

int32_t mesh_queue_new(struct mesh_client *given, struct mesh_queue **out)
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
    err = queue_new(client, out, &fault);
    client_unref(client);
    return err;
}

int32_t mesh_queue_next(struct mesh_queue *queue, struct mesh_event *events, uint32_t max, uint32_t timeout_ms)
{
    if (!queue || !events || max == 0 || max > INT32_MAX)
        return MESH_ERR_INVALID;
    return queue_next(queue, events, max, api_until_us(timeout_ms));
}

int32_t mesh_queue_fd(struct mesh_queue *queue)
{
    return queue ? queue_fd(queue) : MESH_ERR_INVALID;
}

int32_t mesh_queue_wake(struct mesh_queue *queue)
{
    if (!queue)
        return MESH_ERR_INVALID;
    queue_wake(queue);
    return 0;
}

void mesh_queue_free(struct mesh_queue *queue)
{
    if (queue)
        queue_free(queue);
}
