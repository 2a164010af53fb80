/* SPDX-License-Identifier: Apache-2.0 */
/* Where a reader is in a resource: every complaint names the path of the field, and what is there but not honoured is gathered
 * for the log, `mesh xds lint` and CSDS. Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_READING_H
#define SOURCE_XDS_READING_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "base/base.h"

enum { READING_DEPTH = 16, IGNORED_MOST = 64, IGNORED_ALIKE = 3 };

/* What is received and not honoured: sentences that begin with the field's path, each once, at most IGNORED_MOST and at most
 * IGNORED_ALIKE that differ by an index only. Zeroed, then ignored_clear(). */
struct ignored {
    char **items;
    size_t n;
    size_t left_out; /* there were more */
};
void ignored_clear(struct ignored *ignored);
bool ignored_equal(const struct ignored *a, const struct ignored *b);

/* On the stack of whoever reads; zeroed but for `fault` and `ignored`. */
struct reading {
    struct fault *fault;
    struct ignored *ignored; /* NULL: nobody wants to know */
    struct {
        const char *field; /* constant or as long-lived as the reading */
        size_t index;      /* READING_NO_INDEX: none */
    } path[READING_DEPTH];
    size_t depth;
};
#define READING_NO_INDEX ((size_t) -1)

/* Deeper than READING_DEPTH is left out of the path. */
void reading_enter(struct reading *reading, const char *field);
void reading_enter_item(struct reading *reading, const char *field, size_t index);
void reading_leave(struct reading *reading);

/* MESH_ERR_INVALID: "virtual_hosts[0].routes[2].match: " and the words. Texts of the peer are the caller's to cut ("%.100s"). */
int32_t reading_wrong(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a field of the message at hand. */
int32_t reading_wrong_at(struct reading *reading, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int32_t reading_no_memory(struct reading *reading);
/* Puts the path in front of the sentence that somebody else wrote. Returns `err`. */
int32_t reading_failed(struct reading *reading, int32_t err);
/* Not honoured: "common_lb_config.hash_balance_factor: " and why. Lack of memory is passed over: a list for people. */
void reading_ignored(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reading_ignored_at(struct reading *reading, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fields of `message` that libmesh does not read, by their numbers; not those of the messages in it. Each kind once. */
void reading_unknown(struct reading *reading, const ProtobufCMessage *message);
/* The same for `message` and all messages in it; what is in an Any is read on its own. A field is listed where it stands first: a
 * control plane that sends it with each of a thousand routes would leave no room for others. */
void reading_unknown_within(struct reading *reading, const ProtobufCMessage *message);

#endif
