/* SPDX-License-Identifier: Apache-2.0 */
/* Another path, another host, and where a redirect leads. */
#include <string.h>

#include "route/conditions.h"

/* A text while it is made; whether there was room for all of it. */
struct making {
    struct buf text;
    bool failed;
};

static void put(struct making *making, const char *text, size_t len)
{
    making->failed = making->failed || !buf_append(&making->text, text, len);
}

static void put_text(struct making *making, const char *text)
{
    put(making, text, strlen(text));
}

/* What control planes and other people's requests make together must not end the line that it stands in. */
static bool can_be_sent(const char *text)
{
    for (; *text; text++)
        if ((unsigned char) *text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

/* Hands the text over, or says why not. */
static int32_t finish(struct making *making, char **out)
{
    int32_t err = 0;

    put(making, "", 1);
    if (making->failed)
        err = MESH_ERR_NOMEM;
    else if (!can_be_sent((const char *) buf_bytes(&making->text)))
        err = MESH_ERR_INVALID;
    if (err)
        buf_free(&making->text);
    else
        *out = (char *) making->text.data;
    return err;
}

static int32_t put_replaced(struct making *making, const struct regex_rewrite *rewrite, const char *text, size_t len)
{
    int32_t err = regex_replace(rewrite->regex, text, len, rewrite->substitution, &making->text);

    if (err)
        buf_free(&making->text);
    return err == MESH_ERR_TOO_LARGE ? MESH_ERR_INVALID : err;
}

/* ---- the path ---- */

/* Bytes that the route's own path matched: those that a prefix takes the place of. */
static size_t matched(const struct route *route, const char *path)
{
    size_t whole = route_path_length(path);

    return route->path.kind != MATCH_REGEX && route->path.len < whole ? route->path.len : whole;
}

/* By one of the two ways; an empty prefix is none. */
static int32_t rewrite_path(const struct route *route, const char *prefix, const struct regex_rewrite *rewrite,
                            const char *path, struct making *making)
{
    size_t replaced = matched(route, path);
    int32_t err = 0;

    if (prefix && *prefix) {
        put_text(making, prefix);
    } else {
        replaced = route_path_length(path);
        err = put_replaced(making, rewrite, path, replaced);
    }
    if (!err)
        put_text(making, path + replaced);
    return err;
}

static bool rewrites(const char *prefix, const struct regex_rewrite *rewrite)
{
    return (prefix && *prefix) || rewrite->regex;
}

int32_t route_rewrite_path(const struct route *route, const char *path, char **out)
{
    struct making making = { .failed = false };
    int32_t err;

    *out = NULL;
    if (!rewrites(route->prefix_rewrite, &route->path_rewrite))
        return 0;
    err = rewrite_path(route, route->prefix_rewrite, &route->path_rewrite, path, &making);
    return err ? err : finish(&making, out);
}

/* ---- the host ---- */

int32_t route_rewrite_host(const struct route_choice *choice, const struct route_request *request, char **out)
{
    const struct route *route = choice->route;
    struct making making = { .failed = false };
    const char *host = route->host_rewrite;
    int32_t err;

    *out = NULL;
    if (!host && route->host_header)
        host = route_header(request, route->host_header);
    if (!host && route->host_path_rewrite.regex) {
        err = put_replaced(&making, &route->host_path_rewrite, request->path, route_path_length(request->path));
        return err ? err : finish(&making, out);
    }
    if ((!host || !*host) && choice->target)
        host = choice->target->host;
    if (!host || !*host)
        return 0;
    put_text(&making, host);
    return finish(&making, out);
}

/* ---- redirects ---- */

static bool is_default_port(const char *scheme, const char *port)
{
    return strcmp(port, strcmp(scheme, "https") == 0 ? ":443" : ":80") == 0;
}

/* The request's host, without a port that another one takes the place of, or that was the default of another scheme. */
static void put_own_host(struct making *making, const struct route_redirect *redirect, const char *host,
                         const char *scheme)
{
    const char *port = strrchr(host, ':');
    bool is_other_scheme = redirect->scheme && strcmp(redirect->scheme, scheme) != 0;

    if (port && host[0] == '[' && port[-1] != ']')
        port = NULL;
    if (port && (redirect->port || (is_other_scheme && is_default_port(scheme, port))))
        put(making, host, (size_t) (port - host));
    else
        put_text(making, host);
}

/* The query of a path that is given as a whole takes the place of the request's, and is never taken away. */
static void put_given_path(struct making *making, const struct route_redirect *redirect, const char *path)
{
    const char *query = strchr(path, '?');

    if (redirect->path[0] != '/')
        put_text(making, "/");
    put_text(making, redirect->path);
    if (!strchr(redirect->path, '?') && query && !redirect->strip_query)
        put_text(making, query);
}

static int32_t put_path(struct making *making, const struct route *route, const char *path)
{
    const struct route_redirect *redirect = &route->redirect;
    struct making rewritten = { .failed = false };
    int32_t err = 0;

    if (rewrites(redirect->prefix_rewrite, &redirect->regex_rewrite))
        err = rewrite_path(route, redirect->prefix_rewrite, &redirect->regex_rewrite, path, &rewritten);
    else
        put_text(&rewritten, path);
    if (err)
        return err;
    put(&rewritten, "", 1);
    if (!rewritten.failed) {
        const char *text = (const char *) buf_bytes(&rewritten.text);

        if (text[0] != '/')
            put_text(making, "/");
        put(making, text, redirect->strip_query ? strcspn(text, "?") : strlen(text));
    }
    making->failed = making->failed || rewritten.failed;
    buf_free(&rewritten.text);
    return 0;
}

int32_t route_redirect_location(const struct route *route, const struct route_request *request, const char *scheme,
                                char **out)
{
    const struct route_redirect *redirect = &route->redirect;
    struct making making = { .failed = false };
    char port[TEXT_U64];
    int32_t err = 0;

    *out = NULL;
    put_text(&making, redirect->scheme ? redirect->scheme : scheme);
    put_text(&making, "://");
    if (redirect->host)
        put_text(&making, redirect->host);
    else
        put_own_host(&making, redirect, route_authority(request), scheme);
    if (redirect->port) {
        put_text(&making, ":");
        put(&making, port, text_from_u64(redirect->port, port));
    }
    if (redirect->path)
        put_given_path(&making, redirect, request->path);
    else
        err = put_path(&making, route, request->path);
    if (!err)
        return finish(&making, out);
    buf_free(&making.text);
    return err;
}
