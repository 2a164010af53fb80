/* SPDX-License-Identifier: Apache-2.0 */
/* Which request is due, and what is in it. */
#include "source/xds/protocol_state.h"

#include <string.h>

/* As gRPC has it: INVALID_ARGUMENT of google.rpc.Code. */
enum { INVALID_ARGUMENT = 3 };

/* Clusters with their endpoints before the routes that lead to them. */
static const enum xds_type order[XDS_TYPES] = { XDS_CLUSTER, XDS_ENDPOINTS, XDS_LISTENER, XDS_ROUTES };

/* ---- parts ---- */

static size_t add_names(const struct list *from, unsigned states, char **out)
{
    size_t n = 0;

    LIST_EACH(pos, from) {
        struct name *name = CONTAINER_OF(pos, struct name, link);

        if (!(states & 1U << name->state))
            continue;
        if (out)
            out[n] = name->text;
        n++;
    }
    return n;
}

int32_t request_names(const struct subscription *subscription, unsigned states, char ***out, size_t *n)
{
    const struct list *told = &subscription->told, *changed = &subscription->changed;
    bool has_told = states & 1U << NAME_TOLD;
    size_t most = (has_told ? subscription->n_wanted : 0) + add_names(changed, states, NULL);
    char **names;

    *n = 0;
    *out = NULL;
    if (most == 0)
        return 0;
    *out = names = mem_array(most, sizeof *names);
    if (!names)
        return MESH_ERR_NOMEM;
    if (has_told)
        *n = add_names(told, states, names);
    *n += add_names(changed, states, names + *n);
    return 0;
}

int32_t request_append(const ProtobufCMessage *message, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = buf_room(out, size);

    if (!room)
        return MESH_ERR_NOMEM;
    protobuf_c_message_pack(message, room);
    buf_added(out, size);
    return 0;
}

/* ---- when ---- */

/* An answer of the type, or of the one that leads to it, is being looked at. */
static bool is_held(const struct protocol *protocol, enum xds_type type)
{
    enum xds_type above = type == XDS_ROUTES ? XDS_LISTENER : type == XDS_ENDPOINTS ? XDS_CLUSTER : type;

    return protocol->subscriptions[type].in_hand > 0 || protocol->subscriptions[above].in_hand > 0;
}

static uint64_t due_us(const struct protocol *protocol, enum xds_type type)
{
    const struct subscription *subscription = &protocol->subscriptions[type];

    if (is_held(protocol, type))
        return UINT64_MAX;
    if (!list_empty(&subscription->changed))
        return 0;
    return subscription->reply.is_owed ? subscription->reply.due_us : UINT64_MAX;
}

uint64_t protocol_due_us(const struct protocol *protocol)
{
    uint64_t earliest = UINT64_MAX;

    for (enum xds_type type = 0; protocol->is_open && type < XDS_TYPES; type++)
        if (due_us(protocol, type) < earliest)
            earliest = due_us(protocol, type);
    return earliest;
}

/* ---- what ---- */

static bool has_reply(const struct protocol *protocol, const struct subscription *subscription, uint64_t now_us)
{
    const struct reply *reply = &subscription->reply;

    return reply->is_owed && (now_us >= reply->due_us || protocol->variant->are_names_beside_nonce);
}

static void settle_reply(const struct protocol *protocol, struct subscription *subscription)
{
    struct reply *reply = &subscription->reply;

    reply->is_owed = false;
    if (protocol->variant->are_names_beside_nonce)
        return;
    mem_free(reply->nonce);
    reply->nonce = NULL;
}

/* The server knows the names now. One that was given up in between is wanted from here on. */
static void settle_names(struct subscription *subscription)
{
    LIST_EACH_SAFE(pos, following, &subscription->changed) {
        struct name *name = CONTAINER_OF(pos, struct name, link);

        switch (name->state) {
        case NAME_NEW:
            name->state = NAME_TOLD;
            list_remove(pos);
            list_push_back(&subscription->told, pos);
            break;
        case NAME_AGAIN:
            name->state = NAME_NEW;
            break;
        default:
            subscription_forget(subscription, name);
        }
    }
}

static int32_t make_request(struct protocol *protocol, struct subscription *subscription, uint64_t now_us,
                            struct buf *out)
{
    struct request request = { .subscription = subscription, .nonce = (char *) "" };
    Rpc__Status status = RPC__STATUS__INIT;
    bool replies = has_reply(protocol, subscription, now_us);
    int32_t err;

    if (replies && subscription->reply.is_refusal) {
        status.code = INVALID_ARGUMENT;
        status.message = subscription->error ? subscription->error : (char *) "";
        request.error = &status;
    }
    if (subscription->reply.nonce && (replies || protocol->variant->are_names_beside_nonce))
        request.nonce = subscription->reply.nonce;
    if (!protocol->is_node_sent)
        request.node = (Core__Node *) protocol->node;
    err = protocol->variant->pack(&request, out);
    if (err)
        return err;
    protocol->is_node_sent = true;
    subscription->is_asked = true;
    settle_names(subscription);
    if (replies)
        settle_reply(protocol, subscription);
    return 0;
}

int32_t protocol_next_request(struct protocol *protocol, uint64_t now_us, struct buf *out)
{
    for (size_t i = 0; protocol->is_open && i < COUNT_OF(order); i++)
        if (due_us(protocol, order[i]) <= now_us)
            return make_request(protocol, &protocol->subscriptions[order[i]], now_us, out);
    return 0;
}
