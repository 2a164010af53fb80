/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP filters of a listener: which there are, and that the router is the last one. */
#include "source/xds/filters.h"

#include <string.h>

#include "proto/fault.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "proto/router.pb-c.h"
#include "source/xds/routes_reader.h"
#include "source/xds/scalars.h"
#include "source/xds/wire.h"

enum { HTTP_FILTERS_MOST = 100, SHOWN = 64 };

const ProtobufCMessageDescriptor *filter_descriptor(enum filter_kind kind)
{
    return kind == FILTER_FAULT ? &fault__httpfault__descriptor : &local_rate_limit__local_rate_limit__descriptor;
}

bool filter_kind_of(const Pb__Any *config, enum filter_kind *out)
{
    *out = scalar_any_is(config, filter_descriptor(FILTER_FAULT)->name) ? FILTER_FAULT : FILTER_LIMIT;
    return scalar_any_is(config, filter_descriptor(*out)->name);
}

static const char *shown(const char *text, char out[SHOWN])
{
    return text_printable(text, strlen(text), out, SHOWN);
}

/* ---- the router ---- */

static int32_t read_router(struct reading *reading, const Hcm__HttpFilter *filter)
{
    ProtobufCMessage *router;
    int32_t err;

    if (filter->disabled)
        return reading_wrong(reading, "the router is disabled, so that no request would go anywhere");
    reading_enter(reading, "typed_config");
    err = values_unpack(reading, filter->typed_config, &router__router__descriptor, &router);
    if (!err && ((const Router__Router *) router)->suppress_envoy_headers)
        reading_ignored_at(reading, "suppress_envoy_headers",
                           "deadline.headers of the configuration says what is sent");
    reading_leave(reading);
    wire_free(router);
    return err;
}

/* ---- others ---- */

static const Pb__Any *config_of(const Hcm__HttpFilter *filter)
{
    return filter->config_type_case == HCM__HTTP_FILTER__CONFIG_TYPE_TYPED_CONFIG ? filter->typed_config : NULL;
}

static bool has_name(Hcm__HttpFilter *const *filters, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(filters[i]->name, name) == 0)
            return true;
    return false;
}

/* An optional one that is not known is left out. */
static int32_t read_unknown(struct reading *reading, const Hcm__HttpFilter *filter)
{
    const Pb__Any *config = config_of(filter);
    char name[SHOWN], type[SHOWN];

    shown(filter->name, name);
    shown(config ? config->type_url : "", type);
    if (!filter->is_optional)
        return reading_wrong(reading, "filter \"%s\" of type \"%s\" is not known to libmesh, and not optional", name,
                             type);
    reading_ignored(reading, "filter \"%s\" of type \"%s\" is left out", name, type);
    return 0;
}

static int32_t read_known(struct reading *reading, const Hcm__HttpFilter *filter, size_t index, enum filter_kind kind,
                          struct xds_filters *out)
{
    struct xds_filter *made = &out->items[out->n];
    int32_t err;

    if (out->n == FILTERS_MOST)
        return reading_wrong(reading, "more than %d filters that libmesh knows", (int) FILTERS_MOST);
    made->kind = kind;
    made->index = index;
    made->is_disabled = filter->disabled;
    reading_enter(reading, "typed_config");
    err = values_unpack(reading, filter->typed_config, filter_descriptor(kind), &made->config);
    reading_leave(reading);
    if (err)
        return err;
    out->n++;
    made->name = mem_strdup(filter->name);
    return made->name ? 0 : reading_no_memory(reading);
}

/* *ended: the router was read, after which nothing comes. */
static int32_t read_filter(struct reading *reading, Hcm__HttpFilter *const *filters, size_t at, bool *ended,
                           struct xds_filters *out)
{
    const Hcm__HttpFilter *filter = filters[at];
    enum filter_kind kind;
    char name[SHOWN];

    if (filter->name[0] == '\0')
        return reading_wrong(reading, "a filter has no name");
    if (has_name(filters, at, filter->name))
        return reading_wrong(reading, "there are two filters \"%s\"", shown(filter->name, name));
    if (scalar_any_is(config_of(filter), router__router__descriptor.name)) {
        if (*ended)
            return reading_wrong(reading, "there are two routers");
        *ended = true;
        return read_router(reading, filter);
    }
    if (!filter_kind_of(config_of(filter), &kind))
        return read_unknown(reading, filter);
    if (*ended)
        return reading_wrong(reading, "filter \"%s\" stands behind the router", shown(filter->name, name));
    return read_known(reading, filter, at, kind, out);
}

static int32_t read_all(struct reading *reading, size_t n, Hcm__HttpFilter *const *filters, struct xds_filters *out)
{
    bool ended = false;
    int32_t err = 0;

    if (n > HTTP_FILTERS_MOST)
        return reading_wrong_at(reading, "http_filters", "%zu of them; allowed are %d", n, (int) HTTP_FILTERS_MOST);
    for (size_t i = 0; i < n && !err; i++) {
        reading_enter_item(reading, "http_filters", i);
        err = read_filter(reading, filters, i, &ended, out);
        reading_leave(reading);
    }
    if (!err && !ended)
        err = reading_wrong_at(reading, "http_filters", "the last one is not the router (%s)",
                               router__router__descriptor.name);
    return err;
}

int32_t filters_read(struct reading *reading, size_t n, Hcm__HttpFilter *const *filters, struct xds_filters **out)
{
    struct xds_filters *made = mem_zalloc(sizeof *made);
    int32_t err = made ? read_all(reading, n, filters, made) : reading_no_memory(reading);

    if (err) {
        filters_free(made);
        made = NULL;
    }
    *out = made;
    return err;
}

void filters_free(struct xds_filters *filters)
{
    if (!filters)
        return;
    for (size_t i = 0; i < filters->n; i++) {
        mem_free(filters->items[i].name);
        wire_free(filters->items[i].config);
    }
    mem_free(filters);
}
