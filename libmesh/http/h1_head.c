/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the fields of an answer, and what decides where it ends (RFC 9112 sections 4-7). */
#include "http/h1_head.h"

#include <string.h>

int32_t h1_head_status(const char *line, size_t len, struct h1_head *head, struct fault *fault)
{
    static const char form[] = "HTTP/1.# ###";
    char shown[80];

    *head = (struct h1_head){ 0 };
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool fits = i < len && (form[i] == '#' ? line[i] >= '0' && line[i] <= '9' : line[i] == form[i]);

        if (!fits)
            goto bad;
    }
    if (len > sizeof form - 1 && !memchr(" \r\n", line[sizeof form - 1], 3))
        goto bad;
    head->minor_version = line[7] - '0';
    head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    if (head->status >= 100)
        return 0;
bad:
    return fault_set(fault, MESH_ERR_PROTOCOL, "answer begins with \"%s\", not with an HTTP/1.1 status line",
                     text_printable(line, len, shown, sizeof shown));
}

/* RFC 9110 section 5.6.2 */
static bool is_token_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Joins a field's lines (obs-fold, RFC 9112 section 5.2). Returns where its last line feed is, or len. */
static size_t unfold(char *block, size_t len, size_t from)
{
    for (;;) {
        char *feed = memchr(block + from, '\n', len - from);
        size_t at;

        if (!feed)
            return len;
        at = (size_t) (feed - block);
        if (at + 1 >= len || !is_blank(block[at + 1]))
            return at;
        block[at] = ' ';
        if (at > 0 && block[at - 1] == '\r')
            block[at - 1] = ' ';
        from = at + 1;
    }
}

static int32_t check_name(char *line, size_t len, size_t *name_len, struct fault *fault)
{
    const char *colon = memchr(line, ':', len);
    char shown[80];

    *name_len = colon ? (size_t) (colon - line) : 0;
    for (size_t i = 0; i < *name_len; i++) {
        if (!is_token_char((unsigned char) line[i]))
            *name_len = 0;
        else if (line[i] >= 'A' && line[i] <= 'Z')
            line[i] = (char) (line[i] - 'A' + 'a');
    }
    if (*name_len > 0)
        return 0;
    return fault_set(fault, MESH_ERR_PROTOCOL, "answer has a header line without a valid name: \"%s\"",
                     text_printable(line, len, shown, sizeof shown));
}

static int32_t check_value(const struct h1_field *field, struct fault *fault)
{
    for (size_t i = 0; i < field->value_len; i++) {
        unsigned char c = (unsigned char) field->value[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return fault_set(fault, MESH_ERR_PROTOCOL, "answer's header %.*s has the control byte 0x%02x in its value",
                             (int) field->name_len, field->name, c);
    }
    return 0;
}

/* A line without its end, whose name ends at name_len. */
static void split(const char *line, size_t len, size_t name_len, struct h1_field *field)
{
    const char *value = line + name_len + 1, *end = line + len;

    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    *field = (struct h1_field){ line, name_len, value, (size_t) (end - value) };
}

static bool field_is(const struct h1_field *field, const char *name)
{
    return field->name_len == strlen(name) && memcmp(field->name, name, field->name_len) == 0;
}

static int32_t check_length(const struct h1_field *field, struct h1_head *head, struct fault *fault)
{
    char shown[80];
    uint64_t length;

    if (!text_to_u64(field->value, field->value_len, &length) || length > INT64_MAX)
        return fault_set(fault, MESH_ERR_PROTOCOL, "answer's content-length is \"%s\", not a number of bytes",
                         text_printable(field->value, field->value_len, shown, sizeof shown));
    if (head->has_length && head->length != length)
        return fault_set(fault, MESH_ERR_PROTOCOL, "answer has two content-lengths, %llu and %llu",
                         (unsigned long long) head->length, (unsigned long long) length);
    head->has_length = true;
    head->length = length;
    return 0;
}

/* We never say that we take another coding than "chunked", and HTTP/1.0 has none (RFC 9112 section 6.1). */
static int32_t check_coding(const struct h1_field *field, struct h1_head *head, struct fault *fault)
{
    char shown[80];

    if (head->is_chunked || head->minor_version == 0 ||
        !text_equal_nocase_n(field->value, field->value_len, "chunked", strlen("chunked")))
        return fault_set(
            fault, MESH_ERR_PROTOCOL,
            "answer (HTTP/1.%d) has the transfer-encoding \"%s\"%s; allowed is \"chunked\", once, in HTTP/1.1",
            head->minor_version, text_printable(field->value, field->value_len, shown, sizeof shown),
            head->is_chunked ? " a second time" : "");
    head->is_chunked = true;
    return 0;
}

static int32_t check_framing(const struct h1_field *field, struct h1_head *head, struct fault *fault)
{
    int32_t err = 0;

    if (field_is(field, "content-length"))
        err = check_length(field, head, fault);
    else if (field_is(field, "transfer-encoding"))
        err = check_coding(field, head, fault);
    if (!err && head->has_length && head->is_chunked)
        err = fault_set(fault, MESH_ERR_PROTOCOL,
                        "answer has both content-length and transfer-encoding: where it ends is ambiguous");
    return err;
}

int32_t h1_head_check(char *block, size_t len, struct h1_head *head, struct fault *fault)
{
    struct h1_field field;
    size_t at = 0, end, name_len;
    unsigned n = 0;
    int32_t err = 0;

    for (; !err && at < len; at = end + 1) {
        if (++n > H1_MAX_FIELDS)
            return fault_set(fault, MESH_ERR_TOO_LARGE, "answer has more than %d header fields", H1_MAX_FIELDS);
        end = unfold(block, len, at);
        err = check_name(block + at, end - at, &name_len, fault);
        if (err)
            break;
        split(block + at, end > at && block[end - 1] == '\r' ? end - at - 1 : end - at, name_len, &field);
        err = check_value(&field, fault);
        if (!err)
            err = check_framing(&field, head, fault);
    }
    return err;
}

bool h1_head_next(const char *block, size_t len, size_t *at, struct h1_field *field)
{
    const char *line, *feed, *colon;
    size_t line_len;

    if (*at >= len)
        return false;
    line = block + *at;
    feed = memchr(line, '\n', len - *at);
    line_len = feed ? (size_t) (feed - line) : len - *at;
    *at += line_len + 1;
    colon = memchr(line, ':', line_len);
    if (line_len > 0 && line[line_len - 1] == '\r')
        line_len--;
    split(line, line_len, colon ? (size_t) (colon - line) : 0, field);
    return true;
}

bool h1_field_is_hop_by_hop(const struct h1_field *field)
{
    static const char *const names[] = { "connection", "keep-alive", "proxy-connection", "transfer-encoding",
                                         "upgrade" };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (field_is(field, names[i]))
            return true;
    return false;
}
