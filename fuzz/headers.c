/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from headers: lines "name: value", an empty line before trailers. Each value is also read as each kind. */
#include "fuzz.h"

#include "cluster/grpc_health.h"
#include "http/h1_head.h"
#include "request/deadline.h"
#include "request/overload.h"
#include "request/told.h"

#define NOW_S UINT64_C(1700000000)

static void read_value(const char *name, const char *value)
{
    const struct mesh_header header = { name, value };
    struct deadline_asked asked = { 0 };

    told_retry_after_us(value, NOW_S);
    deadline_read(&asked, &header);
    deadline_limit_us(&asked, UINT32_MAX);
}

static bool take_line(struct mesh_response *response, char *line, bool is_trailer)
{
    char *colon = strchr(line, ':');
    char *value = colon ? colon + 1 + strspn(colon + 1, " \t") : line;

    if (colon)
        *colon = '\0';
    read_value(line, value);
    read_value("grpc-timeout", value);
    read_value("x-mesh-deadline-ms", value);
    return response_add_field(response, line, strlen(line), value, strlen(value), is_trailer) == 0;
}

static void read_answer(char *text)
{
    struct mesh_response *response = response_new();
    bool is_trailer = false;

    if (!response)
        return;
    response->status = 503;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        is_trailer = is_trailer || line[0] == '\0';
        if (line[0] != '\0' && !take_line(response, line, is_trailer))
            break;
    }
    told_read(response, NOW_S);
    told_grpc_status(response);
    overload_told_by_head(response);
    overload_told_by_trailers(response);
    response_free(response);
}

/* An HTTP/1.1 head, and what walks over it afterwards. */
static void read_head(char *block, size_t len)
{
    const char *end = memchr(block, '\n', len);
    size_t first = end ? (size_t) (end - block) + 1 : len, at = 0;
    struct h1_head head = { 0 };
    struct h1_field field;
    struct fault fault = { 0 };

    h1_head_status(block, first, &head, &fault);
    if (h1_head_check(block + first, len - first, &head, &fault) != 0)
        return;
    while (h1_head_next(block + first, len - first, &at, &field))
        h1_field_is_hop_by_hop(&field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    read_answer(text);
    free(text);
    text = malloc(size + 1); /* exact: the block has no NUL behind it */
    if (!text)
        abort();
    memcpy(text, data, size);
    read_head(text, size);
    free(text);
    grpc_health_status(data, size);
    return 0;
}
