/* SPDX-License-Identifier: Apache-2.0 */
/* What counts of the listener's filters at each level of a route configuration. */
#include "source/xds/filters.h"

#include <string.h>

#include "source/xds/routes_reader.h"
#include "source/xds/scalars.h"
#include "source/xds/wire.h"

enum { SHOWN = 64 };

static const struct xds_filters *chain_of(const struct routes_reader *reader)
{
    static const struct xds_filters none;

    return reader->env->listener ? reader->env->listener->filters : &none;
}

/* ---- one configuration ---- */

static int32_t convert_fault(struct routes_reader *reader, const ProtobufCMessage *config,
                             const struct route_fault **out)
{
    struct route_fault fault = { 0 };
    struct route_fault *kept;
    bool any;
    int32_t err = filter_fault(reader, config, &fault, &any);

    *out = NULL;
    if (err || !any)
        return err;
    kept = routes_alloc(reader, 1, sizeof *kept);
    if (!kept)
        return MESH_ERR_NOMEM;
    *kept = fault;
    *out = kept;
    return 0;
}

static int32_t convert_limit(struct routes_reader *reader, const ProtobufCMessage *config, const char *name,
                             const char *place, const struct route_limit **out)
{
    struct route_limit limit = { 0 };
    struct route_limit *kept;
    bool any;
    int32_t err = filter_limit(reader, config, name, place, &limit, &any);

    *out = NULL;
    if (err || !any)
        return err;
    kept = routes_alloc(reader, 1, sizeof *kept);
    if (!kept)
        return MESH_ERR_NOMEM;
    *kept = limit;
    *out = kept;
    return 0;
}

static int32_t convert(struct routes_reader *reader, enum filter_kind kind, const ProtobufCMessage *config,
                       const char *name, const char *place, struct filter_state *out)
{
    int32_t err = routes_take(reader, ROUTES_OVERRIDE, 1);

    if (err)
        return err;
    out->is_on = true;
    if (kind == FILTER_FAULT)
        return convert_fault(reader, config, &out->fault);
    return convert_limit(reader, config, name, place, &out->limit);
}

/* ---- what is on, gathered ---- */

static int32_t gather_faults(struct routes_reader *reader, struct filter_level *level)
{
    struct route_fault found[FILTERS_MOST];
    size_t n = 0;

    for (size_t i = 0; i < FILTERS_MOST; i++)
        if (level->states[i].is_on && level->states[i].fault)
            found[n++] = *level->states[i].fault;
    level->n_faults = n;
    level->faults = NULL;
    if (n == 0)
        return 0;
    level->faults = routes_alloc(reader, n, sizeof *level->faults);
    if (!level->faults)
        return MESH_ERR_NOMEM;
    memcpy(level->faults, found, n * sizeof *found);
    return 0;
}

static int32_t gather_limits(struct routes_reader *reader, struct filter_level *level)
{
    struct route_limit found[FILTERS_MOST];
    size_t n = 0;

    for (size_t i = 0; i < FILTERS_MOST; i++)
        if (level->states[i].is_on && level->states[i].limit)
            found[n++] = *level->states[i].limit;
    level->n_limits = n;
    level->limits = NULL;
    if (n == 0)
        return 0;
    level->limits = routes_alloc(reader, n, sizeof *level->limits);
    if (!level->limits)
        return MESH_ERR_NOMEM;
    memcpy(level->limits, found, n * sizeof *found);
    return 0;
}

static int32_t gather(struct routes_reader *reader, struct filter_level *level)
{
    int32_t err = gather_faults(reader, level);

    return err ? err : gather_limits(reader, level);
}

/* ---- the listener ---- */

int32_t filters_begin(struct routes_reader *reader, struct filter_level *out)
{
    const struct xds_filters *chain = chain_of(reader);
    int32_t err = 0;

    *out = (struct filter_level){ 0 };
    for (size_t i = 0; i < chain->n && !err; i++) {
        const struct xds_filter *filter = &chain->items[i];

        reading_enter_item(reader->reading, "http_filters", filter->index);
        reading_enter(reader->reading, "typed_config");
        err = convert(reader, filter->kind, filter->config, filter->name, "listener", &out->states[i]);
        out->states[i].is_on = !filter->is_disabled;
        reading_leave(reader->reading);
        reading_leave(reader->reading);
    }
    return err ? err : gather(reader, out);
}

