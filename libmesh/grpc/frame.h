/* SPDX-License-Identifier: Apache-2.0 */
/* Length-prefixed messages: a byte of flags, four of length, the message. Read in whatever pieces they come. Pure.
 *
 * A message that is too long is refused by its prefix, before a byte of it is kept; memory grows with the bytes that have come, not
 * with what the prefix promises; inflating stops at the same limit. */
#ifndef GRPC_FRAME_H
#define GRPC_FRAME_H

#include "base/base.h"
#include "grpc/status.h"

enum {
    GRPC_FRAME_HEAD = 5,
    GRPC_RECEIVE_MOST = 4 << 20, /* bytes of a message, inflated: gRPC's own default */
};

/* What grpc-encoding says about messages whose flag is set. */
enum grpc_encoding { GRPC_IDENTITY, GRPC_GZIP, GRPC_OTHER_ENCODING };

/* What the other side may use; goes into grpc-accept-encoding. */
#define GRPC_ACCEPT_ENCODING "identity,gzip"

enum grpc_encoding grpc_encoding_of(const char *value, size_t len);

/* The prefix of a message that is not compressed. */
void grpc_frame_head(uint8_t out[GRPC_FRAME_HEAD], uint32_t len);

struct grpc_reader {
    uint32_t most; /* bytes of a message; 0: GRPC_RECEIVE_MOST */
    enum grpc_encoding encoding;
    uint8_t head[GRPC_FRAME_HEAD];
    uint32_t n_head; /* bytes of it that have come */
    uint32_t left;   /* bytes of the message that have not */
    struct buf wire, inflated;
    const uint8_t *message; /* the whole one, until the next call */
    size_t len;
};

enum grpc_read {
    GRPC_READ_MORE,    /* all is used, the message is not whole */
    GRPC_READ_MESSAGE, /* reader->message is whole */
    GRPC_READ_REFUSED, /* the status says why; nothing more can be read */
};

/* Reads to the end of the message at most; *used says how far. */
enum grpc_read grpc_reader_feed(struct grpc_reader *reader, const uint8_t *bytes, size_t len, size_t *used,
                                struct grpc_status *status);
/* Something of a message has come that is not whole. */
bool grpc_reader_is_within(const struct grpc_reader *reader);
void grpc_reader_free(struct grpc_reader *reader);

#endif
