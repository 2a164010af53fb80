/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of proto/ fit the published ones: names, numbers, types, what is repeated and what is in a oneof. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"
#include "proto/aggregate_cluster.pb-c.h"
#include "proto/client_side_weighted_round_robin.pb-c.h"
#include "proto/csds.pb-c.h"
#include "proto/discovery.pb-c.h"
#include "proto/dns_cluster.pb-c.h"
#include "proto/fault.pb-c.h"
#include "proto/http_connection_manager.pb-c.h"
#include "proto/http_protocol_options.pb-c.h"
#include "proto/least_request.pb-c.h"
#include "proto/listener.pb-c.h"
#include "proto/load_stats.pb-c.h"
#include "proto/local_rate_limit.pb-c.h"
#include "proto/maglev.pb-c.h"
#include "proto/orca.pb-c.h"
#include "proto/orca_service.pb-c.h"
#include "proto/pick_first.pb-c.h"
#include "proto/random.pb-c.h"
#include "proto/ring_hash.pb-c.h"
#include "proto/round_robin.pb-c.h"
#include "proto/router.pb-c.h"
#include "proto/tls.pb-c.h"
#include "proto/wrr_locality.pb-c.h"

enum { DEPTH = 16, LINE = 320 };

/* Whatever travels on its own; the rest is inside them. */
static const ProtobufCMessageDescriptor *const roots[] = {
    &discovery__discovery_request__descriptor,
    &discovery__discovery_response__descriptor,
    &discovery__delta_discovery_request__descriptor,
    &discovery__delta_discovery_response__descriptor,
    &load_stats__load_stats_request__descriptor,
    &load_stats__load_stats_response__descriptor,
    &listener__listener__descriptor,
    &hcm__http_connection_manager__descriptor,
    &route__route_configuration__descriptor,
    &route__filter_config__descriptor,
    &cluster__cluster__descriptor,
    &endpoint__cluster_load_assignment__descriptor,
    &router__router__descriptor,
    &fault__httpfault__descriptor,
    &local_rate_limit__local_rate_limit__descriptor,
    &upstream_http__http_protocol_options__descriptor,
    &tls__upstream_tls_context__descriptor,
    &aggregate_cluster__cluster_config__descriptor,
    &dns_cluster__dns_cluster__descriptor,
    &round_robin__round_robin__descriptor,
    &least_request__least_request__descriptor,
    &random__random__descriptor,
    &ring_hash__ring_hash__descriptor,
    &maglev__maglev__descriptor,
    &weighted_round_robin__client_side_weighted_round_robin__descriptor,
    &wrr_locality__wrr_locality__descriptor,
    &pick_first__pick_first__descriptor,
    &pb__value__descriptor,
    &pb__list_value__descriptor,
    &pb__struct__fields_entry__descriptor,
    &orca__orca_load_report__descriptor,
    &orca_service__orca_load_report_request__descriptor,
    &csds__client_status_request__descriptor,
    &csds__client_status_response__descriptor,
};

static const char *type_name(ProtobufCType type)
{
    static const char *const names[] = {
        [PROTOBUF_C_TYPE_INT32] = "int32",   [PROTOBUF_C_TYPE_INT64] = "int64",    [PROTOBUF_C_TYPE_UINT32] = "uint32",
        [PROTOBUF_C_TYPE_UINT64] = "uint64", [PROTOBUF_C_TYPE_FLOAT] = "float",    [PROTOBUF_C_TYPE_DOUBLE] = "double",
        [PROTOBUF_C_TYPE_BOOL] = "bool",     [PROTOBUF_C_TYPE_ENUM] = "enum",      [PROTOBUF_C_TYPE_STRING] = "string",
        [PROTOBUF_C_TYPE_BYTES] = "bytes",   [PROTOBUF_C_TYPE_MESSAGE] = "message"
    };

    return type < COUNT_OF(names) && names[type] ? names[type] : "another type";
}

static const char *inner_name(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return ((const ProtobufCMessageDescriptor *) field->descriptor)->name;
    return ((const ProtobufCEnumDescriptor *) field->descriptor)->name;
}

static void check_field(const char *published, const ProtobufCMessageDescriptor *type,
                        const ProtobufCFieldDescriptor *field)
{
    char line[LINE];

    snprintf(line, sizeof line, "\n%s.%s %u %s%s%s%s%s\n", type->name, field->name, field->id,
             field->label == PROTOBUF_C_LABEL_REPEATED ? "repeated " : "", type_name(field->type),
             field->descriptor ? " " : "", field->descriptor ? inner_name(field) : "",
             field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? " oneof" : "");
    if (!strstr(published, line))
        fail_msg("not published:%s", line);
}

/* Values that nest in themselves are looked at a few times. */
static void check(const char *published, const ProtobufCMessageDescriptor *type, size_t depth)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        check_field(published, type, &type->fields[i]);
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE && depth < DEPTH && type->fields[i].descriptor != type)
            check(published, type->fields[i].descriptor,
                  strcmp(type->package_name, "google.protobuf") ? depth + 1 : DEPTH);
    }
}

static char *read_published(void)
{
    FILE *file = fopen(MESH_SOURCE_DIR "/tests/unit/proto/published.txt", "r");
    struct buf text = { 0 };
    char line[LINE];

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        assert_true(buf_append_text(&text, line));
    fclose(file);
    assert_true(buf_append(&text, "", 1));
    return (char *) text.data;
}

static void every_field_is_published(void **state)
{
    char *published = read_published();

    (void) state;
    for (size_t i = 0; i < COUNT_OF(roots); i++)
        check(published, roots[i], 0);
    mem_free(published);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_field_is_published) };

    return cmocka_run_group_tests_name("proto/published", tests, NULL, NULL);
}
