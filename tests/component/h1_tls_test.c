/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 over TLS: whom it trusts, what it says of itself, and how an end is told from a cut. */
#include "support/h1_server.h"
#include "support/h1_call.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct loop *loop;
static struct server server;
static struct h1_owner owner;
static struct certificate_folder folder;
static struct certificate ca, other_ca;
static const char *ca_file, *other_ca_file;

static int make_authorities(void **state)
{
    (void) state;
    certificate_folder_make(&folder);
    ca = certificate_make((struct certificate_spec){ .common_name = "ca", .is_authority = 1 });
    other_ca = certificate_make((struct certificate_spec){ .common_name = "other", .is_authority = 1 });
    ca_file = certificate_write(&folder, "ca.pem", &ca);
    other_ca_file = certificate_write(&folder, "other.pem", &other_ca);
    return 0;
}

static int drop_authorities(void **state)
{
    (void) state;
    certificate_free(&ca);
    certificate_free(&other_ca);
    certificate_folder_remove(&folder);
    return 0;
}

static int setup(void **state)
{
    mesh_test_watch(state);
    loop = test_loop_new();
    return 0;
}

static int teardown(void **state)
{
    h1_owner_free(loop, &owner);
    server_stop(&server);
    loop_free(loop);
    return mesh_test_unwatch(state);
}

static void start_with(void (*serve)(struct server_conn *), const struct certificate *issuer, const char *names,
                       const struct certificate *client_ca)
{
    struct certificate own =
        certificate_make((struct certificate_spec){ .common_name = "users.test", .names = names, .issuer = issuer });

    server_start_tls(&server, serve, OK_EMPTY, &own, client_ca);
    certificate_free(&own);
}

static struct http_h1_conf tls_conf(const char *trust, const char *name)
{
    struct http_h1_conf h1 = h1_conf_for(&server.addr);

    h1.tls = true;
    h1.tls_conf.ca = trust;
    h1.server_name = name;
    return h1;
}

static void open_owner(const char *trust, const char *name)
{
    struct http_h1_conf h1 = tls_conf(trust, name);

    h1_owner_open_with(loop, &owner, &h1, NULL);
}

static void a_trusted_peer_is_spoken_to(void **state)
{
    struct h1_call calls[3] = { 0 };

    (void) state;
    start_with(server_answer, &ca, "DNS:users.test", NULL);
    open_owner(ca_file, "users.test");
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        calls[i].authority = "anything:81";
        h1_call_do(loop, &owner, &calls[i]);
        assert_int_equal(calls[i].err, 0);
    }
    assert_int_equal(server.accepted, 1);
    assert_string_equal(server.sni, "users.test");
    assert_string_equal(server.alpn, "http/1.1");
    assert_string_equal(server.head, "GET / HTTP/1.1\r\nHost: anything:81\r\n\r\n");
}

static void an_address_may_be_the_name(void **state)
{
    struct h1_call call = { 0 };

    (void) state;
    start_with(server_answer, &ca, "IP:127.0.0.1", NULL);
    open_owner(ca_file, "127.0.0.1");
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, 0);
    assert_string_equal(server.sni, "");
}

static void who_is_not_trusted_hears_nothing(void **state)
{
    static const struct {
        const char *names;
        bool other_authority;
        const char *words;
    } cases[] = {
        { "DNS:pay.test", false, "users.test" },
        { NULL, false, "users.test" }, /* a common name alone is no name */
        { "DNS:users.test", true, "certificate" },
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct h1_call call = { 0 };

        start_with(server_answer, &ca, cases[i].names, NULL);
        open_owner(cases[i].other_authority ? other_ca_file : ca_file, "users.test");
        h1_call_do(loop, &owner, &call);
        if (cases[i].names || call.err) {
            assert_int_equal(call.err, MESH_ERR_TLS);
            assert_int_equal(call.reach, HTTP_NOT_SENT);
            assert_non_null(strstr(call.fault.text, cases[i].words));
            assert_non_null(strstr(call.fault.text, "127.0.0.1:"));
            assert_int_equal(server.requests, 0);
        }
        if (i + 1 < COUNT_OF(cases)) {
            h1_owner_free(loop, &owner);
            server_stop(&server);
        }
    }
}

