/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 with nghttpd, plain and TLS: many requests at once, large bodies in both directions, its own end. */
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "support/certificates.h"
#include "support/dialling.h"
#include "support/h2_peer.h"

enum { LARGE = 20 << 20, AT_ONCE = 300, CANCELS = 280 };

struct server {
    pid_t pid;
    struct addr addr;
    bool tls;
};

static struct certificate_folder folder;
static struct certificate certificate;
static const char *ca, *key;
static struct net_tls *tls;
static struct server plain, secure;

/* ---- the server ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *) &name, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &name, &len), 0);
    close(fd);
    return ntohs(name.sin_port);
}

static bool accepts(const struct addr *addr)
{
    struct sockaddr_storage name;
    socklen_t len = addr_to_sockaddr(addr, &name);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *) &name, len) == 0;

    close(fd);
    return ok;
}

/* False when there is no nghttpd, or when somebody was quicker to take the port. */
static bool try_start(struct server *server)
{
    char port[8], docs[96];
    const char *plain_args[] = { "nghttpd", "-a", "127.0.0.1", "--echo-upload", docs, "--no-tls", port, NULL };
    const char *tls_args[] = { "nghttpd", "-a", "127.0.0.1", "--echo-upload", docs, port, key, ca, NULL };
    const char **args = server->tls ? tls_args : plain_args;
    uint16_t number = free_port();
    extern char **environ;

    snprintf(port, sizeof port, "%u", number);
    snprintf(docs, sizeof docs, "--htdocs=%s", folder.path);
    assert_true(addr_parse(&server->addr, "127.0.0.1", 9, number));
    if (posix_spawnp(&server->pid, "nghttpd", NULL, NULL, (char *const *) (uintptr_t) args, environ) != 0)
        return false;
    for (int i = 0; i < TEST_GUARD_MS / 10; i++) {
        if (accepts(&server->addr))
            return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid)
            return false;
        poll(NULL, 0, 10);
    }
    return false;
}

static void start_server(struct server *server)
{
    for (int i = 0; i < 5; i++)
        if (try_start(server))
            return;
    server->pid = 0;
}

static void stop_server(struct server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGTERM);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static int set_up(void **state)
{
    struct fault fault;
    FILE *file;

    (void) state;
    certificate_folder_make(&folder);
    certificate = certificate_make((struct certificate_spec){ .common_name = "users", .names = "DNS:users.test" });
    ca = certificate_write(&folder, "ca.pem", &certificate);
    key = certificate_write_key(&folder, "key.pem", &certificate, NULL);
    file = fopen(certificate_path(&folder, "large"), "w");
    for (int i = 0; i < LARGE; i++)
        fputc('z', file);
    fclose(file);
    certificate_write_text(&folder, "small", "hello");
    MESH_OK(net_tls_new(&(struct net_tls_conf){ .ca = ca }, &tls, &fault));
    secure.tls = true;
    start_server(&plain);
    start_server(&secure);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    stop_server(&plain);
    stop_server(&secure);
    net_tls_unref(tls);
    certificate_free(&certificate);
    certificate_folder_remove(&folder);
    return 0;
}

/* ---- the client ---- */

static struct h2_peer *connect_to(const struct server *server, uint32_t window)
{
    struct h2_peer *client = calloc(1, sizeof *client);
    struct http_conn_conf conf = { .cluster = "users", .window = window };
    struct dialled dialled;
    struct fault fault;

    client->loop = test_loop_new();
    client->fd = -1;
    dialled = dial(client->loop, (struct net_dial_conf){ .addrs = &server->addr,
                                                         .n_addrs = 1,
                                                         .tls = server->tls ? tls : NULL,
                                                         .server_name = "users.test",
                                                         .alpn = server->tls ? "h2" : NULL });
    if (dialled.err)
        fail_msg("%s", dialled.fault.text);
    loop_enter(client->loop);
    MESH_OK(http_conn_h2(client->loop, &conf, dialled.stream, &h2_peer_ops, client, &client->conn, &fault));
    loop_leave(client->loop);
    return client;
}

static void start(struct h2_peer *client, struct h2_exchange *x, const char *path)
{
    const struct http_request request = {
        .method = x->body ? "POST" : "GET",
        .scheme = "http",
        .authority = "users.test",
        .path = path,
        .has_body = x->body,
        .body_len = (int64_t) x->body_left,
    };

    x->stream.ops = &h2_exchange_ops;
    loop_enter(client->loop);
    MESH_OK(http_stream_open(client->conn, &x->stream, &request));
    loop_leave(client->loop);
}

