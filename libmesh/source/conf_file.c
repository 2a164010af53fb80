/* SPDX-License-Identifier: Apache-2.0 */
/* The document that `config` leads to: reading the file, replacing the one before, reading it again. */
#include "source/conf.h"
#include "source/file_read.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST = 1 << 28 };

bool conf_is_json(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '{';
}

/* ---- the document ---- */

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t) (slash - path));
}

static int32_t add_text(const struct reader *reader, const char *from, const char *folder, const char *text)
{
    struct reader document = *reader;

    document.origin = ORIGIN_DOCUMENT;
    document.from = from;
    document.folder = folder;
    return reader_add_document(&document, text);
}

/* Values come from "file PATH", names in it are relative to its folder. */
static int32_t add_file(const struct reader *reader, const char *path)
{
    struct buf text = { 0 }, from = { 0 };
    char *folder = folder_of(path);
    int32_t err = folder && buf_printf(&from, "file %s", path) ? 0 : conf_no_memory(reader->fault);

    if (!err)
        err = file_read("configuration file", path, LARGEST, &text, reader->fault);
    if (!err)
        err = add_text(reader, (const char *) buf_bytes(&from), folder, (const char *) buf_bytes(&text));
    mem_free(folder);
    buf_free(&text);
    buf_free(&from);
    return err;
}

static int32_t add_config(const struct reader *reader, const char *text)
{
    if (values_add(reader->out, key_at(KEY_CONFIG), "", text, reader->origin, reader->from))
        return 0;
    return conf_no_memory(reader->fault);
}

int32_t conf_read_document(const struct conf *conf, const struct reader *reader, const char *path_or_json, bool *taken)
{
    const struct value *standing = values_find(&conf->values, "", key_at(KEY_CONFIG));
    char *path;
    int32_t err;

    *taken = !standing || standing->origin <= reader->origin;
    if (!*taken)
        return 0;
    if (conf_is_json(path_or_json)) {
        err = add_config(reader, path_or_json);
        return err ? err : add_text(reader, reader->from, NULL, path_or_json);
    }
    path = conf_absolute(NULL, path_or_json);
    if (!path)
        return conf_no_memory(reader->fault);
    err = add_config(reader, path);
    if (!err)
        err = add_file(reader, path);
    mem_free(path);
    return err;
}

/* `config` becomes this, or what it leads to is refused and nothing has changed. */
static int32_t use_document(struct conf *conf, enum origin origin, const char *from, const char *path_or_json,
                            struct fault *fault)
{
    struct values values = { 0 };
    struct reader reader = { .out = &values, .origin = origin, .from = from, .fault = fault };
    bool taken;
    int32_t err = conf_read_document(conf, &reader, path_or_json, &taken);

    if (!err && taken)
        err = conf_take(conf, &values, true, fault);
    values_clear(&values);
    return err;
}

int32_t conf_read_file(struct conf *conf, const char *path, struct fault *fault)
{
    struct buf from = { 0 };
    int32_t err;

    if (path[0] == '\0')
        return fault_set(fault, MESH_ERR_INVALID, "the name of the configuration file is empty");
    if (!buf_printf(&from, "file %s", path))
        return conf_no_memory(fault);
    err = use_document(conf, ORIGIN_DOCUMENT, (const char *) buf_bytes(&from), path, fault);
    buf_free(&from);
    return err;
}

const char *conf_file(const struct conf *conf)
{
    const struct value *config = values_find(&conf->values, "", key_at(KEY_CONFIG));

    return config && config->text[0] && !conf_is_json(config->text) ? config->text : NULL;
}

static int32_t reread(const struct conf *conf, struct conf *fresh, struct fault *fault)
{
    const struct value *config = values_find(&conf->values, "", key_at(KEY_CONFIG));
    int32_t err = 0;

    if (conf_file(conf))
        err = use_document(fresh, config->origin, config->from, config->text, fault);
    return err ? err : conf_check(fresh, fault);
}

struct conf *conf_reread(const struct conf *conf, struct fault *fault)
{
    struct conf *fresh = conf_copy(conf);

    if (!fresh)
        conf_no_memory(fault);
    if (!fresh || reread(conf, fresh, fault) == 0)
        return fresh;
    conf_free(fresh);
    return NULL;
}
