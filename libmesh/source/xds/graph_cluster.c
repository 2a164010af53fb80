/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters of the graph: where their endpoints come from, and what of them is published. */
#include <stdio.h>
#include <string.h>

#include "source/xds/graph.h"

/* ---- the table ---- */

static void forget_sources(struct graph_cluster *cluster)
{
    dns_service_free(cluster->dns);
    cluster->dns = NULL;
    if (cluster->eds)
        store_rest(cluster->eds);
    cluster->eds = NULL;
    loop_timer_cancel(cluster->graph->conf.loop, &cluster->hold_timer);
    hold_clear(&cluster->hold);
    xds_cluster_unref(cluster->seen);
    cluster->seen = NULL;
}

void graph_cluster_free(struct graph_cluster *cluster)
{
    forget_sources(cluster);
    store_rest(cluster->cluster);
    model_cluster_unref(cluster->conf);
    model_endpoints_unref(cluster->endpoints);
    mem_free(cluster->leaves);
    mem_free(cluster);
}

static void on_hold_over(struct loop_timer *timer)
{
    struct graph_cluster *cluster = CONTAINER_OF(timer, struct graph_cluster, hold_timer);

    cluster->graph->conf.on_change(cluster->graph->conf.user);
}

/* False: another walk has to. */
static bool may_begin(struct graph *graph)
{
    graph->is_unfinished |= graph->news_left == 0;
    if (graph->news_left == 0)
        return false;
    graph->news_left--;
    return true;
}

static struct graph_cluster *make(struct graph *graph, const char *name)
{
    size_t len = strlen(name);
    struct graph_cluster *cluster = mem_zalloc(sizeof *cluster + len + 1);

    if (!cluster)
        return NULL;
    cluster->graph = graph;
    cluster->hold_timer.on_due = on_hold_over;
    memcpy(cluster->name, name, len);
    cluster->cluster = store_want(graph->store, XDS_CLUSTER, name);
    if (!cluster->cluster) {
        mem_free(cluster);
        return NULL;
    }
    if (map_put(&graph->clusters, cluster->name, len, cluster))
        return cluster;
    graph_cluster_free(cluster);
    return NULL;
}

static struct graph_cluster *add(struct graph *graph, const char *name)
{
    struct graph_cluster *cluster;

    if (!may_begin(graph))
        return NULL;
    cluster = make(graph, name);
    graph->short_of_memory |= cluster == NULL;
    return cluster;
}

void graph_sweep_clusters(struct graph *graph)
{
    struct graph_cluster *cluster;
    struct list gone, *link;
    size_t at = 0;

    list_init(&gone);
    while ((cluster = map_next(&graph->clusters, &at)))
        if (cluster->mark != graph->walk)
            list_push_back(&gone, &cluster->link);
    while ((link = list_pop_front(&gone))) {
        cluster = CONTAINER_OF(link, struct graph_cluster, link);
        map_remove(&graph->clusters, cluster->name, strlen(cluster->name));
        graph->changed |= cluster->conf != NULL;
        graph_cluster_free(cluster);
    }
}

bool graph_cluster_is_known(const struct graph_cluster *cluster)
{
    return cluster->conf || cluster->fault.code;
}

/* ---- what is published ---- */

static void publish(struct graph_cluster *cluster, struct model_cluster *conf, struct model_endpoints *endpoints)
{
    cluster->fault = (struct fault){ 0 };
    if (cluster->conf == conf && cluster->endpoints == endpoints)
        return;
    model_cluster_ref(conf);
    model_endpoints_ref(endpoints);
    model_cluster_unref(cluster->conf);
    model_endpoints_unref(cluster->endpoints);
    cluster->conf = conf;
    cluster->endpoints = endpoints;
    cluster->graph->changed = true;
}

/* Nothing serves it: its requests fail with the sentence, unless it has served before. */
static void publish_failure(struct graph_cluster *cluster, const char *text)
{
    struct model_endpoints *none;

    if (cluster->endpoints && cluster->endpoints->state == ENDPOINTS_FAILED &&
        strcmp(cluster->endpoints->fault.text, text) == 0)
        return;
    none = model_endpoints_new(ENDPOINTS_FAILED, "xds", 0);
    if (!none) {
        cluster->graph->short_of_memory = true;
        return;
    }
    fault_set(&none->fault, MESH_ERR_NO_HEALTHY, "%s", text);
    publish(cluster, cluster->seen->conf, none);
    model_endpoints_unref(none);
}

