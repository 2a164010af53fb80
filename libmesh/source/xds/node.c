/* SPDX-License-Identifier: Apache-2.0 */
/* The Node message from the bootstrap, allocated as protobuf-c would have read it. */
#include "source/xds/node.h"

#include <string.h>

#include <jansson.h>
#include <mesh/version.h>

#include "source/xds/wire.h"

#define TEXT(number)    #number
#define TEXT_OF(number) TEXT(number)

/* Not among them: envoy.lb.does_not_support_overprovisioning, which libmesh supports. The time to live of resources has three
 * names in the documentation. */
static const char *const features[] = {
    "xds.config.resource-in-sotw",
    "xds.config.supports-resource-in-sotw",
    "xds.config.supports-resource-ttl",
    "envoy.lrs.supports_send_all_clusters",
};

/* ---- blocks ---- */

/* A message that wire_free() can give back at any time. */
static void *new_message(const ProtobufCMessageDescriptor *type)
{
    void *message = mem_alloc(type->sizeof_message);

    if (message)
        protobuf_c_message_init(type, message);
    return message;
}

/* "" is what an unset text is. */
static bool set_text(char **out, const char *text)
{
    if (text[0])
        *out = mem_strdup(text);
    return *out != NULL;
}

/* ---- metadata ---- */

static int32_t make_value(const json_t *json, size_t depth, Pb__Value **out);

static int32_t make_field(const char *key, const json_t *json, size_t depth, Pb__Struct__FieldsEntry **out)
{
    *out = new_message(&pb__struct__fields_entry__descriptor);
    if (!*out || !set_text(&(*out)->key, key))
        return MESH_ERR_NOMEM;
    return make_value(json, depth, &(*out)->value);
}

static int32_t make_struct(const json_t *json, size_t depth, Pb__Struct **out)
{
    Pb__Struct *made = *out = new_message(&pb__struct__descriptor);
    size_t n = json_object_size(json);
    const char *key;
    json_t *value;
    int32_t err = 0;

    if (!made)
        return MESH_ERR_NOMEM;
    if (n == 0)
        return 0;
    made->fields = mem_array(n, sizeof *made->fields);
    if (!made->fields)
        return MESH_ERR_NOMEM;
    json_object_foreach((json_t *) json, key, value)
    {
        err = make_field(key, value, depth + 1, &made->fields[made->n_fields]);
        made->n_fields += made->fields[made->n_fields] != NULL;
        if (err)
            break;
    }
    return err;
}

static int32_t make_list(const json_t *json, size_t depth, Pb__ListValue **out)
{
    Pb__ListValue *made = *out = new_message(&pb__list_value__descriptor);
    size_t n = json_array_size(json);
    int32_t err = 0;

    if (!made)
        return MESH_ERR_NOMEM;
    if (n == 0)
        return 0;
    made->values = mem_array(n, sizeof *made->values);
    if (!made->values)
        return MESH_ERR_NOMEM;
    for (size_t i = 0; i < n && !err; i++) {
        err = make_value(json_array_get(json, i), depth + 1, &made->values[i]);
        made->n_values += made->values[i] != NULL;
    }
    return err;
}

static int32_t fill_value(const json_t *json, size_t depth, Pb__Value *out)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        out->kind_case = PB__VALUE__KIND_STRUCT_VALUE;
        return make_struct(json, depth, &out->struct_value);
    case JSON_ARRAY:
        out->kind_case = PB__VALUE__KIND_LIST_VALUE;
        return make_list(json, depth, &out->list_value);
    case JSON_STRING:
        out->kind_case = PB__VALUE__KIND_STRING_VALUE;
        /* protobuf-c leaves its own empty text out, even here where that would be no value at all. */
        out->string_value = mem_strdup(json_string_value(json));
        return out->string_value ? 0 : MESH_ERR_NOMEM;
    case JSON_INTEGER:
    case JSON_REAL:
        out->kind_case = PB__VALUE__KIND_NUMBER_VALUE;
        out->number_value = json_number_value(json);
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        out->kind_case = PB__VALUE__KIND_BOOL_VALUE;
        out->bool_value = json_is_true(json);
        return 0;
    case JSON_NULL:
        out->kind_case = PB__VALUE__KIND_NULL_VALUE;
        return 0;
    }
    return MESH_ERR_INVALID;
}

