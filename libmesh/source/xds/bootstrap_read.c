/* SPDX-License-Identifier: Apache-2.0 */
/* Who we are, authorities, and certificate providers of the bootstrap. */
#include "source/xds/bootstrap_read.h"

#include <string.h>

enum { QUOTE = 96 };

/* ---- the node ---- */

static int32_t read_locality(struct walk *walk, const json_t *node, struct bootstrap_node *out)
{
    json_t *locality;
    int32_t err = walk_member(walk, node, "locality", JSON_OBJECT, &locality);

    if (err)
        return err;
    walk_enter(walk, "locality");
    err = walk_text(walk, locality, "region", "", &out->region);
    if (!err)
        err = walk_text(walk, locality, "zone", "", &out->zone);
    if (!err)
        err = walk_text(walk, locality, "sub_zone", "", &out->sub_zone);
    walk_leave(walk);
    return err;
}

static int32_t read_metadata(struct walk *walk, const json_t *node, struct bootstrap_node *out)
{
    json_t *metadata;
    int32_t err = walk_member(walk, node, "metadata", JSON_OBJECT, &metadata);
    size_t size;

    if (err)
        return err;
    if (!metadata) {
        out->metadata = mem_strdup("{}");
        return out->metadata ? 0 : walk_no_memory(walk);
    }
    size = json_dumpb(metadata, NULL, 0, JSON_COMPACT);
    out->metadata = size > 0 ? mem_alloc(size + 1) : NULL;
    if (!out->metadata)
        return walk_no_memory(walk);
    json_dumpb(metadata, out->metadata, size, JSON_COMPACT);
    out->metadata[size] = '\0';
    return 0;
}

int32_t bootstrap_read_node(struct walk *walk, const json_t *root, struct bootstrap_node *out)
{
    json_t *node;
    int32_t err = walk_member(walk, root, "node", JSON_OBJECT, &node);

    if (err)
        return err;
    walk_enter(walk, "node");
    err = walk_text(walk, node, "id", "", &out->id);
    if (!err)
        err = walk_text(walk, node, "cluster", "", &out->cluster);
    if (!err)
        err = read_locality(walk, node, out);
    if (!err)
        err = read_metadata(walk, node, out);
    walk_leave(walk);
    return err;
}

/* ---- authorities ---- */

/* "xdstp://NAME/" and more of it. */
static int32_t standard_template(struct walk *walk, struct bootstrap_authority *out)
{
    static const char type[] = "envoy.config.listener.v3.Listener/%s";
    struct buf text = { 0 };

    if (buf_printf(&text, "xdstp://%s/%s", out->name, type))
        out->listener_template = mem_strdup((const char *) buf_bytes(&text));
    buf_free(&text);
    return out->listener_template ? 0 : walk_no_memory(walk);
}

static bool begins_with_authority(const char *text, const char *name)
{
    static const char scheme[] = "xdstp://";
    const char *rest = text + strlen(scheme);

    return text_starts_with(text, scheme) && text_starts_with(rest, name) && rest[strlen(name)] == '/';
}

static int32_t read_template(struct walk *walk, const json_t *authority, struct bootstrap_authority *out)
{
    static const char name[] = "client_listener_resource_name_template";
    char shown[QUOTE];
    int32_t err = walk_text(walk, authority, name, NULL, &out->listener_template);

    if (err)
        return err;
    if (!out->listener_template)
        return standard_template(walk, out);
    if (begins_with_authority(out->listener_template, out->name))
        return 0;
    walk_enter(walk, name);
    err = walk_wrong(walk, "it has to begin with \"xdstp://%s/\"",
                     text_printable(out->name, strlen(out->name), shown, sizeof shown));
    walk_leave(walk);
    return err;
}

static int32_t read_authority(struct walk *walk, const char *name, const json_t *authority,
                              struct bootstrap_authority *out)
{
    json_t *reachability;
    int32_t err;

    if (!json_is_object(authority))
        return walk_wrong(walk, "allowed is an object, which may be empty");
    out->name = mem_strdup(name);
    if (!out->name)
        return walk_no_memory(walk);
    err = read_template(walk, authority, out);
    if (!err)
        err = bootstrap_read_servers(walk, authority, &out->servers);
    if (!err)
        err = walk_member(walk, authority, "fallback_on_reachability_only", JSON_TRUE, &reachability);
    out->fallback_on_reachability_only = !err && json_is_true(reachability);
    return err;
}

int32_t bootstrap_read_authorities(struct walk *walk, const json_t *root, struct bootstrap *out)
{
    static const char key[] = "authorities";
    json_t *all, *authority;
    const char *name;
    int32_t err = walk_member(walk, root, key, JSON_OBJECT, &all);

    if (err || json_object_size(all) == 0)
        return err;
    out->authorities = mem_array(json_object_size(all), sizeof *out->authorities);
    if (!out->authorities)
        return walk_no_memory(walk);
    walk_enter(walk, key);
    json_object_foreach(all, name, authority)
    {
        walk_enter(walk, name);
        err = err ? err : read_authority(walk, name, authority, &out->authorities[out->n_authorities++]);
        walk_leave(walk);
    }
    walk_leave(walk);
    return err;
}

/* ---- certificate providers ---- */

static int32_t read_config(struct walk *walk, const char *name, const json_t *provider, struct bootstrap_provider *out)
{
    json_t *config;
    int32_t err = walk_member(walk, provider, "config", JSON_OBJECT, &config);

    if (err)
        return err;
    out->name = mem_strdup(name);
    if (!out->name)
        return walk_no_memory(walk);
    walk_enter(walk, "config");
    err = bootstrap_read_files(walk, config, &out->files);
    if (!err && !out->files.ca && !out->files.cert)
        err =
            walk_wrong(walk, "it names no file; ca_certificate_file, or certificate_file and private_key_file, or all");
    walk_leave(walk);
    return err;
}

/* Other plugins are passed by: a cluster that wants one is refused then. */
static int32_t read_provider(struct walk *walk, const char *name, const json_t *provider, struct bootstrap *out)
{
    json_t *plugin;
    int32_t err;

    if (!json_is_object(provider))
        return walk_wrong(walk, "allowed is an object with plugin_name and config");
    err = walk_member(walk, provider, "plugin_name", JSON_STRING, &plugin);
    if (err)
        return err;
    if (!plugin)
        return walk_wrong(walk, "plugin_name is missing; \"file_watcher\" is the one that libmesh knows");
    if (strcmp(json_string_value(plugin), "file_watcher") != 0)
        return 0;
    return read_config(walk, name, provider, &out->providers[out->n_providers++]);
}

int32_t bootstrap_read_providers(struct walk *walk, const json_t *root, struct bootstrap *out)
{
    static const char key[] = "certificate_providers";
    json_t *all, *provider;
    const char *name;
    int32_t err = walk_member(walk, root, key, JSON_OBJECT, &all);

    if (err || json_object_size(all) == 0)
        return err;
    out->providers = mem_array(json_object_size(all), sizeof *out->providers);
    if (!out->providers)
        return walk_no_memory(walk);
    walk_enter(walk, key);
    json_object_foreach(all, name, provider)
    {
        walk_enter(walk, name);
        err = err ? err : read_provider(walk, name, provider, out);
        walk_leave(walk);
    }
    walk_leave(walk);
    return err;
}
