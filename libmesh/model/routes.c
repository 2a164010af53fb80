/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of a service: counted, immutable once published, in one arena. */
#include "model/model.h"

#include <stdatomic.h>
#include <string.h>

struct model_routes *model_routes_ref(struct model_routes *routes)
{
    if (routes)
        atomic_fetch_add_explicit(&routes->refs, 1, memory_order_relaxed);
    return routes;
}

void model_routes_unref(struct model_routes *routes)
{
    if (!routes || atomic_fetch_sub_explicit(&routes->refs, 1, memory_order_acq_rel) != 1)
        return;
    mem_free(routes);
}
