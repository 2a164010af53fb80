/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a pool, from dialling to its end. Private to pool/.
 *
 * Life: CONNECTING (HTTP/2: until the peer's SETTINGS) → OPEN → DRAINING → gone; from each to gone. */
#ifndef POOL_CONNECTION_H
#define POOL_CONNECTION_H

#include "pool/pool.h"

enum connection_state { CONNECTION_CONNECTING, CONNECTION_OPEN, CONNECTION_DRAINING };

struct connection {
    struct list link; /* in pool.connections */
    struct pool *pool;
    enum connection_state state;
    struct http_connect *connect; /* to an HTTP/2 peer, or to find out whether it is one */
    struct http_conn *http;       /* NULL meanwhile */
    uint64_t began_us;            /* connecting */
    bool was_silent;              /* when it began to drain: the silence is why */
    struct loop_timer ready;      /* HTTP/1.1, known from the start: told in the next turn */
};

/* What a connection tells its pool. The connection is gone after connection_ended(). */
void pool_connection_opened(struct connection *connection);
void pool_connection_has_room(struct connection *connection);
void pool_connection_draining(struct connection *connection, const struct fault *why);
/* `was_open`: it had come as far as OPEN. */
void pool_connection_ended(struct connection *connection, bool was_open, const struct fault *why);

int32_t connection_start(struct pool *pool, const struct pool_conf *conf, struct loop *loop);
/* Takes it out of the pool and frees it, silently. */
void connection_free(struct connection *connection);

/* A place for a stream right now? */
bool connection_usable(const struct connection *connection);
/* More than seven tenths of what the peer allows are in use. */
bool connection_crowded(const struct connection *connection);

#endif
