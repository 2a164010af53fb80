/* SPDX-License-Identifier: Apache-2.0 */
/* x-mesh-deadline-ms, grpc-timeout, x-envoy-expected-rq-timeout-ms: reading and writing them. */
#include "request/deadline.h"

#include <string.h>

#include "grpc/timeout.h"

/* In the order of the bits DEADLINE_*. */
static const char *const names[DEADLINE_HEADERS] = {
    "x-mesh-deadline-ms",
    "grpc-timeout",
    "x-envoy-expected-rq-timeout-ms",
};

/* Longer ones are none: times are added up. */
#define MOST_MS (UINT64_C(1) << 40)

/* ---- reading ---- */

static uint64_t read_ms(const char *value)
{
    uint64_t ms;

    if (!text_to_u64(value, strlen(value), &ms) || ms > MOST_MS)
        return DEADLINE_NONE;
    return ms * US_PER_MS;
}

static uint64_t read_grpc(const char *value)
{
    uint64_t us;

    return grpc_timeout_read(value, strlen(value), &us) ? us : DEADLINE_NONE;
}

static void note(struct deadline_asked *asked, unsigned at, uint64_t us)
{
    uint32_t bit = UINT32_C(1) << at;

    if (!(asked->found & bit) || us < asked->us[at])
        asked->us[at] = us;
    asked->found |= bit;
}

/* application/grpc, application/grpc+proto, ... */
static bool names_grpc(const char *type)
{
    static const char grpc[] = "application/grpc";
    size_t len = strnlen(type, sizeof grpc - 1);

    return text_equal_nocase_n(type, len, grpc, sizeof grpc - 1);
}

void deadline_read(struct deadline_asked *asked, const struct mesh_header *header)
{
    const char *name = header->name;
    size_t len = strlen(name);

    if (text_is(name, len, "content-type")) {
        asked->is_grpc = names_grpc(header->value);
        return;
    }
    for (unsigned i = 0; i < DEADLINE_HEADERS; i++)
        if (text_is(name, len, names[i]))
            note(asked, i, UINT32_C(1) << i == DEADLINE_GRPC ? read_grpc(header->value) : read_ms(header->value));
}

static bool counts(const struct deadline_asked *asked, uint32_t which, unsigned at)
{
    uint32_t bit = UINT32_C(1) << at;

    return which & bit && (bit != DEADLINE_GRPC || asked->is_grpc);
}

/* x-envoy-expected-rq-timeout-ms tells a callee what to expect and is no deadline of the request. */
uint64_t deadline_limit_us(const struct deadline_asked *asked, uint32_t which)
{
    uint64_t limit = DEADLINE_NONE;

    for (unsigned i = 0; i < DEADLINE_HEADERS; i++)
        if (asked->found & UINT32_C(1) << i && UINT32_C(1) << i != DEADLINE_ENVOY && counts(asked, which, i) &&
            asked->us[i] < limit)
            limit = asked->us[i];
    return limit;
}

uint64_t deadline_grpc_us(const struct deadline_asked *asked)
{
    uint64_t us = asked->us[1];

    if (!asked->is_grpc || !(asked->found & DEADLINE_GRPC))
        return DEADLINE_NONE;
    return us > 0 ? us : 1;
}

/* ---- writing ---- */

static void write_ms(uint64_t us, char *out)
{
    text_from_u64(us < US_PER_MS ? 1 : us / US_PER_MS, out);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t time_for(const struct deadline_asked *asked, const struct deadline_times *times, unsigned at)
{
    uint32_t bit = UINT32_C(1) << at;
    uint64_t us = bit == DEADLINE_ENVOY ? earlier(times->try_us, times->left_us) : times->left_us;

    if (!(asked->found & bit) || asked->us[at] == DEADLINE_NONE)
        return us;
    return earlier(us, asked->us[at] > times->elapsed_us ? asked->us[at] - times->elapsed_us : 0);
}

void deadline_write(struct deadline_lines *lines, const struct deadline_asked *asked, uint32_t which,
                    const struct deadline_times *times)
{
    lines->n = 0;
    lines->which = 0;
    for (unsigned i = 0; i < DEADLINE_HEADERS; i++) {
        uint64_t us = counts(asked, which, i) ? time_for(asked, times, i) : DEADLINE_NONE;
        char *text = lines->text[lines->n];

        if (us == DEADLINE_NONE)
            continue;
        if (UINT32_C(1) << i == DEADLINE_GRPC)
            grpc_timeout_write(us, text);
        else
            write_ms(us, text);
        lines->headers[lines->n++] = (struct mesh_header){ names[i], text };
        lines->which |= UINT32_C(1) << i;
    }
}