static int32_t make_value(const json_t *json, size_t depth, Pb__Value **out)
{
    if (depth > NODE_DEPTH)
        return MESH_ERR_INVALID;
    *out = new_message(&pb__value__descriptor);
    return *out ? fill_value(json, depth, *out) : MESH_ERR_NOMEM;
}

static int32_t make_metadata(const char *text, Pb__Struct **out)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    int32_t err = MESH_ERR_INVALID;

    if (!json && json_error_code(&error) == json_error_out_of_memory)
        return MESH_ERR_NOMEM;
    if (json_is_object(json))
        err = json_object_size(json) > 0 ? make_struct(json, 1, out) : 0;
    json_decref(json);
    return err;
}

/* ---- locality ---- */

static bool is_given(const char *text)
{
    return text && text[0];
}

static bool make_locality(const struct bootstrap_node *node, const char *region, const char *zone, Core__Locality **out)
{
    const char *sub_zone = is_given(zone) && strcmp(zone, node->zone) != 0 ? "" : node->sub_zone;

    region = is_given(region) ? region : node->region;
    zone = is_given(zone) ? zone : node->zone;
    if (!region[0] && !zone[0] && !sub_zone[0])
        return true;
    *out = new_message(&core__locality__descriptor);
    return *out && set_text(&(*out)->region, region) && set_text(&(*out)->zone, zone) &&
           set_text(&(*out)->sub_zone, sub_zone);
}

/* ---- the node ---- */

static bool make_features(Core__Node *node)
{
    node->client_features = mem_array(COUNT_OF(features), sizeof *node->client_features);
    for (size_t i = 0; node->client_features && i < COUNT_OF(features); i++) {
        node->client_features[i] = mem_strdup(features[i]);
        if (!node->client_features[i])
            return false;
        node->n_client_features++;
    }
    return node->client_features != NULL;
}

static bool make_agent(Core__Node *node)
{
    static const char version[] =
        TEXT_OF(MESH_VERSION_MAJOR) "." TEXT_OF(MESH_VERSION_MINOR) "." TEXT_OF(MESH_VERSION_PATCH);

    node->user_agent_version_type_case = CORE__NODE__USER_AGENT_VERSION_TYPE_USER_AGENT_VERSION;
    node->user_agent_version = (char *) protobuf_c_empty_string;
    return set_text(&node->user_agent_name, "libmesh") && set_text(&node->user_agent_version, version);
}

static int32_t fill(const struct bootstrap_node *from, const char *region, const char *zone, Core__Node *out)
{
    bool made = set_text(&out->id, from->id) && set_text(&out->cluster, from->cluster) &&
                make_locality(from, region, zone, &out->locality) && make_agent(out) && make_features(out);

    return made ? make_metadata(from->metadata, &out->metadata) : MESH_ERR_NOMEM;
}

int32_t node_message(const struct bootstrap_node *node, const char *region, const char *zone, Core__Node **out,
                     struct fault *fault)
{
    int32_t err;

    *out = new_message(&core__node__descriptor);
    err = *out ? fill(node, region, zone, *out) : MESH_ERR_NOMEM;
    if (!err)
        return 0;
    if (*out)
        wire_free(&(*out)->base);
    *out = NULL;
    if (err == MESH_ERR_NOMEM)
        return fault_set(fault, err, "out of memory");
    return fault_set(fault, err, "node.metadata: allowed is a JSON object of at most %d levels", NODE_DEPTH);
}
