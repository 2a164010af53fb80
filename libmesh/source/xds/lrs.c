/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of load reports: what the control plane wants to know, and when it is told. */
#include "source/xds/lrs.h"

#include <string.h>

#include "proto/load_stats.pb-c.h"
#include "source/xds/wire.h"

#define LRS_PATH "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"

/* However often a control plane wants it. */
#define SHORTEST_US (100 * US_PER_MS)
#define LONGEST_US  (UINT64_C(3600) * US_PER_S)

/* ---- what is wanted ---- */

static void forget_names(struct lrs *lrs)
{
    char *name;
    size_t at = 0;

    while ((name = map_next(&lrs->names, &at)))
        mem_free(name);
    map_free(&lrs->names);
}

static void add_name(struct lrs *lrs, const char *name)
{
    char *copy = map_get_text(&lrs->names, name) ? NULL : mem_strdup(name);

    if (copy && !map_put(&lrs->names, copy, strlen(copy), copy))
        mem_free(copy);
}

bool lrs_wants(const struct lrs *lrs, const char *cluster)
{
    return lrs->all || map_get_text(&lrs->names, cluster) != NULL;
}

uint64_t lrs_interval_us(const struct lrs *lrs)
{
    return loop_now_us(lrs->conf.loop) - lrs->since_us;
}

static uint64_t interval_of(const Pb__Duration *duration)
{
    uint64_t us;

    if (!duration || duration->seconds < 0 || duration->nanos < 0)
        return SHORTEST_US;
    if ((uint64_t) duration->seconds >= LONGEST_US / US_PER_S)
        return LONGEST_US;
    us = (uint64_t) duration->seconds * US_PER_S + (uint64_t) duration->nanos / 1000;
    return us < SHORTEST_US ? SHORTEST_US : us;
}

/* ---- reports ---- */

static void send_report(struct lrs *lrs, struct load_report *report, bool is_first)
{
    struct buf out = { 0 };
    Core__Node *node = is_first ? (Core__Node *) lrs->conf.node : NULL; /* packing does not write */

    if (load_report_pack(report, node, &out))
        channel_stream_send(&lrs->stream, buf_bytes(&out), buf_len(&out));
    buf_free(&out);
}

static void set_timer(struct lrs *lrs)
{
    loop_timer_set(lrs->conf.loop, &lrs->timer, loop_now_us(lrs->conf.loop) + lrs->interval_us);
}

static void on_timer(struct loop_timer *timer)
{
    struct lrs *lrs = CONTAINER_OF(timer, struct lrs, timer);
    struct load_report *report = load_report_new(lrs->with_endpoints);

    if (report) {
        lrs->conf.gather(lrs->conf.user, lrs, report);
        send_report(lrs, report, false);
        lrs->since_us = loop_now_us(lrs->conf.loop);
    }
    load_report_free(report);
    set_timer(lrs);
}

/* ---- the stream ---- */

static struct lrs *of_stream(struct channel_stream *stream)
{
    return CONTAINER_OF(stream, struct lrs, stream);
}

static void on_up(struct channel_stream *stream)
{
    struct lrs *lrs = of_stream(stream);
    struct load_report *report = load_report_new(false);

    lrs->is_up = true;
    if (report)
        send_report(lrs, report, true);
    load_report_free(report);
    channel_stream_receive(stream);
}

static void take_wishes(struct lrs *lrs, const LoadStats__LoadStatsResponse *wishes)
{
    forget_names(lrs);
    lrs->all = wishes->send_all_clusters;
    lrs->with_endpoints = wishes->report_endpoint_granularity;
    for (size_t i = 0; i < wishes->n_clusters && !lrs->all; i++)
        add_name(lrs, wishes->clusters[i]);
    lrs->interval_us = interval_of(wishes->load_reporting_interval);
    set_timer(lrs);
}

static void on_message(struct channel_stream *stream, const uint8_t *bytes, size_t len)
{
    struct lrs *lrs = of_stream(stream);
    ProtobufCMessage *message;
    struct fault fault = { 0 };
    int32_t err =
        wire_unpack(&load_stats__load_stats_response__descriptor, bytes, len, &wire_limits_standard, &message, &fault);

    if (err)
        OBSERVE(lrs->conf.observe, MESH_LOG_ERROR, "xds_answer_unreadable", FIELD_TEXT("control_plane", "load reports"),
                FIELD_TEXT("detail", fault.text));
    else
        take_wishes(lrs, (const LoadStats__LoadStatsResponse *) message);
    wire_free(message);
    channel_stream_receive(stream);
}

static void forget_wishes(struct lrs *lrs)
{
    loop_timer_cancel(lrs->conf.loop, &lrs->timer);
    forget_names(lrs);
    lrs->is_up = lrs->all = false;
    lrs->interval_us = 0;
}

/* It comes again by itself. */
static void on_down(struct channel_stream *stream, const struct channel_end *end)
{
    (void) end;
    forget_wishes(of_stream(stream));
}

static const struct channel_stream_ops stream_ops = { on_up, on_message, NULL, on_down };

void lrs_follow(struct lrs *lrs, struct channel *channel)
{
    if (channel == lrs->channel && (!channel || lrs->stream.state != CHANNEL_STREAM_CLOSED))
        return;
    channel_stream_close(&lrs->stream);
    forget_wishes(lrs);
    lrs->channel = channel;
    if (!channel)
        return;
    lrs->stream = (struct channel_stream){ 0 };
    channel_stream_open(channel, &lrs->stream, &stream_ops, LRS_PATH);
}

void lrs_init(struct lrs *lrs, const struct lrs_conf *conf)
{
    *lrs = (struct lrs){ .conf = *conf, .since_us = loop_now_us(conf->loop) };
    lrs->timer.on_due = on_timer;
}

void lrs_clear(struct lrs *lrs)
{
    lrs_follow(lrs, NULL);
}
