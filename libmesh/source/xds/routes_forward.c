/* SPDX-License-Identifier: Apache-2.0 */
/* Where a route sends requests: a cluster, one of several by weight, or one that a header names; and what is rewritten. */
#include <inttypes.h>
#include <string.h>

#include "source/xds/routes_reader.h"

/* ---- one target ---- */

static int32_t set_cluster(struct routes_reader *reader, const char *field, const char *name, struct route_target *out)
{
    int32_t err;

    reading_enter(reader->reading, field);
    err = routes_cluster(reader, name, &out->cluster);
    reading_leave(reader->reading);
    return err;
}

static int32_t set_cluster_header(struct routes_reader *reader, const char *name, struct route_target *out)
{
    int32_t err;

    reading_enter(reader->reading, "cluster_header");
    err = routes_header_name(reader, name, &out->cluster_header);
    if (!err)
        reading_ignored(reader->reading, "clusters that a header names are there only if another route names them");
    reading_leave(reader->reading);
    return err;
}

/* One cluster, or one by header, and nothing of its own. */
static int32_t read_single(struct routes_reader *reader, const Route__RouteAction *action,
                           const struct routes_changes *changes, struct route *route)
{
    struct route_target *target;
    int32_t err = routes_take(reader, ROUTES_TARGET, 1);

    if (err)
        return err;
    target = route->targets = routes_alloc(reader, 1, sizeof *target);
    if (!target)
        return MESH_ERR_NOMEM;
    route->n_targets = 1;
    target->weight = 1;
    route->total_weight = 1;
    target->request_changes = changes->request;
    target->response_changes = changes->response;
    if (action->cluster_specifier_case == ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER)
        err = set_cluster(reader, "cluster", action->cluster, target);
    else
        err = set_cluster_header(reader, action->cluster_header, target);
    return err ? err : routes_subset(reader, action->metadata_match, NULL, &target->subset);
}

/* ---- entries of a weighted cluster ---- */

static int32_t entry_cluster(struct routes_reader *reader, const Route__WeightedCluster__ClusterWeight *entry,
                             struct route_target *out)
{
    bool by_name = entry->name[0] != '\0', by_header = entry->cluster_header[0] != '\0';

    if (by_name == by_header)
        return reading_wrong(reader->reading, "it has %s name and cluster_header; one of them says where it goes",
                             by_name ? "both" : "neither");
    return by_name ? set_cluster(reader, "name", entry->name, out)
                   : set_cluster_header(reader, entry->cluster_header, out);
}

static int32_t entry_changes(struct routes_reader *reader, const Route__WeightedCluster__ClusterWeight *entry,
                             const struct routes_changes *changes, struct route_target *out)
{
    struct routes_change_lists lists = {
        .n_request_add = entry->n_request_headers_to_add,
        .request_add = entry->request_headers_to_add,
        .n_request_remove = entry->n_request_headers_to_remove,
        .request_remove = entry->request_headers_to_remove,
        .n_response_add = entry->n_response_headers_to_add,
        .response_add = entry->response_headers_to_add,
        .n_response_remove = entry->n_response_headers_to_remove,
        .response_remove = entry->response_headers_to_remove,
    };
    struct routes_changes own, all;
    int32_t err = routes_changes(reader, &lists, &own);

    if (!err) /* an entry's own come first whoever is to win, in Envoy too */
        err = routes_append_changes(reader, &own, changes, &all);
    if (err)
        return err;
    out->request_changes = all.request;
    out->response_changes = all.response;
    return 0;
}

static int32_t entry_host(struct routes_reader *reader, const Route__WeightedCluster__ClusterWeight *entry,
                          struct route_target *out)
{
    int32_t err;

    if (entry->host_rewrite_specifier_case !=
            ROUTE__WEIGHTED_CLUSTER__CLUSTER_WEIGHT__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL ||
        entry->host_rewrite_literal[0] == '\0')
        return 0;
    reading_enter(reader->reading, "host_rewrite_literal");
    err = routes_header_value(reader, entry->host_rewrite_literal, &out->host);
    reading_leave(reader->reading);
    return err;
}

/* What the entries of a weighted cluster have in common. */
struct weighted {
    const Route__RouteAction *action;
    const struct routes_changes *changes; /* of the route and around it */
    const struct filter_level *level;
    struct filter_level *levels; /* of each target; NULL: none has filters of its own */
};

