/* SPDX-License-Identifier: Apache-2.0 */
/* A new set of endpoints against the ones there are: who stays keeps connections and figures, who is new joins, who is
 * missing leaves when its last attempt has ended. */
#include <string.h>

#include "cluster/state.h"

/* Everything that can fail happens before anything is changed. */
static int32_t add_new_ones(struct cluster *cluster, const struct model_endpoints *set, const struct map *known,
                            struct list *fresh)
{
    for (size_t i = 0; i < set->n; i++) {
        char address[ADDR_TEXT];
        const struct model_endpoint *model = &set->endpoints[i];
        struct endpoint *endpoint;

        addr_format(&model->addr, address);
        endpoint = map_get_text(known, address);
        if (endpoint && endpoint_is(endpoint, set, model)) {
            endpoint->seen = true;
            continue;
        }
        endpoint = endpoint_new(cluster, set, model, address);
        if (!endpoint)
            return MESH_ERR_NOMEM;
        list_push_back(fresh, &endpoint->link);
    }
    return 0;
}

static bool map_members(const struct cluster *cluster, struct map *known, bool replace)
{
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        endpoint->seen = false;
        if (!replace && !map_put(known, endpoint->address, strlen(endpoint->address), endpoint))
            return false;
    }
    return true;
}

/* Everybody of the set goes to the end of the list, so that it has the set's order whatever was before: clients that hash
 * must agree on it. */
static void line_up(struct cluster *cluster, const struct model_endpoints *set, const struct map *known,
                    struct list *fresh)
{
    for (size_t i = 0; i < set->n; i++) {
        char address[ADDR_TEXT];
        struct endpoint *endpoint = map_get_text(known, addr_format(&set->endpoints[i].addr, address));

        if (endpoint && endpoint->seen)
            endpoint_adopt(endpoint, set, &set->endpoints[i]);
        else
            endpoint = CONTAINER_OF(fresh->next, struct endpoint, link);
        endpoint->seen = true;
        list_remove(&endpoint->link);
        list_push_back(&cluster->endpoints, &endpoint->link);
    }
}

static void part_with_the_missing(struct cluster *cluster)
{
    LIST_EACH_SAFE(link, next, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        if (endpoint->seen)
            continue;
        list_remove(link);
        list_push_back(&cluster->leaving, link);
        endpoint_remove(endpoint);
    }
}

static void tell(struct cluster *cluster, size_t before, size_t joined)
{
    size_t left = before + joined - cluster->n_endpoints;

    if (joined == 0 && left == 0)
        return;
    OBSERVE(cluster->env.observe, MESH_LOG_INFO, "endpoints_changed", FIELD_TEXT("cluster", cluster->conf->name),
            FIELD_NUMBER("joined", joined), FIELD_NUMBER("left", left), FIELD_NUMBER("now", cluster->n_endpoints));
}

int32_t cluster_take_set(struct cluster *cluster, struct model_endpoints *set, bool replace)
{
    struct map known = { 0 };
    struct list fresh;
    size_t before = cluster->n_endpoints, joined = 0;
    int32_t err = MESH_ERR_NOMEM;

    list_init(&fresh);
    if (!map_members(cluster, &known, replace))
        goto done;
    err = add_new_ones(cluster, set, &known, &fresh);
    if (err)
        goto done;
    LIST_EACH(link, &fresh) {
        joined++;
        if (before > 0)
            endpoint_join(CONTAINER_OF(link, struct endpoint, link));
    }
    line_up(cluster, set, &known, &fresh);
    part_with_the_missing(cluster);
    cluster->n_endpoints = set->n;
    tell(cluster, before, joined);
done:
    LIST_EACH_SAFE(link, next, &fresh) {
        endpoint_free(CONTAINER_OF(link, struct endpoint, link));
    }
    map_free(&known);
    return err;
}
