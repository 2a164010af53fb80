/* SPDX-License-Identifier: Apache-2.0 */
/* A ClusterLoadAssignment of any bytes. Read piece by piece it says the same as read at once. */
#include "grow.h"

#include "source/xds/endpoints.h"
#include "source/xds/wire.h"

static int32_t read_pieces(const struct buf *bytes, size_t most, struct model_endpoints **out)
{
    struct ignored ignored = { 0 };
    struct fault fault = { 0 };
    struct endpoints_reader *reader = endpoints_reader_new(buf_bytes(bytes), buf_len(bytes), &ignored);
    int32_t err;

    FUZZ_CHECK(reader != NULL);
    do
        err = endpoints_reader_step(reader, most, out, &fault);
    while (err == MESH_ERR_AGAIN);
    FUZZ_CHECK(strlen(endpoints_reader_name(reader)) <= buf_len(bytes));
    FUZZ_CHECK((err == 0) == (*out != NULL) && (err == 0 || fault.text[0]));
    endpoints_reader_free(reader);
    ignored_clear(&ignored);
    return err;
}

static int32_t read_whole(const struct buf *bytes, struct model_endpoints **out)
{
    struct fault fault = { 0 };
    struct reading reading = { .fault = &fault };
    ProtobufCMessage *message;
    int32_t err = wire_unpack(&endpoint__cluster_load_assignment__descriptor, buf_bytes(bytes), buf_len(bytes),
                              &wire_limits_standard, &message, &fault);

    *out = NULL;
    if (!err)
        err = endpoints_of_message(&reading, (const Endpoint__ClusterLoadAssignment *) message, out);
    wire_free(message);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = grow_or_take(data, size, &endpoint__cluster_load_assignment__descriptor);
    struct model_endpoints *one = NULL, *all = NULL, *whole = NULL;
    const char *name;
    size_t name_len;
    int32_t err = read_pieces(&bytes, 1, &one);

    FUZZ_CHECK(read_pieces(&bytes, SIZE_MAX, &all) == err);
    FUZZ_CHECK((read_whole(&bytes, &whole) == 0) == (err == 0));
    if (endpoints_peek_name(buf_bytes(&bytes), buf_len(&bytes), &name, &name_len))
        FUZZ_CHECK(name_len <= buf_len(&bytes));
    if (one) {
        all->source = whole->source = one->source;
        FUZZ_CHECK(model_endpoints_equal(one, all) && model_endpoints_equal(one, whole));
    }
    model_endpoints_unref(one);
    model_endpoints_unref(all);
    model_endpoints_unref(whole);
    buf_free(&bytes);
    return 0;
}
