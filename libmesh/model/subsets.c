/* SPDX-License-Identifier: Apache-2.0 */
/* Subsets by label: a counted value. */
#include "model/subsets.h"

#include <stdatomic.h>

struct model_subsets *model_subsets_new(void)
{
    struct model_subsets *subsets = mem_zalloc(sizeof *subsets);

    if (!subsets)
        return NULL;
    subsets->refs = 1;
    subsets->arena = arena_new();
    if (subsets->arena)
        return subsets;
    mem_free(subsets);
    return NULL;
}

struct model_subsets *model_subsets_ref(struct model_subsets *subsets)
{
    atomic_fetch_add_explicit(&subsets->refs, 1, memory_order_relaxed);
    return subsets;
}

void model_subsets_unref(struct model_subsets *subsets)
{
    if (!subsets || atomic_fetch_sub_explicit(&subsets->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_free(subsets->arena);
    mem_free(subsets);
}
