/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of load reports, and what goes into a report. */
#include "source/xds/loads.h"

#include <string.h>

/* ---- which streams there are ---- */

void loads_follow(struct loads *loads)
{
    for (size_t i = 0; loads->streams && i < loads->conf.n_ads; i++) {
        struct load_stream *stream = &loads->streams[i];

        lrs_follow(&stream->lrs, stream->is_wanted ? ads_channel(&loads->conf.ads[i]) : NULL);
    }
}

static void want_stream_of(struct loads *loads, const struct resource *cluster)
{
    const struct ads *ads = loads->conf.ads_of(loads->conf.user, cluster);

    if (ads)
        loads->streams[ads - loads->conf.ads].is_wanted = true;
}

void loads_look(struct loads *loads)
{
    const struct graph_cluster *cluster;
    size_t at = 0;

    if (!loads->streams)
        return;
    for (size_t i = 0; i < loads->conf.n_ads; i++)
        loads->streams[i].is_wanted = false;
    while ((cluster = map_next(&loads->conf.graph->clusters, &at)))
        if (cluster->seen && cluster->seen->reports_load)
            want_stream_of(loads, cluster->cluster);
    loads_follow(loads);
}

/* ---- a report ---- */

struct gathering {
    struct load_stream *stream;
    const struct lrs *lrs;
    struct load_report *report;
    const struct graph_cluster *cluster; /* that is asked just now */
};

/* Endpoints of an aggregate are reported as those of the cluster that they come from. */
static const struct graph_cluster *origin_of(const struct gathering *gathering, const char *key)
{
    const struct map *clusters = &gathering->stream->loads->conf.graph->clusters;

    if (key[0] == '\0')
        return gathering->cluster;
    return text_starts_with(key, XDS_CLUSTER_PREFIX) ? map_get_text(clusters, key + strlen(XDS_CLUSTER_PREFIX)) : NULL;
}

static bool is_reported(const struct gathering *gathering, const struct graph_cluster *cluster)
{
    const struct loads *loads = gathering->stream->loads;
    const struct ads *ads = loads->conf.ads_of(loads->conf.user, cluster->cluster);

    return cluster->seen && cluster->seen->reports_load &&
           ads == &loads->conf.ads[gathering->stream - loads->streams] && lrs_wants(gathering->lrs, cluster->name);
}

/* NULL: nobody wants it. */
static struct load_report_cluster *part_of(const struct gathering *gathering, const char *key)
{
    const struct graph_cluster *cluster = origin_of(gathering, key);
    const char *eds_name;

    if (!cluster || !is_reported(gathering, cluster))
        return NULL;
    eds_name = cluster->seen->eds_name ? cluster->seen->eds_name : "";
    return load_report_cluster(gathering->report, cluster->name, eds_name, lrs_interval_us(gathering->lrs));
}

static void on_endpoint(void *user, const struct source_load_place *place, const char *address,
                        const struct source_load_figures *figures)
{
    struct load_report_cluster *part = part_of(user, place->cluster);

    if (part)
        load_report_add_endpoint(part, place, address, figures);
}

static void on_place(void *user, const struct source_load_place *place, const struct source_load_figures *figures)
{
    struct load_report_cluster *part = part_of(user, place->cluster);

    if (part)
        load_report_add_place(part, place, figures);
}

static void on_drop(void *user, const char *category, uint64_t n)
{
    struct load_report_cluster *part = part_of(user, "");

    if (part)
        load_report_add_drops(part, category, n);
}

static void gather(void *user, const struct lrs *lrs, struct load_report *report)
{
    struct load_stream *stream = user;
    const struct loads_conf *conf = &stream->loads->conf;
    struct gathering gathering = { .stream = stream, .lrs = lrs, .report = report };
    struct source_load_listener listener = { on_endpoint, on_place, on_drop, &gathering };
    size_t at = 0;

    while ((gathering.cluster = map_next(&conf->graph->clusters, &at)))
        if (gathering.cluster->conf)
            conf->take_load(conf->take_user, gathering.cluster->conf->name, &listener);
}

/* ---- the whole ---- */

bool loads_init(struct loads *loads, const struct loads_conf *conf)
{
    struct lrs_conf lrs = { .loop = conf->loop, .observe = conf->observe, .node = conf->node, .gather = gather };

    *loads = (struct loads){ .conf = *conf };
    if (!conf->take_load)
        return true;
    loads->streams = mem_array(conf->n_ads, sizeof *loads->streams);
    if (!loads->streams)
        return false;
    for (size_t i = 0; i < conf->n_ads; i++) {
        lrs.user = &loads->streams[i];
        loads->streams[i] = (struct load_stream){ .loads = loads };
        lrs_init(&loads->streams[i].lrs, &lrs);
    }
    return true;
}

void loads_clear(struct loads *loads)
{
    for (size_t i = 0; loads->streams && i < loads->conf.n_ads; i++)
        lrs_clear(&loads->streams[i].lrs);
    mem_free(loads->streams);
    loads->streams = NULL;
}
