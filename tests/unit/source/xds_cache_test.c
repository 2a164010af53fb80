/* SPDX-License-Identifier: Apache-2.0 */
/* The file of resources: what was written is read again, whatever else lies there is not. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mesh_test.h"
#include "source/file_read.h"
#include "source/xds/cache.h"

static char folder[] = "/tmp/xds_cache_test.XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static struct cache_record record_of(enum xds_type type, const char *name, const char *bytes)
{
    return (struct cache_record){ .type = type,
                                  .confirmed_wall_ms = clock_wall_us() / 1000,
                                  .name = name,
                                  .name_len = strlen(name),
                                  .version = "7",
                                  .version_len = 1,
                                  .bytes = (const uint8_t *) bytes,
                                  .len = strlen(bytes) };
}

static struct buf file_of(const struct cache_record *records, size_t n)
{
    struct buf out = { 0 };

    assert_true(cache_file_begin(&out));
    for (size_t i = 0; i < n; i++)
        assert_true(cache_file_add(&out, &records[i]));
    assert_true(cache_file_end(&out, n));
    return out;
}

static void test_records_come_back(void **state)
{
    struct cache_record in[] = { record_of(XDS_LISTENER, "users", "one"), record_of(XDS_ENDPOINTS, "", ""),
                                 record_of(XDS_CLUSTER, "pay", "three\0more") };
    struct buf file = file_of(in, COUNT_OF(in));
    struct cache_record out;
    struct fault fault = { 0 };
    uint64_t n;
    size_t at, i = 0;

    (void) state;
    assert_int_equal(cache_file_check(buf_bytes(&file), buf_len(&file), &at, &n, &fault), 0);
    assert_int_equal(n, COUNT_OF(in));
    while (cache_file_next(buf_bytes(&file), buf_len(&file), &at, &out)) {
        assert_int_equal(out.type, in[i].type);
        assert_int_equal(out.name_len, in[i].name_len);
        assert_memory_equal(out.name, in[i].name, out.name_len);
        assert_int_equal(out.len, in[i].len);
        assert_memory_equal(out.bytes, in[i].bytes, out.len);
        assert_int_equal(out.confirmed_wall_ms, in[i].confirmed_wall_ms);
        i++;
    }
    assert_int_equal(i, COUNT_OF(in));
    buf_free(&file);
}

/* Each bit matters, and each length. */
static void test_damage_is_seen(void **state)
{
    struct cache_record in = record_of(XDS_LISTENER, "users", "bytes of it");
    struct buf file = file_of(&in, 1);
    struct fault fault = { 0 };
    uint64_t n;
    size_t at, len = buf_len(&file);

    (void) state;
    for (size_t i = 0; i < len; i++) {
        file.data[file.start + i] ^= 1;
        assert_int_equal(cache_file_check(buf_bytes(&file), len, &at, &n, &fault), MESH_ERR_PROTOCOL);
        file.data[file.start + i] ^= 1;
        assert_int_equal(cache_file_check(buf_bytes(&file), i, &at, &n, &fault), MESH_ERR_PROTOCOL);
    }
    assert_int_equal(cache_file_check(buf_bytes(&file), len, &at, &n, &fault), 0);
    buf_free(&file);
}

static void test_writing_leaves_nothing_half_done(void **state)
{
    struct fault fault = { 0 };
    struct stat info;

    (void) state;
    assert_int_equal(cache_file_write(path_of("a"), path_of("a.before"), (const uint8_t *) "one", 3, &fault), 0);
    assert_int_equal(cache_file_write(path_of("a"), path_of("a.before"), (const uint8_t *) "three", 5, &fault), 0);
    assert_int_equal(stat(path_of("a"), &info), 0);
    assert_int_equal(info.st_size, 5);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of("a.before"), &info), 0);
    assert_int_equal(info.st_size, 3);
    assert_int_equal(cache_file_write(path_of("none/a"), NULL, (const uint8_t *) "x", 1, &fault), MESH_ERR_IO);
    assert_non_null(strstr(fault.text, "none/a"));
    unlink(path_of("a"));
    unlink(path_of("a.before"));
    assert_int_equal(rmdir(folder), 0); /* nothing else was left */
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* ---- the cache ---- */

struct fixture {
    struct loop *loop;
    struct store store;
    struct buf log;
    struct observe *observe;
};

static void ignore(void *user, struct resource *resource)
{
    (void) user;
    (void) resource;
}

static void on_line(int32_t level, const char *event, const char *line, void *user)
{
    (void) level;
    (void) line;
    buf_printf(user, "%s ", event);
}

