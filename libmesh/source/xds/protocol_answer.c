/* SPDX-License-Identifier: Apache-2.0 */
/* A message of the server as an answer: what both variants have. */
#include "source/xds/protocol_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "source/xds/reading.h"
#include "source/xds/scalars.h"

enum { SHOWN = 100 };

/* ---- hash ---- */

void hash_add(uint64_t *hash, const void *bytes, size_t len)
{
    uint64_t parts[] = { *hash, len, len ? hash_bytes(bytes, len) : 0 };

    *hash = hash_bytes(parts, sizeof parts);
}

void hash_add_text(uint64_t *hash, const char *text)
{
    hash_add(hash, text, strlen(text));
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0;

    hash_add_text(&hash, text);
    return hash;
}

static uint64_t hash_error(const Discovery__ResourceError *error)
{
    int32_t code = error->error_detail ? error->error_detail->code : 0;
    uint64_t hash = 0;

    hash_add_text(&hash, error->resource_name ? error->resource_name->name : "");
    hash_add(&hash, &code, sizeof code);
    hash_add_text(&hash, error->error_detail ? error->error_detail->message : "");
    return hash;
}

/* Everything but the nonce, and the order: servers that keep resources in a map send them in another one each time. */
static uint64_t hash_response(const struct protocol_variant *variant, const ProtobufCMessage *message,
                              const struct response *response)
{
    size_t counts[] = { response->n_resources, response->n_removed, response->n_errors };
    uint64_t hash = 0, sums[3] = { variant->hash_sum(message) };

    hash_add_text(&hash, response->type_url);
    hash_add_text(&hash, response->version);
    hash_add(&hash, counts, sizeof counts);
    for (size_t i = 0; i < response->n_removed; i++)
        sums[1] += hash_text(response->removed[i]);
    for (size_t i = 0; i < response->n_errors; i++)
        sums[2] += hash_error(response->errors[i]);
    hash_add(&hash, sums, sizeof sums);
    return hash;
}

/* ---- complaints ---- */

