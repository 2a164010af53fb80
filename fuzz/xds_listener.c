/* SPDX-License-Identifier: Apache-2.0 */
/* A Listener of any bytes, and the routes in it. */
#include "grow.h"
#include "routes.h"

static int32_t read_listener(const struct buf *bytes, struct xds_listener **out)
{
    struct ignored ignored = { 0 };
    struct fault fault = { 0 };
    int32_t err = xds_listener_read(buf_bytes(bytes), buf_len(bytes), out, &ignored, &fault);

    FUZZ_CHECK((err == 0) == (*out != NULL) && (err == 0 || fault.text[0]));
    FUZZ_CHECK(err != MESH_ERR_NOMEM);
    ignored_clear(&ignored);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = grow_or_take(data, size, &listener__listener__descriptor);
    struct xds_listener *listener, *again;
    int32_t err = read_listener(&bytes, &listener);

    FUZZ_CHECK(read_listener(&bytes, &again) == err);
    if (listener) {
        FUZZ_CHECK(listener->name && (listener->routes_name != NULL) != (listener->inline_routes != NULL));
        if (!listener->routes_name)
            routes_read(listener->inline_routes, listener->inline_len, listener);
    }
    xds_listener_unref(listener);
    xds_listener_unref(again);
    buf_free(&bytes);
    return 0;
}
