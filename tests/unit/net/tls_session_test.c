/* SPDX-License-Identifier: Apache-2.0 */
/* The store of sessions: one per name, the newest; bounded; copies in and out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "net/tls.h"

static struct tls_sessions sessions;

static int set_up(void **state)
{
    (void) state;
    tls_sessions_init(&sessions);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    tls_sessions_fini(&sessions);
    return 0;
}

/* A session that can be told from others by its time. */
static SSL_SESSION *make(long time)
{
    SSL_SESSION *session = SSL_SESSION_new();

    SSL_SESSION_set1_id(session, (const unsigned char *) "id", 2);
    SSL_SESSION_set_protocol_version(session, TLS1_2_VERSION);
    SSL_SESSION_set_time(session, time);
    return session;
}

static void remember(const char *name, long time)
{
    SSL_SESSION *session = make(time);

    tls_sessions_remember(&sessions, name, session);
    SSL_SESSION_free(session);
}

/* 0: none. */
static long recalled(const char *name)
{
    SSL_SESSION *session = tls_sessions_recall(&sessions, name);
    long time = session ? SSL_SESSION_get_time(session) : 0;

    SSL_SESSION_free(session);
    return time;
}

static void test_newest_of_each_name(void **state)
{
    (void) state;
    assert_int_equal(recalled("a"), 0);
    remember("a", 1);
    remember("b", 2);
    remember("a", 3);
    assert_int_equal(recalled("a"), 3);
    assert_int_equal(recalled("a"), 3);
    assert_int_equal(recalled("b"), 2);
    tls_sessions_forget(&sessions, "a");
    tls_sessions_forget(&sessions, "a");
    assert_int_equal(recalled("a"), 0);
    assert_int_equal(recalled("b"), 2);
}

static void test_oldest_goes_when_full(void **state)
{
    char name[24];
    int kept = 0;

    (void) state;
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        remember(name, i + 1);
        if (i % 100 == 0)
            remember("always fresh", 1);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        kept += recalled(name) != 0;
    }
    assert_int_equal(kept, 255);
    assert_int_equal(recalled("name-1999"), 2000);
    assert_int_equal(recalled("always fresh"), 1);
}

static void test_sessions_that_cannot_be_resumed(void **state)
{
    SSL_SESSION *session = SSL_SESSION_new();

    (void) state;
    tls_sessions_remember(&sessions, "a", session); /* no id, no ticket */
    assert_int_equal(recalled("a"), 0);
    SSL_SESSION_free(session);
}

static void test_out_of_memory_only_forgets(void **state)
{
    bool was_reached = true;
    int64_t live;

    (void) state;
    for (uint64_t nth = 1; was_reached; nth++) {
        mem_watch(nth, false);
        remember("a", 1);
        remember("b", 2);
        tls_sessions_fini(&sessions);
        was_reached = mem_unwatch(&live);
        assert_int_equal(live, 0);
        tls_sessions_init(&sessions);
    }
}

static void *hammer(void *user)
{
    const char *name = user;

    for (int i = 1; i < 2000; i++) {
        remember(name, i);
        recalled("shared");
        remember("shared", i);
        if (i % 16 == 0)
            tls_sessions_forget(&sessions, "shared");
    }
    return NULL;
}

static void test_threads(void **state)
{
    static char names[2][8] = { "one", "two" };
    pthread_t threads[2];

    (void) state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, names[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    remember("one", 5000);
    assert_int_equal(recalled("one"), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_newest_of_each_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_oldest_goes_when_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sessions_that_cannot_be_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory_only_forgets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
