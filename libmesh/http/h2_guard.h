/* SPDX-License-Identifier: Apache-2.0 */
/* Who floods: reads the frame headers of what a peer sends before anybody acts on them, and counts. Pure: time is an argument.
 *
 * Every kind of frame that costs the peer little and us something has a bucket of tokens. A bucket fills with time, up to
 * its burst, and with what we ask of the peer: each HEADERS or DATA frame we send excuses some frames that answer it. The
 * thresholds (h2_guard.c) leave honest peers a factor of ten and more. */
#ifndef HTTP_H2_GUARD_H
#define HTTP_H2_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum h2_flood {
    H2_FLOOD_NONE,
    H2_FLOOD_PING,
    H2_FLOOD_SETTINGS,
    H2_FLOOD_RESET,
    H2_FLOOD_EMPTY_DATA, /* without END_STREAM; padding is nothing */
    H2_FLOOD_HEADERS,    /* answers, 1xx and trailers nobody asked for */
    H2_FLOOD_WINDOW_UPDATE,
    H2_FLOOD_IGNORED, /* PRIORITY, GOAWAY and types we do not know */
    H2_FLOOD_ENDED,   /* one frame is enough: arrival() said so */
    H2_FLOOD_LATE,    /* counted in bytes, see h2_guard_excuse() */
    H2_FLOODS,
};

/* What a HEADERS, DATA or RST_STREAM frame is to its stream. */
enum h2_arrival {
    H2_ARRIVES,
    H2_ARRIVES_LATE,  /* we had reset the stream */
    H2_ARRIVES_ENDED, /* the peer had ended the stream */
};

struct h2_rule {
    const char *name;
    uint32_t burst; /* tokens at first, and what time alone can fill up to */
    uint32_t per_second;
    uint32_t per_sent; /* tokens for each HEADERS or DATA frame of ours ... */
    uint32_t most;     /* ... up to so many in all */
};

struct h2_bucket {
    uint64_t level; /* millionths of tokens */
    uint64_t filled_us;
    uint64_t filled_sent;
};

struct h2_guard {
    uint64_t frames_sent;   /* HEADERS and DATA: the owner counts them here */
    uint64_t frames_useful; /* HEADERS and DATA with content that the peer has sent */
    uint32_t payload_left;  /* of the frame that is being passed over */
    bool is_padded;         /* it is DATA, and its first byte tells how much of it is padding */
    uint8_t head[9], n_head;
    struct h2_bucket buckets[H2_FLOODS];
    uint32_t excused; /* bytes of DATA that may come late */
    enum h2_arrival (*arrival)(struct h2_guard *guard, uint8_t type, uint8_t flags,
                               int32_t stream_id); /* NULL: any may come */
};

void h2_bucket_init(struct h2_bucket *bucket, const struct h2_rule *rule, uint64_t now_us);
/* Takes one token; false: there is none. `sent` only grows. */
bool h2_bucket_take(struct h2_bucket *bucket, const struct h2_rule *rule, uint64_t now_us, uint64_t sent);

void h2_guard_init(struct h2_guard *guard, uint64_t now_us);
/* The next bytes of the connection, in any pieces. */
enum h2_flood h2_guard_read(struct h2_guard *guard, const uint8_t *bytes, size_t len, uint64_t now_us);
/* A stream is reset for which the peer may have sent so many bytes that have not come yet. In all it cannot have sent more than the
 * window of the connection, `most`: it gets more of that only behind the RST_STREAM. */
void h2_guard_excuse(struct h2_guard *guard, uint32_t bytes, uint32_t most);
/* "PING frames" */
const char *h2_flood_name(enum h2_flood flood);

#endif
