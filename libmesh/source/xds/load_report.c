/* SPDX-License-Identifier: Apache-2.0 */
/* Figures by cluster, locality and endpoint become one message. */
#include "source/xds/load_report.h"

#include <string.h>

#include "proto/endpoint.pb-c.h"
#include "proto/load_stats.pb-c.h"
#include "source/xds/wire.h"

/* Messages in a list until all are known: protobuf-c wants arrays. All of it lives in the report's arena. */
struct item {
    struct item *next;
    void *message;
};

struct items {
    struct item *first, **end;
    size_t n;
};

struct place {
    struct place *next;
    Endpoint__UpstreamLocalityStats *message;
    struct items endpoints;
};

struct load_report_cluster {
    struct load_report_cluster *next;
    struct load_report *report;
    Endpoint__ClusterStats *message;
    struct place *places;
    size_t n_places;
    struct items drops;
};

struct load_report {
    struct arena *arena;
    bool with_endpoints;
    bool failed; /* memory was short */
    struct load_report_cluster *clusters;
    struct map by_name; /* the same */
};

struct load_report *load_report_new(bool with_endpoints)
{
    struct load_report *report = mem_zalloc(sizeof *report);

    if (!report)
        return NULL;
    report->with_endpoints = with_endpoints;
    report->arena = arena_new();
    if (report->arena)
        return report;
    mem_free(report);
    return NULL;
}

void load_report_free(struct load_report *report)
{
    if (!report)
        return;
    map_free(&report->by_name);
    arena_free(report->arena);
    mem_free(report);
}

/* ---- pieces ---- */

static void *note(struct load_report *report, void *memory)
{
    report->failed |= memory == NULL;
    return memory;
}

static void *make(struct load_report *report, size_t size)
{
    return note(report, arena_array(report->arena, 1, size));
}

static void *make_message(struct load_report *report, const ProtobufCMessageDescriptor *type)
{
    void *message = make(report, type->sizeof_message);

    if (message)
        protobuf_c_message_init(type, message);
    return message;
}

/* "" stays what an unset text is. */
static void set_text(struct load_report *report, char **out, const char *text)
{
    char *copy = text[0] ? note(report, arena_text(report->arena, text, strlen(text))) : NULL;

    if (copy)
        *out = copy;
}

static void push(struct load_report *report, struct items *items, void *message)
{
    struct item *item = message ? make(report, sizeof *item) : NULL;

    if (!item)
        return;
    item->message = message;
    if (!items->first)
        items->end = &items->first;
    *items->end = item;
    items->end = &item->next;
    items->n++;
}

static void *array_of(struct load_report *report, const struct items *items)
{
    void **array = note(report, arena_array(report->arena, items->n + 1, sizeof *array));
    size_t n = 0;

    for (const struct item *item = items->first; array && item; item = item->next)
        array[n++] = item->message;
    return array;
}

/* ---- clusters ---- */

static Pb__Duration *make_duration(struct load_report *report, uint64_t us)
{
    Pb__Duration *duration = make_message(report, &pb__duration__descriptor);

    if (!duration)
        return NULL;
    duration->seconds = (int64_t) (us / US_PER_S);
    duration->nanos = (int32_t) (us % US_PER_S * 1000);
    return duration;
}

struct load_report_cluster *load_report_cluster(struct load_report *report, const char *name, const char *eds_name,
                                                uint64_t interval_us)
{
    struct load_report_cluster *cluster = map_get_text(&report->by_name, name);

    if (cluster)
        return cluster;
    cluster = make(report, sizeof *cluster);
    if (!cluster)
        return NULL;
    cluster->message = make_message(report, &endpoint__cluster_stats__descriptor);
    if (!cluster->message)
        return NULL;
    cluster->report = report;
    set_text(report, &cluster->message->cluster_name, name);
    if (!map_put(&report->by_name, cluster->message->cluster_name, strlen(name), cluster)) {
        report->failed = true;
        return NULL;
    }
    set_text(report, &cluster->message->cluster_service_name, eds_name);
    cluster->message->load_report_interval = make_duration(report, interval_us);
    cluster->next = report->clusters;
    report->clusters = cluster;
    return cluster;
}

/* ---- places and endpoints ---- */

static bool is_at(const Endpoint__UpstreamLocalityStats *message, const struct source_load_place *place)
{
    const Core__Locality *locality = message->locality;

    return locality && message->priority == place->priority && strcmp(locality->region, place->region) == 0 &&
           strcmp(locality->zone, place->zone) == 0 && strcmp(locality->sub_zone, place->sub_zone) == 0;
}

static struct place *make_place(struct load_report_cluster *cluster, const struct source_load_place *at)
{
    struct load_report *report = cluster->report;
    struct place *place = make(report, sizeof *place);

