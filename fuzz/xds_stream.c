/* SPDX-License-Identifier: Apache-2.0 */
/* Streams to a control plane: the bytes decide what happens, a model of the server knows what must be asked (support/xds_model.h).
 * The first byte chooses the variant of the protocol. */
#include "fuzz.h"

#include "support/xds_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        model_run(data + 1, size - 1, data[0] & 1);
    return 0;
}
