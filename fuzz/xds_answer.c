/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane sends on a stream, byte by byte. The first byte chooses the variant of the protocol, and whether what can be
 * read is refused. */
#include "fuzz.h"

#include "source/xds/protocol.h"

enum { IS_DELTA = 1, IS_REFUSED = 2 };

static volatile uint64_t sums;

/* Everything that is handed out can be read; the sum is nobody's business. */
static uint64_t read_all(const struct xds_answer *answer)
{
    uint64_t sum = strlen(answer->version) + strlen(answer->nonce);

    for (size_t i = 0; i < answer->n_resources; i++) {
        const struct xds_answer_resource *resource = &answer->resources[i];

        sum += (resource->name ? strlen(resource->name) : 0) + strlen(resource->version);
        sum += resource->error ? strlen(resource->error) : hash_bytes(resource->bytes, resource->len);
        FUZZ_CHECK(resource->error || !resource->is_heartbeat || (resource->name && resource->len == 0));
    }
    for (size_t i = 0; i < answer->n_removed; i++)
        sum += strlen(answer->removed[i]);
    for (size_t i = 0; i < answer->n_errors; i++)
        sum += strlen(answer->errors[i].name) + strlen(answer->errors[i].message);
    FUZZ_CHECK(!answer->refusal || answer->n_resources + answer->n_removed + answer->n_errors == 0);
    return sum;
}

/* Exactly one request is due: the reply. */
static void reply(struct protocol *protocol, uint64_t now_us)
{
    struct buf out = { 0 };

    FUZZ_CHECK(protocol_due_us(protocol) <= now_us);
    FUZZ_CHECK(protocol_next_request(protocol, now_us, &out) == 0 && buf_len(&out) > 0);
    FUZZ_CHECK(protocol_due_us(protocol) == UINT64_MAX);
    buf_free(&out);
}

static void hear(struct protocol *protocol, const uint8_t *data, size_t size, const char *error, uint64_t now_us)
{
    struct xds_answer *answer;
    struct fault fault = { 0 };
    int32_t err = protocol_receive(protocol, data, size, &answer, &fault);

    FUZZ_CHECK(err == 0 || !answer);
    FUZZ_CHECK(answer || fault.text[0]);
    if (!answer)
        return;
    sums += read_all(answer);
    protocol_conclude(protocol, answer, answer->refusal ? answer->refusal : error, now_us);
    reply(protocol, now_us + US_PER_S);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Core__Node node = CORE__NODE__INIT;
    struct protocol *protocol;
    struct buf out = { 0 };

    if (size == 0)
        return 0;
    FUZZ_CHECK(protocol_new(data[0] & IS_DELTA, &node, &protocol_limits_standard, &protocol) == 0);
    for (enum xds_type type = 0; type < XDS_TYPES; type++)
        FUZZ_CHECK(protocol_subscribe(protocol, type, "a", NULL) == 0);
    protocol_stream_opened(protocol);
    while (protocol_due_us(protocol) == 0)
        FUZZ_CHECK(protocol_next_request(protocol, 0, &out) == 0);
    buf_free(&out);
    for (uint64_t times = 0; times < 2; times++)
        hear(protocol, data + 1, size - 1, data[0] & IS_REFUSED ? "why" : NULL, times * US_PER_S);
    protocol_free(protocol);
    return 0;
}
