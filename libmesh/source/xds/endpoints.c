/* SPDX-License-Identifier: Apache-2.0 */
/* A ClusterLoadAssignment read where it stands, as far as is asked for at a time. */
#include "source/xds/endpoints.h"

#include <string.h>

#include "source/xds/endpoints_making.h"
#include "source/xds/wire_fields.h"

/* Of an endpoint that can be one. */
enum { LEAST_BYTES = 16 };

struct endpoints_reader {
    struct reading reading;
    struct endpoints_making making;
    size_t len;
    struct wire_fields outer, inner; /* the assignment, and the locality that is being read */
    bool in_locality, has_locality, has_policy, has_weight, has_metadata;
    size_t locality, endpoint; /* counted, for paths */
    char *name;
};

struct endpoints_reader *endpoints_reader_new(const uint8_t *bytes, size_t len, struct ignored *ignored)
{
    struct endpoints_reader *reader = mem_zalloc(sizeof *reader);

    if (!reader)
        return NULL;
    reader->reading.ignored = ignored;
    reader->len = len;
    reader->outer = wire_fields_of(bytes, len);
    if (endpoints_making_begin(&reader->making, &reader->reading, "eds"))
        return reader;
    mem_free(reader);
    return NULL;
}

void endpoints_reader_free(struct endpoints_reader *reader)
{
    if (!reader)
        return;
    endpoints_making_free(&reader->making);
    mem_free(reader->name);
    mem_free(reader);
}

const char *endpoints_reader_name(const struct endpoints_reader *reader)
{
    return reader->name ? reader->name : "";
}

/* ---- complaints ---- */

static int32_t broken(struct endpoints_reader *reader)
{
    const char *type = endpoint__cluster_load_assignment__descriptor.name;

    if (reader->in_locality)
        return fault_set(reader->reading.fault, MESH_ERR_PROTOCOL, "%s, field 2: it is no message", type);
    return fault_set(reader->reading.fault, MESH_ERR_PROTOCOL, "%s: it is no message", type);
}

static int32_t of_other_type(struct endpoints_reader *reader, const char *field)
{
    return reading_wrong_at(&reader->reading, field, "it is of another type than it should be, or stands twice");
}

static void unknown(struct endpoints_reader *reader, uint32_t number, const ProtobufCMessageDescriptor *type)
{
    reading_ignored(&reader->reading, "field %u of %s is not known to libmesh", number, type->name);
}

/* ---- an endpoint ---- */

static int32_t read_slowly(struct endpoints_reader *reader, const struct wire_field *field, struct endpoint_read *out,
                           ProtobufCMessage **message)
{
    int32_t err = wire_unpack(&endpoint__lb_endpoint__descriptor, field->bytes, field->len, &endpoints_part_limits,
                              message, reader->reading.fault);

    return err ? err : endpoints_read_endpoint(&reader->making, (const Endpoint__LbEndpoint *) *message, out);
}

/* As many as there would be if all were as long as the first of the locality. */
static int32_t expect(struct endpoints_reader *reader, const struct wire_field *first)
{
    size_t left = (size_t) (reader->inner.end - reader->inner.at);

    return first->len < LEAST_BYTES ? 0 : endpoints_expect(&reader->making, 1 + left / (first->len + 2));
}

static int32_t read_endpoint(struct endpoints_reader *reader, const struct wire_field *field)
{
    ProtobufCMessage *message = NULL;
    struct endpoint_read read;
    int32_t err = 0;

    if (field->kind != WIRE_RUN)
        return of_other_type(reader, "lb_endpoints");
    if (reader->endpoint == 0)
        err = expect(reader, field);
    if (err)
        return err;
    reading_enter_item(&reader->reading, "lb_endpoints", reader->endpoint++);
    if (!endpoints_read_fast(&reader->making, field->bytes, field->len, &read))
        err = read_slowly(reader, field, &read, &message);
    if (!err)
        err = endpoints_add(&reader->making, &read);
    wire_free(message);
    reading_leave(&reader->reading);
    return err;
}

/* ---- a locality ---- */

static int32_t unpack(struct endpoints_reader *reader, const struct wire_field *field,
                      const ProtobufCMessageDescriptor *type, ProtobufCMessage **out)
{
    return wire_unpack(type, field->bytes, field->len, &endpoints_part_limits, out, reader->reading.fault);
}