static int32_t entry_filters(struct routes_reader *reader, const Route__WeightedCluster__ClusterWeight *entry,
                             const struct weighted *weighted, struct filter_level *out)
{
    const struct filter_overrides overrides = FILTER_OVERRIDES(entry);

    return filters_override(reader, weighted->level, &overrides, "cluster", out);
}

static int32_t read_entry(struct routes_reader *reader, const Route__WeightedCluster__ClusterWeight *entry,
                          const struct weighted *weighted, size_t at, struct route_target *out)
{
    int32_t err = entry_cluster(reader, entry, out);

    out->weight = entry->weight ? entry->weight->value : 0;
    if (!err)
        err = entry_changes(reader, entry, weighted->changes, out);
    if (!err)
        err = entry_host(reader, entry, out);
    if (!err)
        err = routes_subset(reader, weighted->action->metadata_match, entry->metadata_match, &out->subset);
    if (!err && weighted->levels)
        err = entry_filters(reader, entry, weighted, &weighted->levels[at]);
    return err;
}

/* Entries that get nothing are read, since they may be wrong, and left out. */
static int32_t read_entries(struct routes_reader *reader, const Route__WeightedCluster *message,
                            const struct weighted *weighted, struct route *route)
{
    int32_t err = 0;

    for (size_t i = 0; i < message->n_clusters && !err; i++) {
        struct route_target *target = &route->targets[route->n_targets];

        *target = (struct route_target){ 0 };
        reading_enter_item(reader->reading, "clusters", i);
        err = read_entry(reader, message->clusters[i], weighted, route->n_targets, target);
        reading_leave(reader->reading);
        route->total_weight += target->weight;
        route->n_targets += !err && target->weight > 0;
    }
    return err;
}

static int32_t read_choice(struct routes_reader *reader, const Route__WeightedCluster *message, struct route *route)
{
    int32_t err;

    switch (message->random_value_specifier_case) {
    case ROUTE__WEIGHTED_CLUSTER__RANDOM_VALUE_SPECIFIER_HEADER_NAME:
        reading_enter(reader->reading, "header_name");
        err = routes_header_name(reader, message->header_name, &route->weight_header);
        reading_leave(reader->reading);
        return err;
    case ROUTE__WEIGHTED_CLUSTER__RANDOM_VALUE_SPECIFIER_USE_HASH_POLICY:
        route->weight_by_hash = message->use_hash_policy->value;
        return 0;
    default:
        return 0;
    }
}

static int32_t read_weighted(struct routes_reader *reader, const Route__WeightedCluster *message,
                             struct weighted *weighted, struct route *route)
{
    int32_t err = routes_take(reader, ROUTES_TARGET, message->n_clusters);

    if (err)
        return err;
    if (message->n_clusters == 0)
        return reading_wrong_at(reader->reading, "clusters", "there is none");
    route->targets = routes_alloc(reader, message->n_clusters, sizeof *route->targets);
    if (!route->targets)
        return MESH_ERR_NOMEM;
    err = read_entries(reader, message, weighted, route);
    if (err)
        return err;
    if (route->total_weight == 0 || route->total_weight > UINT32_MAX)
        return reading_wrong_at(reader->reading, "clusters", "the sum of weights is %" PRIu64 "; allowed is 1 to %u",
                                route->total_weight, UINT32_MAX);
    if (weighted->levels)
        err = filters_of_targets(reader, weighted->level, weighted->levels, route->targets, route->n_targets,
                                 &route->rules);
    return err ? err : read_choice(reader, message, route);
}

static bool has_overrides(const Route__WeightedCluster *message)
{
    for (size_t i = 0; i < message->n_clusters; i++)
        if (message->clusters[i]->n_typed_per_filter_config > 0)
            return true;
    return false;
}

static int32_t read_several(struct routes_reader *reader, struct weighted *weighted, struct route *route)
{
    const Route__WeightedCluster *message = weighted->action->weighted_clusters;
    int32_t err;

    if (has_overrides(message)) {
        weighted->levels = mem_array(message->n_clusters, sizeof *weighted->levels);
        if (!weighted->levels)
            return reading_no_memory(reader->reading);
    }
    reading_enter(reader->reading, "weighted_clusters");
    err = read_weighted(reader, message, weighted, route);
    reading_leave(reader->reading);
    mem_free(weighted->levels);
    return err;
}

