/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and trailers of HTTP/1.1 answers: what libcurl lets through and should not (RFC 9112). Pure; private to http/. */
#ifndef HTTP_H1_HEAD_H
#define HTTP_H1_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

enum { H1_MAX_FIELDS = 256 };

struct h1_head {
    int status;
    int minor_version; /* HTTP/1.0 or later */
    bool has_length;   /* content-length */
    bool is_chunked;
    uint64_t length;
};

struct h1_field {
    const char *name; /* lower case */
    size_t name_len;
    const char *value; /* without white space around it; folded lines are joined */
    size_t value_len;
};

/* "HTTP/1.1 200 OK" with its line end. MESH_ERR_PROTOCOL. */
int32_t h1_head_status(const char *line, size_t len, struct h1_head *head, struct fault *fault);
/* Checks all fields of a head or of trailers (without status line and empty line) and those that say where the answer ends, which
 * must be unambiguous. Rewrites the block in place: names in lower case, folded lines joined. MESH_ERR_PROTOCOL, MESH_ERR_TOO_LARGE. */
int32_t h1_head_check(char *block, size_t len, struct h1_head *head, struct fault *fault);
/* Walks a block that h1_head_check() has passed: *at begins with 0. False at the end. */
bool h1_head_next(const char *block, size_t len, size_t *at, struct h1_field *field);
/* Whether the field is about the connection, not the answer: not for owners. */
bool h1_field_is_hop_by_hop(const struct h1_field *field);

#endif
