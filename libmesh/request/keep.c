/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping what a request borrows, in one block with the request itself. */
#include <string.h>

#include "request/request.h"

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t kept_size(const struct request_ask *ask, const struct body *body)
{
    size_t size = text_size(ask->service) + text_size(ask->method) + text_size(ask->path) + text_size(ask->authority);

    for (size_t i = 0; i < ask->n_headers; i++)
        size += text_size(ask->headers[i].name) + text_size(ask->headers[i].value);
    return size + body->len + ask->n_headers * sizeof ask->headers[0];
}

static const char *keep(char **at, const char *text)
{
    size_t size = text_size(text);
    char *kept = *at;

    if (!text)
        return NULL;
    memcpy(kept, text, size);
    *at += size;
    return kept;
}

void *request_keep(size_t size, size_t least, struct request_ask *ask, struct body *body)
{
    size_t begin =
        (size + _Alignof(struct mesh_header) - 1) / _Alignof(struct mesh_header) * _Alignof(struct mesh_header);
    size_t whole = begin + kept_size(ask, body);
    char *block = mem_alloc(whole > least ? whole : least);
    struct mesh_header *headers;
    char *at;

    if (!block)
        return NULL;
    memset(block, 0, size);
    headers = (struct mesh_header *) (void *) (block + begin);
    at = (char *) (headers + ask->n_headers);
    for (size_t i = 0; i < ask->n_headers; i++)
        headers[i] = (struct mesh_header){ keep(&at, ask->headers[i].name), keep(&at, ask->headers[i].value) };
    ask->headers = headers;
    ask->service = keep(&at, ask->service);
    ask->method = keep(&at, ask->method);
    ask->path = keep(&at, ask->path);
    ask->authority = keep(&at, ask->authority);
    if (body->len > 0)
        body->bytes = memcpy(at, body->bytes, body->len);
    return block;
}
