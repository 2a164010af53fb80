/* SPDX-License-Identifier: Apache-2.0 */
/* How requests of a route are sent: how long they may take, what they are hashed by, who gets a copy. */
#include <string.h>

#include "source/xds/routes_reader.h"
#include "source/xds/scalars.h"

enum { LIST_MOST = 100, SHOWN = 64 };

/* Envoy's, and that of the configuration here, where neither says anything. */
static const uint64_t standard_timeout_us = 15 * US_PER_S;

/* ---- time ---- */

/* 0 is no limit. */
static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static int32_t read_grpc_max(struct reading *reading, const Route__RouteAction *action, uint64_t stream_us,
                             struct route_rules *rules)
{
    const Route__RouteAction__MaxStreamDuration *duration = action->max_stream_duration;
    int32_t err;

    if (duration) {
        rules->has_grpc_max = duration->grpc_timeout_header_max;
        return scalar_us(reading, "max_stream_duration.grpc_timeout_header_max", duration->grpc_timeout_header_max,
                         &rules->grpc_max_us);
    }
    rules->has_grpc_max = action->max_grpc_timeout;
    err = scalar_us(reading, "max_grpc_timeout", action->max_grpc_timeout, &rules->grpc_max_us);
    rules->grpc_max_us = shorter(rules->grpc_max_us, stream_us);
    return err;
}

/* As in Envoy: where max_stream_duration stands, `timeout` does not count; what it leaves open the listener says. The listener's
 * counts beside `timeout`, too. A route that says nothing leaves the word to the policy, unless the listener wants it shorter
 * than Envoy's own 15 s. */
static int32_t read_timeout(struct routes_reader *reader, const Route__RouteAction *action, struct route_rules *rules)
{
    const Route__RouteAction__MaxStreamDuration *duration = action->max_stream_duration;
    uint64_t stream_us = reader->env->listener ? reader->env->listener->stream_us : 0, timeout_us = 0;
    int32_t err = scalar_us(reader->reading, "timeout", action->timeout, &timeout_us);

    if (!err && duration)
        err = scalar_us(reader->reading, "max_stream_duration.max_stream_duration", duration->max_stream_duration,
                        &stream_us);
    if (err)
        return err;
    rules->has_timeout = action->timeout || duration || (stream_us > 0 && stream_us < standard_timeout_us);
    rules->stream_us = stream_us;
    rules->timeout_us = rules->has_timeout ? shorter(duration ? 0 : timeout_us, stream_us) : 0;
    return read_grpc_max(reader->reading, action, stream_us, rules);
}

/* ---- hashes ---- */

static int32_t hash_header(struct routes_reader *reader, const Route__RouteAction__HashPolicy__Header *header,
                           struct route_hash *out)
{
    int32_t err;

    out->kind = ROUTE_HASH_HEADER;
    reading_enter(reader->reading, "header");
    err = routes_header_name(reader, header->header_name, &out->name);
    if (!err)
        err = routes_rewrite(reader, "regex_rewrite", header->regex_rewrite, &out->rewrite);
    reading_leave(reader->reading);
    return err;
}

static int32_t hash_name(struct routes_reader *reader, const char *field, const char *name, struct route_hash *out)
{
    if (name[0] == '\0')
        return reading_wrong_at(reader->reading, field, "its name is empty");
    return routes_text(reader, name, &out->name);
}

/* *used false: it gives no hash here. */
static int32_t hash_state(struct routes_reader *reader, const char *key, struct route_hash *out, bool *used)
{
    char text[SHOWN];

    out->kind = ROUTE_HASH_CHANNEL;
    *used = strcmp(key, "io.grpc.channel_id") == 0;
    if (!*used)
        reading_ignored_at(reader->reading, "filter_state", "\"%s\" gives no hash; \"io.grpc.channel_id\" would",
                           text_printable(key, strlen(key), text, sizeof text));
    return 0;
}

static int32_t read_hash(struct routes_reader *reader, const Route__RouteAction__HashPolicy *policy,
                         struct route_hash *out, bool *used)
{
    *used = true;
    out->terminal = policy->terminal;
    switch (policy->policy_specifier_case) {
    case ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_HEADER:
        return hash_header(reader, policy->header, out);
    case ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_COOKIE:
        out->kind = ROUTE_HASH_COOKIE;
        return hash_name(reader, "cookie", policy->cookie->name, out);
    case ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_QUERY_PARAMETER:
        out->kind = ROUTE_HASH_QUERY;
        return hash_name(reader, "query_parameter", policy->query_parameter->name, out);
    case ROUTE__ROUTE_ACTION__HASH_POLICY__POLICY_SPECIFIER_FILTER_STATE:
        return hash_state(reader, policy->filter_state->key, out, used);
    default:
        *used = false;
    }
    if (policy->base.n_unknown_fields == 0)
        return reading_wrong(reader->reading, "it has none of header, cookie, query_parameter and filter_state");
    reading_ignored(reader->reading, "it gives no hash: only header, cookie, query_parameter and filter_state do");
    return 0;
}