static bool has_ended(void *user)
{
    return ((struct h2_exchange *) user)->n_ends > 0;
}

static void wait_for(struct h2_peer *client, struct h2_exchange *x)
{
    test_loop_until(client->loop, has_ended, x);
    if (x->err)
        fail_msg("%s", x->fault);
}

static void with_both(void (*scene)(struct h2_peer *client))
{
    const struct server *servers[] = { &plain, &secure };

    for (int i = 0; i < 2; i++) {
        struct h2_peer *client;

        if (servers[i]->pid == 0)
            skip();
        client = connect_to(servers[i], 1 << 20);
        scene(client);
        h2_peer_free(client);
    }
}

/* ---- scenes ---- */

static void download(struct h2_peer *client)
{
    struct h2_exchange x = { 0 };

    start(client, &x, "/large");
    wait_for(client, &x);
    assert_int_equal(x.status, 200);
    assert_int_equal(x.received, LARGE);
}

static void upload(struct h2_peer *client)
{
    struct h2_exchange x = { .body = "", .body_left = LARGE };

    start(client, &x, "/echo");
    wait_for(client, &x);
    assert_int_equal(x.status, 200);
    assert_int_equal(x.stream.bytes_sent, LARGE);
    assert_int_equal(x.received, LARGE);
}

static bool has_room(void *user)
{
    return http_conn_room(user) > 0;
}

static void many(struct h2_peer *client)
{
    struct h2_exchange *x = calloc(AT_ONCE, sizeof *x);

    for (int i = 0; i < AT_ONCE; i++) {
        test_loop_until(client->loop, has_room, client->conn);
        start(client, &x[i], "/small");
    }
    for (int i = 0; i < AT_ONCE; i++) {
        wait_for(client, &x[i]);
        assert_int_equal(x[i].status, 200);
        assert_int_equal(x[i].received, 5);
    }
    free(x);
}

static bool has_begun(void *user)
{
    return ((struct h2_exchange *) user)->received > 0;
}

/* Each is in full flow: up to a window of it comes after its reset, which is nobody's fault. */
static void cancel_downloads(struct h2_peer *client)
{
    struct h2_exchange last = { 0 };

    for (int i = 0; i < CANCELS; i += 4) {
        struct h2_exchange x[4] = { 0 };

        for (int k = 0; k < 4; k++)
            start(client, &x[k], "/large");
        for (int k = 0; k < 4; k++)
            test_loop_until(client->loop, has_begun, &x[k]);
        for (int k = 0; k < 4; k++)
            h2_exchange_cancel(client, &x[k]);
    }
    start(client, &last, "/large");
    wait_for(client, &last);
    assert_int_equal(last.received, LARGE);
    assert_int_equal(client->n_closed + client->n_draining, 0);
}

static void test_download(void **state)
{
    (void) state;
    with_both(download);
}

static void test_upload(void **state)
{
    (void) state;
    with_both(upload);
}

static void test_many_at_once(void **state)
{
    (void) state;
    with_both(many);
}

static void test_cancelled_downloads(void **state)
{
    (void) state;
    with_both(cancel_downloads);
}

static bool is_closed(void *user)
{
    return ((struct h2_peer *) user)->n_closed > 0;
}

/* The last test: it kills the servers. */
static void test_killed(void **state)
{
    struct server *servers[] = { &plain, &secure };

    (void) state;
    for (int i = 0; i < 2; i++) {
        struct h2_peer *client;
        struct h2_exchange x = { .body = "", .body_left = 10, .waits = true };

        if (servers[i]->pid == 0)
            skip();
        client = connect_to(servers[i], 0);
        start(client, &x, "/echo");
        test_loop_turns(client->loop, 3);
        kill(servers[i]->pid, SIGKILL);
        stop_server(servers[i]);
        test_loop_until(client->loop, is_closed, client);
        assert_int_equal(x.n_ends, 1);
        assert_int_equal(x.err, MESH_ERR_RESET);
        h2_peer_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_download),     cmocka_unit_test(test_upload),
        cmocka_unit_test(test_many_at_once), cmocka_unit_test(test_cancelled_downloads),
        cmocka_unit_test(test_killed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
