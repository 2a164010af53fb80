/* SPDX-License-Identifier: Apache-2.0 */
/* What a benchmark says at its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/output.h"

static json_t *json_of_tally(const struct tally *tally)
{
    json_t *object = must_have(json_object());

    for (size_t i = 0; i < tally->n; i++)
        json_object_set_new(object, tally->entries[i].name, json_integer((json_int_t) tally->entries[i].count));
    return object;
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t) number));
}

static void set_real(json_t *object, const char *key, double number)
{
    json_object_set_new(object, key, json_real(number));
}

static double per(double what, double each)
{
    return each > 0 ? what / each : 0;
}

static void report_json(const struct bench_counts *counts, double elapsed_s, uint64_t cpu_us)
{
    json_t *object = must_have(json_object());

    set_number(object, "calls", counts->calls);
    set_number(object, "failed", counts->failed);
    json_object_set_new(object, "statuses", json_of_tally(&counts->statuses));
    json_object_set_new(object, "errors", json_of_tally(&counts->errors));
    set_number(object, "attempts", counts->attempts);
    json_object_set_new(object, "endpoints", json_of_tally(&counts->endpoints));
    json_object_set_new(object, "zones", json_of_tally(&counts->zones));
    set_real(object, "calls_per_s", per((double) counts->calls, elapsed_s));
    set_number(object, "p50_us", histogram_quantile(&counts->latency_us, 0.50));
    set_number(object, "p99_us", histogram_quantile(&counts->latency_us, 0.99));
    set_number(object, "max_us", counts->latency_us.highest);
    set_real(object, "cpu_us_per_call", per((double) cpu_us, (double) counts->calls));
    print_json(object);
}

static void report_tally(const char *title, const struct tally *tally, enum colour colour)
{
    for (size_t i = 0; i < tally->n; i++) {
        char count[32];

        printf("  %-9s ", i == 0 ? title : "");
        print_text(tally->entries[i].name, 24, colour);
        printf(" %12s\n", group_digits(tally->entries[i].count, count));
    }
}

static void report_text(const struct bench_counts *counts, double elapsed_s, uint64_t cpu_us)
{
    const struct histogram *latency = &counts->latency_us;
    char calls[32], rate[32], failed[32], attempts[32], p50[32], p99[32], highest[32];

    printf("%s calls in %.1f s, %s/s, %s failed\n", group_digits(counts->calls, calls), elapsed_s,
           group_digits((uint64_t) per((double) counts->calls, elapsed_s), rate), group_digits(counts->failed, failed));
    printf("  latency   p50 %s, p99 %s, max %s\n", show_us((double) histogram_quantile(latency, 0.50), p50),
           show_us((double) histogram_quantile(latency, 0.99), p99), show_us((double) latency->highest, highest));
    printf("  cpu       %.1f us a call\n", per((double) cpu_us, (double) counts->calls));
    printf("  attempts  %s\n", group_digits(counts->attempts, attempts));
    report_tally("status", &counts->statuses, COLOUR_NONE);
    report_tally("error", &counts->errors, COLOUR_BAD);
    report_tally("endpoint", &counts->endpoints, COLOUR_NONE);
    report_tally("zone", &counts->zones, COLOUR_NONE);
}

int bench_report(struct bench_counts *counts, uint64_t elapsed_us, uint64_t cpu_us, bool json)
{
    struct tally *tallies[] = { &counts->statuses, &counts->errors, &counts->endpoints, &counts->zones };
    size_t n_tallies = sizeof tallies / sizeof *tallies;

    for (size_t i = 0; i < n_tallies; i++)
        tally_sort(tallies[i]);
    (json ? report_json : report_text)(counts, (double) elapsed_us / 1e6, cpu_us);
    for (size_t i = 0; i < n_tallies; i++)
        tally_free(tallies[i]);
    return counts->failed < counts->calls ? EXIT_OK : EXIT_MESH_FAILED;
}
