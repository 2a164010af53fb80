/* SPDX-License-Identifier: Apache-2.0 */
/* The door for sized structs and for request options. */
#include <string.h>

#include "api/api.h"

/* No struct of any version is larger: such a size was never set, and that much memory is not the caller's to be read. */
enum { LARGEST = 4096 };

int32_t api_import(void *ours, size_t our_size, const void *theirs, size_t least, struct fault *fault)
{
    const unsigned char *bytes = theirs;
    uint32_t size;

    memcpy(&size, theirs, sizeof size);
    if (size < least || size > LARGEST)
        return fault_set(fault, MESH_ERR_INVALID, "the options' size is %u: set it to sizeof the struct", size);
    for (size_t i = our_size; i < size; i++)
        if (bytes[i] != 0)
            return fault_set(
                fault, MESH_ERR_TOO_NEW,
                "the options have a field at byte %zu that libmesh %s does not know: leave it zero, or use "
                "a newer libmesh",
                i, mesh_version_string());
    memset(ours, 0, our_size);
    memcpy(ours, theirs, size < our_size ? size : our_size);
    return 0;
}

/* ---- headers ---- */

/* A number above 1 says that somebody above this process retries already. */
static bool says_retry(const struct mesh_header *header, size_t len)
{
    uint64_t n;

    if (!text_is(header->name, len, "x-mesh-attempt") && !text_is(header->name, len, "x-envoy-attempt-count"))
        return false;
    return text_to_u64(header->value, strlen(header->value), &n) && n > 1;
}

static int32_t take_criticality(struct request_ask *ask, const struct mesh_header *header, size_t len,
                                struct fault *fault)
{
    enum policy_criticality before = ask->criticality;

    if (!text_is(header->name, len, "x-mesh-criticality"))
        return 0;
    if (!policy_criticality_parse(header->value, &ask->criticality))
        return fault_set(fault, MESH_ERR_INVALID,
                         "the value of header \"x-mesh-criticality\" is none of critical-plus, critical, "
                         "sheddable-plus and sheddable");
    if (ask->has_criticality && ask->criticality != before)
        return fault_set(fault, MESH_ERR_INVALID,
                         "\"x-mesh-criticality\" is given twice with different values: give it once");
    ask->has_criticality = true;
    return 0;
}

static bool names_authority(const char *name, size_t len)
{
    return text_is(name, len, "host") || strcmp(name, ":authority") == 0;
}

static int32_t take_authority(struct api_request *request, const char *value, struct fault *fault)
{
    if (request->ask.authority && strcmp(request->ask.authority, value) != 0)
        return fault_set(fault, MESH_ERR_INVALID, "\"host\" is given twice with different values: give it once");
    request->ask.authority = value;
    return http_valid_authority(value, fault);
}

static int32_t without_authority(struct api_request *request, const struct mesh_request_opts *opts, struct fault *fault)
{
    request->headers = mem_array(opts->n_headers, sizeof *request->headers);
    if (!request->headers)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    request->ask.n_headers = 0;
    for (size_t i = 0; i < opts->n_headers; i++)
        if (!names_authority(opts->headers[i].name, strlen(opts->headers[i].name)))
            request->headers[request->ask.n_headers++] = opts->headers[i];
    request->ask.headers = request->headers;
    return 0;
}

static int32_t read_header(struct api_request *request, const struct mesh_header *header, struct fault *fault)
{
    size_t len = strlen(header->name);
    int32_t err;

    if (names_authority(header->name, len))
        return take_authority(request, header->value, fault);
    err = http_valid_header(header, fault);
    if (!err)
        err = take_criticality(&request->ask, header, len, fault);
    request->ask.chained = request->ask.chained || says_retry(header, len);
    deadline_read(&request->ask.deadline, header);
    return err;
}

static int32_t read_headers(const struct mesh_request_opts *opts, struct api_request *request, struct fault *fault)
{
    int32_t err = 0;

    if (opts->n_headers > 0 && !opts->headers)
        return fault_set(fault, MESH_ERR_INVALID, "n_headers is %zu, but headers is NULL", opts->n_headers);
    request->ask.headers = opts->headers;
    request->ask.n_headers = opts->n_headers;
    for (size_t i = 0; i < opts->n_headers && !err; i++) {
        const struct mesh_header *header = &opts->headers[i];

        if (!header->name || !header->value)
            return fault_set(fault, MESH_ERR_INVALID, "header %zu has no %s: it is NULL", i,
                             header->name ? "value" : "name");
        err = read_header(request, header, fault);
    }
    if (!err && request->ask.authority)
        err = without_authority(request, opts, fault);
    return err;
}

