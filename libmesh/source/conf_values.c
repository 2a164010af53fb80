/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of values: adding, sorting, merging by origin. */
#include "source/conf.h"

#include <stdlib.h>
#include <string.h>

/* Copies text to *at, moves *at behind it. */
static const char *place(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

static struct value *value_new(const struct key *key, const char *service, const char *text, enum origin origin,
                               const char *from)
{
    struct value *value = mem_alloc(sizeof *value + strlen(service) + strlen(text) + strlen(from) + 3);
    char *at;

    if (!value)
        return NULL;
    at = value->bytes;
    value->key = key;
    value->origin = origin;
    value->service = place(&at, service);
    value->text = place(&at, text);
    value->from = place(&at, from);
    return value;
}

static bool reserve(struct values *values, size_t cap)
{
    struct value **items;

    if (cap <= values->cap)
        return true;
    items = mem_realloc(values->items, cap * sizeof(struct value *));
    if (!items)
        return false;
    values->items = items;
    values->cap = cap;
    return true;
}

bool values_add(struct values *values, const struct key *key, const char *service, const char *text, enum origin origin,
                const char *from)
{
    struct value *value;

    if (values->n == values->cap && !reserve(values, values->cap ? values->cap * 2 : 8))
        return false;
    value = value_new(key, service, text, origin, from);
    if (!value)
        return false;
    values->items[values->n++] = value;
    return true;
}

bool values_append(struct values *to, struct values *from)
{
    if (from->n == 0)
        return true;
    if (!reserve(to, to->n + from->n))
        return false;
    memcpy(to->items + to->n, from->items, from->n * sizeof(struct value *));
    to->n += from->n;
    from->n = 0;
    values_clear(from);
    return true;
}

static int compare_place(const char *service, const struct key *key, const struct value *value)
{
    int services = strcmp(service, value->service);

    if (services != 0)
        return services;
    return (key > value->key) - (key < value->key);
}

static int compare(const void *a, const void *b)
{
    const struct value *left = *(struct value *const *) a;

    return compare_place(left->service, left->key, *(struct value *const *) b);
}

void values_sort(struct values *values)
{
    if (values->n > 1)
        qsort(values->items, values->n, sizeof(struct value *), compare);
}

const struct value *values_twice(const struct values *values)
{
    for (size_t i = 1; i < values->n; i++)
        if (compare(&values->items[i - 1], &values->items[i]) == 0)
            return values->items[i];
    return NULL;
}

const struct value *values_find(const struct values *values, const char *service, const struct key *key)
{
    size_t low = 0, high = values->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_place(service, key, values->items[middle]);

        if (order == 0)
            return values->items[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct value *next_kept(const struct values *values, size_t *at, bool drop_document)
{
    while (*at < values->n) {
        struct value *value = values->items[*at];

        if (!drop_document || value->origin != ORIGIN_DOCUMENT)
            return value;
        mem_free(value);
        (*at)++;
    }
    return NULL;
}

bool values_merge(struct values *old, struct values *newer, bool drop_document)
{
    struct values both = { 0 };
    size_t i = 0, j = 0;

    both.cap = old->n + newer->n;
    both.items = mem_array(both.cap, sizeof(struct value *));
    if (!both.items)
        return false;
    for (;;) {
        struct value *left = next_kept(old, &i, drop_document);
        struct value *right = next_kept(newer, &j, false);
        int order = left && right ? compare(&left, &right) : (left == NULL) - (right == NULL);
        bool take_left = order < 0 || (order == 0 && left && left->origin > right->origin);

        if (!left && !right)
            break;
        both.items[both.n++] = take_left ? left : right;
        if (order == 0)
            mem_free(take_left ? right : left);
        i += order <= 0;
        j += order >= 0;
    }
    mem_free(old->items);
    mem_free(newer->items);
    *old = both;
    *newer = (struct values){ 0 };
    return true;
}

bool values_copy(const struct values *from, struct values *to)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct value *value = from->items[i];

        if (!values_add(to, value->key, value->service, value->text, value->origin, value->from))
            return false;
    }
    return true;
}

void values_clear(struct values *values)
{
    for (size_t i = 0; i < values->n; i++)
        mem_free(values->items[i]);
    mem_free(values->items);
    *values = (struct values){ 0 };
}
