/* SPDX-License-Identifier: Apache-2.0 */
/* What loops share of clusters stays while somebody uses it, and is forgotten when there are very many. */
#include "client/client.h"

#include "mesh_test.h"

static struct engine *engine_new_for_test(void)
{
    struct engine *engine = mem_zalloc(sizeof *engine);

    pthread_mutex_init(&engine->lock, NULL);
    return engine;
}

static void engine_free_for_test(struct engine *engine)
{
    engine_shared_free(engine);
    pthread_mutex_destroy(&engine->lock);
    mem_free(engine);
}

static struct cluster_shared *numbered(struct engine *engine, unsigned number)
{
    char name[32];

    snprintf(name, sizeof name, "xds:%u", number);
    return engine_shared(engine, name);
}

static void one_name_is_one(void **state)
{
    struct engine *engine = engine_new_for_test();
    struct cluster_shared *a = engine_shared(engine, "a"), *again = engine_shared(engine, "a");

    (void) state;
    assert_ptr_equal(a, again);
    assert_string_equal(a->name, "a");
    assert_ptr_equal(engine_shared_known(engine, "a"), a);
    assert_null(engine_shared_known(engine, "b"));
    for (int i = 0; i < 3; i++)
        cluster_shared_unref(a);
    assert_ptr_equal(engine_shared(engine, "a"), a); /* it comes back as it was */
    cluster_shared_unref(a);
    engine_free_for_test(engine);
}

static void those_that_nobody_uses_are_forgotten_in_the_end(void **state)
{
    struct engine *engine = engine_new_for_test();
    struct cluster_shared *used[100];

    (void) state;
    for (unsigned i = 0; i < 100; i++)
        used[i] = numbered(engine, i);
    for (unsigned i = 100; i < 50000; i++)
        cluster_shared_unref(numbered(engine, i));
    assert_in_range(engine->shared.count, 100, 10000);
    for (unsigned i = 0; i < 100; i++) {
        struct cluster_shared *found = numbered(engine, i);

        assert_ptr_equal(found, used[i]);
        cluster_shared_unref(found);
        cluster_shared_unref(found);
    }
    engine_free_for_test(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(one_name_is_one),
        LEAK_TEST(those_that_nobody_uses_are_forgotten_in_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
