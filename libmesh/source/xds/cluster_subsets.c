/* SPDX-License-Identifier: Apache-2.0 */
/* lb_subset_config: parts of the endpoints by their metadata "envoy.lb". */
#include <stdlib.h>
#include <string.h>

#include "source/xds/cluster_reader.h"
#include "source/xds/values.h"

/* ---- keys ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Copied, sorted, each once. */
static int32_t keep_keys(struct cluster_reader *reader, struct arena *arena, char *const *from, size_t n,
                         const char ***out, size_t *n_out)
{
    const char **keys = arena_array(arena, n, sizeof *keys);
    size_t kept = 0;

    if (!keys)
        return reading_no_memory(&reader->reading);
    for (size_t i = 0; i < n; i++) {
        keys[i] = arena_text(arena, from[i], strlen(from[i]));
        if (!keys[i])
            return reading_no_memory(&reader->reading);
    }
    qsort(keys, n, sizeof *keys, by_text);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(keys[kept - 1], keys[i]) != 0)
            keys[kept++] = keys[i];
    *out = keys;
    *n_out = kept;
    return 0;
}

static bool has_key(const struct subset_selector *selector, const char *key)
{
    return bsearch(&key, selector->keys, selector->n_keys, sizeof *selector->keys, by_text) != NULL;
}

/* ---- one selector ---- */

static int32_t read_fallback_keys(struct cluster_reader *reader, struct arena *arena,
                                  const Cluster__Cluster__LbSubsetConfig__LbSubsetSelector *config,
                                  struct subset_selector *to)
{
    int32_t err;

    if (config->n_fallback_keys_subset == 0)
        return reading_wrong_at(&reader->reading, "fallback_keys_subset",
                                "is missing, but KEYS_SUBSET says that it holds");
    err = keep_keys(reader, arena, config->fallback_keys_subset, config->n_fallback_keys_subset, &to->fallback_keys,
                    &to->n_fallback_keys);
    for (size_t i = 0; i < to->n_fallback_keys && !err; i++)
        if (!has_key(to, to->fallback_keys[i]))
            err = reading_wrong_at(&reader->reading, "fallback_keys_subset", "\"%.100s\" is none of the keys",
                                   to->fallback_keys[i]);
    if (!err && to->n_fallback_keys == to->n_keys)
        err = reading_wrong_at(&reader->reading, "fallback_keys_subset", "has all of the keys: some are allowed");
    return err;
}

static int32_t read_selector(struct cluster_reader *reader, struct arena *arena,
                             const Cluster__Cluster__LbSubsetConfig__LbSubsetSelector *config,
                             struct subset_selector *to)
{
    int32_t err;

    if (config->n_keys == 0)
        return reading_wrong_at(&reader->reading, "keys", "there is none");
    if (config->fallback_policy >
        CLUSTER__CLUSTER__LB_SUBSET_CONFIG__LB_SUBSET_SELECTOR__LB_SUBSET_SELECTOR_FALLBACK_POLICY__KEYS_SUBSET)
        return reading_wrong_at(&reader->reading, "fallback_policy", "%d does not exist",
                                (int) config->fallback_policy);
    to->fallback = (enum subset_fallback) config->fallback_policy; /* of the same order */
    err = keep_keys(reader, arena, config->keys, config->n_keys, &to->keys, &to->n_keys);
    if (err)
        return err;
    if (to->fallback == SUBSET_FALLBACK_KEYS)
        return read_fallback_keys(reader, arena, config, to);
    if (config->n_fallback_keys_subset > 0)
        return reading_wrong_at(&reader->reading, "fallback_keys_subset", "is for KEYS_SUBSET alone");
    return 0;
}

static int32_t read_selectors(struct cluster_reader *reader, const Cluster__Cluster__LbSubsetConfig *config,
                              struct model_subsets *to)
{
    int32_t err = 0;

