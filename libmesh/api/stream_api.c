/* SPDX-License-Identifier: Apache-2.0 */
/* mesh/stream.h: bodies in pieces. */
#include "api/api.h"

int32_t mesh_stream_open(struct mesh_client *given, const struct mesh_request_opts *opts, struct mesh_queue *queue,
                         uint64_t tag, struct mesh_stream **out)
{
    struct api_request request;
    struct mesh_client *client;
    int32_t err;

    if (!out)
        return MESH_ERR_INVALID;
    *out = NULL;
    if (!opts)
        return MESH_ERR_INVALID;
    err = api_begin_queued(given, opts, queue, &request, &client);
    if (err)
        return err;
    err = stream_open(client, queue, &request.ask, &request.body, tag, out);
    api_request_clear(&request);
    client_unref(client);
    return err;
}

int32_t mesh_stream_write(struct mesh_stream *stream, const void *data, size_t len, size_t *taken)
{
    if (taken)
        *taken = 0;
    if (!stream || (len > 0 && !data) || (stream_has_queue(stream) && !taken))
        return MESH_ERR_INVALID;
    return stream_write(stream, data, len, taken);
}

int32_t mesh_stream_finish(struct mesh_stream *stream)
{
    return stream ? stream_finish(stream) : MESH_ERR_INVALID;
}

int32_t mesh_stream_read(struct mesh_stream *stream, void *buf, size_t cap, size_t *got)
{
    if (got)
        *got = 0;
    if (!stream || !buf || cap == 0 || !got)
        return MESH_ERR_INVALID;
    return stream_read(stream, buf, cap, got);
}

const struct mesh_response *mesh_stream_response(struct mesh_stream *stream)
{
    return stream ? stream_response(stream) : NULL;
}

void mesh_stream_free(struct mesh_stream *stream)
{
    if (stream)
        stream_free(stream);
}