static void withdraw(struct graph_cluster *cluster)
{
    const struct resource *resource = cluster->cluster;

    fault_set(&cluster->fault, MESH_ERR_NO_ROUTE, "%s",
              resource->error.text[0] ? resource->error.text : "the control plane does not know it");
    cluster->graph->changed |= cluster->conf != NULL;
    model_cluster_unref(cluster->conf);
    model_endpoints_unref(cluster->endpoints);
    cluster->conf = NULL;
    cluster->endpoints = NULL;
    forget_sources(cluster);
}

/* ---- where endpoints come from ---- */

/* The same names as before keep what is known of them. False: out of memory. */
static bool follow_eds(struct graph_cluster *cluster, const struct xds_cluster *conf)
{
    struct resource *before = cluster->eds;

    if (!before || strcmp(before->name, conf->eds_name) != 0) {
        cluster->eds = store_want(cluster->graph->store, XDS_ENDPOINTS, conf->eds_name);
        if (before)
            store_rest(before);
        hold_clear(&cluster->hold);
    }
    if (cluster->eds)
        store_set_wait(cluster->eds, conf->eds_wait_us);
    return cluster->eds != NULL;
}

static void on_dns_change(void *user)
{
    struct graph_cluster *cluster = user;

    cluster->graph->conf.on_change(cluster->graph->conf.user);
}

static bool same_targets(const struct xds_cluster *a, const struct xds_cluster *b)
{
    if (a->n_targets != b->n_targets)
        return false;
    for (size_t i = 0; i < a->n_targets; i++)
        if (!service_target_equal(&a->targets[i], &b->targets[i]))
            return false;
    return true;
}

/* Targets are borrowed from the cluster that dns was made for: it is made anew with each, and begins with what was known. */
static bool follow_dns(struct graph_cluster *cluster, struct xds_cluster *conf)
{
    const struct graph_conf *graph = &cluster->graph->conf;
    bool same = cluster->dns && same_targets(cluster->seen, conf);
    struct model_endpoints *before = same ? dns_service_endpoints(cluster->dns) : NULL;
    struct dns_service *dns;

    if (dns_service_new(graph->loop, graph->names, conf->targets, conf->n_targets, before, on_dns_change, cluster,
                        &dns))
        return false;
    dns_service_activate(dns, true);
    dns_service_free(cluster->dns);
    cluster->dns = dns;
    return true;
}

/* Sources of the kind that the cluster now is. False: out of memory. */
static bool follow(struct graph_cluster *cluster, struct xds_cluster *conf)
{
    struct dns_service *old_dns = cluster->dns;
    struct resource *old_eds = cluster->eds;

    if (conf->kind == XDS_CLUSTER_EDS && !follow_eds(cluster, conf))
        return false;
    if (conf->kind == XDS_CLUSTER_DNS && !follow_dns(cluster, conf))
        return false;
    if (conf->kind != XDS_CLUSTER_EDS && old_eds) {
        cluster->eds = NULL;
        store_rest(old_eds);
    }
    if (conf->kind != XDS_CLUSTER_DNS && old_dns) {
        cluster->dns = NULL;
        dns_service_free(old_dns);
    }
    xds_cluster_ref(conf);
    xds_cluster_unref(cluster->seen);
    cluster->seen = conf;
    return true;
}

/* ---- each kind ---- */

static void tell_held(const struct graph_cluster *cluster)
{
    OBSERVE(cluster->graph->conf.observe, MESH_LOG_WARN, "xds_endpoints_held", FIELD_TEXT("cluster", cluster->name),
            FIELD_NUMBER("before", cluster->hold.good->n), FIELD_NUMBER("now", cluster->hold.news->n),
            FIELD_NUMBER("for_ms", cluster->graph->conf.hold_us / US_PER_MS));
}

