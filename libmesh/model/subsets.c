/* SPDX-License-Identifier: Apache-2.0 */
/* Subsets by label: one arena. */
#include "model/subsets.h"

struct model_subsets *model_subsets_new(void)
{
    struct model_subsets *subsets = mem_zalloc(sizeof *subsets);

    if (!subsets)
        return NULL;
    subsets->arena = arena_new();
    if (subsets->arena)
        return subsets;
    mem_free(subsets);
    return NULL;
}

void model_subsets_free(struct model_subsets *subsets)
{
    if (!subsets)
        return;
    arena_free(subsets->arena);
    mem_free(subsets);
}
