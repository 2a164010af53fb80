/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects and direct responses. */
#include <string.h>

#include "source/xds/routes_reader.h"

enum { LEAST_STATUS = 200, HIGHEST_STATUS = 599 };

/* ---- redirects ---- */

/* "" stays NULL. */
static int32_t set_value(struct routes_reader *reader, const char *field, const char *value, const char **out)
{
    int32_t err;

    if (value[0] == '\0')
        return 0;
    reading_enter(reader->reading, field);
    err = routes_header_value(reader, value, out);
    reading_leave(reader->reading);
    return err;
}

static int32_t read_redirect_path(struct routes_reader *reader, const Route__RedirectAction *action,
                                  struct route_redirect *out)
{
    switch (action->path_rewrite_specifier_case) {
    case ROUTE__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PATH_REDIRECT:
        return set_value(reader, "path_redirect", action->path_redirect, &out->path);
    case ROUTE__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PREFIX_REWRITE:
        return set_value(reader, "prefix_rewrite", action->prefix_rewrite, &out->prefix_rewrite);
    case ROUTE__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_REGEX_REWRITE:
        return routes_rewrite(reader, "regex_rewrite", action->regex_rewrite, &out->regex_rewrite);
    default:
        return 0;
    }
}

static int32_t read_redirect_scheme(struct routes_reader *reader, const Route__RedirectAction *action,
                                    struct route_redirect *out)
{
    if (action->scheme_rewrite_specifier_case == ROUTE__REDIRECT_ACTION__SCHEME_REWRITE_SPECIFIER_SCHEME_REDIRECT)
        return set_value(reader, "scheme_redirect", action->scheme_redirect, &out->scheme);
    if (action->scheme_rewrite_specifier_case == ROUTE__REDIRECT_ACTION__SCHEME_REWRITE_SPECIFIER_HTTPS_REDIRECT &&
        action->https_redirect)
        out->scheme = "https";
    return 0;
}

int32_t routes_redirect(struct routes_reader *reader, const Route__RedirectAction *action, struct route_redirect *out)
{
    static const uint16_t statuses[] = { 301, 302, 303, 307, 308 };
    int32_t err;

    if ((uint32_t) action->response_code >= COUNT_OF(statuses))
        return reading_wrong_at(reader->reading, "response_code", "%d does not exist", (int) action->response_code);
    if (action->port_redirect > UINT16_MAX)
        return reading_wrong_at(reader->reading, "port_redirect", "%u is no port", action->port_redirect);
    out->status = statuses[action->response_code];
    out->port = action->port_redirect;
    out->strip_query = action->strip_query;
    err = set_value(reader, "host_redirect", action->host_redirect, &out->host);
    if (!err)
        err = read_redirect_path(reader, action, out);
    return err ? err : read_redirect_scheme(reader, action, out);
}

/* ---- direct responses ---- */

static int32_t keep_body(struct routes_reader *reader, const struct buf *body, struct route *route)
{
    int32_t err = routes_take(reader, ROUTES_BODY_BYTE, buf_len(body));
    char *kept;

    if (err || buf_len(body) == 0)
        return err;
    kept = routes_alloc(reader, buf_len(body), 1);
    if (!kept)
        return MESH_ERR_NOMEM;
    memcpy(kept, buf_bytes(body), buf_len(body));
    route->answer_body = kept;
    route->answer_len = buf_len(body);
    return 0;
}

int32_t routes_answer(struct routes_reader *reader, const Route__DirectResponseAction *action, struct route *route)
{
    struct buf body = { 0 };
    int32_t err;

    if (action->status < LEAST_STATUS || action->status > HIGHEST_STATUS)
        return reading_wrong_at(reader->reading, "status", "%u; allowed is 200 to 599", action->status);
    route->answer_status = (uint16_t) action->status;
    reading_enter(reader->reading, "body");
    err = values_data(reader->reading, action->body, reader->body_most, &body);
    if (!err)
        err = keep_body(reader, &body, route);
    reading_leave(reader->reading);
    buf_free(&body);
    return err;
}
