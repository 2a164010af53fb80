/* SPDX-License-Identifier: Apache-2.0 */
/* The state of all resources as CSDS tells it. */
#include "source/xds/status.h"

#include <stdlib.h>
#include <string.h>

#include "proto/cluster.pb-c.h"
#include "proto/csds.pb-c.h"
#include "proto/tls.pb-c.h"
#include "source/xds/scalars.h"
#include "source/xds/values.h"
#include "source/xds/wire.h"

enum { NODE_MATCHERS = 1, MS_PER_S = 1000, NS_PER_MS = 1000000 };

/* ---- asking ---- */

int32_t status_read_request(const uint8_t *bytes, size_t len, bool *with_contents, struct fault *fault)
{
    ProtobufCMessage *message;
    int32_t err =
        wire_unpack(&csds__client_status_request__descriptor, bytes, len, &wire_limits_standard, &message, fault);

    if (err)
        return err;
    *with_contents = !((const Csds__ClientStatusRequest *) message)->exclude_resource_contents;
    if (values_has_unknown(message, NODE_MATCHERS))
        err = fault_set(fault, MESH_ERR_INVALID, "node_matchers: a client knows of no other nodes");
    wire_free(message);
    return err;
}

/* ---- order ---- */

static int by_place(const void *a, const void *b)
{
    const struct resource *x = *(const struct resource *const *) a, *y = *(const struct resource *const *) b;

    return x->type != y->type ? (x->type < y->type ? -1 : 1) : strcmp(x->name, y->name);
}

const struct resource **status_sorted(const struct store *store, size_t *n)
{
    const struct resource **sorted, *resource;
    size_t count = 0;

    for (int type = 0; type < XDS_TYPES; type++)
        count += store->types[type].count;
    sorted = mem_array(count + 1, sizeof(struct resource *));
    *n = 0;
    for (int type = 0; sorted && type < XDS_TYPES; type++)
        for (size_t at = 0; (resource = map_next(&store->types[type], &at));)
            sorted[(*n)++] = resource;
    if (sorted)
        qsort(sorted, *n, sizeof(struct resource *), by_place);
    return sorted;
}

/* ---- keys stay here ---- */

static bool is_inline(const Core__DataSource *source)
{
    return source && (source->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES ||
                      source->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING);
}

static bool context_has_key(const Tls__UpstreamTlsContext *context)
{
    const Tls__CommonTlsContext *common = context->common_tls_context;

    for (size_t i = 0; common && i < common->n_tls_certificates; i++)
        if (is_inline(common->tls_certificates[i]->private_key))
            return true;
    return false;
}

/* What cannot be looked into is taken for one that has. False: out of memory. */
static bool look(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len, ProtobufCMessage **out,
                 bool *has)
{
    int32_t err = wire_unpack(type, bytes, len, &wire_limits_standard, out, NULL);

    *has = err != 0;
    return err != MESH_ERR_NOMEM;
}

static bool socket_has_key(const Core__TransportSocket *socket, bool *has)
{
    const ProtobufCMessageDescriptor *type = &tls__upstream_tls_context__descriptor;
    ProtobufCMessage *context;

    *has = false;
    if (!socket || socket->config_type_case != CORE__TRANSPORT_SOCKET__CONFIG_TYPE_TYPED_CONFIG ||
        !scalar_any_is(socket->typed_config, type->name))
        return true;
    if (!look(type, socket->typed_config->value.data, socket->typed_config->value.len, &context, has))
        return false;
    if (context)
        *has = context_has_key((const Tls__UpstreamTlsContext *) context);
    wire_free(context);
    return true;
}

static bool cluster_has_key(const Cluster__Cluster *cluster, bool *has)
{
    bool looked = socket_has_key(cluster->transport_socket, has);

    for (size_t i = 0; looked && i < cluster->n_transport_socket_matches && !*has; i++)
        looked = socket_has_key(cluster->transport_socket_matches[i]->transport_socket, has);
    return looked;
}

static bool has_key(const struct resource *resource, bool *has)
{
    ProtobufCMessage *message;
    bool looked;

    *has = false;
    if (resource->type != XDS_CLUSTER)
        return true;
    looked = look(&cluster__cluster__descriptor, resource->bytes->data, resource->bytes->len, &message, has);
    if (message)
        looked = cluster_has_key((const Cluster__Cluster *) message, has);
    wire_free(message);
    return looked;
}

/* ---- answering ---- */

/* A resource's message and what it points to. */
struct told {
    Csds__ClientConfig__GenericXdsConfig config;
    Pb__Any contents;
    Pb__Timestamp updated, refused;
    Admin__UpdateFailureState failure;
};