static int32_t read_place(struct endpoints_reader *reader, const struct wire_field *field)
{
    ProtobufCMessage *message;
    int32_t err;

    if (field->kind != WIRE_RUN || reader->has_locality)
        return of_other_type(reader, "locality");
    reader->has_locality = true;
    err = unpack(reader, field, &core__locality__descriptor, &message);
    if (err)
        return err;
    reading_enter(&reader->reading, "locality");
    err = endpoints_read_locality(&reader->making, (const Core__Locality *) message);
    reading_leave(&reader->reading);
    wire_free(message);
    return err;
}

static int32_t read_weight(struct endpoints_reader *reader, const struct wire_field *field)
{
    ProtobufCMessage *message;
    int32_t err;

    if (field->kind != WIRE_RUN || reader->has_weight)
        return of_other_type(reader, "load_balancing_weight");
    reader->has_weight = true;
    err = unpack(reader, field, &pb__uint32_value__descriptor, &message);
    if (err)
        return err;
    reader->making.place.weight = ((const Pb__UInt32Value *) message)->value;
    wire_free(message);
    return 0;
}

static int32_t read_priority(struct endpoints_reader *reader, const struct wire_field *field)
{
    if (field->kind != WIRE_NUMBER)
        return of_other_type(reader, "priority");
    reader->making.place.priority = (uint32_t) field->value;
    return 0;
}

static int32_t check_metadata(struct endpoints_reader *reader, const struct wire_field *field)
{
    if (field->kind != WIRE_RUN || reader->has_metadata)
        return of_other_type(reader, "metadata");
    reader->has_metadata = true;
    reading_ignored_at(&reader->reading, "metadata", "metadata of a locality is not gone by");
    return wire_scan(&core__metadata__descriptor, field->bytes, field->len, &endpoints_part_limits, NULL,
                     reader->reading.fault);
}

static int32_t read_locality_field(struct endpoints_reader *reader, const struct wire_field *field)
{
    switch (field->number) {
    case 1:
        return read_place(reader, field);
    case 2:
        return read_endpoint(reader, field);
    case 3:
        return read_weight(reader, field);
    case 5:
        return read_priority(reader, field);
    case 9:
        return check_metadata(reader, field);
    default:
        unknown(reader, field->number, &endpoint__locality_lb_endpoints__descriptor);
        return 0;
    }
}

static void begin_locality(struct endpoints_reader *reader, const struct wire_field *field)
{
    reader->in_locality = true;
    reader->has_locality = reader->has_weight = reader->has_metadata = false;
    reader->inner = (struct wire_fields){ field->bytes, field->bytes + field->len };
    reader->endpoint = 0;
    reading_enter_item(&reader->reading, "endpoints", reader->locality++);
    endpoints_begin_locality(&reader->making);
}

static int32_t end_locality(struct endpoints_reader *reader)
{
    int32_t err = endpoints_end_locality(&reader->making);

    reader->in_locality = false;
    reading_leave(&reader->reading);
    return err;
}

/* ---- the assignment ---- */

static int32_t read_name(struct endpoints_reader *reader, const struct wire_field *field)
{
    const char *text = (const char *) field->bytes;

    if (field->kind != WIRE_RUN || memchr(text, '\0', field->len) || !text_is_utf8(text, field->len))
        return of_other_type(reader, "cluster_name");
    mem_free(reader->name);
    reader->name = mem_strndup(text, field->len);
    return reader->name ? 0 : reading_no_memory(&reader->reading);
}

static int32_t read_policy(struct endpoints_reader *reader, const struct wire_field *field)
{
    ProtobufCMessage *message;
    int32_t err;

    if (field->kind != WIRE_RUN || reader->has_policy)
        return of_other_type(reader, "policy");
    reader->has_policy = true;
    err = unpack(reader, field, &endpoint__cluster_load_assignment__policy__descriptor, &message);
    if (err)
        return err;
    err = endpoints_read_policy(&reader->making, (const Endpoint__ClusterLoadAssignment__Policy *) message);
    wire_free(message);
    return err;
}

