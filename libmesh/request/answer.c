/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that come from here, and what a route changes in those of others. */
#include "request/request.h"

#include <stdio.h>
#include <string.h>

#include "grpc/status.h"
#include "request/state.h"

static bool is_grpc(const struct request *request)
{
    return request->ask.deadline.is_grpc;
}

/* ---- making one ---- */

static int32_t put(struct mesh_response *response, const char *name, const char *value)
{
    return response_add_field(response, name, strlen(name), value, strlen(value), false);
}

static int32_t put_number(struct mesh_response *response, const char *name, uint64_t value)
{
    char text[TEXT_U64];

    text_from_u64(value, text);
    return put(response, name, text);
}

/* gRPC's "PROTOCOL-HTTP2.md": a percent sign and all that is not printable ASCII is escaped. */
static int32_t put_grpc_message(struct mesh_response *response, const char *text, size_t len)
{
    struct buf escaped = { 0 };
    bool fits = true;
    int32_t err;

    for (size_t i = 0; i < len && fits; i++) {
        unsigned char c = (unsigned char) text[i];

        fits = c < 0x20 || c > 0x7e || c == '%' ? buf_printf(&escaped, "%%%02X", c) : buf_append(&escaped, &c, 1);
    }
    err = fits && buf_append(&escaped, "", 1) ? 0 : MESH_ERR_NOMEM;
    if (!err)
        err = put(response, "grpc-message", (const char *) buf_bytes(&escaped));
    buf_free(&escaped);
    return err;
}

/* As Envoy has it: a call of gRPC is answered with status 200 and what the HTTP status means. */
static int32_t make_grpc(struct mesh_response *response, const struct answer *answer)
{
    int code = answer->grpc_status == GRPC_STATUS_NONE ? (int) grpc_code_of_http(answer->status) : answer->grpc_status;
    int32_t err = put(response, "content-type", "application/grpc");

    response->status = 200;
    if (!err)
        err = put_number(response, "grpc-status", (uint64_t) code);
    if (!err && answer->len > 0)
        err = put_grpc_message(response, answer->body, answer->len);
    return err;
}

static int32_t make_http(struct mesh_response *response, const struct answer *answer)
{
    int32_t err = answer->len > 0 ? put(response, "content-type", "text/plain") : 0;

    response->status = answer->status;
    if (!err && answer->len > 0)
        err = put_number(response, "content-length", answer->len);
    if (!err && answer->len > 0 && !buf_append(&response->body, answer->body, answer->len))
        err = MESH_ERR_NOMEM;
    return err;
}

static int32_t make(struct request *request, const struct answer *answer)
{
    struct mesh_response *response = request->response;
    int32_t err;

    response_reset(response);
    err = is_grpc(request) ? make_grpc(response, answer) : make_http(response, answer);
    if (!err && answer->location)
        err = put(response, "location", answer->location);
    return err;
}

/* ---- telling it ---- */

static void tell_stream(struct request *request)
{
    request->ops->on_head(request);
    if (buf_len(&request->response->body) > 0)
        request->ops->on_readable(request);
}

static void on_told(struct loop_timer *timer)
{
    struct request *request = CONTAINER_OF(timer, struct request, pause);

    if (request_is_collected(request)) {
        request_finish(request, 0);
        return;
    }
    if (answer_change(request) != 0) {
        request_fail(request, MESH_ERR_NOMEM);
        return;
    }
    tell_stream(request);
    request_finish(request, 0);
}

void answer_locally(struct request *request, const struct answer *answer)
{
    int32_t err = make(request, answer);

    if (err) {
        request_fail_later(request, fault_set(&request->response->fault, err, "out of memory for an answer"));
        return;
    }
    request->answered_by = answer->by;
    request_pause(request, on_told, 0);
}

/* ---- what the route changes ---- */

static const struct header_changes *changes_of(const struct request *request)
{
    return request->way.target && !request->answered_by ? &request->way.target->response_changes
                                                        : &request->way.route->response_changes;
}

static int32_t change(struct request *request, const struct header_changes *changes)
{
    struct mesh_response *response = request->response;
    struct route_request what = request_what(request);
    struct route_facts facts = way_facts(request, &what);
    size_t n;
    struct mesh_header *headers = response_headers(response, &n);
    struct header_list list = { .cap = 0 };
    int32_t err = MESH_ERR_NOMEM;

    facts.answer = headers;
    facts.n_answer = n;
    if ((n == 0 || headers) && header_list_copy(&list, headers, n) && route_change_headers(changes, &facts, &list))
        err = response_replace_headers(response, list.items, list.n);
    header_list_clear(&list);
    mem_free(headers);
    return err;
}

int32_t answer_change(struct request *request)
{
    const struct header_changes *changes = request->way.route ? changes_of(request) : NULL;

    if (!changes || changes->n == 0)
        return 0;
    if (change(request, changes) == 0)
        return 0;
    return fault_set(&request->response->fault, MESH_ERR_NOMEM, "out of memory for the headers of the answer");
}
