/* SPDX-License-Identifier: Apache-2.0 */
/* The state of all resources as JSON for people. */
#include "source/xds/status.h"

static void put_time(struct json_writer *w, const char *key, uint64_t wall_ms)
{
    char text[CLOCK_TEXT];

    if (wall_ms == 0)
        return;
    clock_text(wall_ms * US_PER_MS, text);
    json_put_text(w, key, text);
}

static void put_flag(struct json_writer *w, const char *key, bool flag)
{
    if (!flag)
        return;
    json_key(w, key);
    json_bool(w, true);
}

static void put_error(struct json_writer *w, const struct resource *resource)
{
    if (resource->error.code == 0)
        return;
    json_key(w, "error");
    json_begin(w, '{');
    json_put_text(w, "detail", resource->error.text);
    if (resource->refused_version)
        json_put_text(w, "version", resource->refused_version);
    put_time(w, "at", resource->refused_wall_ms);
    json_end(w, '}');
}

static void put_ignored(struct json_writer *w, const struct ignored *ignored)
{
    if (ignored->n == 0)
        return;
    json_key(w, "ignored");
    json_begin(w, '[');
    for (size_t i = 0; i < ignored->n; i++)
        json_quoted(w, ignored->items[i]);
    json_end(w, ']');
    if (ignored->left_out > 0)
        json_put_number(w, "ignored_not_shown", ignored->left_out);
}

/* ---- a resource ---- */

static void put_resource(struct json_writer *w, const struct resource *resource)
{
    json_begin(w, '{');
    json_put_text(w, "type", xds_type_name(resource->type));
    json_put_text(w, "name", resource->name);
    json_put_text(w, "state", resource_state_name(resource->state));
    if (resource->version)
        json_put_text(w, "version", resource->version);
    put_time(w, "updated", resource->updated_wall_ms);
    put_flag(w, "deleted", resource->is_deleted);
    put_flag(w, "from_disk", resource->is_stale);
    if (resource->endpoints)
        json_put_number(w, "n_endpoints", resource->endpoints->n);
    put_error(w, resource);
    put_ignored(w, &resource->ignored);
    json_end(w, '}');
}

void status_json(struct json_writer *w, const struct store *store)
{
    size_t n;
    const struct resource **sorted = status_sorted(store, &n);

    if (!sorted)
        w->failed = true;
    json_begin(w, '[');
    for (size_t i = 0; sorted && i < n; i++)
        put_resource(w, sorted[i]);
    json_end(w, ']');
    mem_free(sorted);
}