/* ---- overrides ---- */

static const void *member_of(const ProtobufCMessage *message, uint32_t number)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message->descriptor, number);

    return (const char *) message + field->offset;
}

/* Members of any map<string, Any>. */
static const char *entry_name(const ProtobufCMessage *entry)
{
    return *(char *const *) member_of(entry, 1);
}

static const Pb__Any *entry_config(const ProtobufCMessage *entry)
{
    return *(Pb__Any *const *) member_of(entry, 2);
}

/* Of a name that stands twice in a map, the last one counts. */
static bool is_replaced(const struct filter_overrides *overrides, size_t at)
{
    for (size_t i = at + 1; i < overrides->n; i++)
        if (strcmp(entry_name(overrides->entries[i]), entry_name(overrides->entries[at])) == 0)
            return true;
    return false;
}

static struct filter_state *find_state(struct routes_reader *reader, struct filter_level *level, const char *name,
                                       enum filter_kind *kind)
{
    const struct xds_filters *chain = chain_of(reader);

    for (size_t i = 0; i < chain->n; i++) {
        if (strcmp(chain->items[i].name, name) != 0)
            continue;
        *kind = chain->items[i].kind;
        return &level->states[i];
    }
    return NULL;
}

/* `config` is for a filter of another name or kind than any of the listener. */
static void list_homeless(struct routes_reader *reader, const char *name)
{
    struct ignored *others = reader->reading->ignored;
    char text[SHOWN];

    if (!reader->env->listener)
        return;
    reader->reading->ignored = reader->homeless;
    reading_ignored(reader->reading, "the listener has no filter \"%s\" of this type",
                    text_printable(name, strlen(name), text, sizeof text));
    reader->reading->ignored = others;
}

/* It is read even if nobody wants it: whether it is well-formed does not depend on the listener. */
static int32_t apply_known(struct routes_reader *reader, const char *name, enum filter_kind kind, const Pb__Any *config,
                           const char *place, struct filter_level *level)
{
    struct filter_state made = { 0 };
    enum filter_kind wanted = kind;
    struct filter_state *state = find_state(reader, level, name, &wanted);
    ProtobufCMessage *message;
    int32_t err = values_unpack(reader->reading, config, filter_descriptor(kind), &message);

    if (err)
        return err;
    err = convert(reader, kind, message, name, place, &made);
    wire_free(message);
    if (err)
        return err;
    if (state && wanted == kind)
        *state = made;
    else
        list_homeless(reader, name);
    return 0;
}

static int32_t apply_config(struct routes_reader *reader, const char *name, const Pb__Any *config, bool is_optional,
                            const char *place, struct filter_level *level)
{
    char text[SHOWN];
    enum filter_kind kind;

    if (filter_kind_of(config, &kind))
        return apply_known(reader, name, kind, config, place, level);
    if (!is_optional && find_state(reader, level, name, &kind))
        return reading_wrong(reader->reading, "type \"%s\" is not that of the listener's filter",
                             text_printable(config->type_url, strlen(config->type_url), text, sizeof text));
    reading_ignored(reader->reading, "type \"%s\" is not known to libmesh",
                    text_printable(config->type_url, strlen(config->type_url), text, sizeof text));
    return 0;
}

static int32_t switch_filter(struct routes_reader *reader, const char *name, bool on, struct filter_level *level)
{
    enum filter_kind kind;
    struct filter_state *state = find_state(reader, level, name, &kind);

    if (state)
        state->is_on = on;
    else
        list_homeless(reader, name);
    return 0;
}

/* FilterConfig: switches around a configuration. */
static int32_t apply_wrapped(struct routes_reader *reader, const char *name, const Pb__Any *any, const char *place,
                             struct filter_level *level)
{
    ProtobufCMessage *message;
    const Route__FilterConfig *wrapped;
    int32_t err = values_unpack(reader->reading, any, &route__filter_config__descriptor, &message);

