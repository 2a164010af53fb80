/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a request as the application holds it; filled while it comes, then never changed. */
#ifndef REQUEST_RESPONSE_H
#define REQUEST_RESPONSE_H

#include <stdalign.h>

#include "base/base.h"

#include <mesh/request.h> /* struct mesh_header */
#include <mesh/response.h>

enum {
    RESPONSE_FEW_FIELDS = 16,
    RESPONSE_ZONE = 64,
    RESPONSE_SHORT_TEXT = 256,
    RESPONSE_SHORT_BODY = 128,
    RESPONSE_BLOCKS = 64,
};

/* One header or trailer: where its name and its value begin in the text. */
struct response_field {
    uint32_t name, value;
    uint32_t name_len;
    bool is_trailer;
};

/* Opaque to applications. */
struct mesh_response {
    int32_t status;
    int32_t err;
    uint32_t attempts;
    uint64_t duration_us;
    size_t n_fields, fields_cap, n_trailers;
    struct response_field few[RESPONSE_FEW_FIELDS]; /* nearly every answer fits */
    struct response_field *fields;                  /* few, or an allocation */
    struct buf text;
    struct buf body;
    char *detail;       /* NULL: empty */
    char *explanation;  /* NULL: nobody asked for one */
    struct fault fault; /* of the last failure, while it comes */
    char endpoint[ADDR_TEXT];
    char zone[RESPONSE_ZONE];
    /* Where text and body begin: most need no allocation. */
    uint8_t short_text[RESPONSE_SHORT_TEXT];
    alignas(max_align_t) uint8_t short_body[RESPONSE_SHORT_BODY];
};

/* Blocks of at least the size of a response, which others need no more. Responses are freed by the application, wherever it is; so
 * what comes back are the blocks of queued calls: their event is taken while the next ones begin. Zeroed: none. */
struct response_blocks {
    void *first;
    uint32_t n; /* at most RESPONSE_BLOCKS */
};

struct mesh_response *response_new(void); /* NULL: out of memory */
/* The same, in one of the blocks if there is one. */
struct mesh_response *response_new_in(struct response_blocks *blocks);
/* Takes an allocation over. */
void response_blocks_add(struct response_blocks *blocks, void *block);
void response_blocks_free(struct response_blocks *blocks);
void response_free(struct mesh_response *response);
/* Forgets what an attempt has brought, for the next one. */
void response_reset(struct mesh_response *response);
/* MESH_ERR_NOMEM. */
int32_t response_add_field(struct mesh_response *response, const char *name, size_t name_len, const char *value,
                           size_t value_len, bool is_trailer);
/* Other headers in place of those that are there; the new ones may point into the old text. Trailers stay. MESH_ERR_NOMEM: nothing
 * has changed. */
int32_t response_replace_headers(struct mesh_response *response, const struct mesh_header *headers, size_t n);
/* The headers as an array of n, which points into the response: mem_free(). NULL: out of memory, or there are none. */
struct mesh_header *response_headers(const struct mesh_response *response, size_t *n);
/* The index-th header or trailer; NULL beyond the end. */
const struct response_field *response_field_at(const struct mesh_response *response, size_t index, bool is_trailer);
/* First value of a name, NULL: none. */
const char *response_find(const struct mesh_response *response, const char *name, bool is_trailer);
const char *response_text(const struct mesh_response *response, uint32_t at);

#endif
