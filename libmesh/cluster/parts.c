/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a cluster by labels, as Envoy's subset load balancer has them: which one a request goes by, made when it is first
 * used and again when something changed. */
#include <stdio.h>
#include <string.h>

#include "cluster/state.h"
#include "cluster/zone.h"

/* The last used ones are kept, and at most so many labels are told in a sentence. */
enum { MOST_PARTS = 256 };

/* ---- labels ---- */

/* The end of the JSON value that begins at `at`, at its level. */
static const char *value_end(const char *at)
{
    bool in_text = false;
    unsigned depth = 0;

    for (; *at; at++) {
        if (in_text && *at == '\\' && at[1])
            at++;
        else if (*at == '"')
            in_text = !in_text;
        else if (!in_text && (*at == '[' || *at == '{'))
            depth++;
        else if (!in_text && depth > 0 && (*at == ']' || *at == '}'))
            depth--;
        else if (!in_text && depth == 0 && (*at == ',' || *at == ']'))
            return at;
    }
    return at;
}

/* ["v1","v2"] has "v1". */
static bool list_has(const char *list, const char *value)
{
    size_t len = strlen(value);

    if (list[0] != '[')
        return false;
    for (const char *at = list + 1, *end; *at && *at != ']'; at = *end == ',' ? end + 1 : end) {
        end = value_end(at);
        if ((size_t) (end - at) == len && memcmp(at, value, len) == 0)
            return true;
    }
    return false;
}

static const struct model_label *label_of(const struct model_labels *labels, const char *key)
{
    for (size_t i = 0; labels && i < labels->n; i++)
        if (strcmp(labels->items[i].key, key) == 0)
            return &labels->items[i];
    return NULL;
}

bool part_has(const struct part *part, const struct endpoint *endpoint)
{
    const struct model_subsets *subsets = part->cluster->conf->subsets;
    bool list_as_any = subsets && subsets->list_as_any;

    for (size_t i = 0; i < part->n_labels; i++) {
        const struct model_label *has = label_of(endpoint->labels, part->labels[i].key);
        const char *wanted = part->labels[i].value;

        if (!has || !(strcmp(has->value, wanted) == 0 || (list_as_any && list_has(has->value, wanted))))
            return false;
    }
    return true;
}

/* ---- making them ---- */

void part_init(struct part *part, struct cluster *cluster)
{
    part->cluster = cluster;
    list_init(&part->zones);
}

static void part_free(struct part *part)
{
    struct cluster *cluster = part->cluster;

    list_remove(&part->link);
    map_remove(&cluster->part_map, part->key, part->key_len);
    cluster->n_parts--;
    zones_free(part);
    mem_free(part);
}

void parts_free(struct cluster *cluster)
{
    LIST_EACH_SAFE(link, next, &cluster->parts) {
        part_free(CONTAINER_OF(link, struct part, link));
    }
    map_free(&cluster->part_map);
}

void parts_trim(struct cluster *cluster)
{
    while (cluster->n_parts > MOST_PARTS)
        part_free(CONTAINER_OF(cluster->parts.prev, struct part, link));
}

static bool write_key(struct buf *key, const struct model_label *labels, size_t n)
{
    bool written = true;

    for (size_t i = 0; i < n && written; i++)
        written = buf_append(key, labels[i].key, strlen(labels[i].key) + 1) &&
                  buf_append(key, labels[i].value, strlen(labels[i].value) + 1);
    return written;
}

/* The labels' texts are those of the key. */
static struct part *part_new(struct cluster *cluster, const struct buf *key, size_t n)
{
    struct part *part = mem_zalloc(sizeof *part + n * sizeof(struct model_label) + buf_len(key));
    struct model_label *labels = (struct model_label *) (part + 1);
    char *at = (char *) (labels + n);

    if (!part)
        return NULL;
    part_init(part, cluster);
    part->labels = labels;
    part->n_labels = n;
    part->key = memcpy(at, buf_bytes(key), buf_len(key));
    part->key_len = buf_len(key);
    for (size_t i = 0; i < n; i++) {
        labels[i].key = at;
        at += strlen(at) + 1;
        labels[i].value = at;
        at += strlen(at) + 1;
    }
    if (!map_put(&cluster->part_map, part->key, part->key_len, part)) {
        mem_free(part);
        return NULL;
    }
    cluster->n_parts++;
    if (cluster->n_parts > MOST_PARTS)
        cluster_sweep_later(cluster); /* not now: who chose this turn may still tell of it */
    return part;
}

static bool is_up_to_date(struct part *part)
{
    if (part->built == part->cluster->views)
        return true;
    if (!zones_build(part))
        return false;
    part->built = part->cluster->views;
    return true;
}

/* NULL: out of memory. */
static struct part *part_of(struct cluster *cluster, const struct model_label *labels, size_t n)
{
    struct buf key = { 0 };
    uint8_t room[256];
    struct part *part = NULL;

