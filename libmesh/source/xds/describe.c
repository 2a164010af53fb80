/* SPDX-License-Identifier: Apache-2.0 */
/* Node, control planes and resources as JSON. */
#include "source/xds/describe.h"

#include <stdlib.h>
#include <string.h>

#include "source/xds/contents.h"
#include "source/xds/message_json.h"
#include "source/xds/status.h"

/* ---- shared ---- */

void describe_fault(struct json_writer *w, const char *key, const struct fault *fault)
{
    json_key(w, key);
    if (!fault || fault->code == 0) {
        json_quoted(w, NULL);
        return;
    }
    json_begin(w, '{');
    json_put_text(w, "code", error_name(fault->code));
    json_put_text(w, "detail", fault->text);
    json_end(w, '}');
}

void describe_moment(struct json_writer *w, const char *key, const struct loop *loop, uint64_t loop_us)
{
    bool never = loop_us == 0 || loop_us == UINT64_MAX;
    char text[CLOCK_TEXT];

    if (!never)
        clock_text(clock_wall_us() - loop_now_us(loop) + loop_us, text);
    json_put_text(w, key, never ? NULL : text);
}

void describe_texts(struct json_writer *w, const char *key, char *const *items, size_t n)
{
    json_key(w, key);
    json_begin(w, '[');
    for (size_t i = 0; i < n; i++)
        json_quoted(w, items[i]);
    json_end(w, ']');
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct map_slot *) a)->key, ((const struct map_slot *) b)->key);
}

struct map_slot *describe_sorted(struct json_writer *w, const struct map *map)
{
    struct map_slot *sorted = mem_array(map->count + 1, sizeof *sorted);
    size_t n = 0;

    w->failed |= sorted == NULL;
    for (size_t i = 0; sorted && map->count > 0 && i <= map->mask; i++)
        if (map->slots[i].key)
            sorted[n++] = map->slots[i];
    if (sorted)
        qsort(sorted, n, sizeof *sorted, by_key);
    return sorted;
}

const char *describe_cluster_name(const char *key)
{
    return key + sizeof XDS_CLUSTER_PREFIX - 1;
}

/* ---- who we are ---- */

static void write_node(struct json_writer *w, const struct xds *xds)
{
    json_key(w, "node");
    message_json(w, &xds->node->base);
}

/* ---- control planes ---- */

static void write_type(struct json_writer *w, const struct ads_server *server, enum xds_type type)
{
    struct protocol_status status = protocol_status(server->protocol, type);
    const struct loop *loop = server->ads->conf.loop;

    json_begin(w, '{');
    json_put_text(w, "type", xds_type_name(type));
    json_put_number(w, "names", status.names);
    json_put_text(w, "version", status.version);
    json_put_number(w, "accepted", status.accepted);
    describe_moment(w, "accepted_at", loop, status.accepted_us);
    json_put_number(w, "refused", status.refused);
    describe_moment(w, "refused_at", loop, status.refused_us);
    json_put_text(w, "error", status.error);
    json_end(w, '}');
}

static void write_types(struct json_writer *w, const struct ads_server *server)
{
    json_key(w, "types");
    json_begin(w, '[');
    for (int type = 0; server->protocol && type < XDS_TYPES; type++)
        write_type(w, server, (enum xds_type) type);
    json_end(w, ']');
}

static void write_channel(struct json_writer *w, const struct ads_server *server, const struct channel *channel)
{
    static const struct fault none;
    struct channel_status status = { .state = CHANNEL_IDLE, .fault = &none };
    const struct loop *loop = server->ads->conf.loop;
    char address[ADDR_TEXT];

    if (channel)
        channel_tell(channel, &status);
    json_put_text(w, "state", channel_state_name(status.state));
    describe_moment(w, "since", loop, status.since_us);
    json_put_text(w, "address", status.address ? addr_format(status.address, address) : NULL);
    describe_fault(w, "last_error", status.fault);
    describe_moment(w, "last_error_at", loop, status.fault->code ? status.fault_us : 0);
    json_put_number(w, "connections", status.connections);
    json_put_number(w, "streams", status.streams);
    json_put_number(w, "messages_received", status.received);
    json_put_number(w, "messages_sent", status.sent);
}

