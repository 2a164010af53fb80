/* SPDX-License-Identifier: Apache-2.0 */
/* What peers say when they have too much to do. */
#include "request/overload.h"

#include <string.h>

static bool has(const struct mesh_response *response, const char *name, const char *value, bool is_trailer)
{
    const char *found = response_find(response, name, is_trailer);

    return found && (!value || text_equal_nocase(found, value));
}

static bool is_exhausted(const struct mesh_response *response, bool is_trailer)
{
    return has(response, "grpc-status", "8", is_trailer);
}

static bool turns_away(const struct mesh_response *response)
{
    return has(response, "retry-after", NULL, false) || has(response, "x-envoy-overloaded", NULL, false) ||
           has(response, "x-mesh-retry", "no", false);
}

bool overload_told_by_head(const struct mesh_response *response)
{
    if (response->status == 429)
        return true;
    if (response->status == 503)
        return turns_away(response);
    return is_exhausted(response, false);
}

bool overload_told_by_trailers(const struct mesh_response *response)
{
    return is_exhausted(response, true);
}

void overload_hear_head(const struct request *request)
{
    if (admission_listens(&request->admission) && overload_told_by_head(request->response))
        admission_turned_away(&request->admission);
}

void overload_hear_trailers(const struct request *request)
{
    if (admission_listens(&request->admission) && overload_told_by_trailers(request->response))
        admission_turned_away(&request->admission);
}

void overload_hear_answer(struct request *request, enum attempt_outcome outcome)
{
    uint64_t now = loop_now_us(request->env->loop);

    if (admission_listens(&request->admission) && outcome == ATTEMPT_ANSWERED)
        admission_answered(&request->admission, now - request->attempt.opened_us);
    if (request->ops->on_head)
        admission_streams(&request->admission);
}

/* Of a timeout only when the peer had the request; a stream that is silent after its head was taken. */
void overload_hear_timeout(const struct request *request, int32_t err)
{
    bool is_stream = request->ops->on_head != NULL;
    bool awaited = request->state == REQUEST_OPEN || (request->state == REQUEST_READING && !is_stream);

    if (err == MESH_ERR_TIMEOUT && awaited && admission_listens(&request->admission))
        admission_turned_away(&request->admission);
}
