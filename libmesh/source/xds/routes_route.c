/* SPDX-License-Identifier: Apache-2.0 */
/* A route: what it matches, and which of the four things is done with it. */
#include <stdio.h>
#include <string.h>

#include "source/xds/routes_reader.h"

int32_t routes_route_changes(struct routes_reader *reader, const Route__Route *message, struct routes_changes *out)
{
    struct routes_change_lists lists = {
        .n_request_add = message->n_request_headers_to_add,
        .request_add = message->request_headers_to_add,
        .n_request_remove = message->n_request_headers_to_remove,
        .request_remove = message->request_headers_to_remove,
        .n_response_add = message->n_response_headers_to_add,
        .response_add = message->response_headers_to_add,
        .n_response_remove = message->n_response_headers_to_remove,
        .response_remove = message->response_headers_to_remove,
    };
    struct routes_changes own;
    int32_t err = routes_changes(reader, &lists, &own);

    return err ? err : routes_join_changes(reader, &own, &reader->outer, out);
}

/* ---- what is answered without asking anybody ---- */

static int32_t read_answer(struct routes_reader *reader, const Route__Route *message, struct route *route)
{
    struct routes_changes changes;
    int32_t err = routes_route_changes(reader, message, &changes);

    if (err)
        return err;
    route->response_changes = changes.response;
    if (message->action_case == ROUTE__ROUTE__ACTION_REDIRECT) {
        route->action = ROUTE_REDIRECT;
        reading_enter(reader->reading, "redirect");
        err = routes_redirect(reader, message->redirect, &route->redirect);
    } else {
        route->action = ROUTE_ANSWER;
        reading_enter(reader->reading, "direct_response");
        err = routes_answer(reader, message->direct_response, route);
    }
    reading_leave(reader->reading);
    return err;
}

/* Requests that match fail; later routes are not for them. */
static int32_t refuse(struct routes_reader *reader, const Route__Route *message, struct route *route)
{
    route->action = ROUTE_REFUSE;
    if (message->action_case == ROUTE__ROUTE__ACTION_NON_FORWARDING_ACTION) {
        route->refused = "the route has non_forwarding_action, which is for servers";
        return 0;
    }
    route->refused = "the route has no action that libmesh knows";
    reading_ignored(reader->reading, "it has none of route, redirect and direct_response: requests that match fail");
    return 0;
}

/* ---- all of it ---- */

/* What counts for a route with words of its own. */
static int32_t override_filters(struct routes_reader *reader, const Route__Route *message, struct filter_level *out)
{
    const struct filter_overrides overrides = FILTER_OVERRIDES(message);
    char place[ROUTES_PLACE];

    if (message->name[0] != '\0')
        snprintf(place, sizeof place, "host %s route %s", reader->host->name, message->name);
    else
        snprintf(place, sizeof place, "host %s route %zu", reader->host->name, reader->index);
    return filters_override(reader, &reader->filters, &overrides, place, out);
}

static void set_filters(const struct filter_level *level, struct route_rules *rules)
{
    rules->n_faults = level->n_faults;
    rules->faults = level->faults;
    rules->n_limits = level->n_limits;
    rules->limits = level->limits;
}

static int32_t read_action(struct routes_reader *reader, const Route__Route *message, const struct filter_level *level,
                           struct route *route, bool *known)
{
    set_filters(level, &route->rules);
    switch (message->action_case) {
    case ROUTE__ROUTE__ACTION_ROUTE:
        return routes_forward(reader, message, level, route, known);
    case ROUTE__ROUTE__ACTION_REDIRECT:
    case ROUTE__ROUTE__ACTION_DIRECT_RESPONSE:
        return read_answer(reader, message, route);
    default:
        return refuse(reader, message, route);
    }
}

int32_t routes_route(struct routes_reader *reader, const Route__Route *message, struct route *route, bool *known)
{
    struct filter_level own;
    int32_t err = routes_text(reader, message->name, &route->name);

    if (!err)
        err = routes_match(reader, message->match, route, known);
    if (err || !*known)
        return err;
    if (message->n_typed_per_filter_config == 0)
        return read_action(reader, message, &reader->filters, route, known);
    err = override_filters(reader, message, &own);
    return err ? err : read_action(reader, message, &own, route, known);
}
