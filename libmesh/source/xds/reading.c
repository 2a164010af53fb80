/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of fields, complaints, and the list of what is not honoured. */
#include "source/xds/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ignored_clear(struct ignored *ignored)
{
    for (size_t i = 0; i < ignored->n; i++)
        mem_free(ignored->items[i]);
    mem_free(ignored->items);
    *ignored = (struct ignored){ 0 };
}

bool ignored_equal(const struct ignored *a, const struct ignored *b)
{
    if (a->n != b->n || a->left_out != b->left_out)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

/* ---- the path ---- */

void reading_enter(struct reading *reading, const char *field)
{
    reading_enter_item(reading, field, READING_NO_INDEX);
}

void reading_enter_item(struct reading *reading, const char *field, size_t index)
{
    if (reading->depth < READING_DEPTH) {
        reading->path[reading->depth].field = field;
        reading->path[reading->depth].index = index;
    }
    reading->depth++;
}

void reading_leave(struct reading *reading)
{
    reading->depth--;
}

static size_t add(char *out, size_t cap, size_t at, const char *format, ...) __attribute__((format(printf, 4, 5)));

static size_t add(char *out, size_t cap, size_t at, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(out + at, cap - at, format, args);
    va_end(args);
    return n < 0 || at + (size_t) n >= cap ? cap - 1 : at + (size_t) n;
}

static size_t write_path(const struct reading *reading, char *out, size_t cap)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < reading->depth && i < READING_DEPTH; i++) {
        at = add(out, cap, at, "%s%.100s", i ? "." : "", reading->path[i].field);
        if (reading->path[i].index != READING_NO_INDEX)
            at = add(out, cap, at, "[%zu]", reading->path[i].index);
    }
    return at ? add(out, cap, at, ": ") : 0;
}

static void write_sentence(const struct reading *reading, char out[FAULT_TEXT], const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void write_sentence(const struct reading *reading, char out[FAULT_TEXT], const char *format, va_list args)
{
    size_t at = write_path(reading, out, FAULT_TEXT);

    vsnprintf(out + at, FAULT_TEXT - at, format, args);
}

/* ---- complaints ---- */

int32_t reading_wrong(struct reading *reading, const char *format, ...)
{
    char text[FAULT_TEXT];
    va_list args;

    va_start(args, format);
    write_sentence(reading, text, format, args);
    va_end(args);
    return fault_set(reading->fault, MESH_ERR_INVALID, "%s", text);
}

int32_t reading_wrong_at(struct reading *reading, const char *field, const char *format, ...)
{
    char text[FAULT_TEXT];
    va_list args;

    reading_enter(reading, field);
    va_start(args, format);
    write_sentence(reading, text, format, args);
    va_end(args);
    reading_leave(reading);
    return fault_set(reading->fault, MESH_ERR_INVALID, "%s", text);
}

int32_t reading_no_memory(struct reading *reading)
{
    return fault_set(reading->fault, MESH_ERR_NOMEM, "out of memory");
}

int32_t reading_failed(struct reading *reading, int32_t err)
{
    char path[FAULT_TEXT];

    write_path(reading, path, sizeof path);
    fault_prefix(reading->fault, "%s", path);
    return err;
}

/* ---- what is not honoured ---- */

static const char *past_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The same sentence but for indices of its path. */
static bool is_alike(const char *a, const char *b)
{
    while (*a && *a == *b) {
        bool is_index = *a == '[';

        a = is_index ? past_digits(a + 1) : a + 1;
        b = is_index ? past_digits(b + 1) : b + 1;
    }
    return *a == *b;
}

/* There is no room for it, or there is it already. */
static bool is_enough(struct ignored *ignored, const char *text)
{
    size_t alike = 0;

    for (size_t i = 0; i < ignored->n; i++) {
        if (strcmp(ignored->items[i], text) == 0)
            return true;
        alike += is_alike(ignored->items[i], text);
    }
    if (alike < IGNORED_ALIKE && ignored->n < IGNORED_MOST)
        return false;
    ignored->left_out++;
    return true;
}

static void keep(struct ignored *ignored, const char *text)
{
    char **items;

    if (is_enough(ignored, text))
        return;
    items = mem_realloc(ignored->items, (ignored->n + 1) * sizeof *items);
    if (!items)
        return;
    ignored->items = items;
    items[ignored->n] = mem_strdup(text);
    ignored->n += items[ignored->n] != NULL;
}

void reading_ignored(struct reading *reading, const char *format, ...)
{
    char text[FAULT_TEXT];
    va_list args;

    if (!reading->ignored)
        return;
    va_start(args, format);
    write_sentence(reading, text, format, args);
    va_end(args);
    keep(reading->ignored, text);
}

void reading_ignored_at(struct reading *reading, const char *field, const char *format, ...)
{
    char text[FAULT_TEXT];
    va_list args;

    if (!reading->ignored)
        return;
    reading_enter(reading, field);
    va_start(args, format);
    write_sentence(reading, text, format, args);
    va_end(args);
    reading_leave(reading);
    keep(reading->ignored, text);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool has_ending(const struct ignored *ignored, const char *end)
{
    for (size_t i = 0; i < ignored->n; i++)
        if (ends_with(ignored->items[i], end))
            return true;
    return false;
}

void reading_unknown(struct reading *reading, const ProtobufCMessage *message)
{
    char text[FAULT_TEXT];

    for (unsigned i = 0; reading->ignored && i < message->n_unknown_fields; i++) {
        snprintf(text, sizeof text, "field %u of %s is not known to libmesh", message->unknown_fields[i].tag,
                 message->descriptor->name);
        if (!has_ending(reading->ignored, text))
            reading_ignored(reading, "%s", text);
    }
}

static const void *member_of(const ProtobufCMessage *message, size_t offset)
{
    return (const uint8_t *) message + offset;
}

/* How many messages stand in the field, and where; of a oneof only what was chosen. */
static size_t messages_in(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                          ProtobufCMessage *const **out)
{
    const void *member = member_of(message, field->offset);

    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *out = *(ProtobufCMessage *const *const *) member;
        return *(const size_t *) member_of(message, field->quantifier_offset);
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
        *(const uint32_t *) member_of(message, field->quantifier_offset) != field->id)
        return 0;
    *out = member;
    return **out ? 1 : 0;
}

/* As deep as messages are, which wire_scan() limits. */
void reading_unknown_within(struct reading *reading, const ProtobufCMessage *message)
{
    if (!reading->ignored)
        return;
    reading_unknown(reading, message);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        ProtobufCMessage *const *inner = NULL;
        size_t n = messages_in(message, field, &inner);

        for (size_t k = 0; k < n; k++) {
            reading_enter_item(reading, field->name, field->label == PROTOBUF_C_LABEL_REPEATED ? k : READING_NO_INDEX);
            reading_unknown_within(reading, inner[k]);
            reading_leave(reading);
        }
    }
}
