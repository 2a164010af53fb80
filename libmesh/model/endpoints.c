/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of endpoints: counted, immutable once published, with the text that they point into. */
#include "model/model.h"

#include <stdatomic.h>
#include <string.h>

enum { RECENT = 4, FIRST_BLOCK = 128, LARGEST_BLOCK = 1 << 16 };

/* Text is never moved: others point at it. So blocks, each as large as all before it, until they are large. */
struct text_block {
    struct text_block *older;
    size_t used, cap;
    char bytes[];
};

struct model_text {
    struct text_block *newest;
    const char *recent[RECENT]; /* zones and host names repeat from one endpoint to the next */
    unsigned next;
};

struct model_endpoints *model_endpoints_new(enum model_endpoints_state state, const char *source, size_t n)
{
    struct model_endpoints *set = mem_zalloc(sizeof *set);

    if (!set)
        return NULL;
    *set = (struct model_endpoints){ .refs = 1, .state = state, .source = source, .n = n };
    if (n == 0)
        return set;
    set->endpoints = mem_array(n, sizeof *set->endpoints);
    if (!set->endpoints) {
        mem_free(set);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        set->endpoints[i] = (struct model_endpoint){ .zone = "", .hostname = "", .weight = 1 };
    return set;
}

static const char *find_recent(const struct model_text *text, const char *wanted, size_t len)
{
    for (unsigned i = 0; i < RECENT; i++) {
        const char *known = text->recent[i];

        if (known && strncmp(known, wanted, len) == 0 && known[len] == '\0')
            return known;
    }
    return NULL;
}

static struct text_block *block_with_room(struct model_text *text, size_t len)
{
    struct text_block *block = text->newest;
    size_t cap = FIRST_BLOCK;

    if (block && block->cap - block->used >= len)
        return block;
    if (block)
        cap = block->cap < LARGEST_BLOCK ? block->cap * 2 : LARGEST_BLOCK;
    if (cap < len)
        cap = len;
    block = mem_alloc(sizeof *block + cap);
    if (!block)
        return NULL;
    *block = (struct text_block){ .older = text->newest, .cap = cap };
    text->newest = block;
    return block;
}

const char *model_endpoints_text(struct model_endpoints *set, const char *text, size_t len)
{
    const char *known;
    struct text_block *block;
    char *copy;

    if (len == 0)
        return "";
    if (!set->text)
        set->text = mem_zalloc(sizeof *set->text);
    if (!set->text)
        return NULL;
    known = find_recent(set->text, text, len);
    if (known)
        return known;
    block = block_with_room(set->text, len + 1);
    if (!block)
        return NULL;
    copy = block->bytes + block->used;
    memcpy(copy, text, len);
    copy[len] = '\0';
    block->used += len + 1;
    set->text->recent[set->text->next++ % RECENT] = copy;
    return copy;
}

struct model_endpoints *model_endpoints_ref(struct model_endpoints *set)
{
    if (set)
        atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

static void free_text(struct model_text *text)
{
    struct text_block *block = text ? text->newest : NULL;

    while (block) {
        struct text_block *older = block->older;

        mem_free(block);
        block = older;
    }
    mem_free(text);
}

void model_endpoints_unref(struct model_endpoints *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_text(set->text);
    mem_free(set->endpoints);
    mem_free(set);
}

static bool endpoint_equal(const struct model_endpoint *a, const struct model_endpoint *b)
{
    return addr_equal(&a->addr, &b->addr) && addr_equal(&a->alternative, &b->alternative) && a->weight == b->weight &&
           a->priority == b->priority && strcmp(a->zone, b->zone) == 0 && strcmp(a->hostname, b->hostname) == 0;
}

bool model_endpoints_equal(const struct model_endpoints *a, const struct model_endpoints *b)
{
    if (a == b)
        return true;
    if (a->state != b->state || a->n != b->n || strcmp(a->source, b->source) != 0)
        return false;
    if (a->fault.code != b->fault.code || strcmp(a->fault.text, b->fault.text) != 0)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!endpoint_equal(&a->endpoints[i], &b->endpoints[i]))
            return false;
    return true;
}
