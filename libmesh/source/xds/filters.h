/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP filters of a listener - injected faults, local rate limits - and what a route configuration says of them otherwise
 * (typed_per_filter_config). Private to source/xds/.
 *
 * The listener keeps their messages. What counts for a route is found level by level, from the listener over configuration, virtual
 * host and route to the entry of a weighted cluster: the most specific one wins, and nothing is merged. */
#ifndef SOURCE_XDS_FILTERS_H
#define SOURCE_XDS_FILTERS_H

#include "model/model.h"
#include "proto/http_connection_manager.pb-c.h"
#include "proto/protobuf.pb-c.h"
#include "source/xds/reading.h"

struct routes_reader;

enum { FILTERS_MOST = 16 };

enum filter_kind { FILTER_FAULT, FILTER_LIMIT };

/* The router is not among them. */
struct xds_filters {
    size_t n;
    struct xds_filter {
        char *name;
        size_t index; /* among all of the listener's */
        enum filter_kind kind;
        bool is_disabled; /* until an override enables it */
        ProtobufCMessage *config;
    } items[FILTERS_MOST];
};

/* Refused: unknown filters that are not optional, and whatever the last one is but the router. */
int32_t filters_read(struct reading *reading, size_t n, Hcm__HttpFilter *const *filters, struct xds_filters **out);
void filters_free(struct xds_filters *filters); /* NULL is fine */

const ProtobufCMessageDescriptor *filter_descriptor(enum filter_kind kind);
/* False: a configuration of neither, or none. */
bool filter_kind_of(const Pb__Any *config, enum filter_kind *out);

struct filter_state {
    bool is_on;
    const struct route_fault *fault; /* NULL: it does nothing */
    const struct route_limit *limit;
};

/* What counts at one level, in the order of the listener's filters; the structs live in the routes. */
struct filter_level {
    struct filter_state states[FILTERS_MOST];
    size_t n_faults, n_limits;
    struct route_fault *faults;
    struct route_limit *limits;
};

/* A map typed_per_filter_config, whose entries are of another type in each message. */
struct filter_overrides {
    size_t n;
    ProtobufCMessage *const *entries;
};
#define FILTER_OVERRIDES(message)                                                                            \
    (struct filter_overrides)                                                                                \
    {                                                                                                        \
        (message)->n_typed_per_filter_config, (ProtobufCMessage *const *) (message)->typed_per_filter_config \
    }

/* What the listener says. */
int32_t filters_begin(struct routes_reader *reader, struct filter_level *out);
/* `place` tells token buckets apart, and stays the same when the configuration comes again. */
int32_t filters_override(struct routes_reader *reader, const struct filter_level *outer,
                         const struct filter_overrides *overrides, const char *place, struct filter_level *out);
/* Where entries of a weighted cluster differ from their route: its faults are then those of the entries, each for requests that go
 * there only. `levels`: of each target. */
int32_t filters_of_targets(struct routes_reader *reader, const struct filter_level *route,
                           const struct filter_level *levels, const struct route_target *targets, size_t n,
                           struct route_rules *rules);

/* One filter's configuration, *any false: it does nothing. filter_fault.c, filter_limit.c */
int32_t filter_fault(struct routes_reader *reader, const ProtobufCMessage *config, struct route_fault *out, bool *any);
int32_t filter_limit(struct routes_reader *reader, const ProtobufCMessage *config, const char *name, const char *place,
                     struct route_limit *out, bool *any);

#endif
