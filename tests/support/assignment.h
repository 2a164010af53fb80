/* SPDX-License-Identifier: Apache-2.0 */
/* ClusterLoadAssignments on the wire, whole or not: fields are put one after the other. */
#ifndef TESTS_SUPPORT_ASSIGNMENT_H
#define TESTS_SUPPORT_ASSIGNMENT_H

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "mesh_test.h"

static inline void put_varint(struct buf *out, uint64_t value)
{
    uint8_t byte;

    for (; value >= 0x80; value >>= 7) {
        byte = (uint8_t) (value | 0x80);
        assert_true(buf_append(out, &byte, 1));
    }
    byte = (uint8_t) value;
    assert_true(buf_append(out, &byte, 1));
}

static inline void put_number(struct buf *out, uint32_t field, uint64_t value)
{
    put_varint(out, field << 3);
    put_varint(out, value);
}

static inline void put_bytes(struct buf *out, uint32_t field, const void *bytes, size_t len)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, len);
    if (len > 0)
        assert_true(buf_append(out, bytes, len));
}

static inline void put_text(struct buf *out, uint32_t field, const char *text)
{
    put_bytes(out, field, text, strlen(text));
}

/* Takes `inner` over. */
static inline void put_message(struct buf *out, uint32_t field, struct buf inner)
{
    put_bytes(out, field, buf_bytes(&inner), buf_len(&inner));
    buf_free(&inner);
}

static inline struct buf wrapped_number(uint64_t value)
{
    struct buf out = { 0 };

    put_number(&out, 1, value);
    return out;
}

/* "10.0.0.1:80", "[::1]:80" as a literal and a port; anything else is a pipe's path. */
static inline struct buf address_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    struct buf socket = { 0 }, out = { 0 };

    if (!colon) {
        put_text(&socket, 1, text);
        put_message(&out, 2, socket);
        return out;
    }
    put_bytes(&socket, 2, text + bracketed, (size_t) (colon - text) - 2 * (size_t) bracketed);
    put_number(&socket, 3, strtoull(colon + 1, NULL, 10));
    put_message(&out, 1, socket);
    return out;
}

struct said_endpoint {
    const char *address;
    uint32_t weight; /* 0: not said */
    uint32_t health;
    const char *hostname;    /* NULL: not said */
    const char *alternative; /* NULL: none */
    const char *label;       /* NULL: none; of the key "version" in envoy.lb */
};

static inline struct buf metadata_of(const char *filter, const char *key, const char *text)
{
    struct buf value = { 0 }, field = { 0 }, object = { 0 }, entry = { 0 }, out = { 0 };

    put_text(&value, 3, text);
    put_text(&field, 1, key);
    put_message(&field, 2, value);
    put_message(&object, 1, field);
    put_text(&entry, 1, filter);
    put_message(&entry, 2, object);
    put_message(&out, 1, entry);
    return out;
}

static inline void put_endpoint(struct buf *locality, const struct said_endpoint *said)
{
    struct buf endpoint = { 0 }, out = { 0 }, more = { 0 };

    put_message(&endpoint, 1, address_of(said->address));
    if (said->hostname)
        put_text(&endpoint, 3, said->hostname);
    if (said->alternative) {
        put_message(&more, 1, address_of(said->alternative));
        put_message(&endpoint, 4, more);
    }
    put_message(&out, 1, endpoint);
    if (said->health)
        put_number(&out, 2, said->health);
    if (said->label)
        put_message(&out, 3, metadata_of("envoy.lb", "version", said->label));
    if (said->weight)
        put_message(&out, 4, wrapped_number(said->weight));
    put_message(locality, 2, out);
}

/* Of the names those that are not NULL; weight 0: not said. */
static inline void put_place(struct buf *locality, const char *region, const char *zone, const char *sub_zone,
                             uint32_t priority, uint32_t weight)
{
    struct buf names = { 0 };

    if (region)
        put_text(&names, 1, region);
    if (zone)
        put_text(&names, 2, zone);
    if (sub_zone)
        put_text(&names, 3, sub_zone);
    if (region || zone || sub_zone)
        put_message(locality, 1, names);
    if (weight)
        put_message(locality, 3, wrapped_number(weight));
    if (priority)
        put_number(locality, 5, priority);
}

#endif
