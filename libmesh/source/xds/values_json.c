/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of the wire as one text, the same for equal values: metadata is compared by it. */
#include "source/xds/values.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* Whole numbers up to here are exact. */
static const double largest_whole = 9007199254740992.0;

static json_t *make_value(const Pb__Value *value);

/* JSON has no infinity: null, as for what is no number. */
static json_t *make_number(double number)
{
    if (!isfinite(number))
        return json_null();
    if (trunc(number) == number && fabs(number) <= largest_whole)
        return json_integer((json_int_t) number);
    return json_real(number);
}

/* Of a member that stands twice the last one counts, as protobuf's maps have it. */
static json_t *make_object(const Pb__Struct *object)
{
    json_t *made = json_object();

    for (size_t i = 0; made && i < object->n_fields; i++) {
        const Pb__Struct__FieldsEntry *entry = object->fields[i];
        json_t *member = entry->value ? make_value(entry->value) : json_null();

        if (json_object_set_new(made, entry->key, member) == 0)
            continue;
        json_decref(made);
        made = NULL;
    }
    return made;
}

static json_t *make_list(const Pb__ListValue *list)
{
    json_t *made = json_array();

    for (size_t i = 0; made && i < list->n_values; i++) {
        if (json_array_append_new(made, make_value(list->values[i])) == 0)
            continue;
        json_decref(made);
        made = NULL;
    }
    return made;
}

/* As deep as wire_scan() lets messages nest. */
static json_t *make_value(const Pb__Value *value)
{
    switch (value->kind_case) {
    case PB__VALUE__KIND_NUMBER_VALUE:
        return make_number(value->number_value);
    case PB__VALUE__KIND_STRING_VALUE:
        return json_string(value->string_value);
    case PB__VALUE__KIND_BOOL_VALUE:
        return json_boolean(value->bool_value);
    case PB__VALUE__KIND_STRUCT_VALUE:
        return make_object(value->struct_value);
    case PB__VALUE__KIND_LIST_VALUE:
        return make_list(value->list_value);
    default:
        return json_null();
    }
}

static char *write_text(json_t *made)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY;
    size_t size = made ? json_dumpb(made, NULL, 0, flags) : 0;
    char *text = size > 0 ? mem_alloc(size + 1) : NULL;

    if (text && json_dumpb(made, text, size, flags) == size) {
        text[size] = '\0';
    } else {
        mem_free(text);
        text = NULL;
    }
    json_decref(made);
    return text;
}

char *values_json(const Pb__Value *value)
{
    return write_text(make_value(value));
}

char *values_json_object(const Pb__Struct *object)
{
    return write_text(make_object(object));
}
