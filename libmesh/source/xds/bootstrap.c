/* SPDX-License-Identifier: Apache-2.0 */
/* The bootstrap as a whole: reading it from a file or a text, asking for parts, giving it back. */
#include "source/xds/bootstrap.h"

#include <string.h>

#include "source/conf.h"
#include "source/file_read.h"
#include "source/xds/bootstrap_read.h"

enum { LARGEST = 1 << 24 };

/* ---- reading ---- */

static int32_t read_root(struct walk *walk, const json_t *root, struct bootstrap *out)
{
    int32_t err;

    if (!json_is_object(root))
        return walk_wrong(walk, "the bootstrap is one JSON object");
    err = bootstrap_read_servers(walk, root, &out->servers);
    if (!err && out->servers.n == 0)
        err = walk_wrong(walk, "xds_servers is missing, a list of at least one server");
    if (!err)
        err = bootstrap_read_node(walk, root, &out->node);
    if (!err)
        err = bootstrap_read_authorities(walk, root, out);
    if (!err)
        err = bootstrap_read_providers(walk, root, out);
    if (!err)
        err = walk_text(walk, root, "client_default_listener_resource_name_template", "%s", &out->listener_template);
    return err;
}

static int32_t load_json(const char *text, const char *from, json_t **out, struct fault *fault)
{
    json_error_t error;

    *out = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (*out)
        return 0;
    if (json_error_code(&error) == json_error_out_of_memory)
        return conf_no_memory(fault);
    return fault_set(fault, MESH_ERR_INVALID, "%s, line %d: no valid JSON: %.160s", from, error.line, error.text);
}

int32_t bootstrap_parse(const char *text, const char *from, struct bootstrap **out, struct fault *fault)
{
    struct walk walk = { .text = text, .from = from, .fault = fault };
    json_t *root;
    int32_t err = load_json(text, from, &root, fault);

    *out = NULL;
    if (err)
        return err;
    *out = mem_zalloc(sizeof **out);
    err = *out ? read_root(&walk, root, *out) : conf_no_memory(fault);
    json_decref(root);
    if (err) {
        bootstrap_free(*out);
        *out = NULL;
    }
    return err;
}

static int32_t load_file(const char *path, struct bootstrap **out, struct fault *fault)
{
    struct buf text = { 0 }, from = { 0 };
    int32_t err = buf_printf(&from, "file %s", path) ? 0 : conf_no_memory(fault);

    if (!err)
        err = file_read("bootstrap", path, LARGEST, &text, fault);
    if (!err)
        err = bootstrap_parse((const char *) buf_bytes(&text), (const char *) buf_bytes(&from), out, fault);
    buf_free(&text);
    buf_free(&from);
    return err;
}

int32_t bootstrap_load(const char *path_or_json, const char *from, struct bootstrap **out, struct fault *fault)
{
    *out = NULL;
    if (conf_is_json(path_or_json))
        return bootstrap_parse(path_or_json, from, out, fault);
    return load_file(path_or_json, out, fault);
}

/* ---- asking ---- */

const struct bootstrap_provider *bootstrap_provider(const struct bootstrap *bootstrap, const char *name)
{
    for (size_t i = 0; i < bootstrap->n_providers; i++)
        if (strcmp(bootstrap->providers[i].name, name) == 0)
            return &bootstrap->providers[i];
    return NULL;
}

const struct bootstrap_authority *bootstrap_authority(const struct bootstrap *bootstrap, const char *name)
{
    for (size_t i = 0; i < bootstrap->n_authorities; i++)
        if (strcmp(bootstrap->authorities[i].name, name) == 0)
            return &bootstrap->authorities[i];
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_server(const struct bootstrap_server *a, const struct bootstrap_server *b)
{
    return strcmp(a->uri, b->uri) == 0 && a->target.protocol == b->target.protocol && a->features == b->features &&
           same_text(a->tls.ca, b->tls.ca) && same_text(a->tls.cert, b->tls.cert) &&
           same_text(a->tls.key, b->tls.key) && a->tls.refresh_ms == b->tls.refresh_ms;
}

bool bootstrap_servers_equal(const struct bootstrap_servers *a, const struct bootstrap_servers *b)
{
    bool equal = a->n == b->n;

    for (size_t i = 0; equal && i < a->n; i++)
        equal = same_server(&a->items[i], &b->items[i]);
    return equal;
}

/* ---- the end ---- */

static void clear_files(struct bootstrap_files *files)
{
    mem_free(files->ca);
    mem_free(files->cert);
    mem_free(files->key);
}

static void clear_servers(struct bootstrap_servers *servers)
{
    for (size_t i = 0; i < servers->n; i++) {
        mem_free(servers->items[i].uri);
        model_target_free(&servers->items[i].target);
        clear_files(&servers->items[i].tls);
    }
    mem_free(servers->items);
}

static void clear_node(struct bootstrap_node *node)
{
    mem_free(node->id);
    mem_free(node->cluster);
    mem_free(node->region);
    mem_free(node->zone);
    mem_free(node->sub_zone);
    mem_free(node->metadata);
}

void bootstrap_free(struct bootstrap *bootstrap)
{
    if (!bootstrap)
        return;
    clear_servers(&bootstrap->servers);
    clear_node(&bootstrap->node);
    for (size_t i = 0; i < bootstrap->n_authorities; i++) {
        mem_free(bootstrap->authorities[i].name);
        mem_free(bootstrap->authorities[i].listener_template);
        clear_servers(&bootstrap->authorities[i].servers);
    }
    mem_free(bootstrap->authorities);
    for (size_t i = 0; i < bootstrap->n_providers; i++) {
        mem_free(bootstrap->providers[i].name);
        clear_files(&bootstrap->providers[i].files);
    }
    mem_free(bootstrap->providers);
    mem_free(bootstrap->listener_template);
    mem_free(bootstrap);
}
