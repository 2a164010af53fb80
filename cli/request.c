/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh request`: one request, its body or all about it. */
#include <stdio.h>
#include <string.h>

#include <mesh/mesh.h>

#include "cli/call.h"
#include "cli/output.h"

struct request_values {
    struct call_values call;
    bool json, verbose;
};

static const struct option_spec options[] = {
    CALL_OPTIONS(struct request_values, call),
    { 'v', "verbose", NULL, "tell status, endpoint and headers on standard error", OPTION_FLAG,
      offsetof(struct request_values, verbose), 0, 0 },
    { 0, "json", NULL, "print one object about the answer instead of its body", OPTION_FLAG,
      offsetof(struct request_values, json), 0, 0 },
};

/* ---- as JSON ---- */

/* A name that came several times has a list. */
static void add_header(json_t *headers, const char *name, const char *value)
{
    json_t *before = json_object_get(headers, name);

    if (!before) {
        json_object_set_new(headers, name, json_of_text(value));
        return;
    }
    if (!json_is_array(before)) {
        json_object_set_new(headers, name, json_pack("[O]", before));
        before = json_object_get(headers, name);
    }
    json_array_append_new(before, json_of_text(value));
}

static json_t *headers_of(const struct mesh_response *response)
{
    json_t *headers = must_have(json_object());
    size_t n = mesh_response_header_at(response, 0, NULL, NULL);

    for (size_t i = 0; i < n; i++) {
        const char *name, *value;

        mesh_response_header_at(response, i, &name, &value);
        add_header(headers, name, value);
    }
    return headers;
}

static size_t body_len_of(const struct mesh_response *response)
{
    const void *body;
    size_t len = 0;

    mesh_response_body(response, &body, &len);
    return len;
}

static void print_object(const struct mesh_response *response, int32_t err, const char *detail)
{
    json_t *object = must_have(json_object());

    json_object_set_new(object, "status", json_integer(mesh_response_status(response)));
    json_object_set_new(object, "attempts", json_integer(mesh_response_attempts(response)));
    json_object_set_new(object, "endpoint", json_of_text(mesh_response_endpoint(response)));
    json_object_set_new(object, "zone", json_of_text(mesh_response_zone(response)));
    json_object_set_new(object, "duration_us", json_integer((json_int_t) mesh_response_duration_us(response)));
    json_object_set_new(object, "body_bytes", json_integer((json_int_t) body_len_of(response)));
    json_object_set_new(object, "headers", headers_of(response));
    json_object_set_new(object, "error", json_of_text(err ? mesh_error_name(err) : NULL));
    json_object_set_new(object, "detail", json_of_text(detail));
    print_json(object);
}

/* ---- for people ---- */

static void tell_head(const struct mesh_response *response)
{
    size_t n = mesh_response_header_at(response, 0, NULL, NULL);
    const char *zone = mesh_response_zone(response);
    char took[32];

    tell("status %d from %s%s%s after %s, attempt %u", mesh_response_status(response), mesh_response_endpoint(response),
         *zone ? " in zone " : "", zone, show_us((double) mesh_response_duration_us(response), took),
         mesh_response_attempts(response));
    for (size_t i = 0; i < n; i++) {
        const char *name, *value;

        mesh_response_header_at(response, i, &name, &value);
        tell("%s: %s", name, value);
    }
}

static void print_body(const struct mesh_response *response)
{
    const void *body;
    size_t len;

    if (mesh_response_body(response, &body, &len) == 0 && len > 0)
        fwrite(body, 1, len, stdout);
}

static int report(const struct request_values *values, const struct mesh_response *response, int32_t err,
                  const char *detail)
{
    if (values->verbose && mesh_response_status(response))
        tell_head(response);
    if (values->json) {
        print_object(response, err, detail);
        return error_exit_code(err);
    }
    if (err)
        return complain_error(err, detail);
    print_body(response);
    return EXIT_OK;
}

/* Without a response (wrong arguments, no memory) the error's own sentence has to do. */
static const char *detail_of(const struct mesh_response *response, int32_t err)
{
    const char *detail = mesh_response_detail(response);

    return *detail || err == 0 ? detail : mesh_strerror(err);
}

static int run(void *user, char **arguments, size_t n_arguments)
{
    struct request_values *values = user;
    struct mesh_request_opts opts = call_options(&values->call, arguments, n_arguments);
    struct mesh_response *response = NULL;
    struct mesh_client *client = NULL;
    char why[512] = "";
    int32_t err = mesh_client_new(NULL, &client, why, sizeof why);
    int code;

    if (!err) {
        err = mesh_request(client, &opts, &response);
        snprintf(why, sizeof why, "%s", detail_of(response, err));
    }
    code = report(values, response, err, why);
    mesh_response_free(response);
    mesh_client_free(client);
    call_free(&values->call);
    return code;
}

const struct command request_command = {
    .name = "request",
    .arguments = "SERVICE [PATH]",
    .summary = "send one request and print the answer's body",
    .notes =
        "An answer with any HTTP status is success (exit code 0); a failure of the mesh is told on standard error (1).",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .least_arguments = 1,
    .most_arguments = 2,
    .values_size = sizeof(struct request_values),
    .run = run,
};
