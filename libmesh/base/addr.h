/* SPDX-License-Identifier: Apache-2.0 */
/* Where an endpoint listens: an IPv4 or IPv6 address with a port, or a unix socket's path. 24 bytes, compared by value. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum addr_family { ADDR_NONE = 0, ADDR_IPV4 = 4, ADDR_IPV6 = 6, ADDR_UNIX = 1 };

struct addr {
    uint8_t family; /* enum addr_family */
    uint16_t port;  /* host byte order; 0 for ADDR_UNIX */
    uint32_t scope; /* IPv6 link-local interface */
    union {
        uint8_t ip[16];   /* network byte order; the first 4 for ADDR_IPV4, the rest is zero */
        const char *path; /* ADDR_UNIX: borrowed from whoever made the address, as long as the address lives */
    };
};

/* Longest text of an address, the final NUL included. */
enum { ADDR_TEXT = sizeof(((struct sockaddr_un *) 0)->sun_path) + 8 };

/* "10.0.0.1", "10.0.0.1:80", "::1", "[::1]:80": no names. default_port is taken when none is written.
 * False when it is not a literal address. */
bool addr_parse(struct addr *addr, const char *text, size_t len, uint16_t default_port);
/* The address alone: "10.0.0.1", "::1", "fe80::1%eth0". */
bool addr_parse_ip(struct addr *addr, const char *text, size_t len, uint16_t port);
/* `path` is borrowed. False when it is empty or does not fit a unix address. */
bool addr_unix(struct addr *addr, const char *path);
/* "10.0.0.1:80", "[::1]:80", "unix:/path". Returns out. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT]);
/* The address without the port. Returns out. */
const char *addr_format_ip(const struct addr *addr, char out[ADDR_TEXT]);
bool addr_equal(const struct addr *a, const struct addr *b);
uint64_t addr_hash(const struct addr *addr);
socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *out);
/* False for families other than IPv4 and IPv6. */
bool addr_from_sockaddr(struct addr *addr, const struct sockaddr *from);

#endif
