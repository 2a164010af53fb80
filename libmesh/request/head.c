/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an attempt: the application's headers, and the library's own in place of those of the same name. */
#include <string.h>

#include "request/state.h"

static const char attempt_header[] = "x-mesh-attempt";

static bool is_stream(const struct request *request)
{
    return request->ops->on_head != NULL;
}

/* A stream may last: its time ends with the head of the answer, and the callee is told none but the application's. */
static struct deadline_times times_of(const struct request *request)
{
    uint64_t now = loop_now_us(request->env->loop);
    uint32_t try_ms = request->rules.retry->per_try_timeout_ms;
    struct deadline_times times = { now - request->began_us, DEADLINE_NONE, DEADLINE_NONE };

    if (is_stream(request))
        return times;
    if (request->ends_us)
        times.left_us = request->ends_us > now ? request->ends_us - now : 0;
    if (try_ms > 0 && !request->rules.hedges_late)
        times.try_us = try_ms * US_PER_MS;
    return times;
}

static void add_attempt(struct head *head, uint32_t number)
{
    text_from_u64(number, head->number);
    head->extra[head->wanted.n_extra++] = (struct mesh_header){ attempt_header, head->number };
}

/* The application's own goes on as it is; the default is understood without one. */
static void add_criticality(struct head *head, const struct request *request)
{
    enum policy_criticality criticality = request->admission.criticality;

    if (request->ask.has_criticality || criticality == CRITICALITY_CRITICAL)
        return;
    head->extra[head->wanted.n_extra++] =
        (struct mesh_header){ "x-mesh-criticality", policy_criticality_name(criticality) };
}

static void add_deadline(struct head *head, const struct request *request)
{
    struct deadline_times times = times_of(request);

    deadline_write(&head->deadline, &request->ask.deadline, request->conf->policy.deadline_headers, &times);
    for (size_t i = 0; i < head->deadline.n; i++)
        head->extra[head->wanted.n_extra++] = head->deadline.headers[i];
}

static void add(struct head *head, const char *name, const char *value)
{
    if (value && *value)
        head->extra[head->wanted.n_extra++] = (struct mesh_header){ name, value };
}

/* Envoy's, of a request that goes by a route. */
static void add_rewritten(struct head *head, const struct request *request)
{
    const struct rewrite *rewrite = &head->rewrite;

    if (!rewrite->is_made)
        return;
    add(head, "x-envoy-original-path", rewrite->path ? request->ask.path : NULL);
    add(head, "x-forwarded-host", rewrite->forwarded);
    add(head, "x-envoy-attempt-count", rewrite->count);
}

/* Ours stand in the place of the application's. */
static bool is_replaced(const struct head *head, const char *name)
{
    for (size_t i = 0; i < head->wanted.n_extra; i++)
        if (text_equal_nocase(name, head->extra[i].name))
            return true;
    return false;
}

/* Without looking at the headers: most requests have none of these. */
static bool may_replace(const struct head *head, const struct request_ask *ask)
{
    const struct rewrite *rewrite = &head->rewrite;

    return head->number[0] || head->deadline.which & ask->deadline.found ||
           (rewrite->is_made && (rewrite->path || rewrite->forwarded || rewrite->count[0]));
}

static bool replaces_one(const struct head *head)
{
    for (size_t i = 0; i < head->wanted.n_headers; i++)
        if (is_replaced(head, head->wanted.headers[i].name))
            return true;
    return false;
}

static int32_t leave_out_replaced(struct head *head, const struct request_ask *ask)
{
    const struct mesh_header *headers = head->wanted.headers;
    size_t n = head->wanted.n_headers;

    if (!may_replace(head, ask) || !replaces_one(head))
        return 0;
    head->filtered = mem_array(n, sizeof *head->filtered);
    if (!head->filtered)
        return MESH_ERR_NOMEM;
    head->wanted.headers = head->filtered;
    head->wanted.n_headers = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_replaced(head, headers[i].name))
            head->filtered[head->wanted.n_headers++] = headers[i];
    return 0;
}

int32_t head_make(struct head *head, const struct request *request)
{
    const struct request_ask *ask = &request->ask;
    int32_t err;

    head->filtered = NULL;
    head->number[0] = '\0';
    head->wanted = (struct http_request){
        .method = ask->method,
        .scheme = model_protocol_tls(endpoint_settings(request->attempt.endpoint)->protocol) ? "https" : "http",
        .authority = request_authority(request),
        .path = ask->path,
        .headers = ask->headers,
        .n_headers = ask->n_headers,
        .extra = head->extra,
        .has_body = !body_is_empty(&request->body),
        .body_len = body_length(&request->body),
        .again = request->made > 1,
        .deadline_us = is_stream(request) ? 0 : request->ends_us,
    };
    err = rewrite_make(&head->rewrite, request, &head->wanted);
    if (err)
        return err;
    if (request->made > 1)
        add_attempt(head, request->made);
    add_criticality(head, request);
    add_deadline(head, request);
    add_rewritten(head, request);
    return leave_out_replaced(head, ask);
}

void head_clear(struct head *head)
{
    mem_free(head->filtered);
    rewrite_clear(&head->rewrite);
}
