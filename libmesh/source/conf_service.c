/* SPDX-License-Identifier: Apache-2.0 */
/* From values to services: where each one is. Literal targets become static endpoints, the others are for the resolver. */
#include "source/conf.h"

#include <jansson.h>
#include <string.h>

static int32_t no_memory(const struct building *b)
{
    conf_no_memory(b->fault);
    return MESH_ERR_NOMEM;
}

/* ---- which of endpoints, target and zones ---- */

static int32_t choose_place(struct building *b)
{
    static const enum key_id places[] = { KEY_ENDPOINTS, KEY_TARGET, KEY_ZONES };

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const struct value *value = values_find(&b->conf->values, b->service, key_at(places[i]));

        if (!value || (b->place && b->place->origin > value->origin))
            continue;
        if (b->place && b->place->origin == value->origin)
            return fault_set(b->fault, MESH_ERR_INVALID,
                             "service \"%s\" has %s (%s) and %s (%s); one of endpoints, target and zones is allowed",
                             b->name, b->place->key->name, b->place->from, value->key->name, value->from);
        b->place = value;
    }
    return 0;
}

/* ---- protocols ---- */

static enum model_protocol bare_protocol(const struct building *b)
{
    enum model_protocol protocol = MODEL_HTTP;

    model_protocol_parse(conf_value_text(b->conf, b->service, KEY_PROTOCOL), &protocol);
    return protocol;
}

/* The service's own `protocol` holds for its target too, unless the target was given with more authority. TLS and no TLS
 * are a contradiction: neither may win unnoticed. */
static int32_t override_protocol(const struct building *b, struct model_target *target)
{
    const struct value *own = values_find(&b->conf->values, b->service, key_at(KEY_PROTOCOL));
    enum model_protocol protocol = bare_protocol(b);

    if (!own || b->service[0] == '\0' || (b->place && own->origin < b->place->origin))
        return 0;
    if (model_protocol_tls(protocol) != model_protocol_tls(target->protocol))
        return fault_set(b->fault, MESH_ERR_INVALID,
                         "service \"%s\": its target says %s and its protocol says %s (%s), one with TLS, one without",
                         b->name, model_protocol_name(target->protocol), model_protocol_name(protocol), own->from);
    model_target_set_protocol(target, protocol);
    return 0;
}

/* ---- targets ---- */

static int32_t parse_target(const struct building *b, const char *text, const char *zone, struct service_target *out)
{
    int32_t err = model_target_parse(text, bare_protocol(b), &out->target, b->fault);

    if (err && b->service[0] != '\0')
        fault_prefix(b->fault, "service \"%s\": ", b->name);
    if (!err)
        err = override_protocol(b, &out->target);
    if (err)
        return err;
    out->zone = mem_strdup(zone);
    return out->zone ? 0 : no_memory(b);
}

/* Room for n targets that service_clear() frees, however many were filled. */
static int32_t make_targets(const struct building *b, size_t n)
{
    b->out->targets = mem_array(n, sizeof *b->out->targets);
    if (!b->out->targets)
        return no_memory(b);
    b->out->n_targets = n;
    return 0;
}

static int32_t add_target(const struct building *b, const char *text)
{
    int32_t err = make_targets(b, 1);

    return err ? err : parse_target(b, text, "", &b->out->targets[0]);
}

static int32_t parse_zones(const struct building *b, json_t *zones)
{
    struct service_target *at;
    const char *zone;
    json_t *target;
    int32_t err = make_targets(b, json_object_size(zones));

    if (err)
        return err;
    at = b->out->targets;
    json_object_foreach(zones, zone, target)
    {
        err = parse_target(b, json_string_value(target), zone, at);
        if (err)
            return err;
        if (at->target.protocol != b->out->targets[0].target.protocol)
            return fault_set(b->fault, MESH_ERR_INVALID, "service \"%s\": its zones speak %s and %s; one is allowed",
                             b->name, model_protocol_name(b->out->targets[0].target.protocol),
                             model_protocol_name(at->target.protocol));
        at++;
    }
    return 0;
}

static void free_targets(struct service *service)
{
    for (size_t i = 0; i < service->n_targets; i++) {
        model_target_free(&service->targets[i].target);
        mem_free(service->targets[i].zone);
    }
    mem_free(service->targets);
    service->targets = NULL;
    service->n_targets = 0;
}

/* A target of the control plane's is no place: what it leads to comes with its routes. */
static int32_t give_to_control_plane(const struct building *b, const char *name)
{
    if (conf_value_text(b->conf, "", KEY_XDS_BOOTSTRAP)[0] == '\0')
        return fault_set(
            b->fault, MESH_ERR_NO_ROUTE,
            "\"xds:%s%.100s\" needs a control plane: xds.bootstrap, or GRPC_XDS_BOOTSTRAP in the environment",
            name[0] == '/' ? "" : "///", name);
    b->out->xds = mem_strdup(name);
    return b->out->xds ? 0 : no_memory(b);
}

static int32_t refuse_xds_zones(const struct building *b)
{
    for (size_t i = 0; i < b->out->n_targets; i++)
        if (b->out->targets[i].target.kind == TARGET_XDS)
            return fault_set(
                b->fault, MESH_ERR_INVALID,
                "service \"%s\": xds: stands in zones; a control plane knows zones itself, so it is a target", b->name);
    return 0;
}

static int32_t add_zones(const struct building *b, const char *text)
{
    json_error_t error;
    json_t *zones = json_loads(text, 0, &error);
    int32_t err = zones ? parse_zones(b, zones) : no_memory(b);

    json_decref(zones);
    return err;
}