static bool is_held(const struct graph_cluster *cluster)
{
    return hold_due_us(&cluster->hold) != UINT64_MAX;
}

static void tell_hold_ends(const struct graph_cluster *cluster)
{
    OBSERVE(cluster->graph->conf.observe, MESH_LOG_INFO, "xds_hold_ends", FIELD_TEXT("cluster", cluster->name),
            FIELD_NUMBER("now", cluster->hold.news->n),
            FIELD_TEXT("detail", cluster->hold.state == HOLD_LAST ? "who still answers serves on" : "it is obeyed"));
}

static void take_endpoints(struct graph_cluster *cluster, struct model_endpoints *news)
{
    const struct graph_conf *conf = &cluster->graph->conf;
    bool is_new, was_held = is_held(cluster);
    struct model_endpoints *out = hold_take(&cluster->hold, news, loop_now_us(conf->loop), conf->hold_us, &is_new);

    if (!out) {
        cluster->graph->short_of_memory = true;
        return;
    }
    if (is_new)
        tell_held(cluster);
    if (was_held && !is_held(cluster))
        tell_hold_ends(cluster);
    if (is_held(cluster))
        loop_timer_set(conf->loop, &cluster->hold_timer, hold_due_us(&cluster->hold));
    else
        loop_timer_cancel(conf->loop, &cluster->hold_timer);
    publish(cluster, cluster->seen->conf, out);
}

static void look_at_eds(struct graph_cluster *cluster)
{
    const struct resource *eds = cluster->eds;

    if (!eds)
        return; /* follow() sees to it, which clang-tidy cannot see */
    if (eds->endpoints)
        take_endpoints(cluster, eds->endpoints);
    else if (resource_is_known(eds))
        publish_failure(cluster, eds->error.text);
}

static void look_at_dns(struct graph_cluster *cluster)
{
    struct model_endpoints *found;

    dns_service_update(cluster->dns, cluster->graph->conf.conf);
    found = dns_service_endpoints(cluster->dns);
    if (found->state != ENDPOINTS_PENDING)
        publish(cluster, cluster->seen->conf, found);
}

static bool add_leaf(struct graph_cluster *cluster, struct graph_cluster *leaf)
{
    struct graph_cluster **leaves = cluster->leaves;
    size_t n = cluster->n_leaves;

    if (leaf->join == cluster->graph->joins)
        return true;
    if ((n & (n - 1)) == 0) /* the array has room for the next power of two */
        leaves = mem_realloc(leaves, (n ? 2 * n : 1) * sizeof(*leaves));
    if (!leaves)
        return false;
    cluster->leaves = leaves;
    cluster->leaves[cluster->n_leaves++] = leaf;
    leaf->join = cluster->graph->joins;
    return true;
}

/* Aggregates among the members are replaced by what they are made of, or two in each of 16 levels would be 65,536. One that is
 * not complete in this walk goes on as it was, as a whole. False: out of memory. */
static bool gather_leaves(struct graph_cluster *cluster, struct graph_cluster *const *members, size_t n)
{
    bool done = true;

    cluster->graph->joins++;
    cluster->n_leaves = 0;
    for (size_t i = 0; done && i < n; i++) {
        const struct graph_cluster *member = members[i];

        if (member->leaves_walk != cluster->graph->walk)
            done = add_leaf(cluster, members[i]);
        for (size_t k = 0; done && member->leaves_walk == cluster->graph->walk && k < member->n_leaves; k++)
            done = add_leaf(cluster, member->leaves[k]);
    }
    if (done)
        cluster->leaves_walk = cluster->graph->walk;
    return done;
}

/* Those that cannot be are passed over. NULL: out of memory. */
static struct model_endpoints *join_leaves(const struct graph_cluster *cluster)
{
    struct model_entry *entries = mem_array(cluster->n_leaves + 1, sizeof *entries);
    struct model_endpoints *joined = NULL;
    size_t known = 0;

    for (size_t i = 0; entries && i < cluster->n_leaves; i++)
        if (cluster->leaves[i]->conf)
            entries[known++] = (struct model_entry){ cluster->leaves[i]->conf, cluster->leaves[i]->endpoints };
    if (entries)
        joined = model_endpoints_join(entries, known);
    mem_free(entries);
    return joined;
}

