/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of Envoy's fault filter. */
#include "proto/fault.pb-c.h"
#include "source/xds/filters.h"
#include "source/xds/routes_reader.h"
#include "source/xds/scalars.h"

static int32_t read_delay(struct reading *reading, const FaultCommon__FaultDelay *delay, struct route_fault *out)
{
    int32_t err = values_fraction(reading, "percentage", delay->percentage, &out->delay_fraction);

    if (err)
        return err;
    out->has_delay = out->delay_fraction.numerator > 0;
    switch (delay->fault_delay_secifier_case) {
    case FAULT_COMMON__FAULT_DELAY__FAULT_DELAY_SECIFIER_FIXED_DELAY:
        err = scalar_us(reading, "fixed_delay", delay->fixed_delay, &out->delay_us);
        if (!err && out->delay_us == 0)
            err = reading_wrong_at(reading, "fixed_delay", "it is 0");
        return err;
    case FAULT_COMMON__FAULT_DELAY__FAULT_DELAY_SECIFIER_HEADER_DELAY:
        out->delay_by_header = true;
        return 0;
    default:
        return reading_wrong(reading, "it has neither fixed_delay nor header_delay");
    }
}

static int32_t read_abort(struct reading *reading, const Fault__FaultAbort *abort, struct route_fault *out)
{
    int32_t err = values_fraction(reading, "percentage", abort->percentage, &out->abort_fraction);

    if (err)
        return err;
    out->has_abort = out->abort_fraction.numerator > 0;
    switch (abort->error_type_case) {
    case FAULT__FAULT_ABORT__ERROR_TYPE_HTTP_STATUS:
        if (abort->http_status < 200 || abort->http_status > 599)
            return reading_wrong_at(reading, "http_status", "%u; allowed is 200 to 599", abort->http_status);
        out->abort_status = (uint16_t) abort->http_status;
        return 0;
    case FAULT__FAULT_ABORT__ERROR_TYPE_GRPC_STATUS:
        out->abort_grpc = abort->grpc_status;
        return 0;
    case FAULT__FAULT_ABORT__ERROR_TYPE_HEADER_ABORT:
        out->abort_by_header = true;
        return 0;
    default:
        return reading_wrong(reading, "it has none of http_status, grpc_status and header_abort");
    }
}

static int32_t read_conditions(struct routes_reader *reader, const Fault__HTTPFault *message, struct route_fault *out)
{
    int32_t err = 0;

    out->most_active = message->max_active_faults ? message->max_active_faults->value : UINT32_MAX;
    if (message->upstream_cluster[0] != '\0') {
        reading_enter(reader->reading, "upstream_cluster");
        err = routes_cluster(reader, message->upstream_cluster, &out->cluster);
        reading_leave(reader->reading);
    }
    return err ? err
               : routes_header_matchers(reader, "headers", message->n_headers, message->headers, &out->n_headers,
                                        &out->headers);
}

int32_t filter_fault(struct routes_reader *reader, const ProtobufCMessage *config, struct route_fault *out, bool *any)
{
    const Fault__HTTPFault *message = (const Fault__HTTPFault *) config;
    struct reading *reading = reader->reading;
    const uint32_t downstream_nodes = 5;
    int32_t err = read_conditions(reader, message, out);

    if (!err && message->delay) {
        reading_enter(reading, "delay");
        err = read_delay(reading, message->delay, out);
        reading_leave(reading);
    }
    if (!err && message->abort) {
        reading_enter(reading, "abort");
        err = read_abort(reading, message->abort, out);
        reading_leave(reading);
    }
    *any = out->has_delay || out->has_abort;
    if (!err && *any && values_has_unknown(config, downstream_nodes)) {
        reading_ignored_at(reading, "downstream_nodes", "the fault is left out: it is not for every client");
        *any = false;
    }
    return err;
}
