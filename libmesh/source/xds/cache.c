/* SPDX-License-Identifier: Apache-2.0 */
/* The shelf of what was read, and when and how the store is written. */
#include "source/xds/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "source/file_read.h"

/* Changes within this are one; and the disk is not written more often, whatever happens. */
#define PAUSE_US   (1 * US_PER_S)
#define SPACING_US (10 * US_PER_S)
#define WEEK_MS    (UINT64_C(7) * 24 * 3600 * 1000)

enum { PATH_MOST = 4096 };

/* What was in the store and is wanted no more. */
struct kept {
    struct cache_record record; /* first */
    struct list link;
    struct resource_bytes *bytes;
    char texts[]; /* name and version */
};

/* What the writing thread works on; it belongs to it alone until `done`. */
struct cache_job {
    char path[PATH_MOST], before[PATH_MOST];
    struct buf bytes;
    uint64_t n_records;
    struct observe *observe;
    _Atomic bool done;
};

struct cache {
    struct cache_conf conf;
    char path[PATH_MOST], before[PATH_MOST];
    struct buf file; /* as it was read: records point into it */
    struct cache_record *records;
    size_t n_records;
    struct list kept;            /* struct kept */
    struct map shelf[XDS_TYPES]; /* struct cache_record by name, of both */
    struct loop_timer timer;
    bool is_dirty;
    uint64_t written_us;   /* when writing began last; 0: never */
    struct cache_job *job; /* NULL: nothing is being written */
    pthread_t thread;
};

/* ---- reading ---- */

static void tell(struct cache *cache, int32_t level, const char *event, const char *path, const char *detail)
{
    OBSERVE(cache->conf.observe, level, event, FIELD_TEXT("file", path), FIELD_TEXT("detail", detail));
}

static bool shelve(struct cache *cache, size_t at, uint64_t n_records)
{
    struct cache_record *record;
    size_t n = 0;

    cache->records = mem_array((size_t) n_records + 1, sizeof *cache->records);
    if (!cache->records)
        return false;
    cache->n_records = (size_t) n_records;
    record = cache->records;
    while (n < n_records && cache_file_next(buf_bytes(&cache->file), buf_len(&cache->file), &at, record)) {
        if (!map_put(&cache->shelf[record->type], record->name, record->name_len, record))
            return false;
        record++;
        n++;
    }
    return true;
}

static void set_aside(struct cache *cache, const char *path, const struct fault *why)
{
    char aside[PATH_MOST];
    int n = snprintf(aside, sizeof aside, "%s.damaged", path);

    if (n > 0 && (size_t) n < sizeof aside)
        (void) rename(path, aside);
    tell(cache, MESH_LOG_ERROR, "xds_cache_damaged", path, why->text);
}

/* 0 also when there is nothing to be had. */
static int32_t load(struct cache *cache, const char *path, bool *loaded)
{
    struct fault fault = { 0 };
    uint64_t n_records;
    size_t at;
    int32_t err = file_read_bytes("the file", path, CACHE_FILE_MOST, &cache->file, &fault);

    *loaded = false;
    if (!err)
        err = cache_file_check(buf_bytes(&cache->file), buf_len(&cache->file), &at, &n_records, &fault);
    if (!err) {
        *loaded = true;
        return shelve(cache, at, n_records) ? 0 : MESH_ERR_NOMEM;
    }
    buf_free(&cache->file);
    if (err == MESH_ERR_PROTOCOL || err == MESH_ERR_INVALID)
        set_aside(cache, path, &fault);
    else if (err == MESH_ERR_IO && errno != ENOENT)
        tell(cache, MESH_LOG_ERROR, "xds_cache_unreadable", path, fault.text);
    return err == MESH_ERR_NOMEM ? err : 0;
}

bool cache_recall(const struct cache *cache, enum xds_type type, const char *name, struct cache_record *out)
{
    const struct cache_record *record = cache ? map_get_text(&cache->shelf[type], name) : NULL;

    if (!record)
        return false;
    *out = *record;
    return true;
}

static void free_kept(struct kept *kept)
{
    list_remove(&kept->link);
    resource_bytes_unref(kept->bytes);
    mem_free(kept);
}

