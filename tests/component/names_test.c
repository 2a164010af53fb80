/* SPDX-License-Identifier: Apache-2.0 */
/* Services found by name, through the public interface: requests that wait for the DNS, in one loop and in several, and lookups
 * that are given up. */
#include "support/fake_dns.h"
#include "support/mesh_client.h"

struct fixture {
    struct h2_server *server;
    struct fake_dns *dns;
    struct mesh_client *client;
    char target[64];
};

static struct fixture begin(const char *const *keys)
{
    struct fixture f = { .server = h2_server_start(NULL), .dns = fake_dns_start() };
    const char *all[32] = { "dns.servers", f.dns->servers };
    size_t n = 2;

    for (; keys && keys[0]; keys += 2) {
        all[n++] = keys[0];
        all[n++] = keys[1];
    }
    snprintf(f.target, sizeof f.target, "h2c://users.example:%u", h2_server_port(f.server));
    f.client = client_of(at_port(1), all);
    return f;
}

static void end(struct fixture *f)
{
    mesh_client_free(f->client);
    fake_dns_stop(f->dns);
    h2_server_stop(f->server);
}

static struct answer get_target(struct fixture *f, uint32_t timeout_ms)
{
    struct ask ask = { 0 };

    ask_for(&ask, "/ok", "a");
    ask.opts.service = f->target;
    ask.opts.timeout_ms = timeout_ms;
    return call(f->client, &ask);
}

static void a_name_is_looked_up(void **state)
{
    struct fixture f = begin(NULL);

    (void) state;
    fake_dns_set(f.dns, "users.example", FAKE_A, 60, "127.0.0.1");
    ANSWER(get_target(&f, 0), 0, 200, 1);
    ANSWER(get_target(&f, 0), 0, 200, 1);
    end(&f);
}

static void a_name_that_does_not_exist(void **state)
{
    struct fixture f = begin(NULL);
    struct answer answer;

    (void) state;
    answer = get_target(&f, 0);
    ANSWER(answer, MESH_ERR_DNS, 0, 0);
    says(answer.detail, "users.example");
    end(&f);
}

static void a_name_that_is_never_answered(void **state)
{
    struct fixture f = begin(NULL);
    struct answer answer;

    (void) state;
    fake_dns_behave(f.dns, "users.example", FAKE_A, FAKE_DROP);
    fake_dns_behave(f.dns, "users.example", FAKE_AAAA, FAKE_DROP);
    answer = get_target(&f, 200);
    ANSWER(answer, MESH_ERR_TIMEOUT, 0, 0);
    says(answer.detail, "endpoints were not known");
    end(&f);
}

struct caller {
    struct fixture *f;
    pthread_t thread;
    struct answer answer;
};

static void *one_call(void *user)
{
    struct caller *caller = user;

    caller->answer = get_target(caller->f, 0);
    return NULL;
}

static void many_wait_for_one_name(const char *loops)
{
    enum { N = 30 };
    struct fixture f = begin(PAIRS("loops", loops));
    struct caller callers[N];

    fake_dns_set(f.dns, "users.example", FAKE_A, 60, "127.0.0.1");
    for (int i = 0; i < N; i++) {
        callers[i] = (struct caller){ .f = &f };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, one_call, &callers[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(callers[i].thread, NULL);
        ANSWER(callers[i].answer, 0, 200, 1);
    }
    end(&f);
}

static void many_wait_for_one_name_in_one_loop(void **state)
{
    (void) state;
    many_wait_for_one_name("1");
}

static void many_wait_for_one_name_in_four_loops(void **state)
{
    (void) state;
    for (int i = 0; i < 5; i++)
        many_wait_for_one_name("4");
}

/* Threads spread over the loops, most of which ask the first for the name and are told that it is none. */
static void a_wrong_name_is_told_in_every_loop(void **state)
{
    enum { N = 12 };
    struct fixture f = begin(PAIRS("loops", "4"));
    struct caller callers[N];

    (void) state;
    snprintf(f.target, sizeof f.target, "xyz://users.example");
    for (int i = 0; i < N; i++) {
        callers[i] = (struct caller){ .f = &f };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, one_call, &callers[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].answer.err, MESH_ERR_INVALID);
        says(callers[i].answer.detail, "xyz");
    }
    end(&f);
}

