/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of requests, messages of another type, and data from elsewhere. */
#include "source/xds/values.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "source/file_read.h"
#include "source/xds/wire.h"

enum { LARGEST_FILE = 1 << 24 };

/* ---- shares ---- */

static int32_t to_fraction(struct reading *reading, const Type__FractionalPercent *fraction, struct route_fraction *out)
{
    static const uint32_t denominators[] = { 100, 10000, 1000000 };

    if ((uint32_t) fraction->denominator >= COUNT_OF(denominators))
        return reading_wrong(reading, "denominator %d does not exist", (int) fraction->denominator);
    out->denominator = denominators[fraction->denominator];
    out->numerator = fraction->numerator > out->denominator ? out->denominator : fraction->numerator;
    return 0;
}

int32_t values_fraction(struct reading *reading, const char *field, const Type__FractionalPercent *fraction,
                        struct route_fraction *out)
{
    int32_t err;

    *out = (struct route_fraction){ .denominator = 100 };
    if (!fraction)
        return 0;
    reading_enter(reading, field);
    err = to_fraction(reading, fraction, out);
    reading_leave(reading);
    return err;
}

int32_t values_runtime_fraction(struct reading *reading, const char *field,
                                const Core__RuntimeFractionalPercent *fraction, struct route_fraction *out)
{
    int32_t err;

    if (!fraction)
        return 0;
    reading_enter(reading, field);
    err = fraction->default_value ? values_fraction(reading, "default_value", fraction->default_value, out)
                                  : reading_wrong(reading, "default_value is missing");
    reading_leave(reading);
    return err;
}

/* ---- messages of another type ---- */

bool values_has_unknown(const ProtobufCMessage *message, uint32_t number)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        if (message->unknown_fields[i].tag == number)
            return true;
    return false;
}

int32_t values_unpack(struct reading *reading, const Pb__Any *any, const ProtobufCMessageDescriptor *type,
                      ProtobufCMessage **out)
{
    int32_t err = wire_unpack(type, any->value.data, any->value.len, &wire_limits_standard, out, reading->fault);

    if (err)
        return reading_failed(reading, err);
    reading_unknown_within(reading, *out);
    return 0;
}

/* ---- data ---- */

static int32_t take(struct reading *reading, const void *bytes, size_t len, size_t most, struct buf *out)
{
    if (len > most)
        return reading_wrong(reading, "%zu bytes; allowed are %zu", len, most);
    return buf_append(out, bytes, len) ? 0 : reading_no_memory(reading);
}

static int32_t take_file(struct reading *reading, const char *path, size_t most, struct buf *out)
{
    struct buf text = { 0 };
    struct stat info;
    int32_t err;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return reading_wrong(reading, "file %.100s is no regular file", path); /* a pipe would hold up the loop */
    err = file_read("file", path, LARGEST_FILE, &text, reading->fault);
    if (!err)
        err = take(reading, buf_bytes(&text), buf_len(&text) - 1, most, out);
    else if (err != MESH_ERR_NOMEM)
        err = reading_failed(reading, fault_set(reading->fault, MESH_ERR_INVALID, "file %.100s cannot be read", path));
    buf_free(&text);
    return err;
}

static int32_t take_variable(struct reading *reading, const char *name, size_t most, struct buf *out)
{
    const char *value = getenv(name);

    if (!value)
        return reading_wrong(reading, "there is no environment variable %.100s", name);
    return take(reading, value, strlen(value), most, out);
}

static int32_t take_source(struct reading *reading, const Core__DataSource *source, size_t most, struct buf *out)
{
    switch (source->specifier_case) {
    case CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING:
        return take(reading, source->inline_string, strlen(source->inline_string), most, out);
    case CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES:
        return take(reading, source->inline_bytes.data, source->inline_bytes.len, most, out);
    case CORE__DATA_SOURCE__SPECIFIER_FILENAME:
        return take_file(reading, source->filename, most, out);
    case CORE__DATA_SOURCE__SPECIFIER_ENVIRONMENT_VARIABLE:
        return take_variable(reading, source->environment_variable, most, out);
    default:
        return reading_wrong(reading, "it has none of filename, inline_bytes, inline_string and environment_variable");
    }
}

int32_t values_data(struct reading *reading, const Core__DataSource *source, size_t most, struct buf *out)
{
    static const char *const names[] = { "filename", "inline_bytes", "inline_string", "environment_variable" };
    uint32_t which;
    int32_t err;

    if (!source)
        return 0;
    which = (uint32_t) source->specifier_case - 1;
    if (which < COUNT_OF(names))
        reading_enter(reading, names[which]);
    err = take_source(reading, source, most, out);
    if (which < COUNT_OF(names))
        reading_leave(reading);
    return err;
}
