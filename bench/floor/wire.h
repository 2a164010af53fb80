/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection to 127.0.0.1, plain or TLS, that never blocks once it is open. Every failure ends the program. */
#ifndef BENCH_FLOOR_WIRE_H
#define BENCH_FLOOR_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    int fd;
    SSL *ssl; /* NULL: plain */
};

/* With `ca` the connection is TLS, verified by that file, and speaks "h2". */
void wire_open(struct wire *wire, uint16_t port, const char *ca);
/* How many bytes; 0: not now. */
size_t wire_read(struct wire *wire, void *buffer, size_t room);
size_t wire_write(struct wire *wire, const void *data, size_t len);
/* Read bytes are waiting in here, which no poll will tell. */
bool wire_holds_more(const struct wire *wire);

#endif
