/* SPDX-License-Identifier: Apache-2.0 */
/* One c-ares channel on a loop: its sockets, its timer, and a look at each reply for what c-ares does not tell.
 *
 * c-ares 1.18.1 frees a query twice when ares_cancel() or ares_destroy() is called from inside one of its callbacks, so
 * resolver_channel_free() must not be called from there either. Private to net/. */
#ifndef NET_RESOLVER_CHANNEL_H
#define NET_RESOLVER_CHANNEL_H

#include <ares.h>

#include "net/net.h"

struct resolver_channel;

struct resolver_channel_conf {
    const char *servers;     /* as ares_set_servers_ports_csv() reads them; NULL: the system's */
    const char *resolv_conf; /* NULL: /etc/resolv.conf */
    uint32_t timeout_ms, tries;
};

/* A whole reply over UDP; of one over TCP at least the beginning. */
typedef void (*resolver_reply_fn)(void *user, const uint8_t *packet, size_t len);

/* All strings are borrowed for this call. MESH_ERR_NOMEM, MESH_ERR_DNS with a sentence. */
int32_t resolver_channel_new(struct loop *loop, const struct resolver_channel_conf *conf, resolver_reply_fn on_reply,
                             void *user, struct resolver_channel **out, struct fault *fault);
/* The callbacks of all its queries run inside this call, with ARES_EDESTRUCTION. */
void resolver_channel_free(struct resolver_channel *channel);
/* To start queries with; call resolver_channel_wait() afterwards. */
ares_channel resolver_channel_ares(struct resolver_channel *channel);
/* Sets the timer to what c-ares waits for. */
void resolver_channel_wait(struct resolver_channel *channel);
/* "10.0.0.2:53, 127.0.0.1:8600": who is asked, for sentences. */
const char *resolver_channel_servers(const struct resolver_channel *channel);

#endif