/* All members are known. */
static void join_members(struct graph_cluster *cluster, struct graph_cluster *const *members, size_t n)
{
    struct model_endpoints *joined = gather_leaves(cluster, members, n) ? join_leaves(cluster) : NULL;

    if (cluster->n_leaves > GRAPH_MOST_LEAVES) {
        publish_failure(cluster, "it is an aggregate of more than 10000 clusters");
        model_endpoints_unref(joined);
        return;
    }
    if (!joined) {
        cluster->graph->short_of_memory = true;
        return;
    }
    if (cluster->endpoints && model_endpoints_equal(joined, cluster->endpoints))
        publish(cluster, cluster->seen->conf, cluster->endpoints);
    else
        publish(cluster, cluster->seen->conf, joined);
    model_endpoints_unref(joined);
}

/* Why no cluster may be below another; NULL: it may. */
static const char *objection(const struct graph_cluster *cluster, const char *member, unsigned depth)
{
    const struct graph_cluster *known = map_get_text(&cluster->graph->clusters, member);

    if (known && known->is_walked)
        return "leads back to itself";
    return depth >= GRAPH_DEEPEST ? "is inside more than 16 others" : NULL;
}

static bool refuse_members(struct graph_cluster *cluster, unsigned depth)
{
    const struct xds_cluster *conf = cluster->seen;
    char text[FAULT_TEXT];

    for (size_t i = 0; i < conf->n_members; i++) {
        const char *why = objection(cluster, conf->members[i], depth);

        if (!why)
            continue;
        snprintf(text, sizeof text, "aggregate cluster \"%.100s\": its member \"%.100s\" %s", cluster->name,
                 conf->members[i], why);
        publish_failure(cluster, text);
        return true;
    }
    return false;
}

static void look_at_members(struct graph_cluster *cluster, unsigned depth)
{
    const struct xds_cluster *conf = cluster->seen;
    struct graph_cluster **members;
    bool known;

    if (refuse_members(cluster, depth))
        return;
    members = mem_array(conf->n_members + 1, sizeof(*members));
    known = members != NULL;
    for (size_t i = 0; members && i < conf->n_members; i++) {
        members[i] = graph_walk_cluster(cluster->graph, conf->members[i], depth + 1);
        known = members[i] && graph_cluster_is_known(members[i]) && known;
    }
    cluster->graph->short_of_memory |= members == NULL;
    if (known)
        join_members(cluster, members, conf->n_members);
    mem_free(members);
}

static void look_at_endpoints(struct graph_cluster *cluster, unsigned depth)
{
    switch (cluster->seen->kind) {
    case XDS_CLUSTER_EDS:
        look_at_eds(cluster);
        return;
    case XDS_CLUSTER_DNS:
        look_at_dns(cluster);
        return;
    case XDS_CLUSTER_STATIC:
        publish(cluster, cluster->seen->conf, cluster->seen->endpoints);
        return;
    case XDS_CLUSTER_AGGREGATE:
        look_at_members(cluster, depth);
        return;
    }
}

static void look_at(struct graph_cluster *cluster, unsigned depth)
{
    struct xds_cluster *conf = cluster->cluster->cluster;

    if (!conf) {
        if (resource_is_known(cluster->cluster))
            withdraw(cluster);
        return;
    }
    if (cluster->seen != conf && may_begin(cluster->graph) && !follow(cluster, conf)) {
        cluster->graph->short_of_memory = true;
        return;
    }
    if (cluster->seen)
        look_at_endpoints(cluster, depth);
}

struct graph_cluster *graph_walk_cluster(struct graph *graph, const char *name, unsigned depth)
{
    struct graph_cluster *cluster = map_get_text(&graph->clusters, name);

    if (!cluster)
        cluster = add(graph, name);
    if (!cluster || cluster->mark == graph->walk)
        return cluster;
    cluster->mark = graph->walk;
    cluster->configured_by = NULL;
    cluster->is_walked = true;
    look_at(cluster, depth);
    cluster->is_walked = false;
    return cluster;
}