    if (n == 0)
        return &cluster->all;
    buf_lend(&key, room, sizeof room);
    if (write_key(&key, labels, n)) {
        part = map_get(&cluster->part_map, (const char *) buf_bytes(&key), buf_len(&key));
        part = part ? part : part_new(cluster, &key, n);
    }
    buf_free(&key);
    if (!part)
        return NULL;
    list_remove(&part->link);
    list_push_front(&cluster->parts, &part->link);
    return is_up_to_date(part) ? part : NULL;
}

/* ---- which one ---- */

enum { MOST_WANTED = 16 };

/* What is left of a request's labels, and what was decided of them. */
struct wanted {
    struct model_label labels[MOST_WANTED];
    size_t n;
};

static const struct subset_selector *selector_of(const struct model_subsets *subsets, const struct wanted *wanted)
{
    for (size_t i = 0; i < subsets->n; i++) {
        const struct subset_selector *selector = &subsets->selectors[i];
        bool same = wanted->n > 0 && selector->n_keys == wanted->n;

        for (size_t k = 0; same && k < wanted->n; k++)
            same = strcmp(selector->keys[k], wanted->labels[k].key) == 0;
        if (same)
            return selector;
    }
    return NULL;
}

static void keep_keys(struct wanted *wanted, const struct subset_selector *selector)
{
    size_t n = 0;

    for (size_t i = 0; i < wanted->n; i++)
        for (size_t k = 0; k < selector->n_fallback_keys; k++)
            if (strcmp(wanted->labels[i].key, selector->fallback_keys[k]) == 0) {
                wanted->labels[n++] = wanted->labels[i];
                break;
            }
    wanted->n = n;
}

/* Labels that nobody can have (too many) are those of no selector either. */
static void take_labels(struct wanted *wanted, const struct route_subset *subset)
{
    wanted->n = 0;
    if (!subset || subset->n > MOST_WANTED)
        return;
    for (size_t i = 0; i < subset->n; i++)
        wanted->labels[wanted->n++] = (struct model_label){ subset->entries[i].key, subset->entries[i].value };
}

/* The part that the labels make; with nobody in it, what the selector says instead. NULL: nobody yet; *fallback: what then. */
static int32_t choose_by_labels(struct cluster *cluster, struct wanted *wanted, enum subset_fallback *fallback,
                                struct part **out)
{
    const struct model_subsets *subsets = cluster->conf->subsets;
    const struct subset_selector *selector;

    *fallback = subsets->fallback;
    while ((selector = selector_of(subsets, wanted))) {
        *out = part_of(cluster, wanted->labels, wanted->n);
        if (!*out)
            return MESH_ERR_NOMEM;
        if ((*out)->n_endpoints > 0)
            return 0;
        *out = NULL;
        if (selector->fallback != SUBSET_FALLBACK_KEYS) {
            *fallback = selector->fallback == SUBSET_FALLBACK_UNSAID ? subsets->fallback : selector->fallback;
            return 0;
        }
        keep_keys(wanted, selector); /* always fewer */
    }
    return 0;
}

static int32_t fall_back(struct cluster *cluster, enum subset_fallback fallback, struct part **out)
{
    const struct model_subsets *subsets = cluster->conf->subsets;

    if (fallback == SUBSET_FALLBACK_ANY)
        *out = &cluster->all;
    if (fallback == SUBSET_FALLBACK_DEFAULT) {
        *out = part_of(cluster, subsets->defaults, subsets->n_defaults);
        if (!*out)
            return MESH_ERR_NOMEM;
    }
    if ((!*out || (*out)->n_endpoints == 0) && subsets->panic_any)
        *out = &cluster->all;
    return 0;
}

static int32_t say_nobody(const struct route_subset *subset, struct fault *fault)
{
    if (!subset || subset->n == 0)
        return fault_set(fault, MESH_ERR_NO_HEALTHY,
                         "the cluster is divided by labels, and the request says nothing of those it wants");
    return fault_set(fault, MESH_ERR_NO_HEALTHY, "no endpoint has the labels that are wanted (%.60s=%.60s%s)",
                     subset->entries[0].key, subset->entries[0].value, subset->n > 1 ? ", ..." : "");
}

int32_t part_choose(struct cluster *cluster, const struct route_subset *subset, struct part **out, struct fault *fault)
{
    enum subset_fallback fallback;
    struct wanted wanted;
    int32_t err;

    *out = NULL;
    take_labels(&wanted, subset);
    err = choose_by_labels(cluster, &wanted, &fallback, out);
    if (!err && !*out)
        err = fall_back(cluster, fallback, out);
    if (err)
        return fault_set(fault, err, "out of memory");
    if (*out && ((*out)->n_endpoints > 0 || part_is_all(*out)))
        return 0;
    return say_nobody(subset, fault);
}
