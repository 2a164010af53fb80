/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl is told of one request. It borrows header lines and CURLOPT_CONNECT_TO: they live in one block of the exchange. */
#include <stdio.h>
#include <string.h>

#include "http/h1.h"

/* libcurl's own timeout is a safety net: whoever set the deadline comes first. */
enum { GRACE_US = 50000 };

/* Headers that libcurl would add by itself: an empty line in the list means that it does not. */
static struct curl_slist no_expect = { (char[]){ "Expect:" }, NULL };
static struct curl_slist no_accept = { (char[]){ "Accept:" }, &no_expect };

/* ---- the block ---- */

struct block {
    struct curl_slist *next; /* first free node */
    char *text;              /* first free byte */
};

/* te says what this hop can do (RFC 9110 section 10.1.4), and host is the authority. */
static bool is_ours(const char *name)
{
    return text_equal_nocase(name, "host") || text_equal_nocase(name, "te");
}

static size_t lines_size(const struct mesh_header *headers, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += sizeof(struct curl_slist) + strlen(headers[i].name) + strlen(headers[i].value) + sizeof ": ";
    return size;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static void add_text(struct block *block, const char *text)
{
    size_t len = strlen(text);

    memcpy(block->text, text, len + 1);
    block->text += len;
}

/* "Name: value"; libcurl wants "Name;" for an empty value. */
static void add_line(struct block *block, const char *name, const char *value)
{
    value = skip_blanks(value);
    block->next->data = block->text;
    block->next->next = block->next + 1;
    block->next++;
    add_text(block, name);
    add_text(block, *value ? ": " : ";");
    add_text(block, value);
    block->text++;
}

static void add_lines(struct block *block, const struct mesh_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_ours(headers[i].name))
            add_line(block, headers[i].name, headers[i].value);
}

static bool make_room(struct h1_exchange *exchange, size_t size)
{
    if (exchange->request_cap >= size)
        return true;
    mem_free(exchange->request_block);
    exchange->request_block = mem_alloc(size);
    exchange->request_cap = exchange->request_block ? size : 0;
    return exchange->request_block != NULL;
}

/* The header lines; `more` bytes are kept free behind them. NULL when out of memory. */
static struct curl_slist *make_lines(struct h1_exchange *exchange, const struct http_request *request, size_t more,
                                     char **rest)
{
    size_t n = 1 + request->n_headers + request->n_extra;
    size_t size = sizeof(struct curl_slist) + sizeof "Host: " + strlen(request->authority) +
                  lines_size(request->headers, request->n_headers) + lines_size(request->extra, request->n_extra);
    struct block block;

    if (!make_room(exchange, size + more))
        return NULL;
    block.next = exchange->request_block;
    block.text = (char *) (block.next + n);
    add_line(&block, "Host", request->authority);
    add_lines(&block, request->headers, request->n_headers);
    add_lines(&block, request->extra, request->n_extra);
    block.next[-1].next = &no_accept;
    *rest = block.text;
    return exchange->request_block;
}

/* ---- options ---- */

static bool is_one_of(const char *method, const char *const *methods, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

/* Methods whose content has a meaning say so when there is none (RFC 9110 section 8.6); many servers insist. */
static bool expects_content(const char *method)
{
    static const char *const methods[] = { "POST", "PUT", "PATCH" };

    return is_one_of(method, methods, COUNT_OF(methods));
}

static CURLcode set_method(struct h1_exchange *exchange, const struct http_request *request)
{
    CURL *easy = exchange->easy;
    bool uploads = request->has_body || expects_content(request->method);
    int64_t len = request->has_body ? request->body_len : 0;

    exchange->is_head = strcmp(request->method, "HEAD") == 0;
    exchange->body_left = uploads ? len : 0;
    if (exchange->is_head)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (uploads)
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) (uploads ? len : -1));
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_timeout(struct h1_exchange *exchange, uint64_t deadline_us)
{
    uint64_t now_us = loop_now_us(exchange->conn->base.loop);
    long ms = 0;

    if (deadline_us > 0)
        ms = (long) (((deadline_us > now_us ? deadline_us - now_us : 0) + GRACE_US) / US_PER_MS);
    curl_easy_setopt(exchange->easy, CURLOPT_TIMEOUT_MS, ms);
}

/* ---- by proxy ---- */

