/* SPDX-License-Identifier: Apache-2.0 */
/* What struct xds is made of, for the files that put it together and show it. Private to source/xds/. */
#ifndef SOURCE_XDS_XDS_STATE_H
#define SOURCE_XDS_XDS_STATE_H

#include "source/xds/ads.h"
#include "source/xds/cache.h"
#include "source/xds/graph.h"
#include "source/xds/identities.h"
#include "source/xds/loads.h"
#include "source/xds/xds.h"

struct xds {
    struct xds_conf conf;
    struct bootstrap *bootstrap;
    Core__Node *node;
    struct store store;
    struct graph graph;
    struct cache *cache; /* NULL: there is none, or nothing has been wanted yet */
    struct ads
        *ads; /* of names without an authority, or of one without servers of its own; then the other authorities' */
    size_t n_ads;
    struct loads loads;
    struct identities identities;
    bool is_dirty; /* the graph is to be walked */
    uint64_t rests_until_us;
    struct loop_timer timer; /* until then, or until memory is asked for again */
};

#endif
