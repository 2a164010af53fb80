/* SPDX-License-Identifier: Apache-2.0 */
/* Shadows: copies of a request that its route sends to other clusters, too. Nobody waits for them and nobody hears of them: one attempt,
 * no retry, no hedge, no line in the access log; the answer is thrown away. The other cluster's breaker bounds how many run, and
 * they end with the client as all requests do. A request whose body is written piece by piece has none. */
#include <stdio.h>
#include <string.h>

#include "request/state.h"

struct shadow {
    struct request request;
};

static void on_shadow_done(struct request *request)
{
    response_free(request->response);
    mem_free(CONTAINER_OF(request, struct shadow, request));
}

static const struct request_ops shadow_ops = { .on_done = on_shadow_done };

/* ---- what it says ---- */

/* "users:80" is "users-shadow:80"; in an address of IPv6 the colon stands behind the bracket. */
static char *shadow_host(const char *host)
{
    const char *end = strrchr(host, ']'), *port = strchr(end ? end : host, ':');
    size_t len = port ? (size_t) (port - host) : strlen(host);
    struct buf text = { 0 };
    char *made = NULL;

    buf_printf(&text, "%.*s-shadow%s", (int) len, host, port ? port : "");
    if (buf_len(&text) > 0)
        made = mem_strndup((const char *) buf_bytes(&text), buf_len(&text));
    buf_free(&text);
    return made;
}

/* In whole milliseconds; 0: any time, or the cluster's. */
static uint32_t time_left_ms(const struct request *request)
{
    uint64_t now = loop_now_us(request->env->loop);

    if (request->ends_us == 0)
        return 0;
    return request->ends_us > now ? (uint32_t) ((request->ends_us - now + US_PER_MS - 1) / US_PER_MS) : 1;
}

static struct shadow *new_shadow(const struct request *request, const struct http_request *sent, const char *host)
{
    struct request_ask ask = request->ask;
    struct body body = { .bytes = request->body.bytes, .len = request->body.len };
    struct shadow *shadow;

    ask.path = sent->path;
    ask.authority = host;
    ask.headers = sent->headers;
    ask.n_headers = sent->n_headers;
    ask.timeout_ms = time_left_ms(request);
    ask.max_attempts = 1;
    ask.explain = false;
    shadow = request_keep(sizeof *shadow, 0, &ask, &body);
    if (!shadow)
        return NULL;
    shadow->request.ops = &shadow_ops;
    shadow->request.ask = ask;
    shadow->request.body = body;
    shadow->request.is_shadow = true;
    return shadow;
}

/* ---- where it goes ---- */

/* False: the header is not there, or names nothing that a cluster could be called. */
static bool key_by_header(const struct request_ask *ask, const char *name, char key[ROUTE_KEY_MOST])
{
    for (size_t i = 0; i < ask->n_headers; i++)
        if (text_equal_nocase(ask->headers[i].name, name))
            return snprintf(key, ROUTE_KEY_MOST, "xds:%s", ask->headers[i].value) < ROUTE_KEY_MOST;
    return false;
}

static struct cluster *find_cluster(struct request *request, const struct route_mirror *mirror)
{
    char by_header[ROUTE_KEY_MOST];
    const char *key = mirror->cluster;
    struct cluster *cluster = NULL;

    if (!key)
        key = key_by_header(&request->ask, mirror->cluster_header, by_header) ? by_header : NULL;
    return key && request->env->find_cluster(request->env, key, &cluster) == 0 ? cluster : NULL;
}

/* What cannot be mirrored is not: the request itself never fails because of it. */
static void send_one(struct request *request, const struct route_mirror *mirror, const struct http_request *sent)
{
    struct cluster *cluster = find_cluster(request, mirror);
    const char *given = mirror->host ? mirror->host : sent->authority;
    char *made = NULL;
    struct shadow *shadow = NULL;

    if (!cluster)
        return;
    if (!mirror->keep_host && !mirror->host)
        made = shadow_host(given);
    if (made || mirror->keep_host || mirror->host)
        shadow = new_shadow(request, sent, made ? made : given);
    mem_free(made);
    if (!shadow) {
        cluster_unref(cluster);
        return;
    }
    if (request_start_at(&shadow->request, request->env, cluster) != 0) {
        mem_free(shadow);
        return;
    }
    trace_mirrored(request->trace);
}

void mirror_send(struct request *request)
{
    const struct route_rules *rules = request->rules.route;
    struct rand *dice = loop_rand(request->env->loop);
    struct rewrite rewrite;
    struct http_request sent = {
        .authority = request_authority(request),
        .path = request->ask.path,
        .headers = request->ask.headers,
        .n_headers = request->ask.n_headers,
    };

    if (request->body.is_stream)
        return;
    if (rewrite_make(&rewrite, request, &sent) == 0)
        for (size_t i = 0; i < rules->n_mirrors; i++)
            if (route_fraction_hits(&rules->mirrors[i].fraction, rand_u64(dice)))
                send_one(request, &rules->mirrors[i], &sent);
    rewrite_clear(&rewrite);
}
