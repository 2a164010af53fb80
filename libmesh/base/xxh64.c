/* SPDX-License-Identifier: Apache-2.0 */
/* xxHash64 from the xxHash library's header. */
#include "base/xxh64.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t xxh64(const void *bytes, size_t len, uint64_t seed)
{
    return XXH64(bytes ? bytes : "", len, seed); /* nothing may be NULL */
}
