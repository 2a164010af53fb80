/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of endpoints: "envoy.lb", for subsets and hashing. The same is read and kept once. */
#include <stdlib.h>
#include <string.h>

#include "source/xds/endpoints_making.h"
#include "source/xds/values.h"

/* What "envoy.lb" says, before it is known whether it is new. Keys are the message's, values allocated. */
struct draft {
    struct model_label *items;
    size_t n;
};

static void draft_free(struct draft *draft)
{
    for (size_t i = 0; i < draft->n; i++)
        mem_free((char *) draft->items[i].value);
    mem_free(draft->items);
}

struct field {
    const Pb__Struct__FieldsEntry *entry;
    size_t at;
};

static int by_key(const void *a, const void *b)
{
    const struct field *x = a, *y = b;
    int order = strcmp(x->entry->key, y->entry->key);

    if (order != 0)
        return order;
    return x->at < y->at ? -1 : 1;
}

static struct field *sort_fields(const Pb__Struct *from)
{
    struct field *fields = mem_array(from->n_fields, sizeof *fields);

    for (size_t i = 0; fields && i < from->n_fields; i++)
        fields[i] = (struct field){ from->fields[i], i };
    if (fields)
        qsort(fields, from->n_fields, sizeof *fields, by_key);
    return fields;
}

/* Of a key that stands twice the last one counts, as protobuf's maps have it. */
static bool draft_fill(struct draft *draft, const Pb__Struct *from)
{
    static const Pb__Value null = PB__VALUE__INIT;
    struct field *fields = sort_fields(from);
    bool filled;

    draft->items = mem_array(from->n_fields, sizeof *draft->items);
    filled = fields && draft->items;
    for (size_t i = 0; filled && i < from->n_fields; i++) {
        const Pb__Struct__FieldsEntry *entry = fields[i].entry;
        char *value;

        if (i + 1 < from->n_fields && strcmp(fields[i + 1].entry->key, entry->key) == 0)
            continue;
        value = values_json(entry->value ? entry->value : &null);
        filled = value != NULL;
        if (filled)
            draft->items[draft->n++] = (struct model_label){ entry->key, value };
    }
    mem_free(fields);
    return filled;
}

static uint64_t draft_hash(const struct draft *draft)
{
    uint64_t hash = draft->n;

    for (size_t i = 0; i < draft->n; i++) {
        const struct model_label *label = &draft->items[i];
        uint64_t parts[] = { hash, hash_bytes(label->key, strlen(label->key)),
                             hash_bytes(label->value, strlen(label->value)) };

        hash = hash_bytes(parts, sizeof parts);
    }
    return hash;
}

struct draft_search {
    const struct endpoints_making *making;
    const struct draft *draft;
};

static bool is_draft(const void *user, uint32_t number)
{
    const struct draft_search *search = user;
    const struct model_labels *labels = search->making->metadata[number].labels;
    const struct draft *draft = search->draft;

    if (labels->n != draft->n)
        return false;
    for (size_t i = 0; i < draft->n; i++)
        if (strcmp(labels->items[i].key, draft->items[i].key) != 0 ||
            strcmp(labels->items[i].value, draft->items[i].value) != 0)
            return false;
    return true;
}

/* ---- keeping ---- */

static const char *keep_text(struct endpoints_making *making, const char *text)
{
    return model_endpoints_text(making->set, text, strlen(text));
}

static const struct model_labels *keep_labels(struct endpoints_making *making, const struct draft *draft)
{
    struct model_labels *labels = model_endpoints_alloc(making->set, sizeof *labels + draft->n * sizeof *labels->items);

    for (size_t i = 0; labels && i < draft->n; i++) {
        labels->items[i].key = keep_text(making, draft->items[i].key);
        labels->items[i].value = keep_text(making, draft->items[i].value);
        if (!labels->items[i].key || !labels->items[i].value)
            return NULL;
    }
    if (labels)
        labels->n = draft->n;
    return labels;
}

/* Envoy's name for what hashing policies know an endpoint by. */
static const char *hash_key_of(const Pb__Struct *from)
{
    for (size_t i = from->n_fields; i > 0; i--) {
        const Pb__Struct__FieldsEntry *entry = from->fields[i - 1];

        if (strcmp(entry->key, "hash_key") == 0 && entry->value &&
            entry->value->kind_case == PB__VALUE__KIND_STRING_VALUE)
            return entry->value->string_value;
    }
    return "";
}

