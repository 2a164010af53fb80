/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as told on stdin, one JSON object a line; a line of JSON comes back for each. The same words as xds/grpc_calls.py takes:
 *
 *   {"target": "users"}                          the service of the next calls
 *   {"calls": 100, "path": "/a/b", "metadata": [["k", "v"]], "timeout": 5, "parallel": 1}
 *   {"show": "xds"}, {"show": "endpoints"}       what the client knows of its control planes, and of the service's endpoints */
#include <mesh/mesh.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HEADERS = 32, MOST_LINE = 1 << 16, MOST_EVENTS = 64 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "calls: %s: %s\n", what, why);
    exit(2);
}

static size_t read_headers(json_t *pairs, struct mesh_header *headers)
{
    size_t n = json_array_size(pairs);

    if (n > MOST_HEADERS)
        die("metadata", "too much");
    for (size_t i = 0; i < n; i++) {
        headers[i].name = json_string_value(json_array_get(json_array_get(pairs, i), 0));
        headers[i].value = json_string_value(json_array_get(json_array_get(pairs, i), 1));
    }
    return n;
}

/* {"status": "OK", "told": what the backend said}, or the status or error and a sentence. */
static json_t *tell(const struct mesh_event *event)
{
    int32_t status = event->err ? 0 : mesh_response_status(event->response);
    const char *detail = event->response ? mesh_response_detail(event->response) : NULL;
    const void *body = NULL;
    size_t len = 0;
    char number[16];

    if (event->err)
        return json_pack("{s:s, s:s}", "status", mesh_error_name(event->err), "message",
                         detail ? detail : mesh_strerror(event->err));
    mesh_response_body(event->response, &body, &len);
    body = body ? body : "";
    if (status == 200)
        return json_pack("{s:s, s:o}", "status", "OK", "told", json_loadb(body, len, JSON_DISABLE_EOF_CHECK, NULL));
    snprintf(number, sizeof number, "%d", (int) status);
    return json_pack("{s:s, s:s%}", "status", number, "message", (const char *) body, len);
}

static size_t take(struct mesh_queue *queue, json_t *outcomes)
{
    struct mesh_event events[MOST_EVENTS];
    int32_t n = mesh_queue_next(queue, events, MOST_EVENTS, MESH_FOREVER);

    if (n < 0)
        die("queue", mesh_strerror(n));
    for (int32_t i = 0; i < n; i++) {
        json_array_append_new(outcomes, tell(&events[i]));
        mesh_response_free(events[i].response);
    }
    return (size_t) n;
}

static void start(struct mesh_client *client, struct mesh_queue *queue, const char *service, json_t *line)
{
    struct mesh_header headers[MOST_HEADERS];
    struct mesh_request_opts opts = { .size = sizeof opts, .service = service, .method = "POST", .headers = headers };
    int32_t err;

    opts.path = json_string_value(json_object_get(line, "path"));
    opts.n_headers = read_headers(json_object_get(line, "metadata"), headers);
    opts.timeout_ms = (uint32_t) (json_number_value(json_object_get(line, "timeout")) * 1000);
    err = mesh_request_start(client, &opts, queue, 0, NULL);
    if (err)
        die("a request", mesh_strerror(err));
}

static json_t *call(struct mesh_client *client, struct mesh_queue *queue, const char *service, json_t *line)
{
    size_t left = (size_t) json_integer_value(json_object_get(line, "calls"));
    size_t most = (size_t) json_integer_value(json_object_get(line, "parallel"));
    json_t *outcomes = json_array();
    size_t running = 0;

    while (left + running > 0) {
        for (; left > 0 && running < most; left--, running++)
            start(client, queue, service, line);
        running -= take(queue, outcomes);
    }
    return outcomes;
}

/* As it stands, without waiting for anything. */
static json_t *show(struct mesh_client *client, const char *service, const char *what)
{
    char *text = NULL;
    int32_t err = strcmp(what, "xds") == 0 ? mesh_client_xds(client, 0, 0, &text)
                                           : mesh_client_describe(client, service, 0, 0, &text);
    json_t *shown = text ? json_loads(text, 0, NULL) : NULL;

    if (!shown)
        die(what, mesh_strerror(err));
    mesh_string_free(text);
    return shown;
}

static json_t *answer_to(struct mesh_client *client, struct mesh_queue *queue, const char *service, json_t *line)
{
    const char *what = json_string_value(json_object_get(line, "show"));

    if (json_object_get(line, "target"))
        return json_object();
    return what ? show(client, service, what) : call(client, queue, service, line);
}

int main(void)
{
    static char text[MOST_LINE];
    struct mesh_client *client;
    struct mesh_queue *queue;
    json_t *target = NULL;
    char error[256];

    if (mesh_client_new(NULL, &client, error, sizeof error) != 0)
        die("no client", error);
    if (mesh_queue_new(client, &queue) != 0)
        die("no queue", "no memory");
    while (fgets(text, sizeof text, stdin)) {
        json_t *line = json_loads(text, 0, NULL);
        json_t *given = json_object_get(line, "target");
        json_t *answer = answer_to(client, queue, json_string_value(target), line);

        if (given) {
            json_decref(target);
            target = json_incref(given);
        }
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
        json_decref(line);
    }
    json_decref(target);
    mesh_queue_free(queue);
    mesh_client_free(client);
    return 0;
}
