/* SPDX-License-Identifier: Apache-2.0 */
/* A route configuration being read: what its parts are handed, and what they offer each other. Private to source/xds/routes*.c
 * and filter*.c.
 *
 * Every part takes a message of protobuf-c and fills a struct of the model, in the arena of the routes. What may be there at most
 * is counted in routes_take(), so that neither time nor memory grows with what a control plane thinks of. */
#ifndef SOURCE_XDS_ROUTES_READER_H
#define SOURCE_XDS_ROUTES_READER_H

#include "base/regex.h"
#include "model/model.h"
#include "proto/matcher.pb-c.h"
#include "proto/route.pb-c.h"
#include "source/xds/filters.h"
#include "source/xds/listener.h"
#include "source/xds/values.h"
#include "source/xds/wire.h"

enum { ROUTES_TEXT_MOST = 16 << 10, ROUTES_PLACE = 512 };

/* What is counted; the limits and names are in routes_keep.c. */
enum routes_counted {
    ROUTES_HOST,
    ROUTES_DOMAIN,
    ROUTES_ROUTE,
    ROUTES_TARGET,
    ROUTES_MATCHER,
    ROUTES_CHANGE,
    ROUTES_REGEX,
    ROUTES_REGEX_BYTE,
    ROUTES_OVERRIDE,
    ROUTES_BODY_BYTE,
    ROUTES_COUNTED
};

/* Changes that one level makes, or several in order. */
struct routes_changes {
    struct header_changes request, response;
};

struct routes_mirrors {
    size_t n;
    struct route_mirror *items;
};

struct routes_reader {
    struct reading *reading;
    struct ignored *homeless;    /* what the listener has no filter for */
    struct model_routes *routes; /* being made */
    const struct xds_routes_env *env;
    size_t counts[ROUTES_COUNTED];
    struct map matching, replacing; /* regular expressions by pattern: each is made once */
    struct map clusters;            /* keys, by the names behind their prefix */
    struct route_bucket *buckets;   /* until all are known */
    size_t n_buckets;
    bool most_specific_wins;
    size_t body_most;

    /* What the levels around the route say; a route without words of its own shares it. */
    const Route__VirtualHost *host;
    size_t index;                /* of the route in it */
    struct routes_changes outer; /* of virtual host and configuration */
    struct filter_level filters;
    struct routes_mirrors mirrors;
};

/* ---- keeping: routes_keep.c ---- */

bool routes_reader_init(struct routes_reader *reader, struct reading *reading, const struct xds_routes_env *env);
/* Gives back what is not in the routes; the routes themselves when nobody took them (`routes` set to NULL). */
void routes_reader_clear(struct routes_reader *reader);
/* Refused: more of it than a configuration may have. */
int32_t routes_take(struct routes_reader *reader, enum routes_counted what, size_t n);
/* NULL: out of memory, which the fault says then. Never of no elements. */
void *routes_alloc(struct routes_reader *reader, size_t count, size_t size);
/* A copy. Refused: longer than ROUTES_TEXT_MOST. */
int32_t routes_text(struct routes_reader *reader, const char *text, const char **out);
/* Lower case. */
int32_t routes_lower(struct routes_reader *reader, const char *text, const char **out);
/* Borrowed from the routes. Refused: none, an empty one, and what RE2 would not have. */
int32_t routes_regex(struct routes_reader *reader, const char *field, const Matcher__RegexMatcher *matcher,
                     enum regex_use use, struct regex **out);
/* NULL leaves *out as it is. */
int32_t routes_rewrite(struct routes_reader *reader, const char *field, const Matcher__RegexMatchAndSubstitute *rewrite,
                       struct regex_rewrite *out);
/* The key in snapshots, kept once. */
int32_t routes_cluster(struct routes_reader *reader, const char *name, const char **key);
int32_t routes_add_bucket(struct routes_reader *reader, const struct route_bucket *bucket, uint32_t *index);
/* All of them go into the routes. */
int32_t routes_keep_buckets(struct routes_reader *reader);

/* ---- comparing: routes_match.c ---- */

int32_t routes_match(struct routes_reader *reader, const Route__RouteMatch *match, struct route *route, bool *known);
int32_t routes_header_matchers(struct routes_reader *reader, const char *field, size_t n,
                               Route__HeaderMatcher *const *matchers, size_t *n_out, struct match_header **out);

/* ---- headers: routes_headers.c ---- */

/* Lower case; "host" is ":authority". Refused: what is no token, with or without ":" in front. */
int32_t routes_header_name(struct routes_reader *reader, const char *name, const char **out);
/* Refused: control bytes other than tab. */
int32_t routes_header_value(struct routes_reader *reader, const char *value, const char **out);
struct routes_change_lists {
    size_t n_request_add, n_request_remove, n_response_add, n_response_remove;
    Core__HeaderValueOption *const *request_add, *const *response_add;
    char *const *request_remove, *const *response_remove;
};
int32_t routes_changes(struct routes_reader *reader, const struct routes_change_lists *lists,
                       struct routes_changes *out);
/* One after the other, as most_specific_wins says; `inner` is the more specific one. */
int32_t routes_append_changes(struct routes_reader *reader, const struct routes_changes *first,
                              const struct routes_changes *second, struct routes_changes *out);
int32_t routes_join_changes(struct routes_reader *reader, const struct routes_changes *inner,
                            const struct routes_changes *outer, struct routes_changes *out);
/* Takes %COMMAND(...)% apart. routes_value.c */
int32_t routes_value(struct routes_reader *reader, const char *value, size_t len, bool of_answer,
                     struct header_change *out);

/* ---- routes ---- */

/* *known false: it is left out, and listed. routes_route.c */
int32_t routes_route(struct routes_reader *reader, const Route__Route *message, struct route *route, bool *known);
/* Where it goes: routes_forward.c; `level`: filters of the route. */
int32_t routes_forward(struct routes_reader *reader, const Route__Route *message, const struct filter_level *level,
                       struct route *route, bool *known);
/* The route's own changes and those around it. routes_route.c */
int32_t routes_route_changes(struct routes_reader *reader, const Route__Route *message, struct routes_changes *out);
/* Timeouts, priority, hashes, hedging, retries, mirrors: routes_rules.c, routes_retry.c, routes_mirror.c */
int32_t routes_rules(struct routes_reader *reader, const Route__RouteAction *action, struct route_rules *rules);
int32_t routes_retry(struct routes_reader *reader, const Route__RetryPolicy *policy, struct route_rules *rules);
/* No policy leaves *out, which is that of the level above, as it is. */
int32_t routes_mirrors(struct routes_reader *reader, size_t n, Route__RouteAction__RequestMirrorPolicy *const *policies,
                       struct routes_mirrors *out);
/* routes_answer.c */
int32_t routes_redirect(struct routes_reader *reader, const Route__RedirectAction *action, struct route_redirect *out);
int32_t routes_answer(struct routes_reader *reader, const Route__DirectResponseAction *action, struct route *route);
/* Of metadata_match "envoy.lb" alone; `over` wins. NULL is none. routes_subset.c */
int32_t routes_subset(struct routes_reader *reader, const Core__Metadata *under, const Core__Metadata *over,
                      struct route_subset *out);

/* Of a listener's bytes, too: they may hold the routes. */
extern const struct wire_limits wire_limits_routes;

/* The same bytes inside another message: `reading` stands at it. */
int32_t routes_of_message(struct reading *reading, const Route__RouteConfiguration *message,
                          const struct xds_routes_env *env, struct model_routes **out);

#endif