/* Names that a control plane wants hold for libcurl's connections, whose host then is anybody's. */
static void a_peer_has_a_wanted_name_or_hears_nothing(void **state)
{
    static const char *const names[] = { "URI:spiffe://td/users", "URI:spiffe://td/pay,DNS:users.test" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct peer_names *wanted = peer_names_new(1);
        struct http_h1_conf h1;
        struct h1_call call = { 0 };
        struct fault fault = { 0 };

        wanted->items[0] = (struct peer_name){ .types = PEER_NAME_URI, .text = mem_strdup("spiffe://td/users") };
        start_with(server_answer, &ca, names[i], NULL);
        h1 = tls_conf(ca_file, "127.0.0.1");
        h1.tls_conf.any_name = true;
        h1.tls_conf.names = wanted;
        assert_int_equal(net_tls_new(&h1.tls_conf, &h1.identity, &fault), 0);
        h1_owner_open_with(loop, &owner, &h1, NULL);
        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, i == 0 ? 0 : MESH_ERR_TLS);
        assert_int_equal(server.requests, i == 0);
        net_tls_unref(h1.identity);
        peer_names_unref(wanted);
        if (i == 0) {
            h1_owner_free(loop, &owner);
            server_stop(&server);
        }
    }
}

static void an_expired_certificate_is_refused(void **state)
{
    struct h1_call call = { 0 };
    struct certificate old = certificate_make((struct certificate_spec){
        .common_name = "old", .names = "DNS:users.test", .issuer = &ca, .from_s = -7200, .until_s = -3600 });

    (void) state;
    server_start_tls(&server, server_answer, OK_EMPTY, &old, NULL);
    certificate_free(&old);
    open_owner(ca_file, "users.test");
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_TLS);
    assert_non_null(strstr(call.fault.text, "expired"));
}

static void verification_may_be_switched_off_in_words(void **state)
{
    struct http_h1_conf h1;
    struct h1_call call = { 0 };

    (void) state;
    start_with(server_answer, &ca, "DNS:pay.test", NULL);
    h1 = tls_conf(other_ca_file, "users.test");
    h1.tls_conf.insecure = true;
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, 0);
}

static void the_environment_names_roots_too(void **state)
{
    struct h1_call with = { 0 }, without = { 0 };

    (void) state;
    start_with(server_answer, &ca, "DNS:users.test", NULL);
    setenv("SSL_CERT_FILE", ca_file, 1);
    open_owner(NULL, "users.test");
    unsetenv("SSL_CERT_FILE");
    h1_call_do(loop, &owner, &with);
    assert_int_equal(with.err, 0);
    h1_owner_free(loop, &owner);
    open_owner(NULL, "users.test");
    h1_call_do(loop, &owner, &without);
    assert_int_equal(without.err, MESH_ERR_TLS);
}

static void a_missing_file_is_named(void **state)
{
    struct h1_call call = { 0 };

    (void) state;
    start_with(server_answer, &ca, "DNS:users.test", NULL);
    open_owner("/nowhere/ca.pem", "users.test");
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_TLS);
    assert_int_equal(call.reach, HTTP_NOT_SENT);
    assert_non_null(strstr(call.fault.text, "/nowhere/ca.pem"));
}

static void clients_show_their_certificate(void **state)
{
    struct http_h1_conf h1;
    struct h1_call with = { 0 }, without = { 0 };
    struct certificate me =
        certificate_make((struct certificate_spec){ .common_name = "me", .names = "DNS:me.test", .issuer = &ca });
    const char *cert = certificate_write(&folder, "me.pem", &me);
    const char *key = certificate_write_key(&folder, "me.key", &me, NULL);

    (void) state;
    start_with(server_answer, &ca, "DNS:users.test", &ca);
    h1 = tls_conf(ca_file, "users.test");
    h1.tls_conf.cert = cert;
    h1.tls_conf.key = key;
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &with);
    assert_int_equal(with.err, 0);
    h1_owner_free(loop, &owner);
    open_owner(ca_file, "users.test");
    h1_call_do(loop, &owner, &without);
    assert_int_equal(without.err, MESH_ERR_TLS);
    assert_int_equal(server.requests, 1);
    certificate_free(&me);
}

/* Nobody is asked for it on a terminal. */
static void a_locked_key_is_an_error(void **state)
{
    struct http_h1_conf h1;
    struct h1_call call = { 0 };
    struct certificate me =
        certificate_make((struct certificate_spec){ .common_name = "me", .names = "DNS:me.test", .issuer = &ca });

    (void) state;
    start_with(server_answer, &ca, "DNS:users.test", &ca);
    h1 = tls_conf(ca_file, "users.test");
    h1.tls_conf.cert = certificate_write(&folder, "locked.pem", &me);
    h1.tls_conf.key = certificate_write_key(&folder, "locked.key", &me, "secret");
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_TLS);
    assert_int_equal(call.reach, HTTP_NOT_SENT);
    certificate_free(&me);
}

