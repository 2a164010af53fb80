/* SPDX-License-Identifier: Apache-2.0 */
/* State of the world: each request has all names and the version that was accepted last. */
#include "source/xds/protocol_state.h"

#include <string.h>

static const char wrapper_url[] = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/* ---- asking ---- */

static int32_t pack(const struct request *request, struct buf *out)
{
    const struct subscription *subscription = request->subscription;
    Discovery__DiscoveryRequest message = DISCOVERY__DISCOVERY_REQUEST__INIT;
    int32_t err = request_names(subscription, 1U << NAME_TOLD | 1U << NAME_NEW, &message.resource_names,
                                &message.n_resource_names);

    if (err)
        return err;
    message.node = request->node;
    message.type_url = (char *) xds_type_url(subscription->type);
    message.version_info = subscription->version ? subscription->version : (char *) "";
    message.response_nonce = request->nonce;
    message.error_detail = request->error;
    err = request_append(&message.base, out);
    mem_free(message.resource_names);
    return err;
}

/* ---- reading ---- */

static struct response look(const ProtobufCMessage *message)
{
    const Discovery__DiscoveryResponse *response = (const Discovery__DiscoveryResponse *) message;

    return (struct response){
        .type_url = response->type_url,
        .version = response->version_info,
        .nonce = response->nonce,
        .n_resources = response->n_resources,
        .server = response->control_plane,
        .errors = response->resource_errors,
        .n_errors = response->n_resource_errors,
    };
}

static uint64_t hash_sum(const ProtobufCMessage *message)
{
    const Discovery__DiscoveryResponse *response = (const Discovery__DiscoveryResponse *) message;
    uint64_t sum = 0;

    for (size_t i = 0; i < response->n_resources; i++) {
        uint64_t one = 0;

        hash_add_text(&one, response->resources[i]->type_url);
        hash_add(&one, response->resources[i]->value.data, response->resources[i]->value.len);
        sum += one;
    }
    return sum;
}

/* The resource out of its wrapper, whose bytes go. All wrappers of an answer together have `memory`. */
static int32_t unwrap(struct answer *answer, size_t i, Pb__Any *any, const struct wire_limits *limits, size_t *memory)
{
    const ProtobufCMessageDescriptor *type = &discovery__resource__descriptor;
    struct xds_answer_resource *resource = &answer->shown.resources[i];
    struct wire_limits left = *limits;
    struct fault fault = { 0 };
    struct wire_cost cost;
    ProtobufCMessage *message = NULL;
    int32_t err;

    left.memory = *memory;
    err = wire_scan(type, any->value.data, any->value.len, &left, &cost, &fault);
    if (!err)
        err = wire_unpack(type, any->value.data, any->value.len, &left, &message, &fault);
    if (err == MESH_ERR_NOMEM)
        return err;
    if (err)
        return answer_complain(resource, "%s", fault.text);
    *memory -= cost.memory;
    mem_free(any->value.data);
    any->value = (ProtobufCBinaryData){ 0 };
    answer->wrapped[i] = (Discovery__Resource *) message;
    return answer_resource(resource, answer->wrapped[i], answer->shown.type);
}

static int32_t read_resource(struct answer *answer, size_t i, Pb__Any *any, const struct wire_limits *limits,
                             size_t *memory)
{
    if (strcmp(any->type_url, wrapper_url) != 0)
        return answer_body(&answer->shown.resources[i], any, answer->shown.type);
    if (!answer->wrapped)
        answer->wrapped = mem_array(answer->shown.n_resources, sizeof(Discovery__Resource *));
    if (!answer->wrapped)
        return MESH_ERR_NOMEM;
    return unwrap(answer, i, any, limits, memory);
}

static int32_t read_resources(struct answer *answer, const struct protocol_limits *limits)
{
    Discovery__DiscoveryResponse *response = (Discovery__DiscoveryResponse *) answer->message;
    size_t memory = limits->wire.memory;
    int32_t err = 0;

    for (size_t i = 0; i < answer->shown.n_resources && !err; i++)
        err = read_resource(answer, i, response->resources[i], &limits->wire, &memory);
    return err;
}

const struct protocol_variant protocol_sotw = {
    .response = &discovery__discovery_response__descriptor,
    .are_names_beside_nonce = true,
    .pack = pack,
    .look = look,
    .hash_sum = hash_sum,
    .read = read_resources,
};
