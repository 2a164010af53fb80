/* SPDX-License-Identifier: Apache-2.0 */
/* The hash that strangers agree on: xxHash64, the same everywhere and always. For maps there is hash_bytes() (base/map.h). */
#ifndef BASE_XXH64_H
#define BASE_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t xxh64(const void *bytes, size_t len, uint64_t seed);

#endif