static void answer_and_close(struct server_conn *conn)
{
    if (!server_read(conn))
        return;
    server_send(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    SSL_shutdown(conn->ssl);
    server_wait_end(conn);
}

static void later_connections_resume_the_session(void **state)
{
    (void) state;
    start_with(answer_and_close, &ca, "DNS:users.test", NULL);
    open_owner(ca_file, "users.test");
    for (int i = 0; i < 4; i++) {
        struct h1_call call = { 0 };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
    }
    assert_int_equal(server.accepted, 4);
    assert_int_equal(server.resumed, 3);
}

static void answer_then_end_idle(struct server_conn *conn)
{
    if (!server_read(conn))
        return;
    server_send(conn, conn->server->user);
    SSL_shutdown(conn->ssl);
}

static bool is_over(void *user)
{
    int i = *(int *) user;
    bool over;

    if (server.accepted <= i)
        return false;
    pthread_mutex_lock(&server.lock);
    over = server.conns[i].fd < 0;
    pthread_mutex_unlock(&server.lock);
    return over;
}

/* libcurl takes the farewell in the socket for a sign of life. */
static void an_idle_connection_that_has_ended_is_not_used(void **state)
{
    (void) state;
    start_with(answer_then_end_idle, &ca, "DNS:users.test", NULL);
    open_owner(ca_file, "users.test");
    for (int i = 0; i < 4; i++) {
        struct h1_call call = { .method = "POST", .upload = "abc" };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        for (int spins = 0; !is_over(&i) && spins < TEST_GUARD_MS * 1000; spins++)
            sched_yield();
        if (i % 2)
            test_loop_turns(loop, 3);
    }
    assert_int_equal(server.accepted, 4);
    assert_int_equal(server.requests, 4);
}

static void answer_without_length(struct server_conn *conn)
{
    if (!server_read(conn))
        return;
    server_send(conn, "HTTP/1.1 200 OK\r\n\r\nsome of it");
    if (conn->number == 1)
        SSL_shutdown(conn->ssl);
}

static void an_answer_without_length_ends_with_close_notify(void **state)
{
    struct h1_call whole = { 0 }, cut = { 0 };

    (void) state;
    start_with(answer_without_length, &ca, "DNS:users.test", NULL);
    open_owner(ca_file, "users.test");
    h1_call_do(loop, &owner, &whole);
    assert_int_equal(whole.err, 0);
    assert_string_equal(whole.body, "some of it");
    h1_call_do(loop, &owner, &cut);
    assert_int_equal(cut.err, MESH_ERR_RESET);
}

static void end_in_handshake(struct server_conn *conn)
{
    (void) conn;
}

static void an_end_in_the_handshake_is_no_question_of_trust(void **state)
{
    struct h1_call call = { 0 };
    struct http_h1_conf h1;

    (void) state;
    server_start(&server, end_in_handshake, NULL);
    h1 = tls_conf(ca_file, "users.test");
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_CONNECT);
    assert_int_equal(call.reach, HTTP_NOT_SENT);
    assert_non_null(strstr(call.fault.text, "handshake"));
}

static void old_versions_are_refused(void **state)
{
    struct h1_call call = { 0 };
    struct certificate own =
        certificate_make((struct certificate_spec){ .common_name = "x", .names = "DNS:users.test", .issuer = &ca });

    (void) state;
    server_start_tls(&server, server_answer, OK_EMPTY, &own, NULL);
    SSL_CTX_set_max_proto_version(server.context, TLS1_1_VERSION);
    certificate_free(&own);
    open_owner(ca_file, "users.test");
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_TLS);
}

static ssize_t read_large(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    size_t left = (1 << 20) - call->uploaded, n = left < cap ? left : cap;

    memset(buf, 'x', n);
    call->uploaded += n;
    *eof = n == left;
    return (ssize_t) n;
}

static void large_bodies_go_through(void **state)
{
    struct h1_call call = { .method = "PUT", .read = read_large, .upload_len = -1 };

    (void) state;
    start_with(server_answer, &ca, "DNS:users.test", NULL);
    open_owner(ca_file, "users.test");
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, 0);
    assert_int_equal(server.conns[0].body_bytes, 1 << 20);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_trusted_peer_is_spoken_to),
        WITH_SERVER(an_address_may_be_the_name),
        WITH_SERVER(who_is_not_trusted_hears_nothing),
        WITH_SERVER(a_peer_has_a_wanted_name_or_hears_nothing),
        WITH_SERVER(an_expired_certificate_is_refused),
        WITH_SERVER(verification_may_be_switched_off_in_words),
        WITH_SERVER(the_environment_names_roots_too),
        WITH_SERVER(a_missing_file_is_named),
        WITH_SERVER(clients_show_their_certificate),
        WITH_SERVER(a_locked_key_is_an_error),
        WITH_SERVER(later_connections_resume_the_session),
        WITH_SERVER(an_idle_connection_that_has_ended_is_not_used),
        WITH_SERVER(an_answer_without_length_ends_with_close_notify),
        WITH_SERVER(an_end_in_the_handshake_is_no_question_of_trust),
        WITH_SERVER(old_versions_are_refused),
        WITH_SERVER(large_bodies_go_through),
    };

    return cmocka_run_group_tests(tests, make_authorities, drop_authorities);
}