/* ---- what is rewritten ---- */

static int32_t set_value(struct routes_reader *reader, const char *field, const char *value, const char **out)
{
    int32_t err;

    reading_enter(reader->reading, field);
    err = routes_header_value(reader, value, out);
    reading_leave(reader->reading);
    return err;
}

static int32_t read_path(struct routes_reader *reader, const Route__RouteAction *action, struct route *route)
{
    bool has_prefix = action->prefix_rewrite[0] != '\0';

    if (has_prefix && action->regex_rewrite)
        return reading_wrong(reader->reading, "it has both prefix_rewrite and regex_rewrite");
    if (has_prefix)
        return set_value(reader, "prefix_rewrite", action->prefix_rewrite, &route->prefix_rewrite);
    return routes_rewrite(reader, "regex_rewrite", action->regex_rewrite, &route->path_rewrite);
}

static int32_t read_host_header(struct routes_reader *reader, const char *name, const char **out)
{
    int32_t err;

    reading_enter(reader->reading, "host_rewrite_header");
    err = routes_header_name(reader, name, out);
    reading_leave(reader->reading);
    return err;
}

static int32_t read_host(struct routes_reader *reader, const Route__RouteAction *action, struct route *route)
{
    route->append_forwarded_host = action->append_x_forwarded_host;
    switch (action->host_rewrite_specifier_case) {
    case ROUTE__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL:
        if (action->host_rewrite_literal[0] == '\0')
            return 0;
        return set_value(reader, "host_rewrite_literal", action->host_rewrite_literal, &route->host_rewrite);
    case ROUTE__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_AUTO_HOST_REWRITE:
        route->host_of_endpoint = action->auto_host_rewrite->value;
        return 0;
    case ROUTE__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_HOST_REWRITE_HEADER:
        return read_host_header(reader, action->host_rewrite_header, &route->host_header);
    case ROUTE__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_HOST_REWRITE_PATH_REGEX:
        return routes_rewrite(reader, "host_rewrite_path_regex", action->host_rewrite_path_regex,
                              &route->host_path_rewrite);
    default:
        return 0;
    }
}

static int32_t read_missing(struct routes_reader *reader, const Route__RouteAction *action, struct route *route)
{
    static const uint16_t statuses[] = { 503, 404, 500 };
    uint32_t code = (uint32_t) action->cluster_not_found_response_code;

    if (code >= COUNT_OF(statuses))
        return reading_wrong_at(reader->reading, "cluster_not_found_response_code", "%u does not exist", code);
    route->missing_status = statuses[code];
    return 0;
}

/* ---- all of it ---- */

static int32_t read_targets(struct routes_reader *reader, struct weighted *weighted, struct route *route, bool *known)
{
    switch (weighted->action->cluster_specifier_case) {
    case ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER:
    case ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER_HEADER:
        return read_single(reader, weighted->action, weighted->changes, route);
    case ROUTE__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS:
        return read_several(reader, weighted, route);
    default:
        *known = false;
        reading_ignored(reader->reading,
                        "the route is left out: it has none of cluster, cluster_header and weighted_clusters");
        return 0;
    }
}

static int32_t read_action(struct routes_reader *reader, struct weighted *weighted, struct route *route, bool *known)
{
    const Route__RouteAction *action = weighted->action;
    int32_t err = read_targets(reader, weighted, route, known);

    if (err || !*known)
        return err;
    err = read_path(reader, action, route);
    if (!err)
        err = read_host(reader, action, route);
    if (!err)
        err = read_missing(reader, action, route);
    return err ? err : routes_rules(reader, action, &route->rules);
}

int32_t routes_forward(struct routes_reader *reader, const Route__Route *message, const struct filter_level *level,
                       struct route *route, bool *known)
{
    struct routes_changes changes;
    struct weighted weighted = { .action = message->route, .changes = &changes, .level = level };
    int32_t err = routes_route_changes(reader, message, &changes);

    if (err)
        return err;
    route->action = ROUTE_FORWARD;
    reading_enter(reader->reading, "route");
    err = read_action(reader, &weighted, route, known);
    reading_leave(reader->reading);
    return err;
}