/* ---- literal targets ---- */

static bool all_literal(const struct service *service)
{
    for (size_t i = 0; i < service->n_targets; i++)
        if (service->targets[i].target.kind != TARGET_ADDRESS && service->targets[i].target.kind != TARGET_UNIX)
            return false;
    return true;
}

static bool fill_endpoint(const struct building *b, struct model_endpoints *set, size_t i)
{
    const struct service_target *from = &b->out->targets[i];
    struct model_endpoint *to = &set->endpoints[i];
    const char *zone = from->zone[0] ? from->zone : conf_zone_of(b->conf, &from->target.addr);

    to->addr = from->target.addr;
    if (to->addr.family == ADDR_UNIX)
        to->addr.path = model_endpoints_text(set, from->target.host, strlen(from->target.host));
    return (to->addr.family != ADDR_UNIX || to->addr.path) && model_endpoints_place(set, to, zone, 0);
}

static int32_t make_static(const struct building *b)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", b->out->n_targets);

    b->out->endpoints = set;
    if (!set)
        return no_memory(b);
    for (size_t i = 0; i < set->n; i++)
        if (!fill_endpoint(b, set, i))
            return no_memory(b);
    return 0;
}

/* ---- a service ---- */

static int32_t build_listed(const struct building *b)
{
    int32_t err;

    b->out->cluster->protocol = bare_protocol(b);
    err = endpoints_parse(b->place->text, bare_protocol(b), &b->conf->cidrs, &b->out->endpoints, b->fault);
    return err ? err : building_add_policy(b, NULL);
}

/* No configuration says where it is, and there is a control plane to ask. */
static bool is_for_control_plane(const struct building *b)
{
    return !b->place && conf_value_text(b->conf, "", KEY_XDS_BOOTSTRAP)[0] != '\0' && model_target_is_name(b->name);
}

static int32_t build_targeted(const struct building *b)
{
    const struct service_target *first;
    int32_t err;

    if (is_for_control_plane(b))
        return give_to_control_plane(b, b->name);
    if (b->place && b->place->key == key_at(KEY_ZONES))
        err = add_zones(b, b->place->text);
    else
        err = add_target(b, b->place ? b->place->text : b->name);
    if (!err && b->place && b->place->key == key_at(KEY_ZONES))
        err = refuse_xds_zones(b);
    if (err)
        return err;
    first = &b->out->targets[0];
    if (first->target.kind == TARGET_XDS) {
        err = give_to_control_plane(b, first->target.host);
        free_targets(b->out);
        return err;
    }
    b->out->cluster->protocol = first->target.protocol;
    err = building_add_policy(b, &first->target);
    if (err || !all_literal(b->out))
        return err;
    err = make_static(b);
    free_targets(b->out);
    return err;
}

static int32_t build(struct building *b)
{
    int32_t err = 0;

    *b->out = (struct service){ .cluster = model_cluster_new(b->name) };
    if (!b->out->cluster)
        return no_memory(b);
    if (b->service[0] != '\0')
        err = choose_place(b);
    if (!err)
        err = b->place && b->place->key == key_at(KEY_ENDPOINTS) ? build_listed(b) : build_targeted(b);
    if (err)
        service_clear(b->out);
    return err;
}

void service_clear(struct service *service)
{
    model_cluster_unref(service->cluster);
    model_endpoints_unref(service->endpoints);
    free_targets(service);
    mem_free(service->xds);
    *service = (struct service){ 0 };
}

bool conf_has_own_values(const struct conf *conf, const char *service)
{
    for (size_t i = 0; i < conf->values.n; i++)
        if (strcmp(conf->values.items[i]->service, service) == 0)
            return true;
    return false;
}

int32_t conf_service_of(const struct conf *conf, const char *name, struct service *out, struct fault *fault)
{
    struct building b = { .conf = conf, .name = name, .service = "", .out = out, .fault = fault };

    return build(&b);
}

/* ---- all services ---- */

/* Values are sorted by service: where the next one begins. */
static size_t next_service(const struct values *values, size_t at)
{
    const char *service = values->items[at]->service;

    while (at < values->n && strcmp(values->items[at]->service, service) == 0)
        at++;
    return at;
}

static size_t first_service(const struct values *values)
{
    size_t at = 0;

    while (at < values->n && values->items[at]->service[0] == '\0')
        at++;
    return at;
}

static size_t count_services(const struct values *values)
{
    size_t n = 0;

    for (size_t at = first_service(values); at < values->n; at = next_service(values, at))
        n++;
    return n;
}

static int32_t build_all(const struct conf *conf, struct service *services, size_t *built, struct fault *fault)
{
    const struct values *values = &conf->values;

    for (size_t at = first_service(values); at < values->n; at = next_service(values, at)) {
        const char *name = values->items[at]->service;
        struct building b = { .conf = conf, .name = name, .service = name, .out = &services[*built], .fault = fault };
        int32_t err = build(&b);

        if (err)
            return err;
        (*built)++;
    }
    return 0;
}

int32_t conf_services(const struct conf *conf, struct service **out, size_t *n, struct fault *fault)
{
    size_t count = count_services(&conf->values), built = 0;
    struct service *services = NULL;
    int32_t err;

    *out = NULL;
    *n = 0;
    if (count == 0)
        return 0;
    services = mem_array(count, sizeof *services);
    if (!services)
        return conf_no_memory(fault);
    err = build_all(conf, services, &built, fault);
    if (!err) {
        *out = services;
        *n = built;
        return 0;
    }
    while (built > 0)
        service_clear(&services[--built]);
    mem_free(services);
    return err;
}
