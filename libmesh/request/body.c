/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, writing and replaying request bodies. */
#include "request/body.h"

#include <string.h>

int64_t body_length(const struct body *body)
{
    if (!body->is_stream)
        return (int64_t) body->len;
    return body->finished ? (int64_t) (body->dropped + buf_len(&body->written)) : -1;
}

static size_t unsent(const struct body *body)
{
    return body->dropped + buf_len(&body->written) - body->sent;
}

size_t body_read(struct body *body, uint8_t *out, size_t cap, bool *eof)
{
    size_t left = body->is_stream ? unsent(body) : body->len - body->sent;
    size_t n = left < cap ? left : cap;

    if (n > 0 && body->is_stream)
        memcpy(out, buf_bytes(&body->written) + (body->sent - body->dropped), n);
    else if (n > 0)
        memcpy(out, body->bytes + body->sent, n);
    body->sent += n;
    *eof = n == left && (!body->is_stream || body->finished);
    return n;
}

bool body_has_room(const struct body *body)
{
    return unsent(body) < BODY_KEPT;
}

bool body_write(struct body *body, const uint8_t *bytes, size_t len, size_t *taken)
{
    size_t room = BODY_KEPT - unsent(body), sent_and_kept = body->sent - body->dropped;
    size_t n = len < room ? len : room;

    *taken = 0;
    /* What was sent is kept for a retry until the whole no longer fits. */
    if (buf_len(&body->written) + n > BODY_KEPT && sent_and_kept > 0) {
        buf_consume(&body->written, sent_and_kept);
        body->dropped += sent_and_kept;
    }
    if (!buf_append(&body->written, bytes, n))
        return false;
    *taken = n;
    return true;
}

bool body_is_replayable(const struct body *body)
{
    return body->dropped == 0;
}

void body_rewind(struct body *body)
{
    body->sent = 0;
}

void body_free(struct body *body)
{
    buf_free(&body->written);
}
