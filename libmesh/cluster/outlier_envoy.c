/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of hosts, ejection, and what the end of an interval decides, as in Envoy. */
#include "cluster/outlier_envoy.h"

#define OF(list_link) CONTAINER_OF(list_link, struct outlier_envoy_host, link)

const char *outlier_envoy_reason_name(enum outlier_envoy_reason reason)
{
    static const char *const names[] = {
        [ENVOY_CONSECUTIVE_5XX] = "consecutive_5xx",
        [ENVOY_CONSECUTIVE_GATEWAY_FAILURE] = "consecutive_gateway_failure",
        [ENVOY_CONSECUTIVE_LOCAL_ORIGIN_FAILURE] = "consecutive_local_origin_failure",
        [ENVOY_SUCCESS_RATE] = "success_rate",
        [ENVOY_SUCCESS_RATE_LOCAL_ORIGIN] = "success_rate_local_origin",
        [ENVOY_FAILURE_PERCENTAGE] = "failure_percentage",
        [ENVOY_FAILURE_PERCENTAGE_LOCAL_ORIGIN] = "failure_percentage_local_origin",
    };

    return names[reason];
}

void outlier_envoy_init(struct outlier_envoy *detector)
{
    *detector = (struct outlier_envoy){ .n_hosts = 0 };
    list_init(&detector->hosts);
}

void outlier_envoy_join(struct outlier_envoy *detector, struct outlier_envoy_host *host)
{
    list_push_back(&detector->hosts, &host->link);
}

void outlier_envoy_leave(struct outlier_envoy *detector, struct outlier_envoy_host *host)
{
    list_remove(&host->link);
    detector->n_ejected -= host->ejected;
}

/* ---- ejection ---- */

static uint64_t most_us(const struct policy_outlier_envoy *conf)
{
    uint32_t ms = conf->max_ejection_ms > conf->base_ejection_ms ? conf->max_ejection_ms : conf->base_ejection_ms;

    return ms * US_PER_MS;
}

uint64_t outlier_envoy_ejection_us(const struct outlier_envoy_host *host, const struct policy_outlier_envoy *conf)
{
    uint64_t us = conf->base_ejection_ms * US_PER_MS * host->times, most = most_us(conf);

    return us < most ? us : most;
}

/* Beyond max_ejection_percent nobody is ejected: with 10 percent no host of fewer than ten. */
static void eject(struct outlier_envoy *detector, struct outlier_envoy_host *host,
                  const struct policy_outlier_envoy *conf, enum outlier_envoy_reason reason, uint64_t now_us)
{
    uint64_t base = conf->base_ejection_ms * US_PER_MS;

    if (host->ejected ||
        100 * ((uint64_t) detector->n_ejected + 1) > (uint64_t) conf->max_ejection_percent * detector->n_hosts)
        return;
    detector->n_ejected++;
    host->ejected = host->changed = true;
    host->reason = reason;
    host->ejected_us = now_us;
    if (host->times * base < most_us(conf) + base)
        host->times++;
}

static void take_back(struct outlier_envoy *detector, struct outlier_envoy_host *host, uint64_t now_us)
{
    detector->n_ejected--;
    host->ejected = false;
    host->changed = true;
    host->back_us = now_us;
    host->consecutive_5xx = host->consecutive_gateway_failure = host->consecutive_local_origin_failure = 0;
}

void outlier_envoy_passed(struct outlier_envoy *detector, struct outlier_envoy_host *host, uint64_t now_us)
{
    if (host->ejected)
        take_back(detector, host, now_us);
}

/* ---- what attempts tell ---- */

/* Exactly at the threshold, once: a host that is ejected meanwhile counts on, past it. */
static void count(struct outlier_envoy *detector, struct outlier_envoy_host *host,
                  const struct policy_outlier_envoy *conf, enum outlier_envoy_reason reason, uint64_t now_us)
{
    struct {
        uint32_t *counter, threshold;
    } of[] = {
        [ENVOY_CONSECUTIVE_5XX] = { &host->consecutive_5xx, conf->consecutive_5xx },
        [ENVOY_CONSECUTIVE_GATEWAY_FAILURE] = { &host->consecutive_gateway_failure, conf->consecutive_gateway_failure },
        [ENVOY_CONSECUTIVE_LOCAL_ORIGIN_FAILURE] = { &host->consecutive_local_origin_failure,
                                                     conf->consecutive_local_origin_failure },
    };

    if (++*of[reason].counter != of[reason].threshold || host->ejected)
        return;
    eject(detector, host, conf, reason, now_us);
    *of[reason].counter = 0;
}

