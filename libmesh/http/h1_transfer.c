/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's callbacks of a running exchange: the head line by line, the body with back-pressure, the upload, and the moment before
 * the request is sent. Every one of them may call the owner, who may cancel: the stream is NULL afterwards. */
#include <string.h>

#include "http/h1.h"

enum { MOST_INFORMATIONAL = 32, SWITCHING_PROTOCOLS = 101, NO_CONTENT = 204, NOT_MODIFIED = 304 };

/* ---- the head ---- */

/* Names where a fault was found, once. */
static int32_t blame(struct h1_exchange *exchange, int32_t err)
{
    if (err && !exchange->fault.code)
        fault_set(&exchange->fault, err, "answer of %s was refused", exchange->conn->peer_text);
    else if (err)
        fault_prefix(&exchange->fault, "%s: ", exchange->conn->peer_text);
    return err;
}

bool h1_is_body_less(const struct h1_exchange *exchange)
{
    const struct h1_head *head = &exchange->head;

    return exchange->is_head || head->status == NO_CONTENT || head->status == NOT_MODIFIED ||
           (head->has_length && head->length == 0);
}

char *h1_lines(const struct h1_exchange *exchange, size_t *len)
{
    *len = buf_len(&exchange->lines);
    return *len > 0 ? (char *) exchange->lines.data + exchange->lines.start : NULL;
}

static int32_t tell_head(struct h1_exchange *exchange)
{
    size_t len, at = 0;
    const char *block = h1_lines(exchange, &len);
    struct h1_field field;
    int32_t err = 0;

    while (!err && exchange->stream && h1_head_next(block, len, &at, &field))
        if (!h1_field_is_hop_by_hop(&field))
            err = exchange->stream->ops->on_header(exchange->stream, field.name, field.name_len, field.value,
                                                   field.value_len, false);
    if (err || !exchange->stream)
        return err;
    exchange->stream->had_head = true;
    exchange->stream->ops->on_head(exchange->stream, exchange->head.status, h1_is_body_less(exchange));
    return 0;
}

static int32_t informational(struct h1_exchange *exchange)
{
    if (exchange->head.status == SWITCHING_PROTOCOLS)
        return fault_set(&exchange->fault, MESH_ERR_PROTOCOL, "answer is 101, a protocol that nobody asked for");
    if (++exchange->n_informational > MOST_INFORMATIONAL)
        return fault_set(&exchange->fault, MESH_ERR_PROTOCOL, "more than %d interim answers (1xx)", MOST_INFORMATIONAL);
    exchange->head.status = 0;
    return 0;
}

/* When an answer has no body or a chunked one, libcurl drops what follows it in the same read and uses the connection again;
 * it only writes a remark. That is listened to from here on: h1_on_debug(). */
static int32_t head_is_complete(struct h1_exchange *exchange)
{
    struct h1_head *head = &exchange->head;
    size_t len;
    char *block = h1_lines(exchange, &len);
    int32_t err = h1_head_check(block, len, head, &exchange->fault);

    if (err)
        return err;
    if (head->status < 200) {
        err = informational(exchange);
    } else {
        exchange->head_done = true;
        if (head->is_chunked || h1_is_body_less(exchange))
            curl_easy_setopt(exchange->easy, CURLOPT_VERBOSE, 1L);
        err = tell_head(exchange);
    }
    buf_clear(&exchange->lines);
    return err;
}

static int32_t add_line(struct h1_exchange *exchange, const char *line, size_t len)
{
    uint32_t most = exchange->conn->base.conf.max_header_bytes;

    if (buf_len(&exchange->lines) + len > most)
        return fault_set(&exchange->fault, MESH_ERR_TOO_LARGE, "%s of the answer exceed %u bytes",
                         exchange->head_done ? "trailers" : "headers", most);
    if (buf_append(&exchange->lines, line, len))
        return 0;
    return fault_set(&exchange->fault, MESH_ERR_NOMEM, "no memory for %zu bytes of headers", len);
}

static bool is_empty_line(const char *line, size_t len)
{
    return len == 0 || line[0] == '\n' || (len == 2 && line[0] == '\r' && line[1] == '\n');
}