/* The port of "users:80" or "[::1]:80"; the host's length goes to *host_len. */
static unsigned port_of(const char *authority, bool tls, size_t *host_len)
{
    const char *from = *authority == '[' && strchr(authority, ']') ? strchr(authority, ']') : authority;
    const char *colon = strrchr(from, ':');
    uint64_t port;

    *host_len = colon ? (size_t) (colon - authority) : strlen(authority);
    if (colon && text_to_u64(colon + 1, strlen(colon + 1), &port) && port <= UINT16_MAX)
        return (unsigned) port;
    return tls ? 443 : 80;
}

/* Of the host that URLs name, TLS verifies, and the tunnel leads to. */
static CURLcode set_tunnel(struct h1_exchange *exchange, const char *authority, char *rest, size_t size)
{
    const char *name = exchange->conn->fixed.server_name;
    bool is_ipv6 = strchr(name, ':') != NULL;
    struct curl_slist *connect_to = (struct curl_slist *) (void *) rest;
    char *text = (char *) (connect_to + 1);
    size_t host_len;
    unsigned port = port_of(authority, true, &host_len);

    snprintf(text, size - sizeof *connect_to, "https://%s%s%s:%u/", is_ipv6 ? "[" : "", name, is_ipv6 ? "]" : "", port);
    if (curl_easy_setopt(exchange->easy, CURLOPT_URL, text)) /* copied */
        return CURLE_OUT_OF_MEMORY;
    snprintf(text, size - sizeof *connect_to, "::%.*s:%u", (int) host_len, authority, port);
    *connect_to = (struct curl_slist){ text, NULL };
    return curl_easy_setopt(exchange->easy, CURLOPT_CONNECT_TO, connect_to);
}

/* The absolute form (RFC 9112 section 3.2.2): "OPTIONS *" has no path there. */
static CURLcode set_absolute(struct h1_exchange *exchange, const struct http_request *request, char *text, size_t size)
{
    snprintf(text, size, "http://%s/", request->authority);
    if (curl_easy_setopt(exchange->easy, CURLOPT_URL, text))
        return CURLE_OUT_OF_MEMORY;
    snprintf(text, size, "http://%s%s", request->authority, *request->path == '/' ? request->path : "");
    return curl_easy_setopt(exchange->easy, CURLOPT_REQUEST_TARGET, text);
}

static char *align(char *text)
{
    size_t over = (uintptr_t) text % _Alignof(struct curl_slist);

    return over ? text + (_Alignof(struct curl_slist) - over) : text;
}

static CURLcode set_target(struct h1_exchange *exchange, const struct http_request *request, char *rest, size_t size)
{
    CURLcode code = curl_easy_setopt(exchange->easy, CURLOPT_REQUEST_TARGET, request->path);

    if (code || !exchange->conn->fixed.proxy)
        return code;
    if (exchange->conn->fixed.tls)
        return set_tunnel(exchange, request->authority, rest, size);
    return set_absolute(exchange, request, rest, size);
}

static size_t target_size(const struct h1_exchange *exchange, const struct http_request *request)
{
    if (!exchange->conn->fixed.proxy)
        return 0;
    return sizeof(struct curl_slist) + strlen(request->authority) + strlen(request->path) +
           (exchange->conn->fixed.tls ? strlen(exchange->conn->fixed.server_name) : 0) + sizeof "https://[]:65535/";
}

int32_t h1_request_set(struct h1_exchange *exchange, const struct http_request *request)
{
    size_t size = target_size(exchange, request);
    struct curl_slist *lines;
    char *rest;

    if (strcmp(request->method, "CONNECT") == 0 || (request->has_body && strcmp(request->method, "HEAD") == 0))
        return MESH_ERR_INVALID;
    lines = make_lines(exchange, request, size + _Alignof(struct curl_slist), &rest);
    if (!lines)
        return MESH_ERR_NOMEM;
    curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(exchange->easy, CURLOPT_VERBOSE, 0L);
    curl_easy_setopt(exchange->easy, CURLOPT_FRESH_CONNECT, request->again ? 1L : 0L);
    set_timeout(exchange, request->deadline_us);
    if (set_method(exchange, request) || set_target(exchange, request, align(rest), size))
        return MESH_ERR_NOMEM;
    return 0;
}