static void begin(struct fixture *f)
{
    struct loop_conf loop = { .threadless = true };
    struct observe_conf observe = { .level = MESH_LOG_DEBUG,
                                    .log = "stderr",
                                    .access_log = "off",
                                    .hook = on_line,
                                    .hook_user = &f->log,
                                    .threadless = true };
    struct store_conf store = { .keeps_endpoints = true, .on_want = ignore, .on_rest = ignore, .on_change = ignore };

    *f = (struct fixture){ 0 };
    assert_int_equal(loop_new(&loop, &f->loop), 0);
    assert_int_equal(observe_new(&observe, &f->observe, NULL), 0);
    store.loop = f->loop;
    loop_enter(f->loop);
    store_init(&f->store, &store);
}

static void end(struct fixture *f)
{
    store_clear(&f->store);
    loop_leave(f->loop);
    loop_free(f->loop);
    observe_free(f->observe);
    buf_free(&f->log);
}

static struct cache *open_cache(struct fixture *f)
{
    struct cache_conf conf = {
        .loop = f->loop, .observe = f->observe, .folder = folder, .key = 5, .threadless = true, .store = &f->store
    };
    struct cache *cache;

    assert_int_equal(cache_new(&conf, &cache), 0);
    return cache;
}

static struct resource *store_endpoints(struct fixture *f, const char *name, const char *bytes)
{
    struct resource *resource = store_want(&f->store, XDS_ENDPOINTS, name);
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "xds", 0);
    struct resource_news news = { (const uint8_t *) bytes, strlen(bytes), "3", 0, false };
    struct ignored ignored = { 0 };

    store_take_endpoints(resource, &news, set, &ignored);
    return resource;
}

static void assert_recalls(const struct cache *cache, const char *name, const char *bytes)
{
    struct cache_record record;

    assert_true(cache_recall(cache, XDS_ENDPOINTS, name, &record));
    assert_int_equal(record.len, strlen(bytes));
    assert_memory_equal(record.bytes, bytes, record.len);
    assert_int_equal(record.version_len, 1);
}

static void test_what_was_stored_is_recalled(void **state)
{
    struct cache_record record;
    struct fixture f;
    struct cache *cache;

    (void) state;
    begin(&f);
    cache = open_cache(&f);
    assert_false(cache_recall(cache, XDS_ENDPOINTS, "users", &record));
    store_endpoints(&f, "users", "at a");
    store_endpoints(&f, "pay", "at b");
    cache_touch(cache);
    cache_free(cache);
    end(&f);

    begin(&f); /* another process: it calls "users" alone, which has moved */
    cache = open_cache(&f);
    assert_recalls(cache, "users", "at a");
    assert_recalls(cache, "pay", "at b");
    assert_false(cache_recall(cache, XDS_CLUSTER, "users", &record));
    store_endpoints(&f, "users", "at c");
    cache_touch(cache);
    cache_free(cache);
    end(&f);

    begin(&f); /* what nobody has called is kept */
    cache = open_cache(&f);
    assert_recalls(cache, "users", "at c");
    assert_recalls(cache, "pay", "at b");
    cache_free(cache);
    end(&f);
}

static void test_what_is_wanted_no_more_is_kept(void **state)
{
    struct resource *resource;
    struct fixture f;
    struct cache *cache;

    (void) state;
    begin(&f);
    cache = open_cache(&f);
    resource = store_endpoints(&f, "gone", "at d");
    cache_touch(cache);
    cache_keep(cache, resource);
    store_rest(resource);
    assert_recalls(cache, "gone", "at d");
    resource = store_endpoints(&f, "gone", "at e");
    cache_keep(cache, resource);
    store_rest(resource);
    cache_free(cache);
    end(&f);

    begin(&f);
    cache = open_cache(&f);
    assert_recalls(cache, "gone", "at e");
    assert_recalls(cache, "users", "at c");
    cache_free(cache);
    end(&f);
}

static void damage(const char *path)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    fseek(file, 30, SEEK_SET);
    fputc('!', file);
    fclose(file);
}

static void test_damaged_file_is_set_aside(void **state)
{
    struct fixture f;
    struct cache *cache;

    (void) state;
    begin(&f);
    damage(path_of("xds-0000000000000005"));
    cache = open_cache(&f); /* the one before is taken */
    assert_recalls(cache, "users", "at c");
    assert_string_equal((const char *) buf_bytes(&f.log), "xds_cache_damaged ");
    assert_int_equal(access(path_of("xds-0000000000000005.damaged"), F_OK), 0);
    cache_free(cache);
    end(&f);
}

static int make_folder(void **state)
{
    (void) state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[300];

    (void) state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_back),
        cmocka_unit_test(test_damage_is_seen),
        cmocka_unit_test(test_writing_leaves_nothing_half_done),
        cmocka_unit_test(test_what_was_stored_is_recalled),
        cmocka_unit_test(test_what_is_wanted_no_more_is_kept),
        cmocka_unit_test(test_damaged_file_is_set_aside),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
