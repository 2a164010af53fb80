/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Retry-After, x-mesh-retry, x-envoy-ratelimited, grpc-status and grpc-retry-pushback-ms. */
#include "request/told.h"

#include <string.h>
#include <time.h>

/* Nobody means to wait longer; sums of times stay small. */
#define MOST_WAIT_US (UINT64_C(1) << 50)

uint64_t told_retry_after_us(const char *value, uint64_t now_s)
{
    struct tm date = { 0 };
    uint64_t seconds;
    const char *end;
    time_t at;

    if (text_to_u64(value, strlen(value), &seconds))
        return seconds <= MOST_WAIT_US / US_PER_S ? seconds * US_PER_S : 0;
    end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (!end || *end != '\0')
        return 0;
    at = timegm(&date);
    return at > 0 && (uint64_t) at > now_s ? ((uint64_t) at - now_s) * US_PER_S : 0;
}

static void read_retry_after(struct told *told, const char *value, uint64_t now_s)
{
    told->wait_us = value ? told_retry_after_us(value, now_s) : 0;
    told->has_wait = told->wait_us > 0;
}

/* gRFC A6: what is no number means the same as a negative one. */
static void read_pushback(struct told *told, const char *value)
{
    uint64_t ms;

    if (!value)
        return;
    told->has_wait = text_to_u64(value, strlen(value), &ms) && ms <= MOST_WAIT_US / US_PER_MS;
    if (told->has_wait)
        told->wait_us = ms * US_PER_MS;
    else
        told->forbids = true;
}

static uint64_t read_reset(const struct route_reset_header *header, const char *value, uint64_t now_s)
{
    uint64_t number;

    if (!value || !text_to_u64(value, strlen(value), &number))
        return 0;
    if (header->is_unix_time)
        number = number > now_s ? number - now_s : 0;
    return number <= MOST_WAIT_US / US_PER_S ? number * US_PER_S : 0;
}

static int read_grpc_status(const char *value)
{
    uint64_t code;

    if (!value || !text_to_u64(value, strlen(value), &code) || code > INT16_MAX)
        return GRPC_STATUS_NONE;
    return (int) code;
}

static const char *find(const struct mesh_response *response, const char *name)
{
    const char *value = response->n_trailers > 0 ? response_find(response, name, true) : NULL;

    return value ? value : response_find(response, name, false);
}

uint64_t told_reset_us(const struct mesh_response *response, const struct route_rules *rules, uint64_t now_s)
{
    for (size_t i = 0; i < rules->n_reset_headers; i++) {
        const struct route_reset_header *header = &rules->reset_headers[i];
        uint64_t us = read_reset(header, response_find(response, header->name, false), now_s);

        if (us > 0 && us <= rules->reset_most_us)
            return us;
    }
    return 0;
}

int told_grpc_status(const struct mesh_response *response)
{
    return read_grpc_status(find(response, "grpc-status"));
}

struct told told_read(const struct mesh_response *response, uint64_t now_s)
{
    struct told told = { 0 };
    const char *retry = find(response, "x-mesh-retry");

    read_retry_after(&told, find(response, "retry-after"), now_s);
    read_pushback(&told, find(response, "grpc-retry-pushback-ms"));
    told.grpc_status = told_grpc_status(response);
    told.rate_limited = find(response, "x-envoy-ratelimited") != NULL;
    if (retry && text_equal_nocase(retry, "no"))
        told.forbids = true;
    return told;
}

int told_http_status(int grpc_status)
{
    static const uint16_t statuses[] = { 200, 499, 500, 400, 504, 404, 409, 403, 429,
                                         400, 409, 400, 501, 500, 503, 500, 401 };

    return grpc_status >= 0 && (size_t) grpc_status < COUNT_OF(statuses) ? statuses[grpc_status] : 500;
}
