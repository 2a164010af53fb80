/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's side of the protocol in messages: what it says, and how it reads what it is asked, in both variants. */
#ifndef TESTS_SUPPORT_XDS_MESSAGES_H
#define TESTS_SUPPORT_XDS_MESSAGES_H

#include <stdlib.h>
#include <string.h>

#include "mesh_test.h"
#include "proto/core.pb-c.h"
#include "proto/discovery.pb-c.h"
#include "proto/rpc.pb-c.h"
#include "source/xds/types.h"
#include "source/xds/wire.h"

enum { SAID_MOST = 64 };
#define WRAPPER_URL "type.googleapis.com/envoy.service.discovery.v3.Resource"

struct said_resource {
    const char *name;     /* delta always has it; state of the world: the resource is wrapped, NULL: it is bare */
    const char *version;  /* NULL: "" */
    const char *body;     /* NULL: a heartbeat */
    size_t body_len;      /* 0: as long as the text is */
    const char *type_url; /* NULL: the answer's */
    const int64_t *ttl_s;
};

struct said {
    enum xds_type type;
    const char *type_url; /* NULL: that of `type` */
    const char *version, *nonce, *server;
    struct said_resource resources[SAID_MOST];
    size_t n_resources;
    const char *removed[SAID_MOST];
    size_t n_removed;
    struct {
        const char *name, *message;
        int32_t code;
    } errors[SAID_MOST];
    size_t n_errors;
};

static inline void said_append(const ProtobufCMessage *message, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = buf_room(out, size + 1);

    assert_non_null(room);
    assert_int_equal(protobuf_c_message_pack(message, room), size);
    buf_added(out, size);
}

/* What the parts of a response live in while it is packed. */
struct said_parts {
    Pb__Any bodies[SAID_MOST], anys[SAID_MOST];
    Pb__Duration ttls[SAID_MOST];
    Discovery__Resource resources[SAID_MOST];
    struct buf wrapped[SAID_MOST];
    Discovery__ResourceError errors[SAID_MOST], *error_pointers[SAID_MOST];
    Discovery__ResourceName names[SAID_MOST];
    Rpc__Status statuses[SAID_MOST];
    Core__ControlPlane server;
    Pb__Any *any_pointers[SAID_MOST];
    Discovery__Resource *resource_pointers[SAID_MOST];
};

static inline void said_make_resource(struct said_parts *parts, size_t i, const struct said_resource *from,
                                      const char *type_url)
{
    Discovery__Resource *resource = &parts->resources[i];

    discovery__resource__init(resource);
    pb__any__init(&parts->bodies[i]);
    pb__duration__init(&parts->ttls[i]);
    parts->resource_pointers[i] = resource;
    resource->name = (char *) (from->name ? from->name : "");
    resource->version = (char *) (from->version ? from->version : "");
    if (from->body) {
        resource->resource = &parts->bodies[i];
        parts->bodies[i].type_url = (char *) (from->type_url ? from->type_url : type_url);
        parts->bodies[i].value.data = (uint8_t *) from->body;
        parts->bodies[i].value.len = from->body_len ? from->body_len : strlen(from->body);
    }
    if (from->ttl_s) {
        parts->ttls[i].seconds = *from->ttl_s;
        resource->ttl = &parts->ttls[i];
    }
}

/* State of the world: bare, or the Resource wrapped once more. */
static inline void said_make_any(struct said_parts *parts, size_t i, bool is_wrapped)
{
    parts->any_pointers[i] = &parts->anys[i];
    parts->anys[i] = parts->bodies[i];
    if (!is_wrapped)
        return;
    said_append(&parts->resources[i].base, &parts->wrapped[i]);
    pb__any__init(&parts->anys[i]);
    parts->anys[i].type_url = (char *) WRAPPER_URL;
    parts->anys[i].value.data = (uint8_t *) buf_bytes(&parts->wrapped[i]);
    parts->anys[i].value.len = buf_len(&parts->wrapped[i]);
}

static inline void said_make_error(struct said_parts *parts, size_t i, const struct said *said)
{
    discovery__resource_error__init(&parts->errors[i]);
    discovery__resource_name__init(&parts->names[i]);
    rpc__status__init(&parts->statuses[i]);
    parts->names[i].name = (char *) said->errors[i].name;
    parts->statuses[i].code = said->errors[i].code;
    parts->statuses[i].message = (char *) said->errors[i].message;
    parts->errors[i].resource_name = &parts->names[i];
    parts->errors[i].error_detail = &parts->statuses[i];
    parts->error_pointers[i] = &parts->errors[i];
}

