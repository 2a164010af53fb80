/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of docs/configuration.md are what the table of keys says. With --write they are written
 * (scripts/configuration-docs). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "source/keys.h"

#define DOCUMENT MESH_SOURCE_DIR "/docs/configuration.md"
#define BEGIN    "<!-- keys: made by scripts/configuration-docs -->\n"
#define END      "<!-- end of keys -->\n"

static const struct {
    enum key_id first;
    const char *title;
} sections[] = {
    { KEY_CONFIG, "The process" },
    { KEY_TARGET, "Where a service is" },
    { KEY_TIMEOUT_MS, "Limits of a request" },
    { KEY_CONNECTION_IDLE_MS, "Connections" },
    { KEY_RETRY_ATTEMPTS, "Retries" },
    { KEY_HEDGE_PERCENTILE, "Hedges" },
    { KEY_BALANCE_POLICY, "Balancing" },
    { KEY_SPILL_ZONES, "Zones and priorities" },
    { KEY_OUTLIER_POLICY, "Ejection" },
    { KEY_HEALTH_CHECK, "Health checks" },
    { KEY_BREAKER_MAX_CONNECTIONS, "Limits of a service" },
    { KEY_TLS_CA, "TLS" },
};

static void add_section(struct buf *out, enum key_id id)
{
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        if (sections[i].first == id)
            buf_printf(out, "\n### %s\n\n| key | variable | default | allowed | meaning |\n|---|---|---|---|---|\n",
                       sections[i].title);
}

static void add_words(struct buf *out, const char *list)
{
    const char *word;
    size_t len;

    for (size_t i = 0; (word = key_word(&list, &len)); i++)
        buf_printf(out, "%s`%.*s`", i ? ", " : "", (int) len, word);
}

static void add_allowed(struct buf *out, const struct key *key)
{
    char allowed[256];

    if (key->type == TYPE_NUMBER)
        buf_printf(out, "%llu to %llu%s%s", (unsigned long long) key->min, (unsigned long long) key->max,
                   key->unit ? " " : "", key->unit ? key->unit : "");
    else if (key->words)
        add_words(out, key->words);
    else
        buf_append_text(out, key_allowed(key, allowed, sizeof allowed));
}

static void add_row(struct buf *out, const struct key *key)
{
    char variable[KEY_NAME_MAX];

    buf_printf(out, "| `%s` | ", key->name);
    if (key_is_bare(key))
        buf_printf(out, "`%s`", key_environment(key, variable));
    buf_append_text(out, " | ");
    add_words(out, key->standard);
    buf_append_text(out, " | ");
    add_allowed(out, key);
    buf_printf(out, " | %s |\n", key->help);
}

static struct buf make_tables(void)
{
    struct buf out = { 0 };

    for (size_t i = 0; i < KEY_COUNT; i++) {
        add_section(&out, (enum key_id) i);
        add_row(&out, key_at((enum key_id) i));
    }
    buf_append(&out, "\n", 2);
    return out;
}

/* The document cut in three: before, tables, after. False: it has no such place. */
static bool read_document(struct buf *text, char **tables, char **after)
{
    FILE *file = fopen(DOCUMENT, "r");
    size_t n;

    if (!file)
        return false;
    do {
        n = fread(buf_room(text, 4096), 1, 4096, file);
        buf_added(text, n);
    } while (n > 0);
    fclose(file);
    buf_append(text, "", 1);
    *tables = strstr((char *) text->data, BEGIN);
    *after = strstr((char *) text->data, END);
    if (!*tables || !*after)
        return false;
    *tables += strlen(BEGIN);
    return *tables <= *after;
}

static void the_document_is_current(void **state)
{
    struct buf wanted = make_tables(), text = { 0 };
    char *tables, *after;

    (void) state;
    assert_true(read_document(&text, &tables, &after));
    *after = '\0';
    if (strcmp(tables, (const char *) buf_bytes(&wanted)) != 0)
        fail_msg("docs/configuration.md is not what the table of keys says: run scripts/configuration-docs");
    buf_free(&wanted);
    buf_free(&text);
}

static int write_document(void)
{
    struct buf wanted = make_tables(), text = { 0 };
    char *tables, *after;
    FILE *file;
    int failed;

    if (!read_document(&text, &tables, &after)) {
        fprintf(stderr, "%s has no place for the tables\n", DOCUMENT);
        return 1;
    }
    file = fopen(DOCUMENT, "w");
    if (!file)
        return 1;
    fprintf(file, "%.*s%s%s", (int) (tables - (char *) text.data), (char *) text.data,
            (const char *) buf_bytes(&wanted), after);
    failed = fclose(file);
    buf_free(&wanted);
    buf_free(&text);
    return failed != 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_document_is_current) };

    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return write_document();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
