/* SPDX-License-Identifier: Apache-2.0 */
/* Reading DNS messages (RFC 1035 section 4) that a stranger made: every step is bounded. Private to net/. */
#ifndef NET_RESOLVER_WIRE_H
#define NET_RESOLVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_HEADER = 12,
    WIRE_NAME = 256, /* longest name as text, NUL included */
    WIRE_TYPE_A = 1,
    WIRE_TYPE_CNAME = 5,
    WIRE_TYPE_AAAA = 28,
    WIRE_TYPE_SRV = 33,
    WIRE_CLASS_IN = 1,
};

/* Where in a message the reader is. Once `bad`, everything reads as 0 and stays bad. */
struct wire {
    const uint8_t *packet;
    size_t len;
    size_t at;
    bool bad;
};

struct wire_head {
    uint16_t id, flags, questions, answers;
};

/* A resource record up to its data, which begins at `data`; the reader stands behind the data. */
struct wire_record {
    char owner[WIRE_NAME];
    uint16_t type, class;
    uint32_t ttl;
    size_t data, data_len;
};

struct wire wire_begin(const uint8_t *packet, size_t len);
uint8_t wire_u8(struct wire *w);
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
struct wire_head wire_read_head(struct wire *w);
/* A name as lower-case text without its final dot; "" is the root. A name with bytes that no host or service name has becomes
 * "?", which equals no name, so that nothing strange travels on. */
void wire_name(struct wire *w, char out[WIRE_NAME]);
/* Name, type and class of a question. */
void wire_question(struct wire *w, char name[WIRE_NAME], uint16_t *type);
/* False at the end of what can be read. */
bool wire_record(struct wire *w, struct wire_record *out);

static inline unsigned wire_rcode(const struct wire_head *head)
{
    return head->flags & 15;
}

static inline bool wire_truncated(const struct wire_head *head)
{
    return head->flags & 0x0200;
}

#endif
