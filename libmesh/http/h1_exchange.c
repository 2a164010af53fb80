/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one exchange: taken, started, paused and unpaused, done or dropped, put back. */
#include <string.h>

#include "http/h1.h"

enum { MOST_SPARE = 32, MOST_SPARE_BYTES = 64 << 10 };

static struct h1_exchange *exchange_new(struct h1_conn *conn)
{
    struct h1_exchange *exchange = mem_zalloc(sizeof *exchange);

    if (!exchange)
        return NULL;
    exchange->conn = conn;
    exchange->easy = h1_easy_new(exchange);
    if (exchange->easy)
        return exchange;
    mem_free(exchange);
    return NULL;
}

void h1_exchange_free(struct h1_exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    buf_free(&exchange->lines);
    mem_free(exchange->request_block);
    mem_free(exchange);
}

struct h1_exchange *h1_exchange_take(struct h1_conn *conn)
{
    struct list *link = list_pop_front(&conn->spare);

    if (!link)
        return exchange_new(conn);
    conn->n_spare--;
    return CONTAINER_OF(link, struct h1_exchange, link);
}

static void reset(struct h1_exchange *exchange)
{
    exchange->state = H1_SPARE;
    exchange->stream = NULL;
    exchange->head = (struct h1_head){ 0 };
    exchange->has_waited = exchange->head_done = exchange->ended_properly = exchange->is_answered =
        exchange->has_excess = exchange->body_ended = false;
    exchange->recv_paused = exchange->send_paused = exchange->has_more = false;
    exchange->n_informational = exchange->attempts = 0;
    exchange->is_reusable = false;
    exchange->unconsumed = 0;
    exchange->size_before = 0;
    exchange->socket_errno = 0;
    exchange->fault.code = 0;
    buf_clear(&exchange->lines);
}

/* Only a handle whose transfer went well is used again: in others libcurl leaves what it would have done next, such as its wish to
 * rewind the body, with which every later upload fails (7.88, CURLE_SEND_FAIL_REWIND). */
void h1_exchange_put(struct h1_exchange *exchange)
{
    struct h1_conn *conn = exchange->conn;

    if (!exchange->is_reusable || conn->n_spare >= MOST_SPARE ||
        exchange->lines.cap + exchange->request_cap > MOST_SPARE_BYTES) {
        h1_exchange_free(exchange);
        return;
    }
    reset(exchange);
    list_push_front(&conn->spare, &exchange->link);
    conn->n_spare++;
}

static void enlist(struct h1_exchange *exchange, enum h1_state state, struct list *list)
{
    list_remove(&exchange->link);
    exchange->state = state;
    list_push_back(list, &exchange->link);
}

void h1_exchange_start(struct h1_exchange *exchange)
{
    struct h1_conn *conn = exchange->conn;

    if (conn->in_curl) {
        enlist(exchange, H1_QUEUED, &conn->queued);
        return;
    }
    enlist(exchange, H1_RUNNING, &conn->running);
    /* Fails for handles that are no handles or are in a multi handle already: not for ours. */
    curl_multi_add_handle(conn->multi, exchange->easy);
}

static void take_from_curl(struct h1_exchange *exchange)
{
    curl_multi_remove_handle(exchange->conn->multi, exchange->easy);
    h1_socket_release(exchange);
    list_remove(&exchange->link);
    list_remove(&exchange->touched);
    exchange->state = H1_ENDING;
}

void h1_exchange_drop(struct h1_exchange *exchange)
{
    exchange->stream = NULL;
    if (exchange->state == H1_ENDING)
        return; /* h1_exchange_done() is on the stack and puts it */
    if (exchange->state == H1_QUEUED) {
        list_remove(&exchange->link);
        h1_exchange_put(exchange);
        return;
    }
    if (exchange->conn->in_curl) {
        enlist(exchange, H1_DOOMED, &exchange->conn->doomed);
        return;
    }
    take_from_curl(exchange);
    h1_exchange_put(exchange);
}

/* ---- pauses ---- */

void h1_exchange_touch(struct h1_exchange *exchange)
{
    struct h1_conn *conn = exchange->conn;

    if (!list_linked(&exchange->touched))
        list_push_back(&conn->touched, &exchange->touched);
    if (conn->busy == 0)
        loop_defer(conn->base.loop, &conn->later);
}

/* libcurl would go on with the upload, and wait for an owner who does not: having the answer, nobody has more to say. Usually
 * libcurl says in the same turn that the exchange is done, and this is never looked at. */
void h1_exchange_reads_no_more(struct h1_exchange *exchange)
{
    if (!exchange->head_done || exchange->recv_paused || exchange->state != H1_RUNNING)
        return;
    exchange->is_answered = true;
    h1_exchange_touch(exchange);
}