static bool is_of_file(const struct cache *cache, const struct cache_record *record)
{
    return record >= cache->records && record < cache->records + cache->n_records;
}

static struct kept *make_kept(const struct resource *resource)
{
    size_t name_len = strlen(resource->name), version_len = resource->version ? strlen(resource->version) : 0;
    struct kept *kept = mem_zalloc(sizeof *kept + name_len + version_len + 2);

    if (!kept)
        return NULL;
    memcpy(kept->texts, resource->name, name_len);
    if (version_len > 0)
        memcpy(kept->texts + name_len + 1, resource->version, version_len);
    kept->bytes = resource_bytes_ref(resource->bytes);
    kept->record = (struct cache_record){ .type = resource->type,
                                          .confirmed_wall_ms = clock_wall_us() / 1000,
                                          .name = kept->texts,
                                          .name_len = name_len,
                                          .version = kept->texts + name_len + 1,
                                          .version_len = version_len,
                                          .bytes = kept->bytes->data,
                                          .len = kept->bytes->len };
    return kept;
}

/* ---- what is written ---- */

/* From the store: what a control plane has said and holds. */
static bool is_fresh(const struct resource *resource)
{
    return resource && resource_has_value(resource) && resource->bytes && !resource->is_stale && !resource->is_deleted;
}

/* Without memory for it, it is kept as it was before. */
void cache_keep(struct cache *cache, const struct resource *resource)
{
    struct cache_record *before;
    struct kept *kept = cache && is_fresh(resource) ? make_kept(resource) : NULL;
    struct map *shelf;

    if (!kept)
        return;
    shelf = &cache->shelf[resource->type];
    before = map_remove(shelf, resource->name, strlen(resource->name));
    if (before && !is_of_file(cache, before))
        free_kept((struct kept *) before);
    list_push_back(&cache->kept, &kept->link);
    if (!map_put(shelf, kept->record.name, kept->record.name_len, &kept->record))
        free_kept(kept);
}

static bool add_fresh(struct cache_job *job, const struct resource *resource)
{
    struct cache_record record = {
        .type = resource->type,
        .confirmed_wall_ms = clock_wall_us() / 1000,
        .name = resource->name,
        .name_len = strlen(resource->name),
        .version = resource->version ? resource->version : "",
        .version_len = resource->version ? strlen(resource->version) : 0,
        .bytes = resource->bytes->data,
        .len = resource->bytes->len,
    };

    job->n_records++;
    return cache_file_add(&job->bytes, &record);
}

/* From the shelf: what nobody has heard of since, and what the control plane has not deleted. */
static bool is_worth_keeping(const struct cache *cache, const struct cache_record *record)
{
    const struct resource *resource = store_find(cache->conf.store, record->type, record->name, record->name_len);
    uint64_t now = clock_wall_us() / 1000;

    if (now > record->confirmed_wall_ms && now - record->confirmed_wall_ms > WEEK_MS)
        return false;
    return !resource || (!is_fresh(resource) && !resource->is_deleted && resource->state != RESOURCE_DOES_NOT_EXIST);
}

static bool add_all(const struct cache *cache, struct cache_job *job)
{
    bool done = cache_file_begin(&job->bytes);

    for (int type = 0; done && type < XDS_TYPES; type++) {
        struct cache_record *record;
        struct resource *resource;
        size_t at = 0;

        while (done && (resource = map_next(&cache->conf.store->types[type], &at)))
            done = !is_fresh(resource) || add_fresh(job, resource);
        at = 0;
        while (done && (record = map_next(&cache->shelf[type], &at))) {
            if (!is_worth_keeping(cache, record))
                continue;
            job->n_records++;
            done = cache_file_add(&job->bytes, record);
        }
    }
    return done && cache_file_end(&job->bytes, job->n_records);
}

/* ---- writing ---- */

static void write_job(struct cache_job *job)
{
    struct fault fault = { 0 };

    if (cache_file_write(job->path, job->before, buf_bytes(&job->bytes), buf_len(&job->bytes), &fault))
        OBSERVE(job->observe, MESH_LOG_ERROR, "xds_cache_not_written", FIELD_TEXT("file", job->path),
                FIELD_TEXT("detail", fault.text));
}

