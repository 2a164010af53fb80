/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh xds status`: tables of control planes, services, clusters and resources. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/xds.h"

static void print_title(const char *title)
{
    putchar('\n');
    print_text(title, 0, COLOUR_TITLE);
    putchar('\n');
}

static bool is_set(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* The detail of an error, "" without one. */
static const char *detail_of(const json_t *object, const char *key)
{
    return text_at(json_object_get(object, key), "detail");
}

/* The texts of an array, with commas. */
static void names_cell(struct table *table, const json_t *names)
{
    const json_t *name;
    char *line = NULL;
    size_t i, len = 0;
    FILE *out = must_have(open_memstream(&line, &len));

    json_array_foreach(names, i, name) fprintf(out, "%s%s", i ? ", " : "", json_string_value(name));
    fclose(out);
    table_cell(table, must_have(line), COLOUR_NONE);
    free(line);
}

/* ---- control planes ---- */

static enum colour channel_colour(const char *state)
{
    if (strcmp(state, "connected") == 0)
        return COLOUR_GOOD;
    return strcmp(state, "backoff") == 0 ? COLOUR_BAD : COLOUR_CHANGING;
}

static void print_control_planes(const json_t *planes)
{
    struct table table = {
        .titles = { "CONTROL PLANE", "STATE", "SINCE", "ADDRESS", "PROTOCOL", "STREAMS", "RECEIVED", "SENT", "NAME",
                    "LAST ERROR" },
    };
    const json_t *plane;
    size_t i;

    json_array_foreach(planes, i, plane)
    {
        bool is_asked = is_set(plane, "is_asked");
        const char *state = is_asked ? text_at(plane, "state") : "not asked";

        table_row(&table);
        table_cell(&table, text_at(plane, "uri"), COLOUR_NONE);
        table_cell(&table, state, is_asked ? channel_colour(state) : COLOUR_FAINT);
        table_cell(&table, text_at(plane, "since"), COLOUR_NONE);
        table_cell(&table, text_at(plane, "address"), COLOUR_NONE);
        table_cell(&table, text_at(plane, "protocol"), COLOUR_NONE);
        table_number(&table, number_at(plane, "streams"));
        table_number(&table, number_at(plane, "messages_received"));
        table_number(&table, number_at(plane, "messages_sent"));
        table_cell(&table, text_at(plane, "identifier"), COLOUR_NONE);
        table_cell(&table, detail_of(plane, "last_error"), COLOUR_BAD);
    }
    if (table.n_rows > 0)
        table_print(&table);
}

static void add_types(struct table *table, const json_t *plane)
{
    const json_t *type;
    size_t i;

    json_array_foreach(json_object_get(plane, "types"), i, type)
    {
        bool refuses = *text_at(type, "error") != '\0';

        if (number_at(type, "names") == 0 && number_at(type, "accepted") == 0 && number_at(type, "refused") == 0)
            continue;
        table_row(table);
        table_cell(table, text_at(plane, "uri"), COLOUR_NONE);
        table_cell(table, text_at(type, "type"), COLOUR_NONE);
        table_number(table, number_at(type, "names"));
        table_cell(table, text_at(type, "version"), COLOUR_NONE);
        table_number(table, number_at(type, "accepted"));
        table_number(table, number_at(type, "refused"));
        table_cell(table, text_at(type, "error"), refuses ? COLOUR_BAD : COLOUR_NONE);
    }
}

static void print_types(const json_t *planes)
{
    struct table table = {
        .titles = { "CONTROL PLANE", "TYPE", "ASKED FOR", "VERSION", "ACCEPTED", "REFUSED", "LAST REFUSAL" },
    };
    const json_t *plane;
    size_t i;

    json_array_foreach(planes, i, plane) add_types(&table, plane);
    if (table.n_rows == 0)
        return;
    print_title("answers");
    table_print(&table);
}

/* ---- services and clusters ---- */

static void print_services(const json_t *services)
{
    struct table table = {
        .titles = { "SERVICE", "STATE", "LISTENER", "ROUTES", "VERSION", "CLUSTERS", "WAITS FOR", "WHY" },
    };
    const json_t *service;
    size_t i;

    json_array_foreach(services, i, service)
    {
        bool is_published = is_set(service, "is_published");

        table_row(&table);
        table_cell(&table, text_at(service, "service"), COLOUR_NONE);
        table_cell(&table, is_published ? "published" : "not published", is_published ? COLOUR_GOOD : COLOUR_BAD);
        table_cell(&table, text_at(service, "listener"), COLOUR_NONE);
        table_cell(&table, is_set(service, "has_inline_routes") ? "(inline)" : text_at(service, "routes"), COLOUR_NONE);
        table_cell(&table, text_at(service, "version"), COLOUR_NONE);
        names_cell(&table, json_object_get(service, "clusters"));
        names_cell(&table, json_object_get(service, "waits_for"));
        table_cell(&table, detail_of(service, "error"), COLOUR_BAD);
    }
    if (table.n_rows == 0)
        return;
    print_title("services");
    table_print(&table);
}

static void hold_cell(struct table *table, const json_t *hold)
{
    char text[256] = "";

    if (json_is_object(hold))
        snprintf(text, sizeof text, "%s (%llu named, %llu before)", text_at(hold, "state"),
                 (unsigned long long) number_at(hold, "named"), (unsigned long long) number_at(hold, "before"));
    table_cell(table, text, COLOUR_CHANGING);
}

static void print_clusters(const json_t *clusters)
{
    struct table table = {
        .titles = { "CLUSTER", "STATE", "KIND", "ENDPOINTS OF", "MEMBERS", "ENDPOINTS", "HELD", "WHY" },
    };
    const json_t *cluster;
    size_t i;

    json_array_foreach(clusters, i, cluster)
    {
        bool is_published = is_set(cluster, "is_published");

        table_row(&table);
        table_cell(&table, text_at(cluster, "cluster"), COLOUR_NONE);
        table_cell(&table, is_published ? "published" : "not published", is_published ? COLOUR_GOOD : COLOUR_BAD);
        table_cell(&table, text_at(cluster, "kind"), COLOUR_NONE);
        table_cell(&table, text_at(cluster, "endpoints_name"), COLOUR_NONE);
        names_cell(&table, json_object_get(cluster, "members"));
        table_number(&table, number_at(cluster, "endpoints"));
        hold_cell(&table, json_object_get(cluster, "hold"));
        table_cell(&table, detail_of(cluster, "error"), COLOUR_BAD);
    }
    if (table.n_rows == 0)
        return;
    print_title("clusters");
    table_print(&table);
}

/* ---- resources ---- */

static enum colour resource_colour(const char *state)
{
    if (strcmp(state, "ACKED") == 0)
        return COLOUR_GOOD;
    return strcmp(state, "REQUESTED") == 0 ? COLOUR_CHANGING : COLOUR_BAD;
}

static void marks_cell(struct table *table, const json_t *resource)
{
    const char *mark = "";

    if (is_set(resource, "from_disk"))
        mark = "from the disk";
    if (is_set(resource, "deleted"))
        mark = "deleted, kept";
    table_cell(table, mark, COLOUR_CHANGING);
}

static void print_resources(const json_t *resources)
{
    struct table table = {
        .titles = { "TYPE", "NAME", "STATE", "VERSION", "UPDATED", "MARK", "REFUSED VERSION", "IGNORED", "WHY" },
    };
    const json_t *resource;
    size_t i;

    json_array_foreach(resources, i, resource)
    {
        const char *state = text_at(resource, "state");
        size_t ignored = json_array_size(json_object_get(resource, "ignored"));

        table_row(&table);
        table_cell(&table, text_at(resource, "type"), COLOUR_NONE);
        table_cell(&table, text_at(resource, "name"), COLOUR_NONE);
        table_cell(&table, state, resource_colour(state));
        table_cell(&table, text_at(resource, "version"), COLOUR_NONE);
        table_cell(&table, text_at(resource, "updated"), COLOUR_NONE);
        marks_cell(&table, resource);
        table_cell(&table, text_at(json_object_get(resource, "error"), "version"), COLOUR_NONE);
        if (ignored > 0)
            table_number(&table, ignored);
        else
            table_cell(&table, "", COLOUR_NONE);
        table_cell(&table, detail_of(resource, "error"), COLOUR_BAD);
    }
    if (table.n_rows == 0)
        return;
    print_title("resources");
    table_print(&table);
}

void xds_print_status(const json_t *described)
{
    const json_t *node = json_object_get(described, "node");
    const char *cache = text_at(described, "cache_file");

    printf("node ");
    print_text(text_at(node, "id"), 0, COLOUR_TITLE);
    if (*cache) {
        printf("  cache ");
        print_text(cache, 0, COLOUR_NONE);
    }
    putchar('\n');
    print_control_planes(json_object_get(described, "control_planes"));
    print_types(json_object_get(described, "control_planes"));
    print_services(json_object_get(described, "services"));
    print_clusters(json_object_get(described, "clusters"));
    print_resources(json_object_get(described, "resources"));
}
