/* SPDX-License-Identifier: Apache-2.0 */
/* The control planes of one list of the bootstrap, in order: a channel and a stream of discovery for each that is asked (fallback.h says
 * who is). Private to source/xds/. Inside the loop; callbacks never come from within the functions below. */
#ifndef SOURCE_XDS_SERVERS_H
#define SOURCE_XDS_SERVERS_H

#include "source/xds/channel.h"

struct servers;

/* `server` is the index in the list. servers_free() may be called from any of them but on_switch(). */
struct servers_ops {
    /* A new stream: nothing of one before is known to the server. */
    void (*on_up)(void *user, size_t server);
    void (*on_message)(void *user, size_t server, const uint8_t *bytes, size_t len);
    /* servers_send() takes messages again. */
    void (*on_room)(void *user, size_t server);
    /* An attempt to connect has failed, or a stream has ended; the next one comes by itself. */
    void (*on_down)(void *user, size_t server, const struct channel_end *end);
    /* Before the message of a server that brings an end to those after it: their streams are closed, unheard. */
    void (*on_switch)(void *user, size_t server);
};

struct servers_conf {
    struct loop *loop;
    struct dns_names *names;
    struct observe *observe;              /* may be NULL */
    const struct bootstrap_servers *list; /* borrowed; those beyond the first FALLBACK_MOST are not used */
    const struct servers_ops *ops;
    void *user;
};

/* Asks the first one from now on. MESH_ERR_NOMEM. */
int32_t servers_new(const struct servers_conf *conf, struct servers **out);
void servers_free(struct servers *servers); /* NULL is fine */

/* Whether something that is wanted has never come, from anybody: only then there is a fallback. */
void servers_set_lacks(struct servers *servers, bool lacks);
/* Nobody of the list answers: why, borrowed until the next turn. NULL: somebody does, or may still. */
const struct fault *servers_fault(const struct servers *servers);
/* How many are asked: the first so many of the list. */
size_t servers_asked(const struct servers *servers);
/* Speaks the incremental protocol. */
bool servers_is_delta(const struct servers *servers, size_t server);

/* Of one that is asked. As channel_stream_send(), channel_stream_receive(), channel_stream_give_up(). */
int32_t servers_send(struct servers *servers, size_t server, const void *bytes, size_t len);
void servers_receive(struct servers *servers, size_t server);
void servers_give_up(struct servers *servers, size_t server, const struct fault *why);
/* For further streams on the same connection, which end with it unheard. NULL: it is not asked. */
struct channel *servers_channel(const struct servers *servers, size_t server);

#endif
