/* SPDX-License-Identifier: Apache-2.0 */
/* Load reports in headers and trailers become the weight of the endpoint. */
#include "request/load.h"

#include <string.h>

#include "cluster/orca.h"
#include "request/state.h"

/* Trailers know more than the head. */
static const char *find(const struct mesh_response *response, const char *name)
{
    const char *value = response_find(response, name, true);

    return value ? value : response_find(response, name, false);
}

static bool read_report(const struct mesh_response *response, const char *metrics, struct orca_report *report)
{
    const char *binary = find(response, ORCA_BINARY_HEADER), *text;

    if (binary)
        return orca_read_binary(binary, strlen(binary), metrics, report);
    text = find(response, ORCA_HEADER);
    return text && orca_read(text, strlen(text), metrics, report);
}

void load_hear(const struct request *request)
{
    struct orca_report report;

    if (request->cluster->by_load && read_report(request->response, request->conf->policy.load.metrics, &report))
        endpoint_reported(request->attempt.endpoint, &report);
}