void h1_exchange_unpause(struct h1_exchange *exchange)
{
    struct h1_conn *conn = exchange->conn;
    CURLcode code;

    if (exchange->state != H1_RUNNING)
        return;
    if (exchange->is_answered) {
        h1_exchange_done(exchange, CURLE_OK);
        return;
    }
    if (exchange->unconsumed < conn->base.conf.window)
        exchange->recv_paused = false;
    if (exchange->has_more)
        exchange->send_paused = false;
    exchange->has_more = false;
    conn->in_curl = true;
    code = curl_easy_pause(exchange->easy,
                           (exchange->recv_paused ? CURLPAUSE_RECV : 0) | (exchange->send_paused ? CURLPAUSE_SEND : 0));
    conn->in_curl = false;
    conn->kick = true;
    if (code && exchange->state == H1_RUNNING)
        h1_exchange_done(exchange, code);
}

/* ---- the end ---- */

/* libcurl counts what the socket took of the head at once. Had it taken nothing yet, libcurl would wait for it, and no longer
 * count. */
enum http_reach h1_exchange_reach(const struct h1_exchange *exchange)
{
    long size = 0;

    if (exchange->attempts == 0)
        return HTTP_NOT_SENT;
    if (exchange->has_waited)
        return HTTP_MAYBE;
    curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &size);
    return size > exchange->size_before ? HTTP_MAYBE : HTTP_NOT_SENT;
}

/* An answer with neither length nor chunks ends with the connection; without TLS there is no telling. */
static bool is_cut(const struct h1_exchange *exchange)
{
    const struct h1_head *head = &exchange->head;

    return exchange->conn->fixed.tls && !head->has_length && !head->is_chunked && !h1_is_body_less(exchange) &&
           !exchange->ended_properly;
}

static int32_t fault_of(const struct h1_exchange *exchange, CURLcode code, struct fault *fault)
{
    struct h1_outcome outcome = {
        .code = code,
        .head_begun = exchange->head.status > 0 || exchange->n_informational > 0,
        .head_done = exchange->head_done,
        .is_cut = is_cut(exchange),
        .sent = exchange->attempts > 0,
        .text = exchange->error,
        .error = exchange->socket_errno,
        .peer = exchange->conn->peer_text,
        .name = exchange->conn->fixed.server_name ? exchange->conn->fixed.server_name : "",
        .connect_timeout_us = exchange->conn->fixed.connect_timeout_us,
    };
    long os_errno = 0;

    if (exchange->fault.code) {
        *fault = exchange->fault;
        return fault->code;
    }
    if (code == CURLE_COULDNT_CONNECT && !outcome.error) {
        curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os_errno);
        outcome.error = (int) os_errno;
    }
    return h1_fault_of(&outcome, fault);
}

static int32_t tell_trailers(struct h1_exchange *exchange, struct fault *fault)
{
    size_t len, at = 0;
    char *block = h1_lines(exchange, &len);
    struct h1_head ignored = { .minor_version = 1 };
    struct h1_field field;
    int32_t err;

    err = h1_head_check(block, len, &ignored, fault);
    while (!err && exchange->stream && h1_head_next(block, len, &at, &field))
        if (!h1_field_is_hop_by_hop(&field))
            err = exchange->stream->ops->on_header(exchange->stream, field.name, field.name_len, field.value,
                                                   field.value_len, true);
    if (err && !fault->code)
        fault_set(fault, err, "trailers of the answer of %s were refused", exchange->conn->peer_text);
    return err;
}

/* The socket of an answer that was longer than it said: what is read from it next would be taken for the next answer. */
static curl_socket_t socket_to_retire(const struct h1_exchange *exchange)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (exchange->has_excess)
        curl_easy_getinfo(exchange->easy, CURLINFO_ACTIVESOCKET, &fd);
    return fd;
}

void h1_exchange_done(struct h1_exchange *exchange, CURLcode code)
{
    struct h1_conn *conn = exchange->conn;
    curl_socket_t fd = socket_to_retire(exchange);
    struct fault fault = { 0 };
    struct http_result result = { 0 };
    struct http_stream *stream;

    result.err = fault_of(exchange, code, &fault);
    result.reach = h1_exchange_reach(exchange);
    take_from_curl(exchange);
    if (fd != CURL_SOCKET_BAD)
        h1_socket_retire(conn, fd);
    if (!result.err && exchange->stream)
        result.err = tell_trailers(exchange, &fault);
    result.fault = result.err ? &fault : NULL;
    stream = exchange->stream;
    exchange->is_reusable = code == CURLE_OK;
    h1_exchange_put(exchange);
    if (!stream)
        return;
    conn->room_grew = true;
    http_stream_end(stream, &result);
}