    if (err)
        return err;
    wrapped = (const Route__FilterConfig *) message;
    if (wrapped->disabled)
        err = switch_filter(reader, name, false, level);
    else if (!wrapped->config)
        err = reading_wrong(reader->reading, "it has neither config nor disabled");
    else if (wrapped->config->type_url[0] == '\0')
        err = switch_filter(reader, name, true, level);
    else
        err = apply_config(reader, name, wrapped->config, wrapped->is_optional, place, level);
    wire_free(message);
    return err;
}

static int32_t apply(struct routes_reader *reader, const ProtobufCMessage *entry, const char *place,
                     struct filter_level *level)
{
    const char *name = entry_name(entry);
    const Pb__Any *config = entry_config(entry);

    if (!config)
        return reading_wrong(reader->reading, "there is no configuration");
    if (scalar_any_is(config, route__filter_config__descriptor.name))
        return apply_wrapped(reader, name, config, place, level);
    return apply_config(reader, name, config, false, place, level);
}

int32_t filters_override(struct routes_reader *reader, const struct filter_level *outer,
                         const struct filter_overrides *overrides, const char *place, struct filter_level *out)
{
    int32_t err = 0;

    *out = *outer;
    for (size_t i = 0; i < overrides->n && !err; i++) {
        if (is_replaced(overrides, i))
            continue;
        reading_enter_item(reader->reading, "typed_per_filter_config", i);
        err = apply(reader, overrides->entries[i], place, out);
        reading_leave(reader->reading);
    }
    return err || overrides->n == 0 ? err : gather(reader, out);
}

/* ---- entries of a weighted cluster ---- */

static bool has_same_faults(const struct filter_level *a, const struct filter_level *b)
{
    for (size_t i = 0; i < FILTERS_MOST; i++)
        if (a->states[i].is_on != b->states[i].is_on || a->states[i].fault != b->states[i].fault)
            return false;
    return true;
}

/* The faults of one entry, for its cluster only. */
static void add_faults(const struct filter_level *level, const struct route_target *target, struct route_rules *rules)
{
    for (size_t i = 0; i < level->n_faults; i++) {
        const struct route_fault *fault = &level->faults[i];

        if (fault->cluster && strcmp(fault->cluster, target->cluster) != 0)
            continue;
        rules->faults[rules->n_faults] = *fault;
        rules->faults[rules->n_faults++].cluster = target->cluster;
    }
}

static bool repeats_cluster(const struct route_target *targets, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (targets[i].cluster && strcmp(targets[i].cluster, targets[at].cluster) == 0)
            return true;
    return false;
}

static void list_limits(struct routes_reader *reader, const struct filter_level *route,
                        const struct filter_level *entry)
{
    for (size_t i = 0; i < FILTERS_MOST; i++)
        if (route->states[i].limit != entry->states[i].limit ||
            (route->states[i].limit && route->states[i].is_on != entry->states[i].is_on))
            reading_ignored_at(reader->reading, "typed_per_filter_config",
                               "rate limits of single clusters are not kept: the route's holds for all");
}

int32_t filters_of_targets(struct routes_reader *reader, const struct filter_level *route,
                           const struct filter_level *levels, const struct route_target *targets, size_t n,
                           struct route_rules *rules)
{
    size_t most = 0, differing = 0;

    for (size_t i = 0; i < n; i++) {
        differing += !has_same_faults(route, &levels[i]);
        most += levels[i].n_faults;
        list_limits(reader, route, &levels[i]);
    }
    if (differing == 0)
        return 0;
    rules->n_faults = 0;
    if (most == 0)
        return 0;
    rules->faults = routes_alloc(reader, most, sizeof *rules->faults);
    if (!rules->faults)
        return MESH_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!targets[i].cluster || repeats_cluster(targets, i))
            reading_ignored_at(reader->reading, "typed_per_filter_config",
                               "faults of a cluster that a header names, or that stands twice, are left out");
        else
            add_faults(&levels[i], &targets[i], rules);
    }
    return 0;
}