    if (!place)
        return NULL;
    place->message = make_message(report, &endpoint__upstream_locality_stats__descriptor);
    if (!place->message)
        return NULL;
    place->message->priority = at->priority;
    place->message->locality = make_message(report, &core__locality__descriptor);
    if (place->message->locality) {
        set_text(report, &place->message->locality->region, at->region);
        set_text(report, &place->message->locality->zone, at->zone);
        set_text(report, &place->message->locality->sub_zone, at->sub_zone);
    }
    place->next = cluster->places;
    cluster->places = place;
    cluster->n_places++;
    return place;
}

/* The one that was made last is the one that is asked for, in most cases. */
static struct place *find_place(struct load_report_cluster *cluster, const struct source_load_place *at)
{
    struct place *place = cluster->places;

    while (place && !is_at(place->message, at))
        place = place->next;
    return place ? place : make_place(cluster, at);
}

static Core__Address *make_address(struct load_report *report, const char *text)
{
    Core__Address *address = make_message(report, &core__address__descriptor);
    Core__SocketAddress *socket = make_message(report, &core__socket_address__descriptor);
    char ip[ADDR_TEXT];
    struct addr parsed;

    if (!address || !socket)
        return NULL;
    if (!addr_parse(&parsed, text, strlen(text), 0)) {
        address->address_case = CORE__ADDRESS__ADDRESS_PIPE;
        address->pipe = make_message(report, &core__pipe__descriptor);
        if (address->pipe)
            set_text(report, &address->pipe->path, text_starts_with(text, "unix:") ? text + strlen("unix:") : text);
        return address->pipe ? address : NULL;
    }
    address->address_case = CORE__ADDRESS__ADDRESS_SOCKET_ADDRESS;
    address->socket_address = socket;
    set_text(report, &socket->address, addr_format_ip(&parsed, ip));
    socket->port_specifier_case = CORE__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE;
    socket->port_value = parsed.port;
    return address;
}

void load_report_add_endpoint(struct load_report_cluster *cluster, const struct source_load_place *at,
                              const char *address, const struct source_load_figures *figures)
{
    struct load_report *report = cluster->report;
    struct place *place = report->with_endpoints ? find_place(cluster, at) : NULL;
    Endpoint__UpstreamEndpointStats *message =
        place ? make_message(report, &endpoint__upstream_endpoint_stats__descriptor) : NULL;

    if (!message)
        return;
    message->address = make_address(report, address);
    message->total_issued_requests = figures->issued;
    message->total_successful_requests = figures->succeeded;
    message->total_error_requests = figures->failed;
    message->total_requests_in_progress = figures->active;
    push(report, &place->endpoints, message);
}

void load_report_add_place(struct load_report_cluster *cluster, const struct source_load_place *at,
                           const struct source_load_figures *figures)
{
    struct place *place = find_place(cluster, at);

    if (!place)
        return;
    place->message->total_issued_requests += figures->issued;
    place->message->total_successful_requests += figures->succeeded;
    place->message->total_error_requests += figures->failed;
    place->message->total_requests_in_progress += figures->active;
}

void load_report_add_drops(struct load_report_cluster *cluster, const char *category, uint64_t n)
{
    struct load_report *report = cluster->report;
    Endpoint__ClusterStats__DroppedRequests *message;

    cluster->message->total_dropped_requests += n;
    if (!category)
        return;
    message = make_message(report, &endpoint__cluster_stats__dropped_requests__descriptor);
    if (!message)
        return;
    set_text(report, &message->category, category);
    message->dropped_count = n;
    push(report, &cluster->drops, message);
}

/* ---- the message ---- */

static void finish_places(struct load_report_cluster *cluster)
{
    struct load_report *report = cluster->report;
    struct items places = { 0 };

    for (struct place *place = cluster->places; place; place = place->next) {
        place->message->n_upstream_endpoint_stats = place->endpoints.n;
        place->message->upstream_endpoint_stats = array_of(report, &place->endpoints);
        push(report, &places, place->message);
    }
    cluster->message->n_upstream_locality_stats = places.n;
    cluster->message->upstream_locality_stats = array_of(report, &places);
}

static void finish_cluster(struct load_report_cluster *cluster)
{
    finish_places(cluster);
    cluster->message->n_dropped_requests = cluster->drops.n;
    cluster->message->dropped_requests = array_of(cluster->report, &cluster->drops);
}

bool load_report_pack(struct load_report *report, Core__Node *node, struct buf *out)
{
    LoadStats__LoadStatsRequest message = LOAD_STATS__LOAD_STATS_REQUEST__INIT;
    struct items clusters = { 0 };
    size_t size;
    uint8_t *room;

    for (struct load_report_cluster *cluster = report->clusters; cluster; cluster = cluster->next) {
        finish_cluster(cluster);
        push(report, &clusters, cluster->message);
    }
    message.node = node;
    message.n_cluster_stats = clusters.n;
    message.cluster_stats = array_of(report, &clusters);
    if (report->failed)
        return false;
    size = protobuf_c_message_get_packed_size(&message.base);
    room = buf_room(out, size);
    if (!room)
        return false;
    protobuf_c_message_pack(&message.base, room);
    buf_added(out, size);
    return true;
}
