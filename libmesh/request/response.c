/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting an answer: fields lie one after the other in one text, found by offsets. */
#include "request/response.h"

#include <string.h>

/* ---- blocks ---- */

void response_blocks_add(struct response_blocks *blocks, void *block)
{
    if (blocks->n == RESPONSE_BLOCKS || mem_is_watched()) {
        mem_free(block);
        return;
    }
    *(void **) block = blocks->first;
    blocks->first = block;
    blocks->n++;
}

static void *take_block(struct response_blocks *blocks)
{
    void *block = blocks->first;

    if (!block)
        return NULL;
    blocks->first = *(void **) block;
    blocks->n--;
    return block;
}

void response_blocks_free(struct response_blocks *blocks)
{
    void *block;

    while ((block = take_block(blocks)))
        mem_free(block);
}

/* ---- responses ---- */

struct mesh_response *response_new(void)
{
    return response_new_in(&(struct response_blocks){ 0 });
}

/* The arrays and texts in it are not cleared: every byte of a request's price counts. */
struct mesh_response *response_new_in(struct response_blocks *blocks)
{
    struct mesh_response *response = mem_is_watched() ? NULL : take_block(blocks);

    if (!response)
        response = mem_alloc(sizeof *response);
    if (!response)
        return NULL;
    response->status = 0;
    response->err = 0;
    response->attempts = 0;
    response->duration_us = 0;
    response->n_fields = response->n_trailers = 0;
    response->fields = response->few;
    response->fields_cap = RESPONSE_FEW_FIELDS;
    buf_lend(&response->text, response->short_text, sizeof response->short_text);
    buf_lend(&response->body, response->short_body, sizeof response->short_body);
    response->detail = response->explanation = NULL;
    response->fault.code = 0;
    response->fault.text[0] = response->endpoint[0] = response->zone[0] = '\0';
    return response;
}

void response_free(struct mesh_response *response)
{
    if (!response)
        return;
    if (response->fields != response->few)
        mem_free(response->fields);
    buf_free(&response->text);
    buf_free(&response->body);
    mem_free(response->detail);
    mem_free(response->explanation);
    mem_free(response);
}

void response_reset(struct mesh_response *response)
{
    response->status = 0;
    response->n_fields = response->n_trailers = 0;
    buf_clear(&response->text);
    buf_clear(&response->body);
}

static bool grow_fields(struct mesh_response *response)
{
    size_t cap = response->fields_cap * 2;
    struct response_field *fields = mem_array(cap, sizeof *fields);

    if (!fields)
        return false;
    memcpy(fields, response->fields, response->n_fields * sizeof *fields);
    if (response->fields != response->few)
        mem_free(response->fields);
    response->fields = fields;
    response->fields_cap = cap;
    return true;
}

int32_t response_add_field(struct mesh_response *response, const char *name, size_t name_len, const char *value,
                           size_t value_len, bool is_trailer)
{
    uint8_t *at = buf_room(&response->text, name_len + value_len + 2);

    if (!at || (response->n_fields == response->fields_cap && !grow_fields(response)))
        return MESH_ERR_NOMEM;
    memcpy(at, name, name_len);
    at[name_len] = '\0';
    memcpy(at + name_len + 1, value, value_len);
    at[name_len + 1 + value_len] = '\0';
    response->fields[response->n_fields++] = (struct response_field){
        .name = (uint32_t) response->text.end,
        .value = (uint32_t) (response->text.end + name_len + 1),
        .name_len = (uint32_t) name_len,
        .is_trailer = is_trailer,
    };
    response->n_trailers += is_trailer;
    buf_added(&response->text, name_len + value_len + 2);
    return 0;
}

const char *response_text(const struct mesh_response *response, uint32_t at)
{
    return (const char *) response->text.data + at;
}

/* Trailers come after all headers. */
const struct response_field *response_field_at(const struct mesh_response *response, size_t index, bool is_trailer)
{
    size_t n_headers = response->n_fields - response->n_trailers;

    if (index >= (is_trailer ? response->n_trailers : n_headers))
        return NULL;
    return &response->fields[is_trailer ? n_headers + index : index];
}

const char *response_find(const struct mesh_response *response, const char *name, bool is_trailer)
{
    size_t len = strlen(name);
    const struct response_field *field;

    for (size_t i = 0; (field = response_field_at(response, i, is_trailer)); i++)
        if (field->name_len == len && text_equal_nocase_n(response_text(response, field->name), len, name, len))
            return response_text(response, field->value);
    return NULL;
}

/* ---- changing ---- */

struct mesh_header *response_headers(const struct mesh_response *response, size_t *n)
{
    struct mesh_header *headers;

    *n = response->n_fields - response->n_trailers;
    headers = *n > 0 ? mem_array(*n, sizeof *headers) : NULL;
    for (size_t i = 0; headers && i < *n; i++)
        headers[i] = (struct mesh_header){ response_text(response, response->fields[i].name),
                                           response_text(response, response->fields[i].value) };
    return headers;
}

static int32_t add(struct mesh_response *response, const char *name, const char *value, bool is_trailer)
{
    return response_add_field(response, name, strlen(name), value, strlen(value), is_trailer);
}

/* The fields of `next` in place of those of `response`; where they begin is in no block of `next` itself. */
static void adopt_fields(struct mesh_response *response, struct mesh_response *next)
{
    if (response->fields != response->few)
        mem_free(response->fields);
    buf_free(&response->text);
    response->text = next->text;
    response->n_fields = next->n_fields;
    response->n_trailers = next->n_trailers;
    response->fields = next->fields;
    response->fields_cap = next->fields_cap;
    if (next->fields != next->few)
        return;
    memcpy(response->few, next->few, sizeof response->few);
    response->fields = response->few;
}

int32_t response_replace_headers(struct mesh_response *response, const struct mesh_header *headers, size_t n)
{
    struct mesh_response next;
    const struct response_field *trailer;
    int32_t err = 0;

    next.fields = next.few;
    next.fields_cap = RESPONSE_FEW_FIELDS;
    next.n_fields = next.n_trailers = 0;
    next.text = (struct buf){ 0 };
    for (size_t i = 0; i < n && !err; i++)
        err = add(&next, headers[i].name, headers[i].value, false);
    for (size_t i = 0; !err && (trailer = response_field_at(response, i, true)); i++)
        err = add(&next, response_text(response, trailer->name), response_text(response, trailer->value), true);
    if (!err) {
        adopt_fields(response, &next);
        return 0;
    }
    if (next.fields != next.few)
        mem_free(next.fields);
    buf_free(&next.text);
    return err;
}
