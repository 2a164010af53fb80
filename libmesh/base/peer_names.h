/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer's certificate must say of it: it has at least one name (subjectAltName) that fits one of these patterns. Pure. */
#ifndef BASE_PEER_NAMES_H
#define BASE_PEER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct regex;

enum peer_name_type {
    PEER_NAME_DNS = 1 << 0,
    PEER_NAME_URI = 1 << 1,
    PEER_NAME_IP = 1 << 2, /* as text: "10.0.0.7", "fd00::1" */
    PEER_NAME_EMAIL = 1 << 3,
};
enum { PEER_NAME_ANY = PEER_NAME_DNS | PEER_NAME_URI | PEER_NAME_IP | PEER_NAME_EMAIL };

enum peer_name_how {
    PEER_NAME_EXACT, /* a DNS name may be the certificate's wildcard, "*.example.com", for one label (RFC 6125 6.4.3) */
    PEER_NAME_PREFIX,
    PEER_NAME_SUFFIX,
    PEER_NAME_CONTAINS,
    PEER_NAME_REGEX, /* the whole name */
};

struct peer_name {
    uint32_t types; /* enum peer_name_type, those that it is compared with */
    enum peer_name_how how;
    bool ignore_case;
    char *text;          /* the pattern's, for all of them; owned */
    struct regex *regex; /* of PEER_NAME_REGEX; its own */
};

/* Immutable once it is shared; counted, any thread. */
struct peer_names {
    _Atomic uint32_t refs;
    size_t n;
    struct peer_name items[];
};

/* n of them, zeroed. NULL: out of memory. */
struct peer_names *peer_names_new(size_t n);
struct peer_names *peer_names_ref(struct peer_names *names); /* NULL is fine */
void peer_names_unref(struct peer_names *names);             /* NULL is fine */
/* 0 for NULL. */
uint64_t peer_names_hash(const struct peer_names *names);
/* Whether a name of that one type fits one of the patterns. */
bool peer_names_match(const struct peer_names *names, enum peer_name_type type, const char *name, size_t len);

#endif
