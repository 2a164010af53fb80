/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of Envoy's local rate limit. */
#include <inttypes.h>

#include "proto/local_rate_limit.pb-c.h"
#include "source/xds/filters.h"
#include "source/xds/routes_reader.h"
#include "source/xds/scalars.h"

enum { STANDARD_STATUS = 429, LEAST_STATUS = 400, HIGHEST_STATUS = 599 };

static const uint64_t shortest_fill_us = 50 * US_PER_MS;

static int32_t read_bucket(struct reading *reading, const Type__TokenBucket *message, struct route_bucket *out)
{
    int32_t err;

    out->most = message->max_tokens;
    out->per_fill = 1;
    if (out->most == 0)
        return reading_wrong_at(reading, "max_tokens", "it is 0");
    err = scalar_u32(reading, "tokens_per_fill", message->tokens_per_fill, 1, UINT32_MAX, &out->per_fill);
    if (!err)
        err = scalar_us(reading, "fill_interval", message->fill_interval, &out->fill_us);
    if (!err && out->fill_us < shortest_fill_us)
        err = reading_wrong_at(reading, "fill_interval", "%" PRIu64 " us; allowed is 50 ms and more", out->fill_us);
    return err;
}

/* Levels of buckets are kept by it while the configuration comes again and again. */
static int32_t make_key(struct routes_reader *reader, const char *name, const char *place, struct route_bucket *out)
{
    struct buf text = { 0 };
    bool made = buf_printf(&text, "%s\n%s\n%s\n%u %u %" PRIu64, reader->routes->name, name, place, out->most,
                           out->per_fill, out->fill_us);

    out->key = made ? hash_bytes(buf_bytes(&text), buf_len(&text)) : 0;
    buf_free(&text);
    return made ? 0 : reading_no_memory(reader->reading);
}

/* As in Envoy, a status below 400 says nothing. */
static int32_t read_status(struct reading *reading, const Type__HttpStatus *status, uint16_t *out)
{
    *out = STANDARD_STATUS;
    if (!status || (int) status->code < LEAST_STATUS)
        return 0;
    if ((int) status->code > HIGHEST_STATUS)
        return reading_wrong_at(reading, "status", "%d is no status of HTTP", (int) status->code);
    *out = (uint16_t) status->code;
    return 0;
}

int32_t filter_limit(struct routes_reader *reader, const ProtobufCMessage *config, const char *name, const char *place,
                     struct route_limit *out, bool *any)
{
    const LocalRateLimit__LocalRateLimit *message = (const LocalRateLimit__LocalRateLimit *) config;
    struct reading *reading = reader->reading;
    struct route_bucket bucket = { 0 };
    int32_t err = read_status(reading, message->status, &out->status);

    if (!err)
        err = values_runtime_fraction(reading, "filter_enabled", message->filter_enabled, &out->enabled);
    if (!err)
        err = values_runtime_fraction(reading, "filter_enforced", message->filter_enforced, &out->enforced);
    if (!err && message->token_bucket) {
        reading_enter(reading, "token_bucket");
        err = read_bucket(reading, message->token_bucket, &bucket);
        reading_leave(reading);
    }
    *any = !err && message->token_bucket && out->enabled.numerator > 0 && out->enforced.numerator > 0;
    if (!*any)
        return err;
    err = make_key(reader, name, place, &bucket);
    return err ? err : routes_add_bucket(reader, &bucket, &out->bucket);
}