static inline void said_pack_sotw(const struct said *said, const char *url, struct said_parts *parts, struct buf *out)
{
    Discovery__DiscoveryResponse response = DISCOVERY__DISCOVERY_RESPONSE__INIT;

    for (size_t i = 0; i < said->n_resources; i++)
        said_make_any(parts, i, said->resources[i].name || !said->resources[i].body);
    response.type_url = (char *) url;
    response.version_info = (char *) (said->version ? said->version : "");
    response.nonce = (char *) (said->nonce ? said->nonce : "");
    response.resources = parts->any_pointers;
    response.n_resources = said->n_resources;
    response.resource_errors = parts->error_pointers;
    response.n_resource_errors = said->n_errors;
    response.control_plane = said->server ? &parts->server : NULL;
    said_append(&response.base, out);
}

static inline void said_pack_delta(const struct said *said, const char *url, struct said_parts *parts, struct buf *out)
{
    Discovery__DeltaDiscoveryResponse response = DISCOVERY__DELTA_DISCOVERY_RESPONSE__INIT;

    response.type_url = (char *) url;
    response.system_version_info = (char *) (said->version ? said->version : "");
    response.nonce = (char *) (said->nonce ? said->nonce : "");
    response.resources = parts->resource_pointers;
    response.n_resources = said->n_resources;
    response.removed_resources = (char **) said->removed;
    response.n_removed_resources = said->n_removed;
    response.resource_errors = parts->error_pointers;
    response.n_resource_errors = said->n_errors;
    response.control_plane = said->server ? &parts->server : NULL;
    said_append(&response.base, out);
}

/* Appends the packed response. */
static inline void said_pack(const struct said *said, bool is_delta, struct buf *out)
{
    struct said_parts *parts = calloc(1, sizeof *parts);
    const char *url = said->type_url ? said->type_url : xds_type_url(said->type);

    for (size_t i = 0; i < said->n_resources; i++)
        said_make_resource(parts, i, &said->resources[i], url);
    for (size_t i = 0; i < said->n_errors; i++)
        said_make_error(parts, i, said);
    core__control_plane__init(&parts->server);
    parts->server.identifier = (char *) said->server;
    if (is_delta)
        said_pack_delta(said, url, parts, out);
    else
        said_pack_sotw(said, url, parts, out);
    for (size_t i = 0; i < said->n_resources; i++)
        buf_free(&parts->wrapped[i]);
    free(parts);
}

/* A request, whatever the variant. */
struct asked {
    ProtobufCMessage *message;
    enum xds_type type;
    const char *version, *nonce; /* delta: version "" */
    const Rpc__Status *error;
    const Core__Node *node;
    char **names, **gone; /* delta: subscribed and unsubscribed; state of the world: all, none */
    size_t n_names, n_gone;
    Discovery__DeltaDiscoveryRequest__InitialResourceVersionsEntry **held;
    size_t n_held;
};

static inline struct asked asked_sotw(ProtobufCMessage *message)
{
    Discovery__DiscoveryRequest *request = (Discovery__DiscoveryRequest *) message;
    struct asked asked = { .message = message,
                           .version = request->version_info,
                           .nonce = request->response_nonce,
                           .error = request->error_detail,
                           .node = request->node,
                           .names = request->resource_names,
                           .n_names = request->n_resource_names };

    assert_true(xds_type_parse(request->type_url, strlen(request->type_url), &asked.type));
    return asked;
}

static inline struct asked asked_delta(ProtobufCMessage *message)
{
    Discovery__DeltaDiscoveryRequest *request = (Discovery__DeltaDiscoveryRequest *) message;
    struct asked asked = { .message = message,
                           .version = "",
                           .nonce = request->response_nonce,
                           .error = request->error_detail,
                           .node = request->node,
                           .names = request->resource_names_subscribe,
                           .n_names = request->n_resource_names_subscribe,
                           .gone = request->resource_names_unsubscribe,
                           .n_gone = request->n_resource_names_unsubscribe,
                           .held = request->initial_resource_versions,
                           .n_held = request->n_initial_resource_versions };

    assert_true(xds_type_parse(request->type_url, strlen(request->type_url), &asked.type));
    return asked;
}

/* Reads what was sent, as strictly as a server does. Given back with wire_free(asked.message). */
static inline struct asked asked_read(const struct buf *bytes, bool is_delta)
{
    const ProtobufCMessageDescriptor *type =
        is_delta ? &discovery__delta_discovery_request__descriptor : &discovery__discovery_request__descriptor;
    ProtobufCMessage *message;
    struct fault fault = { 0 };

    MESH_OK(wire_unpack(type, buf_bytes(bytes), buf_len(bytes), &wire_limits_standard, &message, &fault));
    return is_delta ? asked_delta(message) : asked_sotw(message);
}

static inline bool asked_has(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

#endif
