/* SPDX-License-Identifier: Apache-2.0 */
/* The last good configuration on the disk: what a process that starts while no control plane answers begins with. Private to
 * source/xds/.
 *
 * One file a node in the folder of `xds.cache_dir`, and the one before it. What was read stays on a *shelf* until a control plane has
 * sent the resource anew; what nobody has wanted since is written again with it, for a week. Writing waits until changes pause, and
 * is done by a thread of its own, since a disk may take its time; without threads, at once. */
#ifndef SOURCE_XDS_CACHE_H
#define SOURCE_XDS_CACHE_H

#include "loop/loop.h"
#include "observe/observe.h"
#include "source/xds/cache_file.h"
#include "source/xds/store.h"

struct cache;

struct cache_conf {
    struct loop *loop;
    struct observe *observe;
    const char *folder;
    uint64_t key; /* of the node and its control planes: the file's name */
    bool threadless;
    const struct store *store; /* what is written */
};

/* Reads the file. A damaged one is set aside, and the one before is taken; all of that is told in the log. MESH_ERR_NOMEM. */
int32_t cache_new(const struct cache_conf *conf, struct cache **out);
/* Writes what has not been written yet. NULL is fine. */
void cache_free(struct cache *cache);
/* The file, borrowed. */
const char *cache_path(const struct cache *cache);
/* What is on the shelf; borrowed as long as the cache lives. */
bool cache_recall(const struct cache *cache, enum xds_type type, const char *name, struct cache_record *out);
/* The resource is wanted no more: what it holds goes on the shelf. */
void cache_keep(struct cache *cache, const struct resource *resource);
/* The store holds something else: it is written soon. */
void cache_touch(struct cache *cache);

#endif
