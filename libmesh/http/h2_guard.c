/* SPDX-License-Identifier: Apache-2.0 */
/* Flood counters: token buckets fed by the frame headers a peer sends. */
#include "http/h2_guard.h"

#include <string.h>

enum { TOKEN = 1000000, HEAD = 9 };

/* Frame types of RFC 9113 section 6, as far as they are told apart here. */
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 0x1, PADDED = 0x8 };

/* What honest peers need:
 *   PING            one at a time while it measures the round trip of our uploads, keepalive otherwise
 *   SETTINGS        a handful in a connection's life
 *   RST_STREAM      at most one for each request
 *   empty DATA      some servers flush with it, once an answer
 *   HEADERS         1xx, head and trailers for each request
 *   WINDOW_UPDATE   two for each DATA frame of ours; more from a peer that gives back in small pieces
 *   others          PRIORITY, ALTSVC, ORIGIN, GREASE: a few
 * CONTINUATION is limited by nghttp2, to 8 in a row. */
static const struct h2_rule rules[H2_FLOODS] = {
    [H2_FLOOD_PING] = { "PING frames", 200, 50, 1, 1000 },
    [H2_FLOOD_SETTINGS] = { "SETTINGS frames", 100, 1, 0, 100 },
    [H2_FLOOD_RESET] = { "RST_STREAM frames", 200, 100, 1, 16384 },
    [H2_FLOOD_EMPTY_DATA] = { "empty DATA frames", 200, 100, 1, 1000 },
    [H2_FLOOD_HEADERS] = { "HEADERS frames", 1000, 100, 4, 65536 },
    [H2_FLOOD_WINDOW_UPDATE] = { "WINDOW_UPDATE frames", 2000, 1000, 64, 65536 },
    [H2_FLOOD_IGNORED] = { "frames to be ignored", 1000, 100, 1, 1000 },
    [H2_FLOOD_ENDED] = { "frames of a stream that it had ended", 0, 0, 0, 0 },
    [H2_FLOOD_LATE] = { "DATA frames of streams that had been reset", 0, 0, 0, 0 },
};

const char *h2_flood_name(enum h2_flood flood)
{
    return rules[flood].name;
}

/* ---- buckets ---- */

void h2_bucket_init(struct h2_bucket *bucket, const struct h2_rule *rule, uint64_t now_us)
{
    bucket->level = (uint64_t) rule->burst * TOKEN;
    bucket->filled_us = now_us;
    bucket->filled_sent = 0;
}

/* Adds up to `limit` in all; what is there already stays. */
static uint64_t fill(uint64_t level, uint64_t units, uint64_t each, uint64_t limit)
{
    if (level >= limit || each == 0)
        return level;
    if (units >= (limit - level) / each)
        return limit;
    return level + units * each;
}

static void refill(struct h2_bucket *bucket, const struct h2_rule *rule, uint64_t now_us, uint64_t sent)
{
    if (now_us > bucket->filled_us)
        bucket->level =
            fill(bucket->level, now_us - bucket->filled_us, rule->per_second, (uint64_t) rule->burst * TOKEN);
    bucket->level = fill(bucket->level, sent - bucket->filled_sent, (uint64_t) rule->per_sent * TOKEN,
                         (uint64_t) rule->most * TOKEN);
    bucket->filled_us = now_us;
    bucket->filled_sent = sent;
}

/* Filling waits until the bucket is empty, so that an ordinary frame costs a comparison and a subtraction. */
bool h2_bucket_take(struct h2_bucket *bucket, const struct h2_rule *rule, uint64_t now_us, uint64_t sent)
{
    if (bucket->level < TOKEN)
        refill(bucket, rule, now_us, sent);
    if (bucket->level < TOKEN)
        return false;
    bucket->level -= TOKEN;
    return true;
}

/* ---- frames ---- */

void h2_guard_init(struct h2_guard *guard, uint64_t now_us)
{
    memset(guard, 0, sizeof *guard);
    for (int flood = H2_FLOOD_NONE + 1; flood < H2_FLOODS; flood++)
        h2_bucket_init(&guard->buckets[flood], &rules[flood], now_us);
}

static enum h2_flood kind_of(uint8_t type, uint8_t flags, uint32_t length)
{
    static const enum h2_flood kinds[] = {
        [DATA] = H2_FLOOD_NONE,
        [HEADERS] = H2_FLOOD_HEADERS,
        [PRIORITY] = H2_FLOOD_IGNORED,
        [RST_STREAM] = H2_FLOOD_RESET,
        [SETTINGS] = H2_FLOOD_SETTINGS,
        [PUSH_PROMISE] = H2_FLOOD_NONE, /* an error: push is off */
        [PING] = H2_FLOOD_PING,
        [GOAWAY] = H2_FLOOD_IGNORED,
        [WINDOW_UPDATE] = H2_FLOOD_WINDOW_UPDATE,
        [CONTINUATION] = H2_FLOOD_NONE,
    };

