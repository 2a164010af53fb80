/* SPDX-License-Identifier: Apache-2.0 */
/* How long the endpoints of a control plane are read, how long a turn of the loop is taken by it, and what they need of memory. */
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "bench/micro.h"
#include "source/xds/endpoints.h"

enum { MILLION = 1000000, A_STEP = 2000, SMALL = 128 };

/* A message that is written: small ones have lengths of one byte. */
static void put_run(struct buf *out, uint32_t field, const struct buf *inner)
{
    uint8_t head[2] = { (uint8_t) (field << 3 | 2), (uint8_t) buf_len(inner) };

    need(buf_len(inner) < SMALL && buf_append(out, head, sizeof head) &&
             buf_append(out, buf_bytes(inner), buf_len(inner)),
         "no memory");
}

static void put_text(struct buf *out, uint32_t field, const char *text)
{
    struct buf run = { 0 };

    need(buf_append_text(&run, text), "no memory");
    put_run(out, field, &run);
    buf_free(&run);
}

static void put_small(struct buf *out, uint32_t field, uint8_t number)
{
    uint8_t bytes[2] = { (uint8_t) (field << 3), number };

    need(buf_append(out, bytes, sizeof bytes), "no memory");
}

/* `field` of an outer message around what was written. */
static void wrap(struct buf *inner, uint32_t field)
{
    struct buf outer = { 0 };

    put_run(&outer, field, inner);
    buf_free(inner);
    *inner = outer;
}

static void put_label(struct buf *endpoint, unsigned number)
{
    struct buf value = { 0 }, label = { 0 }, entry = { 0 };
    char text[16];

    snprintf(text, sizeof text, "v%u", number);
    put_text(&value, 3, text); /* Value.string_value */
    wrap(&value, 2);
    put_text(&label, 1, "version");
    need(buf_append(&label, buf_bytes(&value), buf_len(&value)), "no memory");
    wrap(&label, 1); /* Struct.fields */
    wrap(&label, 2);
    put_text(&entry, 1, "envoy.lb");
    need(buf_append(&entry, buf_bytes(&label), buf_len(&label)), "no memory");
    wrap(&entry, 1); /* Metadata.filter_metadata */
    put_run(endpoint, 3, &entry);
    buf_free(&value);
    buf_free(&label);
    buf_free(&entry);
}

static void put_endpoint(struct buf *locality, unsigned i, unsigned labels)
{
    static const uint8_t port[] = { 3 << 3, 0x90, 0x3f };
    struct buf endpoint = { 0 };
    char ip[32];

    snprintf(ip, sizeof ip, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
    put_text(&endpoint, 2, ip);
    need(buf_append(&endpoint, port, sizeof port), "no memory");
    wrap(&endpoint, 1); /* Address.socket_address */
    wrap(&endpoint, 1); /* Endpoint.address */
    wrap(&endpoint, 1); /* LbEndpoint.endpoint */
    put_small(&endpoint, 2, 1);
    if (labels > 0)
        put_label(&endpoint, i % labels);
    put_run(locality, 2, &endpoint);
    buf_free(&endpoint);
}

static struct buf make_assignment(unsigned labels)
{
    struct buf locality = { 0 }, out = { 0 };
    uint8_t head[6] = { 2 << 3 | 2 };

    for (unsigned i = 0; i < MILLION; i++)
        put_endpoint(&locality, i, labels);
    put_text(&out, 1, "users");
    for (int i = 0; i < 5; i++)
        head[1 + i] = (uint8_t) ((buf_len(&locality) >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
    need(buf_append(&out, head, sizeof head) && buf_append(&out, buf_bytes(&locality), buf_len(&locality)),
         "no memory");
    buf_free(&locality);
    return out;
}

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static double cpu_ms(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double) used.tv_sec * 1e3 + (double) used.tv_nsec / 1e6;
}

static struct model_endpoints *read_all(const struct buf *bytes, double *longest)
{
    struct endpoints_reader *reader = endpoints_reader_new(buf_bytes(bytes), buf_len(bytes), NULL);
    struct model_endpoints *set = NULL;
    struct fault fault;
    int32_t err = MESH_ERR_AGAIN;

    need(reader != NULL, "no memory");
    while (err == MESH_ERR_AGAIN) {
        double began = cpu_ms();

        err = endpoints_reader_step(reader, A_STEP, &set, &fault);
        began = cpu_ms() - began;
        *longest = began > *longest ? began : *longest;
    }
    need(err == 0, "the endpoints are refused");
    endpoints_reader_free(reader);
    return set;
}

static void measure(unsigned labels, const char *comma)
{
    struct buf bytes = make_assignment(labels);
    size_t before = allocated();
    double began = cpu_ms(), longest = 0;
    struct model_endpoints *set = read_all(&bytes, &longest);

    printf("%s{\"endpoints\": %d, \"labels\": %u, \"bytes\": %zu, \"read_ms\": %.1f, \"longest_step_ms\": %.2f, "
           "\"bytes_per_endpoint\": %.1f}",
           comma, MILLION, labels, buf_len(&bytes), cpu_ms() - began, longest,
           (double) (allocated() - before) / MILLION);
    model_endpoints_unref(set);
    buf_free(&bytes);
}

void measure_assignments(void)
{
    printf(", \"assignments\": [");
    measure(0, "");
    measure(100, ", ");
    printf("]");
}
