/* SPDX-License-Identifier: Apache-2.0 */
/* Load reports to one control plane (LRS): a stream beside that of discovery, open while a cluster wants its load reported. Private to
 * source/xds/.
 *
 * The control plane says of which clusters and how often; figures are those since the last report that was sent. What happens
 * while no stream is open is in the first report of the next one. */
#ifndef SOURCE_XDS_LRS_H
#define SOURCE_XDS_LRS_H

#include "source/xds/channel.h"
#include "source/xds/load_report.h"

struct lrs;

struct lrs_conf {
    struct loop *loop;
    struct observe *observe;
    const Core__Node *node; /* borrowed */
    /* Fills the report: all clusters of which lrs_wants(). */
    void (*gather)(void *user, const struct lrs *lrs, struct load_report *report);
    void *user;
};

struct lrs {
    struct lrs_conf conf;
    struct channel *channel; /* that the stream is on; NULL: none */
    struct channel_stream stream;
    bool is_up;
    uint64_t interval_us; /* 0: not said yet */
    bool with_endpoints, all;
    struct map names;  /* of clusters that are wanted: their own text */
    uint64_t since_us; /* what the next report covers begins here */
    struct loop_timer timer;
};

void lrs_init(struct lrs *lrs, const struct lrs_conf *conf);
void lrs_clear(struct lrs *lrs);
/* From now on on this channel; NULL: on none. */
void lrs_follow(struct lrs *lrs, struct channel *channel);
bool lrs_wants(const struct lrs *lrs, const char *cluster);
/* How long the report that is being made covers. */
uint64_t lrs_interval_us(const struct lrs *lrs);

#endif
