/* SPDX-License-Identifier: Apache-2.0 */
/* zlib, one piece of output at a time, so that a small message that would become huge is noticed early. */
#include "grpc/inflate.h"

#include <zlib.h>

enum { PIECE = 16 << 10, WINDOW_AND_GZIP = 15 + 16 };

static void *allocate(void *opaque, unsigned count, unsigned size)
{
    (void) opaque;
    return mem_array(count, size);
}

static void release(void *opaque, void *block)
{
    (void) opaque;
    mem_free(block);
}

/* One byte more than allowed is enough to know. */
static int32_t inflate_piece(z_stream *z, size_t most, struct buf *out, int *result)
{
    size_t left = most + 1 - buf_len(out);
    unsigned piece = left < PIECE ? (unsigned) left : PIECE;
    uint8_t *room = buf_room(out, piece);

    if (!room)
        return MESH_ERR_NOMEM;
    z->next_out = room;
    z->avail_out = piece;
    *result = inflate(z, Z_NO_FLUSH);
    buf_added(out, piece - z->avail_out);
    return buf_len(out) > most ? MESH_ERR_TOO_LARGE : 0;
}

int32_t grpc_inflate(const uint8_t *bytes, size_t len, size_t most, struct buf *out)
{
    z_stream z = { .zalloc = allocate, .zfree = release };
    int32_t err = 0;
    int result = Z_OK;

    if (len > UINT32_MAX)
        return MESH_ERR_TOO_LARGE;
    if (inflateInit2(&z, WINDOW_AND_GZIP) != Z_OK)
        return MESH_ERR_NOMEM;
    z.next_in = (uint8_t *) (uintptr_t) bytes;
    z.avail_in = (unsigned) len;
    while (err == 0 && result == Z_OK)
        err = inflate_piece(&z, most, out, &result);
    if (err == 0 && result == Z_MEM_ERROR)
        err = MESH_ERR_NOMEM;
    else if (err == 0 && (result != Z_STREAM_END || z.avail_in > 0))
        err = MESH_ERR_PROTOCOL;
    inflateEnd(&z);
    return err;
}
