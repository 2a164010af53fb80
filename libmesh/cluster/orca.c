/* SPDX-License-Identifier: Apache-2.0 */
/* Load reports: which numbers count, and the form that is text. */
#include "cluster/orca.h"

#include <math.h>
#include <string.h>

#include "base/base.h"
#include "cluster/orca_reader.h"
#include "grpc/base64.h"

enum { REPORT_MOST = 16384, CHOSEN_MOST = 64 };

/* ---- numbers ---- */

static double *number_of(struct orca_report *report, const char *name, size_t len, uint32_t *bit)
{
    const struct {
        const char *name;
        double *to;
    } numbers[] = {
        { "application_utilization", &report->application },
        { "cpu_utilization", &report->cpu },
        { "mem_utilization", &report->memory },
        { "rps_fractional", &report->rps },
        { "eps", &report->eps },
    };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (strlen(numbers[i].name) != len || memcmp(numbers[i].name, name, len) != 0)
            continue;
        *bit = UINT32_C(1) << i;
        return numbers[i].to;
    }
    return NULL;
}

/* "named_metrics.queue" of a list, from a map's name and its key, or from a number's name alone. */
static bool is_metric(const char *metric, size_t metric_len, const char *map, const char *name, size_t len)
{
    size_t map_len = map ? strlen(map) : 0;

    if (!map)
        return metric_len == len && memcmp(metric, name, len) == 0;
    return metric_len == map_len + 1 + len && memcmp(metric, map, map_len) == 0 && metric[map_len] == '.' &&
           memcmp(metric + map_len + 1, name, len) == 0;
}

/* False: it stands twice. */
static bool take_chosen(struct orca_reader *reader, const char *map, const char *name, size_t len, double value)
{
    const char *at = reader->metrics;

    for (size_t i = 0; at && *at && i < CHOSEN_MOST; i++) {
        size_t metric_len = strcspn(at, ",");

        if (is_metric(at, metric_len, map, name, len)) {
            if (reader->chosen & UINT64_C(1) << i)
                return false;
            reader->chosen |= UINT64_C(1) << i;
            if (value > reader->report->chosen)
                reader->report->chosen = value;
        }
        at += metric_len;
        at += *at == ',';
    }
    return true;
}

bool orca_take(struct orca_reader *reader, const char *map, const char *name, size_t len, double value)
{
    uint32_t bit;
    double *to;

    if (!isfinite(value) || value < 0)
        return false;
    if (!take_chosen(reader, map, name, len, value))
        return false;
    to = map ? NULL : number_of(reader->report, name, len, &bit);
    if (!to)
        return true;
    if (reader->seen & bit)
        return false;
    reader->seen |= bit;
    *to = value;
    return true;
}

/* ---- decimal numbers ---- */

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* Digits beyond what a number can hold move the exponent only. */
static const char *take_digits(const char *at, const char *end, double *number, int *exponent, int step)
{
    for (; is_digit(at, end); at++) {
        if (*number < 1e17) {
            *number = *number * 10 + (*at - '0');
            *exponent -= step;
        } else {
            *exponent += 1 - step;
        }
    }
    return at;
}

static const char *take_exponent(const char *at, const char *end, int *exponent)
{
    const char *digits = at + 1;
    bool negative = digits < end && *digits == '-';
    int written = 0;

    if (at >= end || (*at != 'e' && *at != 'E'))
        return at;
    digits += digits < end && (*digits == '-' || *digits == '+');
    if (!is_digit(digits, end))
        return at;
    for (; is_digit(digits, end); digits++)
        written = written < 10000 ? written * 10 + (*digits - '0') : written;
    *exponent += negative ? -written : written;
    return digits;
}

bool orca_number(const char *at, const char *end, const char **rest, double *out)
{
    bool negative = at < end && *at == '-';
    double number = 0;
    int exponent = 0;

    at += negative;
    if (!is_digit(at, end))
        return false;
    at = take_digits(at, end, &number, &exponent, 0);
    if (at < end && *at == '.' && is_digit(at + 1, end))
        at = take_digits(at + 1, end, &number, &exponent, 1);
    at = take_exponent(at, end, &exponent);
    *out = (negative ? -number : number) * pow(10, exponent);
    *rest = at;
    return true;
}

/* ---- the form that is text ---- */

static bool take_pair(struct orca_reader *reader, const char *at, const char *end)
{
    static const char *const maps[] = { "named_metrics", "utilization", "request_cost" };
    const char *equals = memchr(at, '=', (size_t) (end - at)), *rest;
    double value;

    if (!equals || !orca_number(equals + 1, end, &rest, &value) || rest != end)
        return false;
    for (size_t i = 0; i < COUNT_OF(maps); i++) {
        size_t len = strlen(maps[i]);

        if ((size_t) (equals - at) > len + 1 && memcmp(at, maps[i], len) == 0 && at[len] == '.')
            return orca_take(reader, maps[i], at + len + 1, (size_t) (equals - at) - len - 1, value);
    }
    return orca_take(reader, NULL, at, (size_t) (equals - at), value);
}

static bool read_text(struct orca_reader *reader, const char *at, size_t len)
{
    const char *end = at + len;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t) (end - at)), *stop = comma ? comma : end;

        while (at < stop && *at == ' ')
            at++;
        if (!take_pair(reader, at, stop))
            return false;
        at = comma ? comma + 1 : end;
    }
    return true;
}

/* ---- the forms ---- */

static bool starts(const char *value, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(value, prefix, strlen(prefix)) == 0;
}

static bool read_base64(struct orca_reader *reader, const char *base64, size_t len)
{
    size_t size = grpc_base64_size(base64, len);
    uint8_t bytes[REPORT_MOST];

    if (size > sizeof bytes)
        return false;
    grpc_base64_read(base64, len, bytes);
    return orca_read_message(reader, bytes, size);
}

bool orca_read(const char *value, size_t len, const char *metrics, struct orca_report *out)
{
    struct orca_reader reader = { .metrics = metrics, .report = out };

    *out = (struct orca_report){ 0 };
    if (len > REPORT_MOST)
        return false;
    if (starts(value, len, "TEXT "))
        return read_text(&reader, value + 5, len - 5);
    if (starts(value, len, "JSON "))
        return orca_read_json(&reader, value + 5, len - 5);
    if (starts(value, len, "BIN "))
        return read_base64(&reader, value + 4, len - 4);
    return false;
}

bool orca_read_binary(const char *base64, size_t len, const char *metrics, struct orca_report *out)
{
    struct orca_reader reader = { .metrics = metrics, .report = out };

    *out = (struct orca_report){ 0 };
    return len <= REPORT_MOST && read_base64(&reader, base64, len);
}

double orca_utilization(const struct orca_report *report)
{
    if (report->application > 0)
        return report->application;
    return report->chosen > 0 ? report->chosen : report->cpu;
}
