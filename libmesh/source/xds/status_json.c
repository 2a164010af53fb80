/* SPDX-License-Identifier: Apache-2.0 */
/* The state of all resources as JSON for people. */
#include "proto/cluster.pb-c.h"
#include "proto/endpoint.pb-c.h"
#include "proto/listener.pb-c.h"
#include "proto/route.pb-c.h"
#include "source/xds/message_json.h"
#include "source/xds/status.h"
#include "source/xds/wire.h"

/* More endpoints are not shown: nobody reads them. */
enum { ENDPOINTS_MOST = 1000 };

static void put_time(struct json_writer *w, const char *key, uint64_t wall_ms)
{
    char text[CLOCK_TEXT];

    if (wall_ms == 0)
        return;
    clock_text(wall_ms * US_PER_MS, text);
    json_put_text(w, key, text);
}

static void put_flag(struct json_writer *w, const char *key, bool flag)
{
    if (!flag)
        return;
    json_key(w, key);
    json_bool(w, true);
}

static void put_error(struct json_writer *w, const struct resource *resource)
{
    if (resource->error.code == 0)
        return;
    json_key(w, "error");
    json_begin(w, '{');
    json_put_text(w, "detail", resource->error.text);
    if (resource->refused_version)
        json_put_text(w, "version", resource->refused_version);
    put_time(w, "at", resource->refused_wall_ms);
    json_end(w, '}');
}

static void put_ignored(struct json_writer *w, const struct ignored *ignored)
{
    if (ignored->n == 0)
        return;
    json_key(w, "ignored");
    json_begin(w, '[');
    for (size_t i = 0; i < ignored->n; i++)
        json_quoted(w, ignored->items[i]);
    json_end(w, ']');
    if (ignored->left_out > 0)
        json_put_number(w, "ignored_not_shown", ignored->left_out);
}

/* ---- contents ---- */

static void put_endpoint(struct json_writer *w, const struct model_endpoints *set,
                         const struct model_endpoint *endpoint)
{
    const struct model_locality *locality = model_endpoint_locality(set, endpoint);
    char address[ADDR_TEXT];

    json_begin(w, '{');
    json_put_text(w, "address", addr_format(&endpoint->addr, address));
    json_put_text(w, "zone", locality->label);
    json_put_number(w, "priority", locality->priority);
    json_put_number(w, "weight", endpoint->weight);
    json_put_text(w, "health", model_health_name(endpoint->health));
    json_end(w, '}');
}

static void put_endpoints(struct json_writer *w, const struct model_endpoints *set)
{
    size_t n = set->n > ENDPOINTS_MOST ? ENDPOINTS_MOST : set->n;

    json_key(w, "endpoints");
    json_begin(w, '[');
    for (size_t i = 0; i < n; i++)
        put_endpoint(w, set, &set->endpoints[i]);
    json_end(w, ']');
    if (set->n > n)
        json_put_number(w, "endpoints_not_shown", set->n - n);
}

static void put_message(struct json_writer *w, const struct resource *resource)
{
    static const ProtobufCMessageDescriptor *const types[XDS_TYPES] = {
        [XDS_LISTENER] = &listener__listener__descriptor,
        [XDS_ROUTES] = &route__route_configuration__descriptor,
        [XDS_CLUSTER] = &cluster__cluster__descriptor,
        [XDS_ENDPOINTS] = &endpoint__cluster_load_assignment__descriptor,
    };
    ProtobufCMessage *message;

    if (wire_unpack(types[resource->type], resource->bytes->data, resource->bytes->len, &wire_limits_standard, &message,
                    NULL))
        return;
    json_key(w, "resource");
    message_json(w, message);
    wire_free(message);
}

static void put_contents(struct json_writer *w, const struct resource *resource)
{
    if (resource->endpoints)
        put_endpoints(w, resource->endpoints);
    else if (resource->bytes)
        put_message(w, resource);
}

/* ---- a resource ---- */

static void put_resource(struct json_writer *w, const struct resource *resource, bool with_contents)
{
    json_begin(w, '{');
    json_put_text(w, "type", xds_type_name(resource->type));
    json_put_text(w, "name", resource->name);
    json_put_text(w, "state", resource_state_name(resource->state));
    if (resource->version)
        json_put_text(w, "version", resource->version);
    put_time(w, "updated", resource->updated_wall_ms);
    put_flag(w, "deleted", resource->is_deleted);
    put_flag(w, "from_disk", resource->is_stale);
    if (resource->endpoints)
        json_put_number(w, "n_endpoints", resource->endpoints->n);
    put_error(w, resource);
    put_ignored(w, &resource->ignored);
    if (with_contents)
        put_contents(w, resource);
    json_end(w, '}');
}

void status_json(struct json_writer *w, const struct store *store, bool with_contents)
{
    size_t n;
    const struct resource **sorted = status_sorted(store, &n);

    if (!sorted)
        w->failed = true;
    json_begin(w, '[');
    for (size_t i = 0; sorted && i < n; i++)
        put_resource(w, sorted[i], with_contents);
    json_end(w, ']');
    mem_free(sorted);
}