    if (type == DATA && length == 0 && !(flags & END_STREAM))
        return H2_FLOOD_EMPTY_DATA;
    return type < sizeof kinds / sizeof *kinds ? kinds[type] : H2_FLOOD_IGNORED;
}

void h2_guard_excuse(struct h2_guard *guard, uint32_t bytes, uint32_t most)
{
    if (guard->excused < most)
        guard->excused = bytes < most - guard->excused ? guard->excused + bytes : most;
}

static enum h2_flood count_late(struct h2_guard *guard, uint32_t length)
{
    if (length > guard->excused)
        return H2_FLOOD_LATE;
    guard->excused -= length;
    return H2_FLOOD_NONE;
}

static enum h2_flood judge_arrival(struct h2_guard *guard, const uint8_t *head, uint32_t length)
{
    uint32_t id = (uint32_t) head[5] << 24 | (uint32_t) head[6] << 16 | (uint32_t) head[7] << 8 | head[8];
    enum h2_arrival arrival;

    if (!guard->arrival || (head[3] > HEADERS && head[3] != RST_STREAM))
        return H2_FLOOD_NONE;
    arrival = guard->arrival(guard, head[3], head[4], (int32_t) (id & INT32_MAX));
    if (arrival == H2_ARRIVES_ENDED)
        return H2_FLOOD_ENDED;
    return arrival == H2_ARRIVES_LATE && head[3] == DATA ? count_late(guard, length) : H2_FLOOD_NONE;
}

static enum h2_flood take(struct h2_guard *guard, enum h2_flood flood, uint64_t now_us)
{
    bool there = h2_bucket_take(&guard->buckets[flood], &rules[flood], now_us, guard->frames_sent);

    return there ? H2_FLOOD_NONE : flood;
}

static enum h2_flood count(struct h2_guard *guard, const uint8_t *head, uint64_t now_us)
{
    uint32_t length = (uint32_t) head[0] << 16 | (uint32_t) head[1] << 8 | head[2];
    enum h2_flood flood = kind_of(head[3], head[4], length);
    enum h2_flood stray;

    guard->payload_left = length;
    guard->is_padded = head[3] == DATA && length > 0 && (head[4] & (END_STREAM | PADDED)) == PADDED;
    guard->frames_useful += head[3] <= HEADERS && flood != H2_FLOOD_EMPTY_DATA;
    stray = judge_arrival(guard, head, length);
    if (stray != H2_FLOOD_NONE)
        return stray;
    return flood == H2_FLOOD_NONE ? H2_FLOOD_NONE : take(guard, flood, now_us);
}

/* The first byte of padded DATA: nothing but padding is as empty as nothing. */
static enum h2_flood count_padding(struct h2_guard *guard, uint8_t padding, uint64_t now_us)
{
    guard->is_padded = false;
    return padding + UINT32_C(1) < guard->payload_left ? H2_FLOOD_NONE : take(guard, H2_FLOOD_EMPTY_DATA, now_us);
}

/* A header that came in pieces is put together in guard->head. Returns the bytes used. */
static size_t collect_head(struct h2_guard *guard, const uint8_t *bytes, size_t len)
{
    size_t missing = (size_t) HEAD - guard->n_head;
    size_t n = missing < len ? missing : len;

    memcpy(guard->head + guard->n_head, bytes, n);
    guard->n_head = (uint8_t) (guard->n_head + n);
    return n;
}

enum h2_flood h2_guard_read(struct h2_guard *guard, const uint8_t *bytes, size_t len, uint64_t now_us)
{
    enum h2_flood flood = H2_FLOOD_NONE;
    size_t n;

    while (len > 0 && flood == H2_FLOOD_NONE) {
        if (guard->payload_left > 0) {
            if (guard->is_padded)
                flood = count_padding(guard, bytes[0], now_us);
            n = guard->payload_left < len ? guard->payload_left : len;
            guard->payload_left -= (uint32_t) n;
        } else if (guard->n_head == 0 && len >= HEAD) {
            n = HEAD;
            flood = count(guard, bytes, now_us);
        } else {
            n = collect_head(guard, bytes, len);
            if (guard->n_head == HEAD) {
                guard->n_head = 0;
                flood = count(guard, guard->head, now_us);
            }
        }
        bytes += n;
        len -= n;
    }
    return flood;
}
