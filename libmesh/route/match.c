/* SPDX-License-Identifier: Apache-2.0 */
/* Matching a request to a cluster. */
#include "route/route.h"

const struct model_entry *route_match(const struct model_snapshot *snapshot, const struct route_request *request)
{
    return model_snapshot_find(snapshot, request->service);
}
