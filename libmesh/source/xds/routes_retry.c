/* SPDX-License-Identifier: Apache-2.0 */
/* Retry policies of routes and virtual hosts. */
#include <string.h>

#include "source/xds/routes_reader.h"
#include "source/xds/scalars.h"

enum { RETRIES_STANDARD = 1, RETRIES_MOST = 1000, BACKOFF_FACTOR = 10, SHOWN = 64 };

static const uint64_t reset_most_standard_us = 300 * US_PER_S;

/* ---- when ---- */

/* A word of retry_on. `headers`: retriable_headers count. */
static void read_word(struct reading *reading, const char *word, size_t len, struct policy_retry *out, bool *headers)
{
    char text[SHOWN];
    uint32_t bit;

    if (len == 0)
        return;
    if (text_is(word, len, "retriable-headers"))
        *headers = true;
    else if (policy_retry_parse(word, len, &bit))
        out->on |= bit;
    else
        reading_ignored_at(reading, "retry_on", "\"%s\" is not known to libmesh",
                           text_printable(word, len, text, sizeof text));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void read_words(struct reading *reading, const char *words, struct policy_retry *out, bool *headers)
{
    out->on = 0;
    for (const char *at = words;; at++) {
        size_t whole = strcspn(at, ","), len = whole;
        const char *word = at;

        while (len > 0 && is_blank(*word)) {
            word++;
            len--;
        }
        while (len > 0 && is_blank(word[len - 1]))
            len--;
        read_word(reading, word, len, out, headers);
        at += whole;
        if (*at == '\0')
            break;
    }
}

static void read_statuses(struct reading *reading, const Route__RetryPolicy *policy, struct policy_retry *out)
{
    out->statuses = (struct policy_statuses){ .n = 0 };
    for (size_t i = 0; i < policy->n_retriable_status_codes; i++) {
        uint32_t status = policy->retriable_status_codes[i];

        if (status < 100 || status > 599)
            reading_ignored_at(reading, "retriable_status_codes", "%u is no status of HTTP", status);
        else if (out->statuses.n == POLICY_MOST_STATUSES)
            reading_ignored_at(reading, "retriable_status_codes", "only the first %d count",
                               (int) POLICY_MOST_STATUSES);
        else
            out->statuses.codes[out->statuses.n++] = (uint16_t) status;
    }
}

/* ---- how often and how soon ---- */

static void read_attempts(struct reading *reading, const Route__RetryPolicy *policy, struct policy_retry *out)
{
    uint32_t retries = policy->num_retries ? policy->num_retries->value : RETRIES_STANDARD;

    if (retries > RETRIES_MOST) {
        reading_ignored_at(reading, "num_retries", "%u; more than %d are not made", retries, (int) RETRIES_MOST);
        retries = RETRIES_MOST;
    }
    out->attempts = retries + 1;
}

static int32_t read_backoff(struct reading *reading, const Route__RetryPolicy__RetryBackOff *backoff,
                            struct policy_retry *out)
{
    int32_t err;

    if (!backoff->base_interval)
        return reading_wrong_at(reading, "base_interval", "it is missing");
    err = scalar_ms(reading, "base_interval", backoff->base_interval, 1, &out->backoff_base_ms);
    if (err)
        return err;
    out->backoff_max_ms =
        out->backoff_base_ms > UINT32_MAX / BACKOFF_FACTOR ? UINT32_MAX : out->backoff_base_ms * BACKOFF_FACTOR;
    err = scalar_ms(reading, "max_interval", backoff->max_interval, 1, &out->backoff_max_ms);
    if (!err && out->backoff_max_ms < out->backoff_base_ms)
        err = reading_wrong_at(reading, "max_interval", "%u ms is less than base_interval, %u ms", out->backoff_max_ms,
                               out->backoff_base_ms);
    return err;
}

static int32_t read_policy(struct reading *reading, const Route__RetryPolicy *policy, struct policy_retry *out)
{
    int32_t err = scalar_ms(reading, "per_try_timeout", policy->per_try_timeout, 0, &out->per_try_timeout_ms);

    read_attempts(reading, policy, out);
    read_statuses(reading, policy, out);
    if (!err && policy->retry_back_off) {
        reading_enter(reading, "retry_back_off");
        err = read_backoff(reading, policy->retry_back_off, out);
        reading_leave(reading);
    }
    return err;
}

/* ---- headers that say when ---- */

static int32_t read_reset_header(struct routes_reader *reader, const Route__RetryPolicy__ResetHeader *header,
                                 struct route_reset_header *out)
{
    if ((uint32_t) header->format > ROUTE__RETRY_POLICY__RESET_HEADER_FORMAT__UNIX_TIMESTAMP)
        return reading_wrong_at(reader->reading, "format", "%d does not exist", (int) header->format);
    out->is_unix_time = header->format == ROUTE__RETRY_POLICY__RESET_HEADER_FORMAT__UNIX_TIMESTAMP;
    return routes_header_name(reader, header->name, &out->name);
}

static int32_t read_reset_headers(struct routes_reader *reader,
                                  const Route__RetryPolicy__RateLimitedRetryBackOff *backoff, struct route_rules *rules)
{
    int32_t err = routes_take(reader, ROUTES_MATCHER, backoff->n_reset_headers);

    if (err)
        return err;
    if (backoff->n_reset_headers == 0)
        return reading_wrong_at(reader->reading, "reset_headers", "there is none");
    rules->reset_most_us = reset_most_standard_us;
    err = scalar_us(reader->reading, "max_interval", backoff->max_interval, &rules->reset_most_us);
    if (err)
        return err;
    if (rules->reset_most_us == 0)
        return reading_wrong_at(reader->reading, "max_interval", "it is 0");
    rules->reset_headers = routes_alloc(reader, backoff->n_reset_headers, sizeof *rules->reset_headers);
    if (!rules->reset_headers)
        return MESH_ERR_NOMEM;
    rules->n_reset_headers = backoff->n_reset_headers;
    for (size_t i = 0; i < rules->n_reset_headers && !err; i++) {
        reading_enter_item(reader->reading, "reset_headers", i);
        err = read_reset_header(reader, backoff->reset_headers[i], &rules->reset_headers[i]);
        reading_leave(reader->reading);
    }
    return err;
}

static int32_t read_resets(struct routes_reader *reader, const Route__RetryPolicy *policy, struct route_rules *rules)
{
    int32_t err;

    if (!policy->rate_limited_retry_back_off)
        return 0;
    reading_enter(reader->reading, "rate_limited_retry_back_off");
    err = read_reset_headers(reader, policy->rate_limited_retry_back_off, rules);
    reading_leave(reader->reading);
    return err;
}

/* ---- all of it ---- */

/* Retries go to other endpoints in any case. */
static void list_predicates(struct reading *reading, const Route__RetryPolicy *policy)
{
    char text[SHOWN];

    for (size_t i = 0; i < policy->n_retry_host_predicate; i++) {
        const char *name = policy->retry_host_predicate[i]->name;

        if (strcmp(name, "envoy.retry_host_predicates.previous_hosts") != 0)
            reading_ignored_at(reading, "retry_host_predicate", "\"%s\" is not known to libmesh",
                               text_printable(name, strlen(name), text, sizeof text));
    }
}

static int32_t read_matchers(struct routes_reader *reader, const Route__RetryPolicy *policy, bool headers,
                             struct route_rules *rules)
{
    struct match_header *answers = NULL;
    size_t n = 0;
    int32_t err = routes_header_matchers(reader, "retriable_headers", policy->n_retriable_headers,
                                         policy->retriable_headers, &n, &answers);

    if (!err && headers) {
        rules->n_retry_headers = n;
        rules->retry_headers = answers;
    }
    return err ? err
               : routes_header_matchers(reader, "retriable_request_headers", policy->n_retriable_request_headers,
                                        policy->retriable_request_headers, &rules->n_retry_request_headers,
                                        &rules->retry_request_headers);
}

int32_t routes_retry(struct routes_reader *reader, const Route__RetryPolicy *policy, struct route_rules *rules)
{
    struct policy_retry *retry = routes_alloc(reader, 1, sizeof *retry);
    bool headers = false;
    int32_t err;

    if (!retry)
        return MESH_ERR_NOMEM;
    if (reader->env->retry)
        *retry = *reader->env->retry;
    rules->retry = retry;
    read_words(reader->reading, policy->retry_on, retry, &headers);
    list_predicates(reader->reading, policy);
    err = read_policy(reader->reading, policy, retry);
    if (!err)
        err = read_matchers(reader, policy, headers, rules);
    if (!err)
        err = scalar_us(reader->reading, "per_try_idle_timeout", policy->per_try_idle_timeout, &rules->per_try_idle_us);
    return err ? err : read_resets(reader, policy, rules);
}