void outlier_envoy_answered(struct outlier_envoy *detector, struct outlier_envoy_host *host,
                            const struct policy_outlier_envoy *conf, int status, uint64_t now_us)
{
    host->seen[ENVOY_EXTERNAL].all++;
    if (status < 500) {
        host->seen[ENVOY_EXTERNAL].good++;
        host->consecutive_5xx = host->consecutive_gateway_failure = 0;
        return;
    }
    if (status >= 502 && status <= 504)
        count(detector, host, conf, ENVOY_CONSECUTIVE_GATEWAY_FAILURE, now_us);
    else
        host->consecutive_gateway_failure = 0;
    count(detector, host, conf, ENVOY_CONSECUTIVE_5XX, now_us);
}

void outlier_envoy_connected(struct outlier_envoy_host *host, const struct policy_outlier_envoy *conf)
{
    if (!conf->split_local_origin)
        return;
    host->seen[ENVOY_LOCAL].all++;
    host->seen[ENVOY_LOCAL].good++;
    host->consecutive_local_origin_failure = 0;
}

void outlier_envoy_failed(struct outlier_envoy *detector, struct outlier_envoy_host *host,
                          const struct policy_outlier_envoy *conf, bool timed_out, uint64_t now_us)
{
    if (!conf->split_local_origin) {
        outlier_envoy_answered(detector, host, conf, timed_out ? 504 : 503, now_us);
        return;
    }
    host->seen[ENVOY_LOCAL].all++;
    count(detector, host, conf, ENVOY_CONSECUTIVE_LOCAL_ORIGIN_FAILURE, now_us);
}

/* ---- the end of an interval: rates ---- */

static bool has_volume(const struct outlier_envoy_host *host, enum outlier_envoy_origin origin, uint32_t volume)
{
    return !host->ejected && host->seen[origin].all > 0 && host->seen[origin].all >= volume;
}

static double rate(const struct outlier_envoy_host *host, enum outlier_envoy_origin origin)
{
    return host->seen[origin].good * 100.0 / host->seen[origin].all;
}

struct spread {
    uint32_t n;
    double mean, variance;
};

static struct spread spread_of(const struct outlier_envoy *detector, enum outlier_envoy_origin origin, uint32_t volume)
{
    struct spread spread = { 0 };

    LIST_EACH(link, &detector->hosts) {
        if (!has_volume(OF(link), origin, volume))
            continue;
        spread.n++;
        spread.mean += rate(OF(link), origin);
    }
    spread.mean /= spread.n > 0 ? spread.n : 1;
    LIST_EACH(link, &detector->hosts) {
        double off = has_volume(OF(link), origin, volume) ? rate(OF(link), origin) - spread.mean : 0;

        spread.variance += off * off;
    }
    spread.variance /= spread.n > 0 ? spread.n : 1;
    return spread;
}

/* rate < mean - factor * deviation, without the root. */
static bool is_outlier(double rate, const struct spread *spread, double factor)
{
    double below = spread->mean - rate;

    return below > 0 && below * below > factor * factor * spread->variance;
}

static void judge_success_rates(struct outlier_envoy *detector, const struct policy_outlier_envoy *conf,
                                enum outlier_envoy_origin origin, uint64_t now_us)
{
    static const enum outlier_envoy_reason reasons[] = { ENVOY_SUCCESS_RATE, ENVOY_SUCCESS_RATE_LOCAL_ORIGIN };
    uint32_t volume = conf->success_rate_request_volume;
    struct spread spread = spread_of(detector, origin, volume);

    if (conf->success_rate_stdev_factor == 0 || spread.n < conf->success_rate_minimum_hosts)
        return;
    LIST_EACH(link, &detector->hosts) {
        struct outlier_envoy_host *host = OF(link);

        if (has_volume(host, origin, volume) &&
            is_outlier(rate(host, origin), &spread, conf->success_rate_stdev_factor / 1000.0))
            eject(detector, host, conf, reasons[origin], now_us);
    }
}

