/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, piece by piece. */
#include "grpc/frame.h"

#include "grpc/inflate.h"

/* A stream that has nothing to read keeps no more than this for what comes next. */
enum { KEPT = 64 << 10 };

enum grpc_encoding grpc_encoding_of(const char *value, size_t len)
{
    if (text_equal_nocase_n(value, len, "identity", 8))
        return GRPC_IDENTITY;
    return text_equal_nocase_n(value, len, "gzip", 4) ? GRPC_GZIP : GRPC_OTHER_ENCODING;
}

void grpc_frame_head(uint8_t out[GRPC_FRAME_HEAD], uint32_t len)
{
    out[0] = 0;
    out[1] = (uint8_t) (len >> 24);
    out[2] = (uint8_t) (len >> 16);
    out[3] = (uint8_t) (len >> 8);
    out[4] = (uint8_t) len;
}

static uint32_t limit_of(const struct grpc_reader *reader)
{
    return reader->most ? reader->most : GRPC_RECEIVE_MOST;
}

static bool is_compressed(const struct grpc_reader *reader)
{
    return reader->head[0] == 1;
}

static enum grpc_read refuse_size(const struct grpc_reader *reader, struct grpc_status *status, size_t len)
{
    grpc_status_set(status, GRPC_RESOURCE_EXHAUSTED, "a message has %s%zu bytes; at most %u are taken",
                    len > limit_of(reader) ? "" : "more than ", len, limit_of(reader));
    return GRPC_READ_REFUSED;
}

/* The prefix is whole. A client that does not know an encoding says INTERNAL, a server UNIMPLEMENTED ("compression.md"). */
static enum grpc_read judge_head(struct grpc_reader *reader, struct grpc_status *status)
{
    const uint8_t *h = reader->head;

    reader->left = (uint32_t) h[1] << 24 | (uint32_t) h[2] << 16 | (uint32_t) h[3] << 8 | h[4];
    if (h[0] > 1) {
        grpc_status_set(status, GRPC_INTERNAL, "a message has the flags 0x%02x; 0 and 1 are known", h[0]);
        return GRPC_READ_REFUSED;
    }
    if (h[0] == 1 && reader->encoding != GRPC_GZIP) {
        grpc_status_set(status, GRPC_INTERNAL, "a message is compressed %s",
                        reader->encoding == GRPC_IDENTITY ? "and grpc-encoding does not say how"
                                                          : "in a way that was not offered: " GRPC_ACCEPT_ENCODING);
        return GRPC_READ_REFUSED;
    }
    return reader->left > limit_of(reader) ? refuse_size(reader, status, reader->left) : GRPC_READ_MORE;
}

static enum grpc_read inflate_message(struct grpc_reader *reader, struct grpc_status *status)
{
    int32_t err = grpc_inflate(buf_bytes(&reader->wire), buf_len(&reader->wire), limit_of(reader), &reader->inflated);

    if (err == MESH_ERR_TOO_LARGE)
        return refuse_size(reader, status, limit_of(reader));
    if (err == MESH_ERR_PROTOCOL)
        grpc_status_set(status, GRPC_INTERNAL, "a message of %zu bytes is not gzip", buf_len(&reader->wire));
    else if (err)
        grpc_status_set(status, GRPC_RESOURCE_EXHAUSTED, "a message was not read: out of memory");
    reader->message = buf_bytes(&reader->inflated);
    reader->len = buf_len(&reader->inflated);
    return err ? GRPC_READ_REFUSED : GRPC_READ_MESSAGE;
}

/* An empty message is not compressed, whatever its flag says. */
static enum grpc_read finish(struct grpc_reader *reader, struct grpc_status *status)
{
    reader->n_head = 0;
    if (is_compressed(reader) && buf_len(&reader->wire) > 0)
        return inflate_message(reader, status);
    reader->message = buf_bytes(&reader->wire);
    reader->len = buf_len(&reader->wire);
    return GRPC_READ_MESSAGE;
}

static void forget(struct buf *b)
{
    if (b->cap > KEPT)
        buf_free(b);
    else
        buf_clear(b);
}

static size_t feed_head(struct grpc_reader *reader, const uint8_t *bytes, size_t len)
{
    size_t n = 0;

    if (reader->n_head == 0) {
        forget(&reader->wire);
        forget(&reader->inflated);
    }
    while (n < len && reader->n_head < GRPC_FRAME_HEAD)
        reader->head[reader->n_head++] = bytes[n++];
    return n;
}

enum grpc_read grpc_reader_feed(struct grpc_reader *reader, const uint8_t *bytes, size_t len, size_t *used,
                                struct grpc_status *status)
{
    size_t n;

    *used = 0;
    if (reader->n_head < GRPC_FRAME_HEAD) {
        *used = feed_head(reader, bytes, len);
        if (reader->n_head < GRPC_FRAME_HEAD)
            return GRPC_READ_MORE;
        if (judge_head(reader, status) == GRPC_READ_REFUSED)
            return GRPC_READ_REFUSED;
    }
    n = len - *used < reader->left ? len - *used : reader->left;
    if (n > 0 && !buf_append(&reader->wire, bytes + *used, n)) {
        grpc_status_set(status, GRPC_RESOURCE_EXHAUSTED, "a message was not read: out of memory");
        return GRPC_READ_REFUSED;
    }
    *used += n;
    reader->left -= (uint32_t) n;
    return reader->left > 0 ? GRPC_READ_MORE : finish(reader, status);
}

bool grpc_reader_is_within(const struct grpc_reader *reader)
{
    return reader->n_head > 0;
}

void grpc_reader_free(struct grpc_reader *reader)
{
    buf_free(&reader->wire);
    buf_free(&reader->inflated);
}