static bool have_room(void **items, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 8;
    void *grown;

    if (n < *cap)
        return true;
    grown = mem_realloc(*items, more * size);
    if (!grown)
        return false;
    *items = grown;
    *cap = more;
    return true;
}

static bool keep(struct endpoints_making *making, const struct draft *draft, uint64_t hash, const Pb__Struct *from)
{
    struct endpoint_metadata *kept;

    if (!have_room((void **) &making->metadata, making->n_metadata, &making->metadata_cap, sizeof *kept))
        return false;
    kept = &making->metadata[making->n_metadata];
    kept->labels = keep_labels(making, draft);
    kept->hash_key = keep_text(making, hash_key_of(from));
    if (!kept->labels || !kept->hash_key || !lookup_add(&making->labels, hash, (uint32_t) making->n_metadata))
        return false;
    making->n_metadata++;
    return true;
}

static int32_t find_or_keep(struct endpoints_making *making, const Pb__Struct *from, uint32_t *index)
{
    struct draft draft = { 0 };
    struct draft_search search = { making, &draft };
    bool kept = draft_fill(&draft, from);
    uint64_t hash;
    uint32_t number;

    if (kept) {
        hash = draft_hash(&draft);
        number = lookup_find(&making->labels, hash, is_draft, &search);
        kept = number != LOOKUP_NONE || keep(making, &draft, hash, from);
        *index = number != LOOKUP_NONE ? number + 1 : (uint32_t) making->n_metadata;
    }
    draft_free(&draft);
    return kept ? 0 : reading_no_memory(making->reading);
}

/* ---- doors ---- */

int32_t endpoints_read_metadata(struct endpoints_making *making, const Core__Metadata *message, uint32_t *index)
{
    const Pb__Struct *found = NULL;

    *index = 0;
    for (size_t i = 0; i < message->n_filter_metadata; i++) {
        const Core__Metadata__FilterMetadataEntry *entry = message->filter_metadata[i];

        if (strcmp(entry->key, "envoy.lb") == 0)
            found = entry->value;
        if (strcmp(entry->key, "envoy.transport_socket_match") != 0 || making->told_transport_socket)
            continue;
        making->told_transport_socket = true;
        reading_ignored(making->reading, "metadata \"envoy.transport_socket_match\" is not gone by");
    }
    reading_unknown(making->reading, &message->base);
    return found && found->n_fields > 0 ? find_or_keep(making, found, index) : 0;
}

struct run_search {
    const struct endpoints_making *making;
    const uint8_t *bytes;
    size_t len;
};

static bool is_run(const void *user, uint32_t number)
{
    const struct run_search *search = user;
    const struct metadata_bytes *run = &search->making->runs[number];

    return run->len == search->len && memcmp(run->bytes, search->bytes, run->len) == 0;
}

static int32_t read_new(struct endpoints_making *making, const uint8_t *bytes, size_t len, uint32_t *index)
{
    ProtobufCMessage *message;
    int32_t err =
        wire_unpack(&core__metadata__descriptor, bytes, len, &endpoints_part_limits, &message, making->reading->fault);

    if (err)
        return err;
    err = endpoints_read_metadata(making, (const Core__Metadata *) message, index);
    wire_free(message);
    return err;
}

int32_t endpoints_read_metadata_bytes(struct endpoints_making *making, const uint8_t *bytes, size_t len,
                                      uint32_t *index)
{
    struct run_search search = { making, bytes, len };
    uint64_t hash = hash_bytes(bytes, len);
    uint32_t number = lookup_find(&making->metadata_bytes, hash, is_run, &search);
    int32_t err;

    if (number != LOOKUP_NONE) {
        *index = making->runs[number].metadata;
        return 0;
    }
    err = read_new(making, bytes, len, index);
    if (err)
        return err;
    if (!have_room((void **) &making->runs, making->n_runs, &making->runs_cap, sizeof *making->runs) ||
        !lookup_add(&making->metadata_bytes, hash, (uint32_t) making->n_runs))
        return reading_no_memory(making->reading);
    making->runs[making->n_runs++] = (struct metadata_bytes){ bytes, len, *index };
    return 0;
}
