/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 through a proxy: the absolute form for http, a tunnel for https, and nothing of the environment's. */
#include "support/h1_server.h"
#include "support/h1_call.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct loop *loop;
static struct server proxy, server;
static struct h1_owner owner;
static struct certificate ca;
static struct certificate_folder folder;
static const char *ca_file;
static char proxy_url[64];

static int make_authority(void **state)
{
    (void) state;
    certificate_folder_make(&folder);
    ca = certificate_make((struct certificate_spec){ .common_name = "ca", .is_authority = 1 });
    ca_file = certificate_write(&folder, "ca.pem", &ca);
    return 0;
}

static int drop_authority(void **state)
{
    (void) state;
    certificate_free(&ca);
    certificate_folder_remove(&folder);
    return 0;
}

/* False at the end. */
static bool pass(int from, int to)
{
    char bytes[4096];
    ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0)
        n = send(to, bytes, (size_t) n, MSG_NOSIGNAL);
    return n != 0;
}

/* A tunnel to `server`, whatever name was asked for. */
static void tunnel(struct server_conn *conn)
{
    struct sockaddr_storage to;
    socklen_t len = addr_to_sockaddr(&server.addr, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd fds[2] = { { .fd = conn->fd, .events = POLLIN }, { .fd = fd, .events = POLLIN } };

    if (server_read(conn) && connect(fd, (struct sockaddr *) &to, len) == 0) {
        server_send(conn, "HTTP/1.1 200 Tunnel\r\nx-proxy: yes\r\n\r\n");
        while (poll(fds, 2, -1) > 0 && pass(conn->fd, fd) && pass(fd, conn->fd))
            continue;
    }
    close(fd);
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
    server_stop(&proxy);
    loop_free(loop);
    return mesh_test_unwatch(state);
}

static struct http_h1_conf start(void (*serve)(struct server_conn *), const void *user)
{
    char text[ADDR_TEXT];
    struct http_h1_conf h1;

    server_start(&proxy, serve, user);
    h1 = h1_conf_for(&proxy.addr); /* never used */
    h1.addrs[0].port = 1;
    snprintf(proxy_url, sizeof proxy_url, "http://%.40s", addr_format(&proxy.addr, text));
    h1.proxy = proxy_url;
    return h1;
}

static void plain_requests_name_the_whole_target(void **state)
{
    static const struct {
        const char *method, *authority, *path, *head;
    } cases[] = {
        { "GET", "users:81", "/a?b", "GET http://users:81/a?b HTTP/1.1\r\nHost: users:81\r\n\r\n" },
        { "GET", "pay", "/", "GET http://pay/ HTTP/1.1\r\nHost: pay\r\n\r\n" },
        { "GET", "[::1]:81", "/x", "GET http://[::1]:81/x HTTP/1.1\r\nHost: [::1]:81\r\n\r\n" },
        { "OPTIONS", "users:81", "*", "OPTIONS http://users:81 HTTP/1.1\r\nHost: users:81\r\n\r\n" },
    };
    struct http_h1_conf h1 = start(server_answer, OK_EMPTY);

    (void) state;
    h1_owner_open_with(loop, &owner, &h1, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct h1_call call = { .method = cases[i].method, .authority = cases[i].authority, .path = cases[i].path };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        assert_string_equal(proxy.head, cases[i].head);
    }
    assert_int_equal(proxy.accepted, 1);
}

static void tls_goes_through_a_tunnel(void **state)
{
    struct mesh_header secret = { "authorization", "secret" };
    struct http_h1_conf h1 = start(tunnel, NULL);
    struct certificate own =
        certificate_make((struct certificate_spec){ .common_name = "x", .names = "DNS:users.test", .issuer = &ca });

    (void) state;
    server_start_tls(&server, server_answer, OK_EMPTY, &own, NULL);
    certificate_free(&own);
    h1.tls = true;
    h1.tls_conf.ca = ca_file;
    h1.server_name = "users.test";
    h1_owner_open_with(loop, &owner, &h1, NULL);
    for (int i = 0; i < 3; i++) {
        struct h1_call call = {
            .authority = "users.internal:8443", .path = "/a?b", .headers = &secret, .n_headers = 1
        };

        h1_call_do(loop, &owner, &call);
        assert_int_equal(call.err, 0);
        assert_string_equal(call.lines, "content-length=0\n");
    }
    assert_string_equal(proxy.head, "CONNECT users.internal:8443 HTTP/1.1\r\nHost: users.internal:8443\r\n\r\n");
    assert_string_equal(server.head, "GET /a?b HTTP/1.1\r\nHost: users.internal:8443\r\nauthorization: secret\r\n\r\n");
    assert_string_equal(server.sni, "users.test");
    assert_int_equal(proxy.accepted, 1);
    h1_owner_free(loop, &owner);
    server_stop(&server);
}

static void a_proxy_that_refuses_has_passed_nothing_on(void **state)
{
    struct http_h1_conf h1 = start(server_answer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    struct h1_call call = { .authority = "users.internal" };

    (void) state;
    h1.tls = true;
    h1.server_name = "users.test";
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &call);
    assert_int_equal(call.err, MESH_ERR_CONNECT);
    assert_int_equal(call.reach, HTTP_NOT_SENT);
    assert_non_null(strstr(call.fault.text, "403"));
    assert_non_null(strstr(call.fault.text, proxy_url));
}

static void read_tunnelled_and_close(struct server_conn *conn)
{
    if (conn->number == 1 && server_read(conn))
        server_send(conn, OK_EMPTY);
    server_read(conn);
}

/* The bytes of CONNECT are no bytes of the request, and those of the request count even so. */
static void a_tunnelled_request_is_sent_once(void **state)
{
    struct http_h1_conf h1 = start(tunnel, NULL);
    struct certificate own =
        certificate_make((struct certificate_spec){ .common_name = "x", .names = "DNS:users.test", .issuer = &ca });
    struct h1_call first = { .authority = "a" }, second = { .authority = "a", .method = "POST", .upload = "b" };

    (void) state;
    server_start_tls(&server, read_tunnelled_and_close, NULL, &own, NULL);
    certificate_free(&own);
    h1.tls = true;
    h1.tls_conf.ca = ca_file;
    h1.server_name = "users.test";
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &first);
    assert_int_equal(first.err, 0);
    h1_call_do(loop, &owner, &second);
    assert_int_equal(second.err, MESH_ERR_RESET);
    assert_int_equal(second.reach, HTTP_MAYBE);
    assert_int_equal(server.requests, 2);
    h1_owner_free(loop, &owner);
    server_stop(&server);
}

