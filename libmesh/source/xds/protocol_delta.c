/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental: requests have what changed of the names, answers what changed of the resources, each with its own version. */
#include "source/xds/protocol_state.h"

#include <string.h>

/* ---- asking ---- */

typedef Discovery__DeltaDiscoveryRequest__InitialResourceVersionsEntry version_entry;

/* What is held, in the first request of a type on a stream: there every name is new. */
static int32_t held_versions(const struct subscription *subscription, Discovery__DeltaDiscoveryRequest *message,
                             version_entry **out)
{
    version_entry *entries, **pointers;
    size_t n = 0;

    *out = NULL;
    if (subscription->is_asked)
        return 0;
    *out = entries = mem_array(subscription->n_wanted, sizeof *entries);
    message->initial_resource_versions = pointers = mem_array(subscription->n_wanted, sizeof *pointers);
    if (!entries || !pointers)
        return MESH_ERR_NOMEM;
    LIST_EACH(pos, &subscription->changed) {
        struct name *name = CONTAINER_OF(pos, struct name, link);

        if (!name->version)
            continue;
        entries[n] = (version_entry) DISCOVERY__DELTA_DISCOVERY_REQUEST__INITIAL_RESOURCE_VERSIONS_ENTRY__INIT;
        entries[n].key = name->text;
        entries[n].value = name->version;
        pointers[n] = &entries[n];
        n++;
    }
    message->n_initial_resource_versions = n;
    return 0;
}

static int32_t pack(const struct request *request, struct buf *out)
{
    const struct subscription *subscription = request->subscription;
    Discovery__DeltaDiscoveryRequest message = DISCOVERY__DELTA_DISCOVERY_REQUEST__INIT;
    version_entry *entries = NULL;
    int32_t err = request_names(subscription, 1U << NAME_NEW, &message.resource_names_subscribe,
                                &message.n_resource_names_subscribe);

    if (!err)
        err = request_names(subscription, 1U << NAME_GONE | 1U << NAME_AGAIN, &message.resource_names_unsubscribe,
                            &message.n_resource_names_unsubscribe);
    if (!err)
        err = held_versions(subscription, &message, &entries);
    if (err)
        goto done;
    message.node = request->node;
    message.type_url = (char *) xds_type_url(subscription->type);
    message.response_nonce = request->nonce;
    message.error_detail = request->error;
    err = request_append(&message.base, out);
done:
    mem_free(message.resource_names_subscribe);
    mem_free(message.resource_names_unsubscribe);
    mem_free(message.initial_resource_versions);
    mem_free(entries);
    return err;
}

/* ---- reading ---- */

static struct response look(const ProtobufCMessage *message)
{
    const Discovery__DeltaDiscoveryResponse *response = (const Discovery__DeltaDiscoveryResponse *) message;

    return (struct response){
        .type_url = response->type_url,
        .version = response->system_version_info,
        .nonce = response->nonce,
        .n_resources = response->n_resources,
        .server = response->control_plane,
        .errors = response->resource_errors,
        .n_errors = response->n_resource_errors,
        .removed = response->removed_resources,
        .n_removed = response->n_removed_resources,
    };
}

static void hash_ttl(const Pb__Duration *ttl, uint64_t *out)
{
    const int64_t none[] = { 0, 0, 0 }, some[] = { 1, ttl ? ttl->seconds : 0, ttl ? ttl->nanos : 0 };

    hash_add(out, ttl ? some : none, sizeof none);
}

static void hash_body(const Pb__Any *body, uint64_t *out)
{
    hash_add(out, &(bool){ body != NULL }, sizeof(bool));
    if (!body)
        return;
    hash_add_text(out, body->type_url);
    hash_add(out, body->value.data, body->value.len);
}

static uint64_t hash_sum(const ProtobufCMessage *message)
{
    const Discovery__DeltaDiscoveryResponse *response = (const Discovery__DeltaDiscoveryResponse *) message;
    uint64_t sum = 0;

    for (size_t i = 0; i < response->n_resources; i++) {
        const Discovery__Resource *resource = response->resources[i];
        uint64_t one = 0;

        hash_add_text(&one, resource->name);
        hash_add_text(&one, resource->version);
        hash_ttl(resource->ttl, &one);
        hash_body(resource->resource, &one);
        sum += one;
    }
    return sum;
}

/* A name that stands there already refuses the answer: nobody knows which of the two counts. */
static int32_t note_name(struct answer *answer, struct map *names, const char *name)
{
    char shown[128];
    size_t len = strlen(name);

    if (len == 0)
        return 0; /* complained of later, or nobody's */
    if (map_get(names, name, len))
        return answer_refuse(answer, "%s stands twice in resources and removed_resources",
                             text_printable(name, len, shown, sizeof shown));
    return map_put(names, name, len, answer) ? 0 : MESH_ERR_NOMEM;
}

static int32_t check_names(struct answer *answer, const Discovery__DeltaDiscoveryResponse *response)
{
    struct map names = { 0 };
    int32_t err = 0;

    for (size_t i = 0; i < response->n_resources && !err && !answer->refusal; i++)
        err = note_name(answer, &names, response->resources[i]->name);
    for (size_t i = 0; i < response->n_removed_resources && !err && !answer->refusal; i++)
        err = note_name(answer, &names, response->removed_resources[i]);
    map_free(&names);
    return err;
}

static int32_t read_resource(struct answer *answer, size_t i, const Discovery__Resource *from, size_t longest)
{
    struct xds_answer_resource *resource = &answer->shown.resources[i];

    if (!from->name[0])
        return answer_complain(resource, "it has no name");
    if (strlen(from->version) > longest) {
        resource->name = from->name;
        return answer_complain(resource, "version: longer than %zu bytes", longest);
    }
    return answer_resource(resource, from, answer->shown.type);
}

static int32_t read_resources(struct answer *answer, const struct protocol_limits *limits)
{
    const Discovery__DeltaDiscoveryResponse *response = (const Discovery__DeltaDiscoveryResponse *) answer->message;
    int32_t err = check_names(answer, response);

    if (answer->refusal)
        return err;
    for (size_t i = 0; i < answer->shown.n_resources && !err; i++)
        err = read_resource(answer, i, response->resources[i], limits->text);
    return err;
}

const struct protocol_variant protocol_delta = {
    .response = &discovery__delta_discovery_response__descriptor,
    .are_versions_told = true,
    .pack = pack,
    .look = look,
    .hash_sum = hash_sum,
    .read = read_resources,
};
