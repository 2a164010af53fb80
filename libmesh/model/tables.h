/* SPDX-License-Identifier: Apache-2.0 */
/* What a set of endpoints keeps beside the endpoints, and how it is found again while the set is made. Private to model/. */
#ifndef MODEL_TABLES_H
#define MODEL_TABLES_H

#include "model/endpoints.h"

enum { TABLES_RECENT = 4 };

struct model_tables {
    struct text_block *newest;
    const char *recent[TABLES_RECENT]; /* zones and host names repeat from one endpoint to the next */
    unsigned next_recent;
    size_t endpoints_cap, localities_cap, rares_cap;
    struct lookup places, rares;
    uint32_t last_place;            /* that was asked for */
    struct model_endpoints **parts; /* sets whose texts this one's point into: references */
    size_t n_parts;
};

/* Of an endpoint that has none. */
extern const struct model_locality model_locality_none;
extern const struct model_rare model_rare_none;

/* The set's, made at first use. NULL: out of memory. */
struct model_tables *model_tables_need(struct model_endpoints *set);
void model_tables_free(struct model_endpoints *set);
/* As model_endpoints_locality(), but the texts are not copied: they live as long as the set by themselves. */
uint32_t model_tables_locality(struct model_endpoints *set, const struct model_locality *wanted);
uint32_t model_tables_rare(struct model_endpoints *set, const struct model_rare *wanted);

#endif
