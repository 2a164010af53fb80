/* SPDX-License-Identifier: Apache-2.0 */
/* The part of libcurl's options that is the same for all requests of a connection: its surprises off, where to connect, whom to
 * trust. */
#include <pthread.h>
#include <stdlib.h>

#include "http/h1.h"

/* Keepalive finds out in a minute that a peer has gone without a word: as for other connections (net/socket.c). */
enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_INTERVAL_S = 10, TLS_1_3 = 13 };

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_once_code;

static void init_curl(void)
{
    curl_once_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int32_t h1_curl_init(void)
{
    pthread_once(&curl_once, init_curl);
    return curl_once_code ? MESH_ERR_INTERNAL : 0;
}

struct number_option {
    CURLoption option;
    long value;
};

struct text_option {
    CURLoption option;
    const char *value;
};

static CURLcode set_numbers(CURL *easy, const struct number_option *options, size_t n)
{
    CURLcode code = CURLE_OK;

    for (size_t i = 0; i < n && !code; i++)
        code = curl_easy_setopt(easy, options[i].option, options[i].value);
    return code;
}

/* All are copied by libcurl. */
static CURLcode set_texts(CURL *easy, const struct text_option *options, size_t n)
{
    CURLcode code = CURLE_OK;

    for (size_t i = 0; i < n && !code; i++)
        code = curl_easy_setopt(easy, options[i].option, options[i].value);
    return code;
}

/* Nothing that the request did not ask for is sent, followed, stored, decoded or read from the user's files and environment. */
static CURLcode switch_surprises_off(CURL *easy)
{
    static const struct number_option numbers[] = {
        { CURLOPT_NOSIGNAL, 1 },
        { CURLOPT_NOPROGRESS, 1 },
        { CURLOPT_FOLLOWLOCATION, 0 },
        { CURLOPT_MAXREDIRS, 0 },
        { CURLOPT_NETRC, CURL_NETRC_IGNORED },
        { CURLOPT_HTTPAUTH, (long) CURLAUTH_NONE },
        { CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
        { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
        { CURLOPT_HTTP09_ALLOWED, 0 },
        { CURLOPT_HTTP_CONTENT_DECODING, 0 },
        { CURLOPT_HTTP_TRANSFER_DECODING, 1 },
        { CURLOPT_TRANSFER_ENCODING, 0 },
        { CURLOPT_PATH_AS_IS, 1 },
        { CURLOPT_HEADEROPT, CURLHEADER_SEPARATE },
        { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
        { CURLOPT_DNS_CACHE_TIMEOUT, -1 },
        { CURLOPT_TCP_NODELAY, 1 },
        { CURLOPT_TCP_KEEPALIVE, 1 },
        { CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
        { CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
    };
    CURLcode code = set_numbers(easy, numbers, COUNT_OF(numbers));

    return code ? code : curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
}

static CURLcode set_callbacks(CURL *easy, struct h1_exchange *exchange)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, h1_on_header_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, h1_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, h1_on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, h1_on_debug);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, h1_on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, h1_socket_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, h1_socket_close);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, h1_socket_secure);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, exchange);
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, exchange->conn);
}

/* libcurl counts in whole seconds. */
static long seconds(uint64_t us, long never)
{
    return us == 0 ? never : (long) ((us + US_PER_S - 1) / US_PER_S);
}

static CURLcode set_limits(CURL *easy, const struct h1_conn *conn)
{
    const struct number_option numbers[] = {
        { CURLOPT_CONNECTTIMEOUT_MS, (long) ((conn->fixed.connect_timeout_us + US_PER_MS - 1) / US_PER_MS) },
        { CURLOPT_MAXAGE_CONN, seconds(conn->base.conf.idle_us, INT32_MAX) },
        { CURLOPT_MAXLIFETIME_CONN, seconds(conn->base.conf.age_us, 0) },
    };

    return set_numbers(easy, numbers, COUNT_OF(numbers));
}

/* What libcurl would say to proxies by itself: an empty line means that it does not. */
static struct curl_slist no_proxy_connection = { (char[]){ "Proxy-Connection:" }, NULL };

/* With a proxy, the URL and CURLOPT_CONNECT_TO are the request's. An empty no-proxy list keeps the environment's away. */
static CURLcode set_way(CURL *easy, const struct h1_conn *conn)
{
    const struct text_option texts[] = {
        { CURLOPT_URL, conn->fixed.url },
        { CURLOPT_UNIX_SOCKET_PATH, conn->fixed.unix_path },
        { CURLOPT_PROXY, conn->fixed.proxy ? conn->fixed.proxy : "" },
        { CURLOPT_NOPROXY, conn->fixed.proxy ? "" : "*" },
    };

    curl_easy_setopt(easy, CURLOPT_PROXYHEADER, &no_proxy_connection);
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, conn->fixed.proxy && conn->fixed.tls ? 1L : 0L);
    if (conn->resolve)
        curl_easy_setopt(easy, CURLOPT_RESOLVE, conn->resolve);
    if (conn->connect_to)
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, conn->connect_to);
    return set_texts(easy, texts, COUNT_OF(texts));
}

/* Without any of these libcurl's own stay, the system's. libcurl keeps what it has read of a file for the next connection, but
 * not of a directory: with the system's file nothing is looked up in its directory, which has the same. */
static CURLcode set_roots(CURL *easy, const struct h1_conn *conn)
{
    bool has_own = conn->fixed.ca || conn->fixed.ca_dir;
    bool is_file =
        conn->fixed.only_ca || conn->fixed.identity || (!has_own && curl_version_info(CURLVERSION_NOW)->cainfo);
    CURLcode code = CURLE_OK;

    if (has_own || conn->fixed.identity)
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, conn->fixed.ca);
    if (!code && (is_file || conn->fixed.ca_dir))
        code = curl_easy_setopt(easy, CURLOPT_CAPATH, conn->fixed.ca_dir);
    return code;
}

/* A key with a pass phrase is an error, not a question on the terminal: hence the empty one. */
static CURLcode set_trust(CURL *easy, const struct h1_conn *conn)
{
    const struct number_option numbers[] = {
        { CURLOPT_SSLVERSION,
          conn->fixed.min_tls_version == TLS_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2 },
        { CURLOPT_SSL_VERIFYPEER, !conn->fixed.insecure },
        { CURLOPT_SSL_VERIFYHOST, conn->fixed.insecure || conn->fixed.any_name ? 0 : 2 },
    };
    const struct text_option texts[] = {
        { CURLOPT_SSLCERT, conn->fixed.cert },
        { CURLOPT_SSLKEY, conn->fixed.key },
        { CURLOPT_KEYPASSWD, "" },
    };
    CURLcode code = set_numbers(easy, numbers, COUNT_OF(numbers));

    if (!code)
        code = set_texts(easy, texts, COUNT_OF(texts));
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_SHARE, conn->share);
    return code ? code : set_roots(easy, conn);
}

CURL *h1_easy_new(struct h1_exchange *exchange)
{
    const struct h1_conn *conn = exchange->conn;
    CURL *easy = curl_easy_init();

    if (!easy)
        return NULL;
    if (switch_surprises_off(easy) || set_callbacks(easy, exchange) || set_limits(easy, conn) || set_way(easy, conn) ||
        (conn->fixed.tls && set_trust(easy, conn))) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}
