/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of a service: counted, immutable once published, in one arena. */
#include "model/model.h"

#include <stdatomic.h>
#include <string.h>

struct kept_regex {
    struct kept_regex *next;
    struct regex *regex;
};

struct model_routes *model_routes_new(void)
{
    struct model_routes *routes = mem_zalloc(sizeof *routes);

    if (!routes)
        return NULL;
    routes->arena = arena_new();
    if (!routes->arena) {
        mem_free(routes);
        return NULL;
    }
    routes->refs = 1;
    routes->name = routes->version = "";
    routes->idle_us = UINT64_MAX;
    return routes;
}

void *model_routes_alloc(struct model_routes *routes, size_t count, size_t size)
{
    return arena_array(routes->arena, count, size);
}

const char *model_routes_text(struct model_routes *routes, const char *text, size_t len)
{
    return arena_text(routes->arena, text, len);
}

bool model_routes_keep_regex(struct model_routes *routes, struct regex *regex)
{
    struct kept_regex *kept = arena_array(routes->arena, 1, sizeof *kept);

    if (!kept) {
        regex_free(regex);
        return false;
    }
    *kept = (struct kept_regex){ routes->regexes, regex };
    routes->regexes = kept;
    return true;
}

struct model_routes *model_routes_ref(struct model_routes *routes)
{
    if (routes)
        atomic_fetch_add_explicit(&routes->refs, 1, memory_order_relaxed);
    return routes;
}

static void free_index(struct model_routes *routes)
{
    map_free(&routes->domains);
    map_free(&routes->suffixes.hosts);
    map_free(&routes->prefixes.hosts);
    for (size_t i = 0; i < routes->n_hosts; i++)
        map_free(&routes->hosts[i].exact);
}

void model_routes_unref(struct model_routes *routes)
{
    if (!routes || atomic_fetch_sub_explicit(&routes->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_index(routes);
    for (struct kept_regex *kept = routes->regexes; kept; kept = kept->next)
        regex_free(kept->regex);
    arena_free(routes->arena);
    mem_free(routes);
}