static int32_t read_hashes(struct routes_reader *reader, const Route__RouteAction *action, struct route_rules *rules)
{
    int32_t err = routes_take(reader, ROUTES_MATCHER, action->n_hash_policy);

    if (err || action->n_hash_policy == 0)
        return err;
    if (action->n_hash_policy > LIST_MOST)
        return reading_wrong_at(reader->reading, "hash_policy", "%zu of them; allowed are %d", action->n_hash_policy,
                                (int) LIST_MOST);
    rules->hash = routes_alloc(reader, action->n_hash_policy, sizeof *rules->hash);
    if (!rules->hash)
        return MESH_ERR_NOMEM;
    for (size_t i = 0; i < action->n_hash_policy && !err; i++) {
        struct route_hash *hash = &rules->hash[rules->n_hash];
        bool used;

        *hash = (struct route_hash){ 0 };
        reading_enter_item(reader->reading, "hash_policy", i);
        err = read_hash(reader, action->hash_policy[i], hash, &used);
        rules->n_hash += !err && used;
        reading_leave(reader->reading);
    }
    return err;
}

/* ---- mirrors ---- */

static int32_t mirror_cluster(struct routes_reader *reader, const Route__RouteAction__RequestMirrorPolicy *policy,
                              struct route_mirror *out)
{
    bool by_name = policy->cluster[0] != '\0', by_header = policy->cluster_header[0] != '\0';

    if (by_name == by_header)
        return reading_wrong(reader->reading, "it has %s cluster and cluster_header; one of them says where it goes",
                             by_name ? "both" : "neither");
    if (by_name)
        return routes_cluster(reader, policy->cluster, &out->cluster);
    reading_ignored_at(reader->reading, "cluster_header",
                       "clusters that a header names are there only if another route names them");
    return routes_header_name(reader, policy->cluster_header, &out->cluster_header);
}

static int32_t read_mirror(struct routes_reader *reader, const Route__RouteAction__RequestMirrorPolicy *policy,
                           struct route_mirror *out)
{
    int32_t err = mirror_cluster(reader, policy, out);

    out->fraction = (struct route_fraction){ .numerator = 100, .denominator = 100 };
    out->keep_host = policy->disable_shadow_host_suffix_append;
    if (!err)
        err = values_runtime_fraction(reader->reading, "runtime_fraction", policy->runtime_fraction, &out->fraction);
    if (!err && policy->host_rewrite_literal[0] != '\0')
        err = routes_header_value(reader, policy->host_rewrite_literal, &out->host);
    return err;
}

int32_t routes_mirrors(struct routes_reader *reader, size_t n, Route__RouteAction__RequestMirrorPolicy *const *policies,
                       struct routes_mirrors *out)
{
    int32_t err = routes_take(reader, ROUTES_TARGET, n);

    if (err || n == 0)
        return err;
    if (n > LIST_MOST)
        return reading_wrong_at(reader->reading, "request_mirror_policies", "%zu of them; allowed are %d", n,
                                (int) LIST_MOST);
    out->items = routes_alloc(reader, n, sizeof *out->items);
    if (!out->items)
        return MESH_ERR_NOMEM;
    out->n = n;
    for (size_t i = 0; i < n && !err; i++) {
        reading_enter_item(reader->reading, "request_mirror_policies", i);
        err = read_mirror(reader, policies[i], &out->items[i]);
        reading_leave(reader->reading);
    }
    return err;
}

/* The most specific list counts, whole. */
static int32_t read_mirrors(struct routes_reader *reader, const Route__RouteAction *action, struct route_rules *rules)
{
    struct routes_mirrors mirrors = reader->mirrors;
    int32_t err = routes_mirrors(reader, action->n_request_mirror_policies, action->request_mirror_policies, &mirrors);

    rules->n_mirrors = mirrors.n;
    rules->mirrors = mirrors.items;
    return err;
}

/* ---- all of it ---- */

static int32_t read_switches(struct routes_reader *reader, const Route__RouteAction *action, struct route_rules *rules)
{
    const Route__HedgePolicy *hedge = action->hedge_policy ? action->hedge_policy : reader->host->hedge_policy;

    if ((uint32_t) action->priority > CORE__ROUTING_PRIORITY__HIGH)
        return reading_wrong_at(reader->reading, "priority", "%d does not exist", (int) action->priority);
    rules->is_critical = action->priority == CORE__ROUTING_PRIORITY__HIGH;
    rules->hedge_on_per_try_timeout = hedge && hedge->hedge_on_per_try_timeout;
    rules->attempt_count = reader->host->include_request_attempt_count;
    rules->has_idle = action->idle_timeout;
    return scalar_us(reader->reading, "idle_timeout", action->idle_timeout, &rules->idle_us);
}

/* A route's own retry policy replaces the virtual host's, nothing is merged. */
static int32_t read_retry(struct routes_reader *reader, const Route__RouteAction *action, struct route_rules *rules)
{
    const Route__RetryPolicy *policy = action->retry_policy ? action->retry_policy : reader->host->retry_policy;
    int32_t err;

    if (!policy)
        return 0;
    reading_enter(reader->reading, "retry_policy");
    err = routes_retry(reader, policy, rules);
    reading_leave(reader->reading);
    return err;
}

int32_t routes_rules(struct routes_reader *reader, const Route__RouteAction *action, struct route_rules *rules)
{
    int32_t err = read_timeout(reader, action, rules);

    if (!err)
        err = read_switches(reader, action, rules);
    if (!err)
        err = read_retry(reader, action, rules);
    if (!err)
        err = read_hashes(reader, action, rules);
    return err ? err : read_mirrors(reader, action, rules);
}
