/* SPDX-License-Identifier: Apache-2.0 */
/* A new set of endpoints against the ones there are: who stays keeps connections and figures, who is new joins, who is
 * missing leaves when its last attempt has ended. */
#include <string.h>

#include "cluster/state.h"

struct taking {
    struct cluster *cluster;
    const struct model_endpoints *set;
    struct made made;
    struct endpoint **before; /* those there are */
    size_t n_before;
    struct lookup known;     /* numbers of `before` by address */
    struct endpoint **after; /* one for each that is made; NULL: the next of `fresh` */
    struct list fresh;
    size_t n_fresh;
};

static const struct model_endpoint *model_at(const struct taking *taking, size_t i)
{
    return &taking->set->endpoints[taking->made.chosen ? taking->made.chosen[i] : i];
}

/* ---- everything that can fail happens before anything is changed ---- */

static bool know_members(struct taking *taking, bool replace)
{
    struct cluster *cluster = taking->cluster;
    size_t n = 0;

    taking->before = mem_array(cluster->n_made + 1, sizeof(struct endpoint *));
    if (!taking->before || !lookup_reserve(&taking->known, cluster->n_made))
        return false;
    LIST_EACH(link, &cluster->endpoints) {
        struct endpoint *endpoint = CONTAINER_OF(link, struct endpoint, link);

        endpoint->seen = false;
        taking->before[n] = endpoint;
        if (!replace && !lookup_add(&taking->known, addr_hash(&endpoint->addrs[0]), (uint32_t) n))
            return false;
        n++;
    }
    taking->n_before = n;
    return true;
}

struct search {
    const struct taking *taking;
    const struct model_endpoint *model;
};

static bool is_same(const void *user, uint32_t number)
{
    const struct search *search = user;

    const struct endpoint *endpoint = search->taking->before[number];

    return !endpoint->seen && endpoint_is(endpoint, search->taking->set, search->model);
}

static struct endpoint *find(const struct taking *taking, const struct model_endpoint *model)
{
    struct search search = { taking, model };
    uint32_t number = lookup_find(&taking->known, addr_hash(&model->addr), is_same, &search);

    return number == LOOKUP_NONE ? NULL : taking->before[number];
}

/* An address that stands twice is two endpoints. */
static int32_t match(struct taking *taking)
{
    taking->after = mem_array(taking->made.n + 1, sizeof(struct endpoint *));
    if (!taking->after)
        return MESH_ERR_NOMEM;
    for (size_t i = 0; i < taking->made.n; i++) {
        const struct model_endpoint *model = model_at(taking, i);
        struct endpoint *endpoint = find(taking, model);

        if (endpoint) {
            endpoint->seen = true;
            taking->after[i] = endpoint;
            continue;
        }
        endpoint = endpoint_new(taking->cluster, taking->set, model);
        if (!endpoint)
            return MESH_ERR_NOMEM;
        list_push_back(&taking->fresh, &endpoint->link);
        taking->n_fresh++;
    }
    return 0;
}

/* ---- changing ---- */

static void join(struct taking *taking)
{
    LIST_EACH(link, &taking->fresh) {
        if (taking->n_before > 0)
            endpoint_join(CONTAINER_OF(link, struct endpoint, link));
    }
}

static void part_with_the_missing(const struct taking *taking)
{
    for (size_t i = 0; i < taking->n_before; i++) {
        struct endpoint *endpoint = taking->before[i];

        if (endpoint->seen)
            continue;
        list_remove(&endpoint->link);
        list_push_back(&taking->cluster->leaving, &endpoint->link);
        endpoint_remove(endpoint);
    }
}

/* In the set's order whatever was before: clients that hash must agree on it. */
static void line_up(struct taking *taking)
{
    struct list *endpoints = &taking->cluster->endpoints;

    list_init(endpoints);
    for (size_t i = 0; i < taking->made.n; i++) {
        struct endpoint *endpoint = taking->after[i];

        if (endpoint)
            endpoint_adopt(endpoint, taking->set, model_at(taking, i));
        else
            endpoint = CONTAINER_OF(list_pop_front(&taking->fresh), struct endpoint, link);
        list_push_back(endpoints, &endpoint->link);
    }
}

static void tell(const struct taking *taking)
{
    struct cluster *cluster = taking->cluster;
    size_t left = taking->n_before + taking->n_fresh - cluster->n_made;

    if (taking->n_fresh == 0 && left == 0)
        return;
    OBSERVE(cluster->env.observe, MESH_LOG_INFO, "endpoints_changed", FIELD_TEXT("cluster", cluster->conf->label),
            FIELD_NUMBER("joined", taking->n_fresh), FIELD_NUMBER("left", left),
            FIELD_NUMBER("now", cluster->n_endpoints));
}

static void change(struct taking *taking)
{
    struct cluster *cluster = taking->cluster;

    join(taking);
    part_with_the_missing(taking);
    line_up(taking);
    cluster->n_endpoints = taking->set->n;
    cluster->n_made = taking->made.n;
    mem_free(cluster->absent);
    cluster->absent = taking->made.absent;
    taking->made.absent = NULL;
    tell(taking);
}

int32_t cluster_take_set(struct cluster *cluster, struct model_endpoints *set, bool replace)
{
    struct taking taking = { .cluster = cluster, .set = set };
    int32_t err = MESH_ERR_NOMEM;

    list_init(&taking.fresh);
    if (made_choose(cluster, set, &taking.made) && know_members(&taking, replace))
        err = match(&taking);
    if (!err)
        change(&taking);
    LIST_EACH_SAFE(link, next, &taking.fresh) {
        endpoint_free(CONTAINER_OF(link, struct endpoint, link));
    }
    lookup_free(&taking.known);
    mem_free(taking.before);
    mem_free(taking.after);
    made_free(&taking.made);
    return err;
}