/* `n`: hosts with enough requests, those included that were ejected for their success rate a moment ago. */
static void judge_failure_percentages(struct outlier_envoy *detector, const struct policy_outlier_envoy *conf,
                                      enum outlier_envoy_origin origin, uint32_t n, uint64_t now_us)
{
    static const enum outlier_envoy_reason reasons[] = { ENVOY_FAILURE_PERCENTAGE,
                                                         ENVOY_FAILURE_PERCENTAGE_LOCAL_ORIGIN };

    if (conf->failure_percentage_threshold == 0 || n < conf->failure_percentage_minimum_hosts)
        return;
    LIST_EACH(link, &detector->hosts) {
        struct outlier_envoy_host *host = OF(link);

        if (has_volume(host, origin, conf->failure_percentage_request_volume) &&
            100 - rate(host, origin) >= conf->failure_percentage_threshold)
            eject(detector, host, conf, reasons[origin], now_us);
    }
}

static void judge_rates(struct outlier_envoy *detector, const struct policy_outlier_envoy *conf,
                        enum outlier_envoy_origin origin, uint64_t now_us)
{
    uint32_t n = spread_of(detector, origin, conf->failure_percentage_request_volume).n;

    judge_success_rates(detector, conf, origin, now_us);
    judge_failure_percentages(detector, conf, origin, n, now_us);
}

/* ---- the end of an interval: coming back ---- */

static void forgive(struct outlier_envoy_host *host, uint64_t n)
{
    host->times -= n < host->times ? (uint32_t) n : host->times;
}

/* The interval that has requests in it. */
static void end_interval(struct outlier_envoy *detector, const struct policy_outlier_envoy *conf, uint64_t now_us)
{
    LIST_EACH(link, &detector->hosts) {
        struct outlier_envoy_host *host = OF(link);

        if (host->ejected && now_us - host->ejected_us >= outlier_envoy_ejection_us(host, conf))
            take_back(detector, host, now_us);
    }
    judge_rates(detector, conf, ENVOY_EXTERNAL, now_us);
    judge_rates(detector, conf, ENVOY_LOCAL, now_us);
    LIST_EACH(link, &detector->hosts) {
        struct outlier_envoy_host *host = OF(link);

        for (int origin = 0; origin < ENVOY_ORIGINS; origin++)
            host->seen[origin].all = host->seen[origin].good = 0;
        if (!host->ejected && host->back_us > 0 && now_us - host->back_us >= conf->interval_ms * US_PER_MS)
            forgive(host, 1);
    }
}

/* n more intervals without any request, the first of which ends at first_us, in one step. */
static void end_empty_intervals(struct outlier_envoy *detector, struct outlier_envoy_host *host,
                                const struct policy_outlier_envoy *conf, uint64_t first_us, uint64_t n)
{
    uint64_t interval = conf->interval_ms * US_PER_MS, at = 0;

    if (host->ejected) {
        uint64_t due = host->ejected_us + outlier_envoy_ejection_us(host, conf);

        at = due > first_us ? (due - first_us + interval - 1) / interval : 0;
        if (at >= n)
            return;
        take_back(detector, host, first_us + at * interval);
    }
    if (host->back_us > 0 && first_us + at * interval - host->back_us < interval)
        at++;
    if (host->back_us > 0 && at < n)
        forgive(host, n - at);
}

static bool anybody_changed(const struct outlier_envoy *detector)
{
    LIST_EACH(link, &detector->hosts) {
        if (OF(link)->changed)
            return true;
    }
    return false;
}

bool outlier_envoy_tick(struct outlier_envoy *detector, const struct policy_outlier_envoy *conf, uint64_t now_us)
{
    uint64_t interval = conf->interval_ms * US_PER_MS, more;

    if (detector->tick_us == 0 || detector->tick_us > now_us + interval)
        detector->tick_us = now_us + interval;
    if (now_us < detector->tick_us)
        return false;
    end_interval(detector, conf, detector->tick_us);
    more = (now_us - detector->tick_us) / interval;
    detector->tick_us += interval;
    LIST_EACH(link, &detector->hosts) {
        if (more > 0)
            end_empty_intervals(detector, OF(link), conf, detector->tick_us, more);
    }
    detector->tick_us += more * interval;
    return anybody_changed(detector);
}