static Admin__ClientResourceStatus status_of(enum resource_state state)
{
    static const Admin__ClientResourceStatus statuses[] = {
        [RESOURCE_REQUESTED] = ADMIN__CLIENT_RESOURCE_STATUS__REQUESTED,
        [RESOURCE_DOES_NOT_EXIST] = ADMIN__CLIENT_RESOURCE_STATUS__DOES_NOT_EXIST,
        [RESOURCE_ACKED] = ADMIN__CLIENT_RESOURCE_STATUS__ACKED,
        [RESOURCE_NACKED] = ADMIN__CLIENT_RESOURCE_STATUS__NACKED,
        [RESOURCE_RECEIVED_ERROR] = ADMIN__CLIENT_RESOURCE_STATUS__RECEIVED_ERROR,
        [RESOURCE_TIMEOUT] = ADMIN__CLIENT_RESOURCE_STATUS__TIMEOUT,
    };

    return statuses[state];
}

/* NULL: it never was. */
static Pb__Timestamp *tell_time(uint64_t wall_ms, Pb__Timestamp *out)
{
    pb__timestamp__init(out);
    out->seconds = (int64_t) (wall_ms / MS_PER_S);
    out->nanos = (int32_t) (wall_ms % MS_PER_S) * NS_PER_MS;
    return wall_ms > 0 ? out : NULL;
}

static void tell_failure(const struct resource *resource, struct told *out)
{
    if (resource->error.code == 0)
        return;
    admin__update_failure_state__init(&out->failure);
    out->failure.details = (char *) resource->error.text;
    if (resource->refused_version)
        out->failure.version_info = resource->refused_version;
    out->failure.last_update_attempt = tell_time(resource->refused_wall_ms, &out->refused);
    out->config.error_state = &out->failure;
}

/* False: out of memory. */
static bool tell_contents(const struct resource *resource, struct told *out)
{
    bool has;

    if (!resource->bytes)
        return true;
    if (!has_key(resource, &has))
        return false;
    if (has)
        return true;
    pb__any__init(&out->contents);
    out->contents.type_url = (char *) xds_type_url(resource->type);
    out->contents.value.data = resource->bytes->data;
    out->contents.value.len = resource->bytes->len;
    out->config.xds_config = &out->contents;
    return true;
}

static bool tell(const struct resource *resource, bool with_contents, struct told *out)
{
    csds__client_config__generic_xds_config__init(&out->config);
    out->config.type_url = (char *) xds_type_url(resource->type);
    out->config.name = (char *) resource->name;
    out->config.client_status = status_of(resource->state);
    if (resource->version)
        out->config.version_info = resource->version;
    out->config.last_updated = tell_time(resource->updated_wall_ms, &out->updated);
    tell_failure(resource, out);
    return !with_contents || tell_contents(resource, out);
}

static bool pack(const Csds__ClientStatusResponse *response, struct buf *out)
{
    uint8_t *room = buf_room(out, protobuf_c_message_get_packed_size(&response->base) + 1);

    if (room)
        buf_added(out, protobuf_c_message_pack(&response->base, room));
    return room;
}

static bool write_all(const struct resource **sorted, size_t n, const Core__Node *node, bool with_contents,
                      struct buf *out)
{
    Csds__ClientStatusResponse response = CSDS__CLIENT_STATUS_RESPONSE__INIT;
    Csds__ClientConfig config = CSDS__CLIENT_CONFIG__INIT, *configs[] = { &config };
    struct told *told = mem_array(n + 1, sizeof *told);
    Csds__ClientConfig__GenericXdsConfig **messages = mem_array(n + 1, sizeof(Csds__ClientConfig__GenericXdsConfig *));
    bool written = told && messages;

    for (size_t i = 0; written && i < n; i++) {
        written = tell(sorted[i], with_contents, &told[i]);
        messages[i] = &told[i].config;
    }
    config.node = (Core__Node *) node;
    config.n_generic_xds_configs = n;
    config.generic_xds_configs = messages;
    response.n_config = 1;
    response.config = configs;
    written = written && pack(&response, out);
    mem_free(messages);
    mem_free(told);
    return written;
}

int32_t status_write_response(const struct store *store, const Core__Node *node, bool with_contents, struct buf *out,
                              struct fault *fault)
{
    size_t n;
    const struct resource **sorted = status_sorted(store, &n);
    bool written = sorted && write_all(sorted, n, node, with_contents, out);

    mem_free(sorted);
    return written ? 0 : fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}