static void *run_job(void *user)
{
    struct cache_job *job = user;

    write_job(job);
    atomic_store_explicit(&job->done, true, memory_order_release);
    return NULL;
}

static void free_job(struct cache_job *job)
{
    buf_free(&job->bytes);
    mem_free(job);
}

static void join(struct cache *cache)
{
    if (!cache->job)
        return;
    pthread_join(cache->thread, NULL);
    free_job(cache->job);
    cache->job = NULL;
}

static struct cache_job *make_job(const struct cache *cache)
{
    struct cache_job *job = mem_zalloc(sizeof *job);

    if (!job)
        return NULL;
    text_copy(job->path, sizeof job->path, cache->path);
    text_copy(job->before, sizeof job->before, cache->before);
    job->observe = cache->conf.observe;
    if (add_all(cache, job))
        return job;
    free_job(job);
    return NULL;
}

/* Signals stay with the application's threads. */
static bool start_thread(struct cache *cache, struct cache_job *job)
{
    sigset_t all, before;
    bool started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&cache->thread, NULL, run_job, job) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* `here`: on this thread, since there is no later. */
static void write_now(struct cache *cache, bool here)
{
    struct cache_job *job = make_job(cache);

    cache->written_us = loop_now_us(cache->conf.loop);
    if (!job) {
        tell(cache, MESH_LOG_ERROR, "xds_cache_not_written", cache->path, "out of memory");
        return;
    }
    cache->is_dirty = false;
    if (!here && start_thread(cache, job)) {
        cache->job = job;
        return;
    }
    write_job(job);
    free_job(job);
}

static void set_timer(struct cache *cache)
{
    uint64_t due = loop_now_us(cache->conf.loop) + PAUSE_US;

    if (cache->written_us && due < cache->written_us + SPACING_US)
        due = cache->written_us + SPACING_US;
    loop_timer_set(cache->conf.loop, &cache->timer, due);
}

static void on_timer(struct loop_timer *timer)
{
    struct cache *cache = CONTAINER_OF(timer, struct cache, timer);

    if (cache->job && !atomic_load_explicit(&cache->job->done, memory_order_acquire)) {
        set_timer(cache);
        return;
    }
    join(cache);
    write_now(cache, cache->conf.threadless);
}

void cache_touch(struct cache *cache)
{
    if (!cache || cache->is_dirty)
        return;
    cache->is_dirty = true;
    set_timer(cache);
}

/* ---- the cache ---- */

static int32_t name_files(struct cache *cache)
{
    int n = snprintf(cache->path, sizeof cache->path, "%s/xds-%016" PRIx64, cache->conf.folder, cache->conf.key);
    int m = snprintf(cache->before, sizeof cache->before, "%s/xds-%016" PRIx64 ".before", cache->conf.folder,
                     cache->conf.key);

    return n > 0 && m > 0 && (size_t) m < sizeof cache->before ? 0 : MESH_ERR_INVALID;
}

const char *cache_path(const struct cache *cache)
{
    return cache->path;
}

int32_t cache_new(const struct cache_conf *conf, struct cache **out)
{
    struct cache *cache = mem_zalloc(sizeof *cache);
    bool loaded = false;
    int32_t err;

    *out = NULL;
    if (!cache)
        return MESH_ERR_NOMEM;
    cache->conf = *conf;
    cache->timer.on_due = on_timer;
    list_init(&cache->kept);
    err = name_files(cache);
    (void) mkdir(conf->folder, 0700); /* if it cannot be, writing into it tells why */
    if (!err)
        err = load(cache, cache->path, &loaded);
    if (!err && !loaded)
        err = load(cache, cache->before, &loaded);
    if (err) {
        cache_free(cache);
        return err;
    }
    *out = cache;
    return 0;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    loop_timer_cancel(cache->conf.loop, &cache->timer);
    join(cache);
    if (cache->is_dirty)
        write_now(cache, true);
    for (int type = 0; type < XDS_TYPES; type++)
        map_free(&cache->shelf[type]);
    while (!list_empty(&cache->kept))
        free_kept(CONTAINER_OF(cache->kept.next, struct kept, link));
    mem_free(cache->records);
    buf_free(&cache->file);
    mem_free(cache);
}
