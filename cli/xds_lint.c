/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh xds lint`: what is to be said about a control plane and what it sends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/xds.h"

static void add(json_t *findings, const char *kind, const char *what, const char *detail, bool is_failure)
{
    json_t *finding = must_have(json_object());

    json_object_set_new(finding, "kind", json_string(kind));
    json_object_set_new(finding, "what", json_of_text(what));
    json_object_set_new(finding, "detail", json_of_text(detail));
    json_object_set_new(finding, "is_failure", json_boolean(is_failure));
    json_array_append_new(findings, finding);
}

/* The same with a name: type "name". */
static void add_named(json_t *findings, const char *kind, const char *type, const char *name, const char *detail,
                      bool is_failure)
{
    char what[512];

    snprintf(what, sizeof what, "%s \"%.400s\"", type, name);
    add(findings, kind, what, detail, is_failure);
}

static bool is_set(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static const char *detail_of(const json_t *object)
{
    return text_at(json_object_get(object, "error"), "detail");
}

/* ---- control planes ---- */

static void judge_control_planes(json_t *findings, const json_t *planes)
{
    const json_t *plane;
    size_t i;

    json_array_foreach(planes, i, plane)
    {
        const char *why = text_at(json_object_get(plane, "last_error"), "detail");

        if (is_set(plane, "is_asked") && number_at(plane, "streams") == 0)
            add_named(findings, "unreachable", "control plane", text_at(plane, "uri"),
                      *why ? why : "there is no stream yet", true);
    }
}

/* ---- resources ---- */

static bool has_name(const json_t *names, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(names, i, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

/* Who leads to a cluster, for a sentence; false: nobody is known. */
static bool tell_who_names(const json_t *described, const char *cluster, char *out, size_t out_len)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(described, "services"), i, one)
    {
        if (!has_name(json_object_get(one, "clusters"), cluster))
            continue;
        snprintf(out, out_len, "the routes of service \"%.200s\" lead to it", text_at(one, "service"));
        return true;
    }
    json_array_foreach(json_object_get(described, "clusters"), i, one)
    {
        if (!has_name(json_object_get(one, "members"), cluster))
            continue;
        snprintf(out, out_len, "the aggregate cluster \"%.200s\" has it as a member", text_at(one, "cluster"));
        return true;
    }
    return false;
}

static void judge_missing(json_t *findings, const json_t *described, const json_t *resource, const char *kind,
                          const char *why)
{
    const char *type = text_at(resource, "type"), *name = text_at(resource, "name");
    char who[300] = "", detail[1024];
    bool named = strcmp(type, "cluster") == 0 && tell_who_names(described, name, who, sizeof who);

    snprintf(detail, sizeof detail, "%.700s%s%s", why, named ? "; " : "", who);
    add_named(findings, kind, type, name, detail, true);
}

static void judge_refused(json_t *findings, const json_t *resource)
{
    char detail[1024];

    snprintf(detail, sizeof detail, "%.700s%s", detail_of(resource),
             *text_at(resource, "version") != '\0' ? "; the version before serves on" : "");
    add_named(findings, "refused", text_at(resource, "type"), text_at(resource, "name"), detail, true);
}

static void judge_resource(json_t *findings, const json_t *described, const json_t *resource)
{
    const char *state = text_at(resource, "state"), *type = text_at(resource, "type");
    const char *name = text_at(resource, "name");

    if (strcmp(state, "NACKED") == 0)
        judge_refused(findings, resource);
    else if (strcmp(state, "REQUESTED") == 0)
        judge_missing(findings, described, resource, "unanswered", "it was asked for, and nothing has come");
    else if (strcmp(state, "ACKED") != 0)
        judge_missing(findings, described, resource, "missing",
                      *detail_of(resource) ? detail_of(resource) : "the control plane does not have it");
    if (is_set(resource, "deleted"))
        add_named(findings, "deleted", type, name,
                  "the control plane has it no more; it is kept while it works (xds.obey_deletes)", false);
    if (is_set(resource, "from_disk"))
        add_named(findings, "stale", type, name,
                  "it comes from the disk (xds.cache_dir): no control plane has confirmed it", false);
}

/* ---- services and clusters ---- */

static bool names_service(const json_t *service, const char *name)
{
    return strcmp(text_at(service, "service"), name) == 0;
}

static void judge_asked(json_t *findings, const json_t *services, char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *service;
        bool known = false;
        size_t at;

        json_array_foreach(services, at, service) known = known || names_service(service, names[i]);
        if (!known)
            add_named(findings, "no service", "service", names[i],
                      "it is not one of the control plane: its target is another", true);
    }
}

static void judge_service(json_t *findings, const json_t *service)
{
    const char *name = text_at(service, "service"), *why = detail_of(service);
    bool is_published = is_set(service, "is_published");

    if (*why)
        add_named(findings, "service", "service", name, why, !is_published);
    else if (!is_published)
        add_named(findings, "service", "service", name, "it is not complete yet", true);
}

static void judge_cluster(json_t *findings, const json_t *cluster)
{
    const json_t *hold = json_object_get(cluster, "hold");
    const char *name = text_at(cluster, "cluster"), *why = detail_of(cluster);
    char detail[512];

    if (is_set(cluster, "is_published") && *why)
        add_named(findings, "cluster", "cluster", name, why, number_at(cluster, "endpoints") == 0);
    else if (is_set(cluster, "is_published") && number_at(cluster, "endpoints") == 0)
        add_named(findings, "cluster", "cluster", name, "it has no endpoint", true);
    if (!json_is_object(hold))
        return;
    snprintf(detail, sizeof detail, "%s: %llu endpoints were named, %llu before", text_at(hold, "state"),
             (unsigned long long) number_at(hold, "named"), (unsigned long long) number_at(hold, "before"));
    add_named(findings, "held", "cluster", name, detail, false);
}

/* ---- what is not honoured ---- */

/* The same sentence of several resources is said once. */
static void count_ignored(json_t *groups, const json_t *resource)
{
    const json_t *sentence;
    size_t i;

    json_array_foreach(json_object_get(resource, "ignored"), i, sentence)
    {
        char key[1024];
        json_t *names;

        snprintf(key, sizeof key, "%s\n%s", text_at(resource, "type"), json_string_value(sentence));
        names = json_object_get(groups, key);
        if (!names) {
            names = must_have(json_array());
            json_object_set_new(groups, key, names);
        }
        json_array_append(names, json_object_get(resource, "name"));
    }
}

static void add_group(json_t *findings, const char *key, const json_t *names)
{
    const char *sentence = strchr(key, '\n') + 1;
    size_t n = json_array_size(names);
    char what[512];

    if (n == 1)
        snprintf(what, sizeof what, "%.*s \"%.300s\"", (int) strcspn(key, "\n"), key,
                 json_string_value(json_array_get(names, 0)));
    else
        snprintf(what, sizeof what, "%.*s \"%.300s\" and %zu more", (int) strcspn(key, "\n"), key,
                 json_string_value(json_array_get(names, 0)), n - 1);
    add(findings, "not honoured", what, sentence, false);
}

static void judge_ignored(json_t *findings, const json_t *resources)
{
    json_t *groups = must_have(json_object()), *names;
    const json_t *resource;
    const char *key;
    size_t i;

    json_array_foreach(resources, i, resource) count_ignored(groups, resource);
    json_object_foreach(groups, key, names) add_group(findings, key, names);
    json_decref(groups);
}

/* ---- all ---- */

json_t *xds_findings(const json_t *described, char *const *services, size_t n_services)
{
    json_t *findings = must_have(json_array());
    const json_t *resources = json_object_get(described, "resources"), *one;
    size_t i;

    judge_control_planes(findings, json_object_get(described, "control_planes"));
    judge_asked(findings, json_object_get(described, "services"), services, n_services);
    json_array_foreach(json_object_get(described, "services"), i, one) judge_service(findings, one);
    json_array_foreach(resources, i, one) judge_resource(findings, described, one);
    json_array_foreach(json_object_get(described, "clusters"), i, one) judge_cluster(findings, one);
    judge_ignored(findings, resources);
    return findings;
}

void xds_print_findings(const json_t *findings)
{
    const json_t *finding;
    size_t i;

    json_array_foreach(findings, i, finding)
    {
        print_text(text_at(finding, "kind"), 0, is_set(finding, "is_failure") ? COLOUR_BAD : COLOUR_CHANGING);
        printf(": ");
        print_text(text_at(finding, "what"), 0, COLOUR_TITLE);
        printf(": ");
        print_text(text_at(finding, "detail"), 0, COLOUR_NONE);
        putchar('\n');
    }
}
