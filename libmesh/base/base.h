/* SPDX-License-Identifier: Apache-2.0 */
/* The door of base/: everything here knows C and the operating system, nothing of a mesh. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/lookup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/peer_names.h"
#include "base/rand.h"
#include "base/regex.h"
#include "base/spare.h"
#include "base/text.h"
#include "base/xxh64.h"

/* The struct that embeds `member`, from a pointer to the member. */
#define CONTAINER_OF(ptr, type, member) ((type *) ((char *) (ptr) -offsetof(type, member)))

#define COUNT_OF(array)                 (sizeof(array) / sizeof *(array))

#endif
