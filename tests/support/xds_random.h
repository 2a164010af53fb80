/* SPDX-License-Identifier: Apache-2.0 */
/* Random messages of any type, well-formed on the wire, with values that are worth trying. They live until xds_make_clear(). */
#ifndef TESTS_SUPPORT_XDS_RANDOM_H
#define TESTS_SUPPORT_XDS_RANDOM_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "base/rand.h"

struct xds_random {
    struct rand dice;
    /* What an Any may hold, beside garbage. */
    const ProtobufCMessageDescriptor *const *anys;
    size_t n_anys;
    const char *const *texts;
    size_t n_texts;
    unsigned share; /* of the fields that are set, of 100 */
};

ProtobufCMessage *xds_random_message(struct xds_random *random, const ProtobufCMessageDescriptor *type, unsigned depth);

#endif