static void the_name_of_a_proxy_is_looked_up(void **state)
{
    struct http_h1_conf h1 = start(server_answer, OK_EMPTY);
    struct h1_call good = { 0 }, bad = { 0 };

    (void) state;
    snprintf(proxy_url, sizeof proxy_url, "http://localhost:%u", proxy.addr.port);
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &good);
    assert_int_equal(good.err, 0);
    h1_owner_free(loop, &owner);
    h1.proxy = "http://proxy.invalid:3128";
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &bad);
    assert_int_equal(bad.err, MESH_ERR_DNS);
    assert_int_equal(bad.reach, HTTP_NOT_SENT);
}

static void the_environment_names_no_proxy(void **state)
{
    struct http_h1_conf h1 = start(server_answer, OK_EMPTY);
    struct h1_call direct = { 0 }, by_proxy = { 0 };

    (void) state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    setenv("no_proxy", "*", 1);
    h1_owner_open_with(loop, &owner, &h1, NULL);
    h1_call_do(loop, &owner, &by_proxy);
    h1_owner_free(loop, &owner);
    assert_int_equal(by_proxy.err, 0);
    assert_non_null(strstr(proxy.head, "GET http://users/"));
    unsetenv("no_proxy");
    h1_owner_open(loop, &owner, &proxy.addr);
    h1_call_do(loop, &owner, &direct);
    assert_int_equal(direct.err, 0);
    assert_non_null(strstr(proxy.head, "GET / "));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

int main(void)
{
#define WITH_PROXY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_PROXY(plain_requests_name_the_whole_target),       WITH_PROXY(tls_goes_through_a_tunnel),
        WITH_PROXY(a_proxy_that_refuses_has_passed_nothing_on), WITH_PROXY(a_tunnelled_request_is_sent_once),
        WITH_PROXY(the_name_of_a_proxy_is_looked_up),           WITH_PROXY(the_environment_names_no_proxy),
    };

    return cmocka_run_group_tests(tests, make_authority, drop_authority);
}
