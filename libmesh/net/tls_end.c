/* SPDX-License-Identifier: Apache-2.0 */
/* How a TLS connection ended that somebody else's code has made: libcurl takes a cut connection for one that has ended properly,
 * and an answer that only its end delimits would be taken for whole. */
#include <openssl/ssl.h>

#include "net/net.h"

static void on_info(const SSL *ssl, int where, int value)
{
    struct net_tls_end *end = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (where == SSL_CB_READ_ALERT && (value & 0xff) == SSL_AD_CLOSE_NOTIFY)
        end->on_end(end);
}

void net_tls_watch_end(void *ssl_ctx, struct net_tls_end *end)
{
    SSL_CTX_set_app_data((SSL_CTX *) ssl_ctx, end);
    SSL_CTX_set_info_callback(ssl_ctx, on_info);
}
