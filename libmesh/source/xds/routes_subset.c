/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoints may serve a route: the part "envoy.lb" of its metadata. */
#include <stdlib.h>
#include <string.h>

#include "source/xds/routes_reader.h"

enum { KEYS_MOST = 64 };

static const char balancers[] = "envoy.lb";

/* The last entry of the name, as protobuf's maps have it. */
static const Pb__Struct *find_part(struct routes_reader *reader, const Core__Metadata *metadata)
{
    const Pb__Struct *found = NULL;

    for (size_t i = 0; metadata && i < metadata->n_filter_metadata; i++) {
        if (strcmp(metadata->filter_metadata[i]->key, balancers) == 0)
            found = metadata->filter_metadata[i]->value;
        else
            reading_ignored_at(reader->reading, "metadata_match", "only \"envoy.lb\" chooses endpoints");
    }
    return found;
}

static struct route_subset_entry *find_entry(struct route_subset *subset, const char *key)
{
    for (size_t i = 0; i < subset->n; i++)
        if (strcmp(subset->entries[i].key, key) == 0)
            return &subset->entries[i];
    return NULL;
}

static int32_t keep_value(struct routes_reader *reader, const Pb__Value *value, const char **out)
{
    static const Pb__Value none = PB__VALUE__INIT;
    char *json = values_json(value ? value : &none);
    int32_t err = json ? routes_text(reader, json, out) : reading_no_memory(reader->reading);

    mem_free(json);
    return err;
}

/* Replaces what stands there already. */
static int32_t add_entry(struct routes_reader *reader, const Pb__Struct__FieldsEntry *field, struct route_subset *out)
{
    struct route_subset_entry *entry = find_entry(out, field->key);
    int32_t err;

    if (!entry) {
        entry = &out->entries[out->n];
        err = routes_text(reader, field->key, &entry->key);
        if (err)
            return err;
        out->n++;
    }
    return keep_value(reader, field->value, &entry->value);
}

static int32_t add_part(struct routes_reader *reader, const Pb__Struct *part, struct route_subset *out)
{
    int32_t err = 0;

    for (size_t i = 0; part && i < part->n_fields && !err; i++)
        err = add_entry(reader, part->fields[i], out);
    return err;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct route_subset_entry *) a)->key, ((const struct route_subset_entry *) b)->key);
}

int32_t routes_subset(struct routes_reader *reader, const Core__Metadata *under, const Core__Metadata *over,
                      struct route_subset *out)
{
    const Pb__Struct *parts[] = { find_part(reader, under), find_part(reader, over) };
    size_t n = (parts[0] ? parts[0]->n_fields : 0) + (parts[1] ? parts[1]->n_fields : 0);
    int32_t err;

    if (n == 0)
        return 0;
    if (n > KEYS_MOST)
        return reading_wrong_at(reader->reading, "metadata_match", "%zu keys; allowed are %d", n, (int) KEYS_MOST);
    out->entries = routes_alloc(reader, n, sizeof *out->entries);
    if (!out->entries)
        return MESH_ERR_NOMEM;
    err = add_part(reader, parts[0], out);
    if (!err)
        err = add_part(reader, parts[1], out);
    if (!err)
        qsort(out->entries, out->n, sizeof *out->entries, by_key);
    return err;
}