static int32_t read_field(struct endpoints_reader *reader, const struct wire_field *field)
{
    switch (field->number) {
    case 1:
        return read_name(reader, field);
    case 2:
        if (field->kind != WIRE_RUN)
            return of_other_type(reader, "endpoints");
        begin_locality(reader, field);
        return 0;
    case 4:
        return read_policy(reader, field);
    default:
        unknown(reader, field->number, &endpoint__cluster_load_assignment__descriptor);
        return 0;
    }
}

/* MESH_ERR_AGAIN: a field was read, there may be more. */
static int32_t read_one(struct endpoints_reader *reader)
{
    struct wire_field field;
    enum wire_step step = wire_next(reader->in_locality ? &reader->inner : &reader->outer, &field);
    int32_t err;

    if (step == WIRE_BROKEN)
        return broken(reader);
    if (step == WIRE_END && !reader->in_locality)
        return 0;
    if (step == WIRE_END)
        err = end_locality(reader);
    else
        err = reader->in_locality ? read_locality_field(reader, &field) : read_field(reader, &field);
    return err ? err : MESH_ERR_AGAIN;
}

int32_t endpoints_reader_step(struct endpoints_reader *reader, size_t most, struct model_endpoints **out,
                              struct fault *fault)
{
    int32_t err = MESH_ERR_AGAIN;

    *out = NULL;
    reader->reading.fault = fault;
    if (reader->len > wire_limits_standard.bytes)
        return fault_set(fault, MESH_ERR_TOO_LARGE, "%s: more than %zu bytes",
                         endpoint__cluster_load_assignment__descriptor.name, wire_limits_standard.bytes);
    for (size_t i = 0; i < most && err == MESH_ERR_AGAIN; i++)
        err = read_one(reader);
    if (err)
        return err;
    return endpoints_making_end(&reader->making, out);
}

bool endpoints_peek_name(const uint8_t *bytes, size_t len, const char **name, size_t *name_len)
{
    struct wire_fields fields = wire_fields_of(bytes, len);
    struct wire_field field;

    while (wire_next(&fields, &field) == WIRE_FIELD) {
        if (field.number != 1 || field.kind != WIRE_RUN)
            continue;
        *name = (const char *) field.bytes;
        *name_len = field.len;
        return true;
    }
    return false;
}

/* ---- from a message ---- */

static int32_t add_endpoints(struct endpoints_making *making, const Endpoint__LocalityLbEndpoints *locality)
{
    for (size_t i = 0; i < locality->n_lb_endpoints; i++) {
        struct endpoint_read read;
        int32_t err;

        reading_enter_item(making->reading, "lb_endpoints", i);
        err = endpoints_read_endpoint(making, locality->lb_endpoints[i], &read);
        if (!err)
            err = endpoints_add(making, &read);
        reading_leave(making->reading);
        if (err)
            return err;
    }
    return 0;
}

static int32_t add_locality(struct endpoints_making *making, const Endpoint__LocalityLbEndpoints *locality)
{
    int32_t err = 0;

    endpoints_begin_locality(making);
    reading_unknown(making->reading, &locality->base);
    if (locality->metadata)
        reading_ignored_at(making->reading, "metadata", "metadata of a locality is not gone by");
    if (locality->locality)
        err = endpoints_read_locality(making, locality->locality);
    making->place.priority = locality->priority;
    making->place.weight = locality->load_balancing_weight ? locality->load_balancing_weight->value : 0;
    if (!err)
        err = add_endpoints(making, locality);
    return err ? err : endpoints_end_locality(making);
}

static int32_t add_all(struct endpoints_making *making, const Endpoint__ClusterLoadAssignment *message)
{
    int32_t err = 0;

    reading_unknown(making->reading, &message->base);
    if (message->policy)
        err = endpoints_read_policy(making, message->policy);
    for (size_t i = 0; i < message->n_endpoints && !err; i++) {
        reading_enter_item(making->reading, "endpoints", i);
        err = add_locality(making, message->endpoints[i]);
        reading_leave(making->reading);
    }
    return err;
}

int32_t endpoints_of_message(struct reading *reading, const Endpoint__ClusterLoadAssignment *message,
                             struct model_endpoints **out)
{
    struct endpoints_making making;
    int32_t err;

    *out = NULL;
    if (!endpoints_making_begin(&making, reading, "static"))
        return reading_no_memory(reading);
    err = add_all(&making, message);
    if (!err)
        err = endpoints_making_end(&making, out);
    endpoints_making_free(&making);
    return err;
}