static void write_server(struct json_writer *w, const struct ads *ads, size_t index)
{
    const struct ads_server *server = &ads->items[index];
    bool is_asked = ads->servers && index < servers_asked(ads->servers);
    const char *identifier = server->protocol ? protocol_server(server->protocol) : "";

    json_begin(w, '{');
    json_put_text(w, "uri", ads_server_conf(server)->uri);
    json_key(w, "is_asked");
    json_bool(w, is_asked);
    json_put_text(w, "identifier", identifier);
    json_put_text(w, "protocol", ads_server_conf(server)->features & BOOTSTRAP_DELTA ? "delta" : "state of the world");
    write_channel(w, server, is_asked ? servers_channel(ads->servers, index) : NULL);
    write_types(w, server);
    json_end(w, '}');
}

static void write_control_planes(struct json_writer *w, const struct xds *xds)
{
    json_key(w, "control_planes");
    json_begin(w, '[');
    for (size_t i = 0; i < xds->n_ads; i++)
        for (size_t j = 0; j < xds->ads[i].conf.list->n && j < FALLBACK_MOST; j++)
            write_server(w, &xds->ads[i], j);
    json_end(w, ']');
}

/* ---- the whole ---- */

void xds_describe(const struct xds *xds, struct json_writer *w)
{
    json_key(w, "is_configured");
    json_bool(w, xds != NULL);
    if (!xds)
        return;
    write_node(w, xds);
    write_control_planes(w, xds);
    json_put_text(w, "cache_file", xds->cache ? cache_path(xds->cache) : NULL);
    describe_services(w, &xds->graph);
    describe_clusters(w, &xds->graph);
    json_key(w, "resources");
    status_json(w, &xds->store);
}

int32_t xds_write_csds(const struct xds *xds, const uint8_t *request, size_t len, struct buf *out, struct fault *fault)
{
    bool with_contents;
    int32_t err = status_read_request(request, len, &with_contents, fault);

    if (err || !xds)
        return err;
    return status_write_response(&xds->store, xds->node, with_contents, out, fault);
}

bool xds_copy_contents(const struct xds *xds, struct xds_contents **out)
{
    *out = NULL;
    return !xds || contents_copy(&xds->store, out);
}

void xds_write_contents(const struct xds_contents *contents, struct json_writer *w)
{
    json_key(w, "contents");
    contents_write(contents, w);
}

void xds_contents_free(struct xds_contents *contents)
{
    contents_free(contents);
}

/* ---- waiting ---- */

static bool is_up(const struct ads *ads)
{
    for (size_t i = 0; i < FALLBACK_MOST; i++)
        if (ads->items[i].is_up)
            return true;
    return false;
}

static bool is_answered(const struct ads *ads)
{
    return !ads_is_busy(ads) && (!ads->servers || is_up(ads) || ads_fault(ads));
}

static bool waits(const struct resource *resource)
{
    return resource->state == RESOURCE_REQUESTED || resource->is_stale;
}

/* Something is still to come from these control planes. */
static bool ads_waits(const struct xds *xds, const struct ads *ads)
{
    if (!is_answered(ads))
        return true;
    for (int type = 0; !ads_fault(ads) && type < XDS_TYPES; type++) {
        const struct resource *resource;
        size_t at = 0;

        while ((resource = map_next(&xds->store.types[type], &at)))
            if (waits(resource) && ads->conf.is_mine(ads->conf.user, ads, resource))
                return true;
    }
    return false;
}

static bool service_waits(const struct graph_service *service)
{
    int32_t err = service->fault.code;

    return err == MESH_ERR_AGAIN || (err == 0 && (!service->published || service->candidate));
}

bool xds_is_settled(const struct xds *xds)
{
    const struct graph_service *service;
    size_t at = 0;

    if (!xds)
        return true;
    if (xds->is_dirty)
        return false;
    while ((service = map_next(&xds->graph.services, &at)))
        if (service_waits(service))
            return false;
    for (size_t i = 0; i < xds->n_ads; i++)
        if (ads_waits(xds, &xds->ads[i]))
            return false;
    return true;
}

void xds_connect(struct xds *xds)
{
    for (size_t i = 0; xds && i < xds->n_ads; i++)
        ads_connect(&xds->ads[i]);
}
