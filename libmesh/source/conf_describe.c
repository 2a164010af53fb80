/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration and the table of keys as JSON for people and tools. */
#include "source/conf.h"

#include <stdio.h>
#include <string.h>

enum { ORIGIN_MAX = 2 * CONF_NAME_MAX };

/* ---- values ---- */

static void write_list(struct json_writer *w, const char *list)
{
    const char *word;
    char *copy;
    size_t len;

    json_begin(w, '[');
    while ((word = key_word(&list, &len))) {
        copy = mem_strndup(word, len);
        w->failed = w->failed || !copy;
        if (copy)
            json_quoted(w, copy);
        mem_free(copy);
    }
    json_end(w, ']');
}

/* User and password of a proxy's URL go out as three stars. */
static void write_proxy(struct json_writer *w, const char *text)
{
    const char *place = strstr(text, "://"), *at = strrchr(text, '@');
    struct buf hidden = { 0 };

    if (!place || !at) {
        json_quoted(w, text);
        return;
    }
    if (buf_printf(&hidden, "%.*s://***%s", (int) (place - text), text, at))
        json_quoted(w, (const char *) buf_bytes(&hidden));
    else
        w->failed = true;
    buf_free(&hidden);
}

static void write_number(struct json_writer *w, const char *text)
{
    uint64_t number = 0;

    text_to_u64(text, strlen(text), &number);
    json_number(w, (int64_t) number);
}

/* The document itself is not repeated: its values stand on their own. */
static void write_config(struct json_writer *w, const char *text)
{
    json_quoted(w, text[strspn(text, " \t\r\n")] == '{' ? "{...}" : text);
}

static void write_text(struct json_writer *w, const struct key *key, const char *text)
{
    if (key->type == TYPE_NUMBER)
        write_number(w, text);
    else if (key->type == TYPE_SWITCH)
        json_bool(w, strcmp(text, "on") == 0);
    else if (key_is_list(key))
        write_list(w, text);
    else if (key->type == TYPE_PROXY)
        write_proxy(w, text);
    else if (key->type == TYPE_CONFIG || (key->type == TYPE_BOOTSTRAP && text[0]))
        write_config(w, text);
    else if (text[0] == '\0')
        json_quoted(w, NULL);
    else if (key->type == TYPE_ZONES || (key->type == TYPE_ENDPOINTS && endpoints_is_json(text)))
        json_raw(w, text);
    else
        json_quoted(w, text);
}

static void write_value(struct json_writer *w, const char *name, const struct key *key, const char *text,
                        const char *from)
{
    json_key(w, name);
    json_begin(w, '{');
    json_key(w, "value");
    write_text(w, key, text);
    json_key(w, "origin");
    json_quoted(w, from);
    json_end(w, '}');
}

static void write_globals(struct json_writer *w, const struct conf *conf, bool all)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = key_at((enum key_id) i);
        const struct value *value = values_find(&conf->values, "", key);

        if (value)
            write_value(w, key->name, key, value->text, value->from);
        else if (all && key_is_bare(key) && key->type != TYPE_SERVICES)
            write_value(w, key->name, key, key->standard, "default");
    }
}

char *conf_describe(const struct conf *conf, bool all)
{
    struct json_writer w = { 0 };
    char name[CONF_NAME_MAX];

    json_begin(&w, '{');
    write_globals(&w, conf, all);
    for (size_t i = 0; i < conf->values.n; i++) {
        const struct value *value = conf->values.items[i];

        if (value->service[0] != '\0')
            write_value(&w, conf_full_name(value->service, value->key, name), value->key, value->text, value->from);
    }
    json_end(&w, '}');
    return json_finish(&w);
}

/* ---- one service ---- */

/* What an explanation shows also when it stands at its default. */
static bool always_matters(enum key_id id)
{
    static const enum key_id ids[] = {
        KEY_TIMEOUT_MS,
        KEY_CONNECT_TIMEOUT_MS,
        KEY_CONNECTION_SILENCE_MS,
        KEY_RETRY_ATTEMPTS,
        KEY_RETRY_ON,
        KEY_RETRY_PER_TRY_TIMEOUT_MS,
        KEY_HEDGE_PERCENTILE,
        KEY_BALANCE_POLICY,
        KEY_OUTLIER_POLICY,
        KEY_HEALTH_CHECK,
        KEY_BREAKER_MAX_REQUESTS,
        KEY_CONCURRENCY_ADAPTIVE,
        KEY_THROTTLE_ADAPTIVE,
        KEY_RATE_LIMIT_PER_SECOND,
    };

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (ids[i] == id)
            return true;
    return false;
}

static const char *origin_of(const struct value *value, char out[ORIGIN_MAX])
{
    char name[CONF_NAME_MAX];

    if (!value)
        return "default";
    snprintf(out, ORIGIN_MAX, "%s%s%s", value->from, value->service[0] ? ": " : "",
             value->service[0] ? conf_full_name(value->service, value->key, name) : "");
    return out;
}

void conf_describe_service(const struct conf *conf, const char *service, struct json_writer *w)
{
    char from[ORIGIN_MAX];

    json_begin(w, '{');
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = key_at((enum key_id) i);
        const struct value *value = conf_value(conf, service, (enum key_id) i);

        if (value ? key_is_of_service(key) || i == KEY_ZONE : always_matters((enum key_id) i))
            write_value(w, key->name, key, conf_value_text(conf, service, (enum key_id) i), origin_of(value, from));
    }
    json_end(w, '}');
}

/* ---- the table ---- */

static const char *scope_name(const struct key *key)
{
    if (key->scope == SCOPE_GLOBAL)
        return "process";
    return key->scope == SCOPE_POLICY ? "service or all" : "service";
}

static void write_range(struct json_writer *w, const struct key *key)
{
    if (key->type == TYPE_NUMBER) {
        json_key(w, "min");
        json_number(w, (int64_t) key->min);
        json_key(w, "max");
        json_number(w, (int64_t) key->max);
        json_key(w, "unit");
        json_quoted(w, key->unit);
    }
    if (key->words) {
        json_key(w, "words");
        write_list(w, key->words);
    }
}

static void write_key(struct json_writer *w, const struct key *key)
{
    char environment[KEY_NAME_MAX], allowed[256];

    json_begin(w, '{');
    json_key(w, "name");
    json_quoted(w, key->name);
    json_key(w, "environment");
    json_quoted(w, key_is_bare(key) ? key_environment(key, environment) : NULL);
    json_key(w, "of");
    json_quoted(w, scope_name(key));
    json_key(w, "type");
    json_quoted(w, key_type_name(key->type));
    write_range(w, key);
    json_key(w, "allowed");
    json_quoted(w, key_allowed(key, allowed, sizeof allowed));
    json_key(w, "default");
    if (key->type == TYPE_SERVICES)
        json_quoted(w, NULL);
    else
        write_text(w, key, key->standard);
    json_key(w, "help");
    json_quoted(w, key->help);
    json_end(w, '}');
}

char *conf_keys(void)
{
    struct json_writer w = { 0 };

    json_begin(&w, '[');
    for (size_t i = 0; i < KEY_COUNT; i++)
        write_key(&w, key_at((enum key_id) i));
    json_end(&w, ']');
    return json_finish(&w);
}
