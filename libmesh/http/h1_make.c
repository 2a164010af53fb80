/* SPDX-License-Identifier: Apache-2.0 */
/* Making an HTTP/1.1 connection: whom it reaches and whom it trusts, copied from what the pool says. Opens nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/h1.h"

/* The name under which libcurl knows the endpoint's addresses. No resolver answers for it (RFC 6761 section 6.4). */
#define ENDPOINT "endpoint.invalid"

static bool copy(char **to, const char *from)
{
    *to = from && *from ? mem_strdup(from) : NULL;
    return !from || !*from || *to;
}

/* libcurl does not read these variables itself, OpenSSL does. */
static bool copy_roots(struct h1_conn *conn, const char *ca)
{
    conn->fixed.only_ca = ca && *ca;
    if (conn->fixed.only_ca)
        return copy(&conn->fixed.ca, ca);
    return copy(&conn->fixed.ca, secure_getenv("SSL_CERT_FILE")) &&
           copy(&conn->fixed.ca_dir, secure_getenv("SSL_CERT_DIR"));
}

static bool copy_conf(struct h1_conn *conn, const struct http_h1_conf *conf)
{
    const struct net_tls_conf *tls = &conf->tls_conf;

    conn->fixed.tls = conf->tls;
    conn->fixed.insecure = tls->insecure;
    conn->fixed.any_name = tls->any_name && conf->identity; /* who checks the names instead */
    conn->fixed.min_tls_version = tls->min_version;
    conn->fixed.max_connections = conf->max_connections;
    conn->fixed.connect_timeout_us = conf->connect_timeout_us;
    if (!copy(&conn->fixed.proxy, conf->proxy) || !copy(&conn->fixed.server_name, conf->server_name))
        return false;
    if (conf->n_addrs > 0 && conf->addrs[0].family == ADDR_UNIX && !copy(&conn->fixed.unix_path, conf->addrs[0].path))
        return false;
    if (!conf->tls)
        return true;
    conn->fixed.identity = conf->identity ? net_tls_ref(conf->identity) : NULL;
    if (conf->identity)
        return true;
    return copy_roots(conn, tls->ca) && copy(&conn->fixed.cert, tls->cert) && copy(&conn->fixed.key, tls->key);
}

/* The addresses by value; a unix path is a copy. */
static void copy_addrs(struct h1_conn *conn, const struct http_h1_conf *conf)
{
    char text[ADDR_TEXT], second[ADDR_TEXT];

    conn->fixed.n_addrs = conf->n_addrs < COUNT_OF(conn->fixed.addrs) ? conf->n_addrs : COUNT_OF(conn->fixed.addrs);
    for (size_t i = 0; i < conn->fixed.n_addrs; i++) {
        conn->fixed.addrs[i] = conf->addrs[i];
        if (conf->addrs[i].family == ADDR_UNIX)
            conn->fixed.addrs[i].path = conn->fixed.unix_path;
    }
    conn->base.peer = conn->fixed.addrs[0];
    addr_format(&conn->fixed.addrs[0], text);
    if (conn->fixed.proxy)
        snprintf(conn->peer_text, sizeof conn->peer_text, "%s by proxy %s",
                 conn->fixed.server_name ? conn->fixed.server_name : text, conn->fixed.proxy);
    else if (conn->fixed.n_addrs > 1)
        snprintf(conn->peer_text, sizeof conn->peer_text, "%s or %s", text, addr_format(&conn->fixed.addrs[1], second));
    else
        snprintf(conn->peer_text, sizeof conn->peer_text, "%s", text);
}

static bool append_address(struct buf *text, const struct addr *addr)
{
    struct addr bare = *addr;
    char ip[ADDR_TEXT];

    bare.scope = 0; /* set when the socket is opened */
    return buf_printf(text, addr->family == ADDR_IPV6 ? "[%s]" : "%s", addr_format_ip(&bare, ip));
}

/* "endpoint.invalid:8080:10.0.0.1,[fd00::1]": libcurl races both families (RFC 8305). */
static bool make_resolve(struct h1_conn *conn)
{
    struct buf text = { 0 };
    unsigned port = conn->fixed.addrs[0].port;
    bool ok = buf_printf(&text, ENDPOINT ":%u:", port);

    for (size_t i = 0; ok && i < conn->fixed.n_addrs; i++)
        ok = (i == 0 || buf_append_text(&text, ",")) && append_address(&text, &conn->fixed.addrs[i]);
    if (ok)
        conn->resolve = curl_slist_append(NULL, (const char *) buf_bytes(&text));
    buf_clear(&text);
    if (ok && buf_printf(&text, "::" ENDPOINT ":%u", port))
        conn->connect_to = curl_slist_append(NULL, (const char *) buf_bytes(&text));
    buf_free(&text);
    return conn->resolve && conn->connect_to;
}

/* Its host is the name that TLS verifies and sends; Host and path are the request's. */
static bool make_url(struct h1_conn *conn)
{
    struct buf text = { 0 };
    const char *name = conn->fixed.server_name;

    if (!conn->fixed.tls)
        return copy(&conn->fixed.url, "http://" ENDPOINT "/");
    if (!buf_printf(&text, strchr(name, ':') ? "https://[%s]/" : "https://%s/", name))
        return false;
    conn->fixed.url = mem_strdup((const char *) buf_bytes(&text));
    buf_free(&text);
    return conn->fixed.url != NULL;
}

static bool make_way(struct h1_conn *conn)
{
    if (conn->fixed.proxy)
        return true;
    return make_url(conn) && (conn->fixed.unix_path || make_resolve(conn));
}

static bool make_share(struct h1_conn *conn)
{
    if (!conn->fixed.tls)
        return true;
    conn->share = curl_share_init();
    return conn->share && curl_share_setopt(conn->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

static int32_t check_conf(const struct http_h1_conf *conf, struct fault *fault)
{
    if (conf->n_addrs == 0 && !(conf->proxy && *conf->proxy))
        return fault_set(fault, MESH_ERR_INVALID, "HTTP/1.1 connection without an address");
    if (conf->tls && !(conf->server_name && *conf->server_name))
        return fault_set(fault, MESH_ERR_INVALID, "TLS without the name that the peer's certificate must have");
    if (conf->max_connections == 0)
        return fault_set(fault, MESH_ERR_INVALID, "HTTP/1.1 with 0 connections; allowed are 1 and more");
    return h1_curl_init() ? fault_set(fault, MESH_ERR_INTERNAL, "libcurl cannot be initialised") : 0;
}

int32_t http_conn_h1(struct loop *loop, const struct http_conn_conf *conf, const struct http_h1_conf *h1,
                     const struct http_conn_ops *ops, void *owner, struct http_conn **out, struct fault *fault)
{
    struct h1_conn *conn;
    int32_t err = check_conf(h1, fault);

    *out = NULL;
    if (err)
        return err;
    conn = mem_zalloc(sizeof *conn);
    if (!conn)
        return fault_set(fault, MESH_ERR_NOMEM, "no memory for an HTTP/1.1 connection");
    h1_conn_init(conn);
    http_conn_init(&conn->base, &http_h1_kind, loop, conf, ops, owner);
    if (!copy_conf(conn, h1))
        goto no_memory;
    copy_addrs(conn, h1);
    if (!make_way(conn) || !make_share(conn))
        goto no_memory;
    h1_conn_await_use(conn);
    *out = &conn->base;
    return 0;
no_memory:
    h1_conn_destroy(conn);
    return fault_set(fault, MESH_ERR_NOMEM, "no memory for an HTTP/1.1 connection");
}