/* ---- the rest ---- */

static int32_t check_service(const char *service, struct fault *fault)
{
    if (!service || service[0] == '\0')
        return fault_set(fault, MESH_ERR_INVALID, "no service is given: name one, or a target such as h2c://host:port");
    for (const char *c = service; *c; c++)
        if ((unsigned char) *c <= ' ' || *c == 0x7f)
            return fault_set(fault, MESH_ERR_INVALID,
                             "the service name has a space or control byte at position %td: it is a configured name or "
                             "a target such as h2c://host:port",
                             c - service);
    return 0;
}

static int32_t check_flags(uint32_t flags, uint32_t allowed, struct fault *fault)
{
    if (flags & ~allowed)
        return fault_set(fault, MESH_ERR_INVALID, "unknown or unsuitable flags 0x%x: this call takes 0x%x",
                         flags & ~allowed, allowed);
    return 0;
}

static int32_t read_body(const struct mesh_request_opts *opts, struct api_request *request, struct fault *fault)
{
    if (opts->body_len > 0 && !opts->body)
        return fault_set(fault, MESH_ERR_INVALID, "body_len is %zu, but body is NULL", opts->body_len);
    request->body = (struct body){ .bytes = opts->body, .len = opts->body_len };
    return 0;
}

static int32_t read_all(const struct mesh_request_opts *opts, uint32_t allowed, struct api_request *request,
                        struct fault *fault)
{
    int32_t err = check_flags(opts->flags, allowed, fault);

    if (!err)
        err = check_service(opts->service, fault);
    if (!err)
        err = http_valid_method(request->ask.method, fault);
    if (!err)
        err = http_valid_path(request->ask.path, fault);
    if (!err)
        err = read_headers(opts, request, fault);
    if (!err)
        err = read_body(opts, request, fault);
    return err;
}

int32_t api_read_request(const struct mesh_request_opts *theirs, uint32_t allowed_flags, struct api_request *out,
                         struct fault *fault)
{
    struct mesh_request_opts opts = { 0 };
    int32_t err;

    *out = (struct api_request){ 0 };
    err = api_import(&opts, sizeof opts, theirs, offsetof(struct mesh_request_opts, method), fault);
    if (err)
        return err;
    out->flags = opts.flags;
    out->ask.service = opts.service;
    out->ask.method = opts.method ? opts.method : "GET";
    out->ask.path = opts.path ? opts.path : "/";
    out->ask.timeout_ms = opts.timeout_ms;
    out->ask.max_attempts = opts.max_attempts;
    out->ask.has_hash_key = opts.flags & MESH_REQ_HAS_HASH_KEY;
    out->ask.hash_key = out->ask.has_hash_key ? opts.hash_key : 0;
    out->ask.explain = opts.flags & MESH_REQ_EXPLAIN;
    err = read_all(&opts, allowed_flags, out, fault);
    if (err) {
        api_request_clear(out);
        return err;
    }
    out->ask.idempotent = opts.flags & MESH_REQ_IDEMPOTENT || http_method_idempotent(out->ask.method);
    return 0;
}

void api_request_clear(struct api_request *request)
{
    mem_free(request->headers);
    request->headers = NULL;
}

/* There is no response to carry the sentence: it goes to the log. */
static int32_t refuse_in_log(const struct mesh_client *client, const struct fault *fault)
{
    OBSERVE(client->observe, MESH_LOG_WARN, "request_refused", FIELD_TEXT("error", mesh_error_name(fault->code)),
            FIELD_TEXT("detail", fault->text));
    return fault->code;
}

int32_t api_begin_queued(struct mesh_client *given, const struct mesh_request_opts *opts,
                         const struct mesh_queue *queue, struct api_request *out, struct mesh_client **client)
{
    struct fault fault;
    int32_t err = client_take(given, client, &fault);

    if (err)
        return err;
    if (queue && queue->client != *client)
        err = fault_set(&fault, MESH_ERR_INVALID, "the queue is of another client");
    if (!err)
        err = api_read_request(opts, API_FLAGS_QUEUED, out, &fault);
    if (!err)
        return 0;
    refuse_in_log(*client, &fault);
    client_unref(*client);
    return err;
}

uint64_t api_until_us(uint32_t timeout_ms)
{
    if (timeout_ms == 0)
        return 0;
    return timeout_ms == MESH_FOREVER ? LOOP_FOREVER : clock_now_us() + timeout_ms * US_PER_MS;
}
