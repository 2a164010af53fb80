/* SPDX-License-Identifier: Apache-2.0 */
/* The door through which bytes of a control plane reach protobuf-c: scanned first, then unpacked. Pure.
 *
 * protobuf-c recurses without a limit, so that a few kilobytes end the process; two bytes can cost it hundreds, merging a
 * message that stands again and again takes quadratic time, and texts with a NUL are shorter than they were. The scan goes
 * by the same descriptors without recursing, and refuses what would do any of that, with the place where it stands. */
#ifndef SOURCE_XDS_WIRE_H
#define SOURCE_XDS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/base.h"

enum { WIRE_DEPTH_MAX = 100 };

struct wire_limits {
    size_t bytes;
    size_t fields;  /* of all levels; each element of a packed one counts */
    size_t memory;  /* that unpacking takes, in bytes, allocator's overhead included */
    uint32_t depth; /* messages inside each other, the outermost is 1; at most WIRE_DEPTH_MAX */
};

struct wire_cost {
    size_t fields;
    size_t memory;
    uint32_t depth;
};

/* For a million endpoints in one resource, and for nothing that takes more than a gigabyte. */
extern const struct wire_limits wire_limits_standard;

/* 0: the bytes may be unpacked as a message of `type`, whose messages have at most 64 fields each.
 * MESH_ERR_PROTOCOL: they are no such message. MESH_ERR_TOO_LARGE: beyond the limits. The sentence has the path of field
 * numbers. `cost`: may be NULL; what was seen so far in any case. */
int32_t wire_scan(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                  const struct wire_limits *limits, struct wire_cost *cost, struct fault *fault);

/* Scans and unpacks. *out: to be cast to the struct of `type`, given back with wire_free(); NULL on failure. */
int32_t wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                    const struct wire_limits *limits, ProtobufCMessage **out, struct fault *fault);
void wire_free(ProtobufCMessage *message); /* NULL is fine */

#endif