/* The client goes while names are on their way, and while loops still wish for some. */
static void freeing_while_names_are_looked_up(void **state)
{
    (void) state;
    for (int i = 0; i < 30; i++) {
        struct fixture f = begin(PAIRS("loops", i % 2 ? "4" : "1"));
        struct mesh_queue *queue;
        struct mesh_event event;
        struct ask ask = { 0 };

        fake_dns_behave(f.dns, "users.example", FAKE_A, FAKE_DROP);
        MESH_OK(mesh_queue_new(f.client, &queue));
        ask_for(&ask, "/ok", NULL);
        ask.opts.service = f.target;
        MESH_OK(mesh_request_start(f.client, &ask.opts, queue, 1, NULL));
        poll(NULL, 0, i % 3);
        mesh_client_free(f.client);
        assert_int_equal(mesh_queue_next(queue, &event, 1, GUARD_MS), 1);
        assert_int_equal(event.err, MESH_ERR_CLOSING);
        mesh_response_free(event.response);
        mesh_queue_free(queue);
        fake_dns_stop(f.dns);
        h2_server_stop(f.server);
    }
}

/* ---- looking up without a request ---- */

static void a_lookup_tells_its_steps(void **state)
{
    struct fixture f = begin(NULL);
    char *text;

    (void) state;
    fake_dns_set(f.dns, "users.example", FAKE_A, 60, "10.1.2.3");
    MESH_OK(mesh_client_resolve(f.client, f.target, GUARD_MS, &text));
    says(text, "10.1.2.3");
    mesh_string_free(text);
    assert_int_equal(mesh_client_resolve(f.client, "h2c://nobody.example:1", GUARD_MS, &text), MESH_ERR_DNS);
    says(text, "nobody.example");
    mesh_string_free(text);
    assert_int_equal(mesh_client_resolve(f.client, NULL, GUARD_MS, &text), MESH_ERR_INVALID);
    end(&f);
}

static void a_lookup_has_a_limit(void **state)
{
    struct fixture f = begin(NULL);
    char *text;

    (void) state;
    fake_dns_behave(f.dns, "users.example", FAKE_A, FAKE_DROP);
    fake_dns_behave(f.dns, "users.example", FAKE_AAAA, FAKE_DROP);
    for (int i = 0; i < 3; i++) {
        uint64_t began = test_now_ms();

        assert_int_equal(mesh_client_resolve(f.client, f.target, 100, &text), MESH_ERR_TIMEOUT);
        assert_null(text);
        assert_in_range(test_now_ms() - began, 100, 2000);
    }
    end(&f);
}

/* It ends by itself later, and is thrown away. */
static void a_lookup_ends_after_its_limit(void **state)
{
    struct fixture f = begin(PAIRS("dns.timeout_ms", "200", "dns.tries", "1"));
    char *text;

    (void) state;
    fake_dns_behave(f.dns, "users.example", FAKE_A, FAKE_DROP);
    assert_int_equal(mesh_client_resolve(f.client, f.target, 1, &text), MESH_ERR_TIMEOUT);
    poll(NULL, 0, 600);
    fake_dns_set(f.dns, "other.example", FAKE_A, 60, "127.0.0.1");
    MESH_OK(mesh_client_resolve(f.client, "h2c://other.example:1", GUARD_MS, &text));
    mesh_string_free(text);
    end(&f);
}

static void a_description_has_a_limit(void **state)
{
    struct fixture f = begin(NULL);
    char *text;

    (void) state;
    fake_dns_behave(f.dns, "users.example", FAKE_A, FAKE_DROP);
    MESH_OK(mesh_client_describe(f.client, f.target, 1, 100, &text));
    says(text, "pending");
    mesh_string_free(text);
    fake_dns_set(f.dns, "users.example", FAKE_A, 60, "127.0.0.1");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(a_name_is_looked_up),
        LEAK_TEST(a_name_that_does_not_exist),
        LEAK_TEST(a_name_that_is_never_answered),
        LEAK_TEST(many_wait_for_one_name_in_one_loop),
        LEAK_TEST(many_wait_for_one_name_in_four_loops),
        LEAK_TEST(a_wrong_name_is_told_in_every_loop),
        LEAK_TEST(freeing_while_names_are_looked_up),
        LEAK_TEST(a_lookup_tells_its_steps),
        LEAK_TEST(a_lookup_has_a_limit),
        LEAK_TEST(a_lookup_ends_after_its_limit),
        LEAK_TEST(a_description_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
