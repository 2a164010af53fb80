/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of resources: bytes copied, and what is in them as JSON. */
#include "source/xds/contents.h"

#include <string.h>

#include "proto/cluster.pb-c.h"
#include "proto/endpoint.pb-c.h"
#include "proto/listener.pb-c.h"
#include "proto/route.pb-c.h"
#include "source/xds/message_json.h"
#include "source/xds/status.h"
#include "source/xds/wire.h"

/* More endpoints of one set are not shown, and no more contents when there is so much text: nobody reads them. */
enum { ENDPOINTS_MOST = 1000, TEXT_MOST = 256 << 20 };

struct content {
    enum xds_type type;
    char *name, *version;
    uint8_t *bytes; /* NULL: endpoints, whose bytes are not kept */
    size_t len;
    struct model_endpoints *endpoints; /* a reference; or NULL */
};

struct xds_contents {
    size_t n;
    struct content items[];
};

/* ---- copying ---- */

static void clear(struct content *content)
{
    mem_free(content->name);
    mem_free(content->version);
    mem_free(content->bytes);
    model_endpoints_unref(content->endpoints);
}

void contents_free(struct xds_contents *contents)
{
    for (size_t i = 0; contents && i < contents->n; i++)
        clear(&contents->items[i]);
    mem_free(contents);
}

/* False: out of memory; clear() is to be called all the same. */
static bool copy(const struct resource *resource, struct content *out)
{
    const struct resource_bytes *bytes = resource->bytes;

    out->type = resource->type;
    out->name = mem_strdup(resource->name);
    out->version = mem_strdup(resource->version ? resource->version : "");
    if (resource->endpoints) {
        out->endpoints = model_endpoints_ref(resource->endpoints);
        return out->name && out->version;
    }
    out->bytes = mem_alloc(bytes->len + 1);
    out->len = bytes->len;
    if (out->bytes)
        memcpy(out->bytes, bytes->data, bytes->len);
    return out->name && out->version && out->bytes;
}

bool contents_copy(const struct store *store, struct xds_contents **out)
{
    size_t n;
    const struct resource **sorted = status_sorted(store, &n);
    struct xds_contents *contents = sorted ? mem_zalloc(sizeof *contents + n * sizeof *contents->items) : NULL;
    bool copied = contents != NULL;

    for (size_t i = 0; copied && i < n; i++)
        if (sorted[i]->bytes || sorted[i]->endpoints)
            copied = copy(sorted[i], &contents->items[contents->n++]);
    mem_free(sorted);
    *out = contents;
    return copied;
}

/* ---- writing ---- */

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

static void put_message(struct json_writer *w, const struct content *content)
{
    static const ProtobufCMessageDescriptor *const types[XDS_TYPES] = {
        [XDS_LISTENER] = &listener__listener__descriptor,
        [XDS_ROUTES] = &route__route_configuration__descriptor,
        [XDS_CLUSTER] = &cluster__cluster__descriptor,
        [XDS_ENDPOINTS] = &endpoint__cluster_load_assignment__descriptor,
    };
    ProtobufCMessage *message;

    if (wire_unpack(types[content->type], content->bytes, content->len, &wire_limits_standard, &message, NULL)) {
        w->failed = true;
        return;
    }
    json_key(w, "resource");
    message_json(w, message);
    wire_free(message);
}

static void put_content(struct json_writer *w, const struct content *content)
{
    json_begin(w, '{');
    json_put_text(w, "type", xds_type_name(content->type));
    json_put_text(w, "name", content->name);
    json_put_text(w, "version", content->version);
    if (buf_len(&w->out) > TEXT_MOST)
        json_put_number(w, "bytes_not_shown", content->len);
    else if (content->endpoints)
        put_endpoints(w, content->endpoints);
    else
        put_message(w, content);
    json_end(w, '}');
}

void contents_write(const struct xds_contents *contents, struct json_writer *w)
{
    json_begin(w, '[');
    for (size_t i = 0; contents && i < contents->n; i++)
        put_content(w, &contents->items[i]);
    json_end(w, ']');
}
