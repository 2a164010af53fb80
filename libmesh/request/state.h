/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of request/ tell each other. Private to request/. */
#ifndef REQUEST_STATE_H
#define REQUEST_STATE_H

#include "request/request.h"
#include "request/retry.h"

/* An attempt that has less time is not begun. */
#define REQUEST_LEAST_US US_PER_MS

/* rewrite.c: what a request's route makes of its head. */
struct rewrite {
    bool is_made;
    char *path, *host;       /* NULL: as they are */
    char *forwarded;         /* x-forwarded-host; NULL: it is not sent */
    char count[TEXT_U64];    /* x-envoy-attempt-count */
    struct header_list list; /* the application's headers, changed */
};
/* Changes path, authority and headers of `wanted`, which then point into it; host "": the authority stays. Nothing for requests to configured services.
 * MESH_ERR_NOMEM, MESH_ERR_INVALID; rewrite_clear() in any case. */
int32_t rewrite_make(struct rewrite *rewrite, const struct request *request, struct http_request *wanted);
void rewrite_clear(struct rewrite *rewrite);

/* head.c: what an attempt sends before its body. */
struct head {
    struct http_request wanted;
    struct mesh_header extra[5 + DEADLINE_HEADERS];
    char number[TEXT_U64]; /* x-mesh-attempt; "" for the first */
    struct deadline_lines deadline;
    struct mesh_header *filtered; /* NULL: the headers as they are */
    struct rewrite rewrite;
};
/* MESH_ERR_NOMEM. Points into the request and into itself; head_clear() in any case. */
int32_t head_make(struct head *head, const struct request *request);
void head_clear(struct head *head);

/* attempt.c */
/* Chooses an endpoint and asks for a connection. 0: under way; MESH_ERR_AGAIN: endpoints are not known yet; else the attempt
 * did not begin and response.fault says why. */
int32_t attempt_start(struct request *request);
/* The same in two steps, in one turn: after the first nothing has begun. */
int32_t attempt_choose(struct request *request, struct cluster_choice *choice);
int32_t attempt_send(struct request *request, const struct cluster_choice *choice);
/* An endpoint was sent an attempt: the next one goes to another. */
void attempt_remember(struct request *request, struct endpoint *endpoint);
/* Gives back whatever it holds, resetting an open stream. Nothing if none runs. */
void attempt_end(struct request *request, enum attempt_outcome outcome);
/* The endpoints that were tried are not remembered any more. */
void attempt_forget_tried(struct request *request);

/* request.c: what an attempt tells, in the order of its life. */
void request_attempt_opened(struct request *request);
void request_attempt_head(struct request *request, bool end);
void request_attempt_data(struct request *request);
void request_attempt_done(struct request *request);
/* The attempt's resources are still held. */
void request_attempt_failed(struct request *request, int32_t err, enum http_reach reach, const struct fault *why);
void request_begin_attempt(struct request *request);
/* The outcome: an answer (0), or a failure whose fault is in the response. */
void request_finish(struct request *request, int32_t err);
void request_fail(struct request *request, int32_t err);
/* Less than so much of its time is left. */
bool request_has_less(const struct request *request, uint64_t us);
/* request.pause: backoff, an attempt's own time, a stream's silence. */
void request_pause(struct request *request, void (*on_due)(struct loop_timer *timer), uint64_t due_us);
/* The same as request_fail() in the next turn: on_done() never comes from within request_start(). The fault is in the response. */
void request_fail_later(struct request *request, int32_t err);
void request_on_deadline(struct loop_timer *timer);
/* Its answers are collected: it is no stream. */
bool request_is_collected(const struct request *request);
void request_set_state(struct request *request, enum request_state next);

/* home.c */
const char *request_authority(const struct request *request);
struct route_request request_what(const struct request *request);
/* Its cluster is known, and nothing of its route is in the way: it is sent if the cluster takes it. */
void home_settle(struct request *request);

/* way.c: what its route has happen to it before it is sent; home_settle() follows unless that was its end. */
void way_begin(struct request *request, const struct route_choice *choice);
/* For variables in values of headers. Borrows all of it. */
struct route_facts way_facts(const struct request *request, const struct route_request *what);
void way_forget(struct request *request);

/* answer.c: an answer that comes from here. */
struct answer {
    const char *by; /* what it is; constant */
    int status;
    int grpc_status; /* of a gRPC call; GRPC_STATUS_NONE: what `status` means */
    const char *body;
    size_t len;
    const char *location; /* NULL: none */
};
/* In the next turn. */
void answer_locally(struct request *request, const struct answer *answer);
/* What the route changes in the head of the answer that is there. MESH_ERR_NOMEM. */
int32_t answer_change(struct request *request);

/* mirror.c: sends copies of it to where its route says. */
void mirror_send(struct request *request);

/* again.c: whether the attempt is followed by another, and if so has that begun in another turn. */
bool again_after_failure(struct request *request, int32_t err, enum http_reach reach);
/* The head of its answer has come, or the whole of it. */
bool again_after_head(struct request *request);
bool again_after_trailers(struct request *request);
bool again_after_whole(struct request *request);
/* An answer that the policy would not have again. */
bool again_is_usable(const struct request *request, const struct mesh_response *response);
/* An attempt beyond the first is about to be sent: false when the budget does not cover it. */
bool again_spend(struct request *request);
/* The status that its answer, as far as it has come, is judged by: a gRPC server answers 200 to nearly everything. */
int again_status(const struct request *request);
/* What that says about the endpoint. */
enum attempt_outcome again_outcome(const struct request *request);

/* hedge.c */
/* The attempt's stream has opened: a hedge is sent when it is late. */
void hedge_later(struct request *request);
/* The attempt's own time is over, but it goes on; a hedge is sent if it may be. */
void hedge_now(struct request *request);
/* Its attempt has ended while the hedge runs, without (err) or with an answer that is not usable: what follows is decided at the
 * hedge's end. */
void hedge_hold(struct request *request, int32_t err, enum http_reach reach, enum attempt_outcome outcome);
/* Its answer is not needed any more. Nothing if none runs. */
void hedge_drop(struct request *request);

/* report.c */
/* The response's detail, for whoever must understand what happened. */
void report_detail(struct request *request);
void report_access(const struct request *request);
uint32_t report_flags(int32_t err, bool timed_out_try);

#endif
