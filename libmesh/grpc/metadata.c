/* SPDX-License-Identifier: Apache-2.0 */
/* What metadata may be, and its way into headers and out of them ("PROTOCOL-HTTP2.md" of gRPC, Custom-Metadata). */
#include "grpc/metadata.h"

#include <string.h>

#include "grpc/base64.h"

enum { ENTRY_OVERHEAD = 32 }; /* RFC 9113 6.5.2 */

/* Headers of HTTP and of gRPC that calls set themselves or that belong to a connection, beside those that begin with "grpc-". */
static const char *const reserved[] = {
    "connection", "content-length", "content-type",      "host",    "keep-alive", "proxy-connection",
    "te",         "trailer",        "transfer-encoding", "upgrade", "user-agent",
};

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t end_len = strlen(end);

    return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

bool grpc_metadata_is_binary(const char *name, size_t len)
{
    return ends_with(name, len, "-bin");
}

bool grpc_metadata_is(const char *name, size_t len)
{
    if (len == 0 || name[0] == ':' || (len >= 5 && memcmp(name, "grpc-", 5) == 0))
        return false;
    for (size_t i = 0; i < COUNT_OF(reserved); i++)
        if (text_equal_nocase_n(name, len, reserved[i], strlen(reserved[i])))
            return false;
    return true;
}

/* ---- checking ---- */

static bool may_be_in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static int32_t check_name(const char *name, struct fault *fault)
{
    char shown[96];

    text_printable(name, strlen(name), shown, sizeof shown);
    if (name[0] == '\0')
        return fault_set(fault, MESH_ERR_INVALID, "metadata without a name");
    for (const char *c = name; *c; c++)
        if (!may_be_in_name(*c))
            return fault_set(fault, MESH_ERR_INVALID, "metadata \"%s\": names have a-z, 0-9, '_', '.' and '-' only",
                             shown);
    if (!grpc_metadata_is(name, strlen(name)))
        return fault_set(fault, MESH_ERR_INVALID, "metadata \"%s\": the name is HTTP's or gRPC's own", shown);
    return 0;
}

/* Spaces at the ends may be lost on the way. */
static int32_t check_value(const struct grpc_metadata *entry, struct fault *fault)
{
    const uint8_t *value = entry->value;

    for (size_t i = 0; i < entry->len; i++)
        if (value[i] < 0x20 || value[i] > 0x7e)
            return fault_set(
                fault, MESH_ERR_INVALID,
                "metadata \"%s\": byte 0x%02x at %zu; values are printable ASCII unless the name ends in -bin",
                entry->name, value[i], i);
    if (entry->len > 0 && (value[0] == ' ' || value[entry->len - 1] == ' '))
        return fault_set(fault, MESH_ERR_INVALID, "metadata \"%s\": the value begins or ends with a space",
                         entry->name);
    return 0;
}

/* As in HTTP/2's header lists; anything far too large is GRPC_METADATA_MOST and more, whatever it is exactly. */
static size_t size_of(const struct grpc_metadata *entry, bool is_binary)
{
    size_t len = entry->len < GRPC_METADATA_MOST ? entry->len : GRPC_METADATA_MOST;

    return strlen(entry->name) + (is_binary ? (len * 4 + 2) / 3 : len) + ENTRY_OVERHEAD;
}

int32_t grpc_metadata_check(const struct grpc_metadata *entries, size_t n, struct fault *fault)
{
    size_t left = GRPC_METADATA_MOST;

    for (size_t i = 0; i < n; i++) {
        bool is_binary = grpc_metadata_is_binary(entries[i].name, strlen(entries[i].name));
        int32_t err = check_name(entries[i].name, fault);
        size_t size;

        if (err == 0 && !is_binary)
            err = check_value(&entries[i], fault);
        if (err)
            return err;
        size = size_of(&entries[i], is_binary);
        if (size > left)
            return fault_set(fault, MESH_ERR_TOO_LARGE, "metadata \"%.64s\": all of it is more than %d bytes",
                             entries[i].name, GRPC_METADATA_MOST);
        left -= size;
    }
    return 0;
}

/* ---- into headers ---- */

/* Where each text begins is told by its place until all are there: the memory may move meanwhile. */
static bool put_value(struct grpc_headers *headers, const struct grpc_metadata *entry)
{
    bool is_binary = grpc_metadata_is_binary(entry->name, strlen(entry->name));
    bool ok = is_binary ? grpc_base64_write(&headers->text, entry->value, entry->len)
                        : entry->len == 0 || buf_append(&headers->text, entry->value, entry->len);

    return ok && buf_append(&headers->text, "", 1);
}

int32_t grpc_headers_make(struct grpc_headers *headers, const struct mesh_header *own, size_t n_own,
                          const struct grpc_metadata *entries, size_t n)
{
    const char *value;

    *headers = (struct grpc_headers){ .n = n_own + n };
    headers->headers = mem_array(n_own + n, sizeof *headers->headers);
    if (!headers->headers)
        return MESH_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (put_value(headers, &entries[i]))
            continue;
        grpc_headers_free(headers);
        return MESH_ERR_NOMEM;
    }
    for (size_t i = 0; i < n_own; i++)
        headers->headers[i] = own[i];
    value = (const char *) buf_bytes(&headers->text);
    for (size_t i = 0; i < n; i++) {
        headers->headers[n_own + i] = (struct mesh_header){ entries[i].name, value };
        value += strlen(value) + 1;
    }
    return 0;
}

void grpc_headers_free(struct grpc_headers *headers)
{
    mem_free(headers->headers);
    buf_free(&headers->text);
    *headers = (struct grpc_headers){ 0 };
}

/* ---- out of headers ---- */

bool grpc_metadata_next(const char **text, size_t *text_len, struct buf *room, const uint8_t **bytes, size_t *len)
{
    const char *one = *text, *comma;
    size_t one_len, size;
    uint8_t *to;

    if (!one)
        return false;
    comma = memchr(one, ',', *text_len);
    one_len = comma ? (size_t) (comma - one) : *text_len;
    *text = comma ? comma + 1 : NULL;
    *text_len -= comma ? one_len + 1 : one_len;
    while (one_len > 0 && *one == ' ')
        one++, one_len--;
    buf_clear(room);
    *bytes = NULL;
    *len = 0;
    size = grpc_base64_size(one, one_len);
    to = size == SIZE_MAX ? NULL : buf_room(room, size + 1);
    if (!to)
        return true;
    grpc_base64_read(one, one_len, to);
    *bytes = to;
    *len = size;
    return true;
}