    to->selectors = arena_array(to->arena, config->n_subset_selectors, sizeof *to->selectors);
    if (!to->selectors)
        return reading_no_memory(&reader->reading);
    for (size_t i = 0; i < config->n_subset_selectors && !err; i++) {
        reading_enter_item(&reader->reading, "subset_selectors", i);
        err = read_selector(reader, to->arena, config->subset_selectors[i], &to->selectors[i]);
        reading_leave(&reader->reading);
    }
    to->n = config->n_subset_selectors;
    return err;
}

/* ---- the default ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct model_label *) a)->key, ((const struct model_label *) b)->key);
}

static bool keep_label(struct arena *arena, const Pb__Struct__FieldsEntry *field, struct model_label *to)
{
    static const Pb__Value none = PB__VALUE__INIT;
    char *json = values_json(field->value ? field->value : &none);

    to->key = arena_text(arena, field->key, strlen(field->key));
    to->value = json ? arena_text(arena, json, strlen(json)) : NULL;
    mem_free(json);
    return to->key && to->value;
}

/* A key that stands twice has its last value, as in any map of protobuf. */
static int32_t read_defaults(struct cluster_reader *reader, const Pb__Struct *labels, struct model_subsets *to)
{
    if (!labels || labels->n_fields == 0)
        return 0;
    to->defaults = arena_array(to->arena, labels->n_fields, sizeof *to->defaults);
    if (!to->defaults)
        return reading_no_memory(&reader->reading);
    for (size_t i = 0; i < labels->n_fields; i++) {
        size_t at = 0;

        while (at < to->n_defaults && strcmp(to->defaults[at].key, labels->fields[i]->key) != 0)
            at++;
        if (!keep_label(to->arena, labels->fields[i], &to->defaults[at]))
            return reading_no_memory(&reader->reading);
        to->n_defaults += at == to->n_defaults;
    }
    qsort(to->defaults, to->n_defaults, sizeof *to->defaults, by_key);
    return 0;
}

/* ---- the whole ---- */

static int32_t read_fallback(struct cluster_reader *reader, const Cluster__Cluster__LbSubsetConfig *config,
                             struct model_subsets *to)
{
    static const enum subset_fallback fallbacks[] = { SUBSET_FALLBACK_NOBODY, SUBSET_FALLBACK_ANY,
                                                      SUBSET_FALLBACK_DEFAULT };

    if ((size_t) config->fallback_policy >= COUNT_OF(fallbacks))
        return reading_wrong_at(&reader->reading, "fallback_policy", "%d does not exist",
                                (int) config->fallback_policy);
    to->fallback = fallbacks[config->fallback_policy];
    to->panic_any = config->panic_mode_any;
    to->list_as_any = config->list_as_any;
    return 0;
}

static int32_t read_config(struct cluster_reader *reader, const Cluster__Cluster__LbSubsetConfig *config)
{
    struct model_subsets *subsets = model_subsets_new();
    int32_t err;

    reader->conf->subsets = subsets;
    if (!subsets)
        return reading_no_memory(&reader->reading);
    err = read_fallback(reader, config, subsets);
    if (!err)
        err = read_defaults(reader, config->default_subset, subsets);
    return err ? err : read_selectors(reader, config, subsets);
}

/* Without selectors there are no parts. */
int32_t cluster_read_subsets(struct cluster_reader *reader)
{
    const Cluster__Cluster__LbSubsetConfig *config = reader->message->lb_subset_config;
    int32_t err;

    if (!config || config->n_subset_selectors == 0)
        return 0;
    if (reader->message->lb_policy == CLUSTER__CLUSTER__LB_POLICY__CLUSTER_PROVIDED)
        return reading_wrong_at(&reader->reading, "lb_subset_config", "cannot stand beside CLUSTER_PROVIDED");
    reading_enter(&reader->reading, "lb_subset_config");
    err = read_config(reader, config);
    reading_leave(&reader->reading);
    return err;
}