static char *sentence(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *sentence(const char *format, va_list args)
{
    char text[FAULT_TEXT];

    vsnprintf(text, sizeof text, format, args);
    return mem_strdup(text);
}

int32_t answer_refuse(struct answer *answer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    answer->refusal = sentence(format, args);
    va_end(args);
    answer->shown.refusal = answer->refusal;
    return answer->refusal ? 0 : MESH_ERR_NOMEM;
}

int32_t answer_complain(struct xds_answer_resource *resource, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    resource->error = sentence(format, args);
    va_end(args);
    return resource->error ? 0 : MESH_ERR_NOMEM;
}

/* ---- resources ---- */

int32_t answer_body(struct xds_answer_resource *resource, const Pb__Any *body, enum xds_type type)
{
    static const uint8_t nothing[1];
    char shown[SHOWN];

    if (strcmp(body->type_url, xds_type_url(type)) != 0)
        return answer_complain(resource, "it is of type %s, allowed is %s",
                               text_printable(body->type_url, strlen(body->type_url), shown, sizeof shown),
                               xds_type_url(type));
    resource->bytes = body->value.len > 0 ? body->value.data : nothing;
    resource->len = body->value.len;
    return 0;
}

int32_t answer_resource(struct xds_answer_resource *resource, const Discovery__Resource *from, enum xds_type type)
{
    struct fault fault = { 0 };
    struct reading reading = { .fault = &fault };

    resource->name = from->name[0] ? from->name : NULL;
    resource->version = from->version;
    if (scalar_us(&reading, "ttl", from->ttl, &resource->ttl_us) != 0)
        return answer_complain(resource, "%s", fault.text);
    if (from->resource)
        return answer_body(resource, from->resource, type);
    if (!resource->name)
        return answer_complain(resource, "it has neither a name nor a body");
    resource->is_heartbeat = true;
    return 0;
}

static int32_t read_errors(struct answer *answer, const struct response *response)
{
    struct xds_answer *shown = &answer->shown;

    if (response->n_errors == 0)
        return 0;
    shown->errors = mem_array(response->n_errors, sizeof *shown->errors);
    if (!shown->errors)
        return MESH_ERR_NOMEM;
    for (size_t i = 0; i < response->n_errors; i++) {
        const Discovery__ResourceError *error = response->errors[i];

        if (!error->resource_name || !error->error_detail)
            continue;
        shown->errors[shown->n_errors++] = (struct xds_answer_error){ .name = error->resource_name->name,
                                                                      .code = error->error_detail->code,
                                                                      .message = error->error_detail->message };
    }
    return 0;
}

static int32_t read_resources(struct answer *answer, const struct response *response, const struct protocol *protocol)
{
    struct xds_answer *shown = &answer->shown;
    int32_t err = read_errors(answer, response);

    if (err)
        return err;
    shown->removed = (const char *const *) response->removed;
    shown->n_removed = response->n_removed;
    if (response->n_resources == 0)
        return protocol->variant->read(answer, &protocol->limits);
    shown->resources = mem_array(response->n_resources, sizeof *shown->resources);
    if (!shown->resources)
        return MESH_ERR_NOMEM;
    shown->n_resources = response->n_resources;
    for (size_t i = 0; i < shown->n_resources; i++)
        shown->resources[i] = (struct xds_answer_resource){ .version = "", .ttl_us = XDS_NO_TTL };
    return protocol->variant->read(answer, &protocol->limits);
}

/* ---- the answer ---- */

static int32_t repeat_refusal(struct answer *answer, const char *error)
{
    answer->shown.is_repeated = true;
    answer->refusal = mem_strdup(error ? error : "");
    answer->shown.refusal = answer->refusal;
    return answer->refusal ? 0 : MESH_ERR_NOMEM;
}

static int32_t read_answer(struct answer *answer, const struct response *response, const struct protocol *protocol)
{
    const struct subscription *subscription = &protocol->subscriptions[answer->shown.type];
    const struct protocol_limits *limits = &protocol->limits;

    answer->stream = protocol->stream;
    answer->shown.nonce = answer->nonce = mem_strdup(response->nonce);
    answer->shown.version = answer->version =
        mem_strdup(strlen(response->version) > limits->text ? "" : response->version);
    if (!answer->nonce || !answer->version)
        return MESH_ERR_NOMEM;
    answer->hash = hash_response(protocol->variant, answer->message, response);
    if (subscription->is_refused && subscription->is_known && subscription->refused_hash == answer->hash)
        return repeat_refusal(answer, subscription->error);
    if (strlen(response->version) > limits->text)
        return answer_refuse(answer, "version_info: longer than %zu bytes", limits->text);
    if (response->n_resources > limits->resources)
        return answer_refuse(answer, "resources: more than %zu", limits->resources);
    if (response->n_removed > limits->resources)
        return answer_refuse(answer, "removed_resources: more than %zu", limits->resources);
    if (response->n_errors > limits->resources)
        return answer_refuse(answer, "resource_errors: more than %zu", limits->resources);
    return read_resources(answer, response, protocol);
}

/* Whether it was asked for. */
static bool is_expected(const struct protocol *protocol, const struct response *response, enum xds_type *type,
                        struct fault *fault)
{
    char shown[SHOWN];
    size_t len = strlen(response->type_url);

    if (xds_type_parse(response->type_url, len, type) && protocol->subscriptions[*type].is_asked)
        return true;
    fault_set(fault, MESH_ERR_PROTOCOL, "an answer of type %s, which was not asked for",
              text_printable(response->type_url, len, shown, sizeof shown));
    return false;
}

int32_t answer_read(const struct protocol *protocol, const uint8_t *bytes, size_t len, struct answer **out,
                    struct fault *fault)
{
    struct answer *answer = mem_zalloc(sizeof *answer);
    struct response response;
    int32_t err = answer ? 0 : MESH_ERR_NOMEM;

    *out = NULL;
    if (err)
        goto done;
    err = wire_unpack(protocol->variant->response, bytes, len, &protocol->limits.wire, &answer->message, fault);
    if (err)
        goto done;
    response = protocol->variant->look(answer->message);
    if (!is_expected(protocol, &response, &answer->shown.type, fault))
        goto done;
    if (strlen(response.nonce) > protocol->limits.text) {
        err = fault_set(fault, MESH_ERR_TOO_LARGE, "nonce: longer than %zu bytes", protocol->limits.text);
        goto done;
    }
    err = read_answer(answer, &response, protocol);
    if (err)
        goto done;
    if (answer->refusal)
        answer->shown.n_resources = answer->shown.n_removed = answer->shown.n_errors = 0;
    *out = answer;
    answer = NULL;
done:
    answer_free(answer);
    if (err == MESH_ERR_NOMEM)
        fault_set(fault, err, "out of memory");
    return err;
}

void answer_free(struct answer *answer)
{
    if (!answer)
        return;
    for (size_t i = 0; i < answer->shown.n_resources; i++) {
        mem_free(answer->shown.resources[i].error);
        if (answer->wrapped && answer->wrapped[i])
            wire_free(&answer->wrapped[i]->base);
    }
    mem_free(answer->wrapped);
    mem_free(answer->shown.resources);
    mem_free(answer->shown.errors);
    mem_free(answer->refusal);
    mem_free(answer->version);
    mem_free(answer->nonce);
    wire_free(answer->message);
    mem_free(answer);
}
