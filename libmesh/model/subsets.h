/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a cluster's endpoints by their labels, as Envoy's lb_subset_config has them: which sets of keys make parts, and who
 * serves a request for whose labels there is nobody. Made once, immutable, one cluster's. Part of the door model/model.h. */
#ifndef MODEL_SUBSETS_H
#define MODEL_SUBSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "model/endpoints.h"

enum subset_fallback {
    SUBSET_FALLBACK_UNSAID,  /* selectors only: the cluster's */
    SUBSET_FALLBACK_NOBODY,  /* the request fails */
    SUBSET_FALLBACK_ANY,     /* every endpoint */
    SUBSET_FALLBACK_DEFAULT, /* those with the labels of `defaults` */
    SUBSET_FALLBACK_KEYS,    /* selectors only: those with the labels of `fallback_keys` alone */
};

/* Requests with exactly these keys. */
struct subset_selector {
    size_t n_keys;
    const char **keys; /* sorted, each once */
    enum subset_fallback fallback;
    size_t n_fallback_keys;
    const char **fallback_keys; /* sorted, some of `keys`, not all */
};

struct model_subsets {
    enum subset_fallback fallback;
    size_t n_defaults;
    struct model_label *defaults; /* sorted by key; none: every endpoint */
    size_t n;
    struct subset_selector *selectors; /* at least one */
    bool panic_any;                    /* where the fallback has nobody either: every endpoint */
    bool list_as_any;                  /* an endpoint whose label is a list has each of its values */
    struct arena *arena;               /* everything lies in it */
};

/* Empty. NULL: out of memory. */
struct model_subsets *model_subsets_new(void);
void model_subsets_free(struct model_subsets *subsets); /* NULL is fine */

#endif
