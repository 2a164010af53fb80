/* SPDX-License-Identifier: Apache-2.0 */
/* health_checks: the first one that libmesh has. */
#include <inttypes.h>

#include "http/http.h"
#include "source/xds/cluster_reader.h"

enum { STATUS_LEAST = 100, STATUS_END = 600 };

/* ---- HTTP ---- */

static int32_t read_statuses(struct reading *reading, const Core__HealthCheck__HttpHealthCheck *http,
                             struct policy_health *health)
{
    if (http->n_expected_statuses == 0)
        return 0;
    health->statuses.n = 0;
    for (size_t i = 0; i < http->n_expected_statuses; i++) {
        const Type__Int64Range *range = http->expected_statuses[i];

        if (range->start < STATUS_LEAST || range->end > STATUS_END || range->start >= range->end)
            return reading_wrong_at(reading, "expected_statuses",
                                    "from %" PRId64 " to before %" PRId64 " is no range from 100 to before 600",
                                    range->start, range->end);
        if (health->n_ranges < POLICY_MOST_RANGES)
            health->ranges[health->n_ranges++] =
                (struct policy_status_range){ (uint16_t) range->start, (uint16_t) range->end };
        else
            reading_ignored_at(reading, "expected_statuses", "only the first %d ranges count", POLICY_MOST_RANGES);
    }
    return 0;
}

static int32_t read_http(struct reading *reading, const Core__HealthCheck__HttpHealthCheck *http,
                         struct policy_health *health)
{
    struct fault fault = { 0 };

    if (http_valid_path(http->path, &fault))
        return reading_wrong_at(reading, "path", "%s", fault.text);
    if (http->host[0] && http_valid_authority(http->host, &fault))
        return reading_wrong_at(reading, "host", "%s", fault.text);
    if (http->method == CORE__REQUEST_METHOD__CONNECT)
        return reading_wrong_at(reading, "method", "CONNECT is not allowed");
    if (http->method != CORE__REQUEST_METHOD__METHOD_UNSPECIFIED && http->method != CORE__REQUEST_METHOD__GET)
        reading_ignored_at(reading, "method", "GET is used");
    health->kind = HEALTH_HTTP;
    health->path = http->path;
    health->host = http->host[0] ? http->host : NULL;
    return read_statuses(reading, http, health);
}

/* ---- gRPC ---- */

static int32_t read_grpc(struct reading *reading, const Core__HealthCheck__GrpcHealthCheck *grpc,
                         struct policy_health *health)
{
    struct fault fault = { 0 };

    if (grpc->authority[0] && http_valid_authority(grpc->authority, &fault))
        return reading_wrong_at(reading, "authority", "%s", fault.text);
    health->kind = HEALTH_GRPC;
    health->grpc_service = grpc->service_name[0] ? grpc->service_name : NULL;
    health->host = grpc->authority[0] ? grpc->authority : NULL;
    return 0;
}

/* ---- one check ---- */

static bool is_known(const Core__HealthCheck *check)
{
    return check->health_checker_case != CORE__HEALTH_CHECK__HEALTH_CHECKER__NOT_SET;
}

static int32_t require(struct reading *reading, const Core__HealthCheck *check)
{
    if (!check->timeout)
        return reading_wrong_at(reading, "timeout", "is missing");
    if (!check->interval)
        return reading_wrong_at(reading, "interval", "is missing");
    if (!check->unhealthy_threshold)
        return reading_wrong_at(reading, "unhealthy_threshold", "is missing");
    return check->healthy_threshold ? 0 : reading_wrong_at(reading, "healthy_threshold", "is missing");
}

static int32_t read_common(struct reading *reading, const Core__HealthCheck *check, struct policy_health *health)
{
    int32_t err = require(reading, check);

    if (!err)
        err = scalar_ms(reading, "timeout", check->timeout, 1, &health->timeout_ms);
    if (!err)
        err = scalar_ms(reading, "interval", check->interval, 1, &health->interval_ms);
    if (!err)
        err = scalar_u32(reading, "unhealthy_threshold", check->unhealthy_threshold, 0, UINT32_MAX,
                         &health->unhealthy_threshold);
    if (!err)
        err = scalar_u32(reading, "healthy_threshold", check->healthy_threshold, 0, UINT32_MAX,
                         &health->healthy_threshold);
    return err;
}

static int32_t read_kind(struct reading *reading, const Core__HealthCheck *check, struct policy_health *health)
{
    int32_t err = 0;

    switch (check->health_checker_case) {
    case CORE__HEALTH_CHECK__HEALTH_CHECKER_HTTP_HEALTH_CHECK:
        reading_enter(reading, "http_health_check");
        err = read_http(reading, check->http_health_check, health);
        reading_leave(reading);
        break;
    case CORE__HEALTH_CHECK__HEALTH_CHECKER_GRPC_HEALTH_CHECK:
        reading_enter(reading, "grpc_health_check");
        err = read_grpc(reading, check->grpc_health_check, health);
        reading_leave(reading);
        break;
    default:
        health->kind = HEALTH_TCP;
        break;
    }
    return err;
}

int32_t cluster_read_health(struct cluster_reader *reader)
{
    const Cluster__Cluster *message = reader->message;
    struct policy_health *health = &reader->policy->health;
    bool found = false;
    int32_t err = 0;

    for (size_t i = 0; i < message->n_health_checks && !err; i++) {
        const Core__HealthCheck *check = message->health_checks[i];

        reading_enter_item(&reader->reading, "health_checks", i);
        if (!is_known(check)) {
            reading_ignored(&reader->reading, "libmesh has no such check; http, grpc and tcp are known");
        } else if (found) {
            reading_ignored(&reader->reading, "the first check alone decides");
        } else {
            found = true;
            err = read_common(&reader->reading, check, health);
            err = err ? err : read_kind(&reader->reading, check, health);
        }
        reading_leave(&reader->reading);
    }
    return err;
}