static int32_t take_line(struct h1_exchange *exchange, char *line, size_t len)
{
    if (exchange->head_done || (exchange->head.status && !is_empty_line(line, len)))
        return add_line(exchange, line, len);
    if (exchange->head.status)
        return head_is_complete(exchange);
    return h1_head_status(line, len, &exchange->head, &exchange->fault);
}

size_t h1_on_header_line(char *line, size_t size, size_t n, void *user)
{
    struct h1_exchange *exchange = user;
    size_t len = size * n;

    h1_socket_check(exchange->conn);
    if (!exchange->stream || blame(exchange, take_line(exchange, line, len)))
        return 0;
    return exchange->stream ? len : 0;
}

/* ---- the body ---- */

size_t h1_on_body(char *bytes, size_t size, size_t n, void *user)
{
    struct h1_exchange *exchange = user;
    struct http_stream *stream = exchange->stream;
    size_t len = size * n;
    int32_t err;

    h1_socket_check(exchange->conn);
    if (!stream)
        return 0;
    if (!exchange->head_done) {
        fault_set(&exchange->fault, MESH_ERR_PROTOCOL, "answer of %s has no head", exchange->conn->peer_text);
        return 0;
    }
    if (stream->hold && exchange->unconsumed >= exchange->conn->base.conf.window) {
        exchange->recv_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (stream->hold)
        exchange->unconsumed += len;
    stream->bytes_received += len;
    err = stream->ops->on_data(stream, (const uint8_t *) bytes, len);
    if (blame(exchange, err) || !exchange->stream)
        return 0;
    return len;
}

/* ---- the upload ---- */

static size_t upload_failed(struct h1_exchange *exchange, int32_t err, const char *why)
{
    fault_set(&exchange->fault, err, "request to %s: %s", exchange->conn->peer_text, why);
    return CURL_READFUNC_ABORT;
}

size_t h1_on_upload(char *buf, size_t size, size_t n, void *user)
{
    struct h1_exchange *exchange = user;
    struct http_stream *stream = exchange->stream;
    size_t cap = size * n;
    ssize_t got;

    h1_socket_check(exchange->conn);
    if (!stream)
        return CURL_READFUNC_ABORT;
    if (exchange->body_ended)
        return exchange->body_left > 0 ? upload_failed(exchange, MESH_ERR_INVALID, "body is shorter than announced")
                                       : 0;
    if (exchange->body_left >= 0 && cap > (uint64_t) exchange->body_left)
        cap = (size_t) exchange->body_left;
    exchange->has_more = false;
    got = stream->ops->read_body(stream, (uint8_t *) buf, cap, &exchange->body_ended);
    if (!exchange->stream)
        return CURL_READFUNC_ABORT;
    if (got < 0)
        return upload_failed(exchange, (int32_t) got, "its body could not be read");
    if (got == 0 && !exchange->body_ended) {
        exchange->send_paused = true;
        if (exchange->has_more)
            h1_exchange_touch(exchange);
        return CURL_READFUNC_PAUSE;
    }
    stream->bytes_sent += (uint64_t) got;
    if (exchange->body_left >= 0)
        exchange->body_left -= got;
    if (got == 0 && exchange->body_left > 0)
        return upload_failed(exchange, MESH_ERR_INVALID, "body is shorter than announced");
    return (size_t) got;
}

/* ---- the request ---- */

int h1_on_request(void *user, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
    struct h1_exchange *exchange = user;

    (void) peer_ip, (void) local_ip, (void) peer_port, (void) local_port;
    if (++exchange->attempts > 1 || !exchange->stream)
        return CURL_PREREQFUNC_ABORT;
    h1_socket_connected(exchange);
    curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &exchange->size_before);
    exchange->stream->sent = true;
    return CURL_PREREQFUNC_OK;
}

int h1_on_debug(CURL *easy, curl_infotype type, char *text, size_t len, void *user)
{
    static const char *const remarks[] = { "Excess found", "Leftovers after chunking" };
    struct h1_exchange *exchange = user;

    (void) easy;
    if (type != CURLINFO_TEXT)
        return 0;
    for (size_t i = 0; i < COUNT_OF(remarks); i++)
        if (len >= strlen(remarks[i]) && memcmp(text, remarks[i], strlen(remarks[i])) == 0)
            exchange->has_excess = true;
    return 0;
}
