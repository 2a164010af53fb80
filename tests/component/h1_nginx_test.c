/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 with nginx, plain and TLS, on unix sockets: no port to choose. */
#include "support/h1_call.h"
#include "support/certificates.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { LARGE = 3 << 20 };

static const char configuration[] =
    "daemon off; pid %s/pid; error_log %s/error.log; worker_processes 1;\n"
    "events { worker_connections 64; }\n"
    "http {\n"
    "  access_log off; client_body_temp_path %s/body; proxy_temp_path %s/proxy;\n"
    "  fastcgi_temp_path %s/fastcgi; uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
    "  keepalive_requests 3; client_max_body_size 10m;\n"
    "  server {\n"
    "    listen unix:%s/plain; listen unix:%s/tls ssl; root %s;\n"
    "    ssl_certificate %s/own.pem; ssl_certificate_key %s/own.key;\n"
    "    location /hello { return 200 hello; }\n"
    "    location /moved { return 302 /hello; }\n"
    "    location /proxied { proxy_pass http://unix:%s/plain:/large; }\n"
    "  }\n"
    "}\n";

static struct loop *loop;
static struct h1_owner owner;
static struct certificate ca, own;
static struct certificate_folder folder;
static const char *ca_file, *plain_path, *tls_path;
static pid_t nginx;

/* Every %s is the folder. */
static void write_configuration(void)
{
    char text[4096];
    const char *p = folder.path;

    assert_true(snprintf(text, sizeof text, configuration, p, p, p, p, p, p, p, p, p, p, p, p, p) < (int) sizeof text);
    certificate_write_text(&folder, "nginx.conf", text);
}

static void write_large_file(void)
{
    FILE *file = fopen(certificate_path(&folder, "large"), "w");

    assert_non_null(file);
    for (int i = 0; i < LARGE; i++)
        fputc('z', file);
    fclose(file);
}

static bool accepts(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    ok = connect(fd, (struct sockaddr *) &name, sizeof name) == 0;
    close(fd);
    return ok;
}

static bool start_nginx(void)
{
    char conf[96];
    char *arguments[] = { (char[]){ "nginx" }, (char[]){ "-p" }, folder.path, (char[]){ "-c" }, conf, NULL };
    extern char **environ;

    snprintf(conf, sizeof conf, "%s/nginx.conf", folder.path);
    if (posix_spawnp(&nginx, "nginx", NULL, NULL, arguments, environ) != 0)
        return false;
    for (int i = 0; i < TEST_GUARD_MS / 10 && !accepts(tls_path); i++) {
        if (waitpid(nginx, NULL, WNOHANG) == nginx)
            return false;
        poll(NULL, 0, 10);
    }
    return true;
}

static int make_all(void **state)
{
    (void) state;
    certificate_folder_make(&folder);
    chmod(folder.path, 0755); /* the worker may be another user */
    ca = certificate_make((struct certificate_spec){ .common_name = "ca", .is_authority = 1 });
    own = certificate_make((struct certificate_spec){ .common_name = "x", .names = "DNS:users.test", .issuer = &ca });
    ca_file = certificate_write(&folder, "ca.pem", &ca);
    certificate_write(&folder, "own.pem", &own);
    certificate_write_key(&folder, "own.key", &own, NULL);
    plain_path = certificate_path(&folder, "plain");
    tls_path = certificate_path(&folder, "tls");
    certificate_path(&folder, "error.log");
    certificate_path(&folder, "pid");
    write_configuration();
    write_large_file();
    if (start_nginx())
        return 0;
    nginx = 0;
    return 0;
}

static int drop_all(void **state)
{
    static const char *const made[] = { "body", "proxy", "fastcgi", "uwsgi", "scgi" };
    char path[96];

    (void) state;
    if (nginx) {
        kill(nginx, SIGTERM);
        waitpid(nginx, NULL, 0);
    }
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        snprintf(path, sizeof path, "%s/%s", folder.path, made[i]);
        rmdir(path);
    }
    certificate_free(&ca);
    certificate_free(&own);
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
    loop_free(loop);
    return mesh_test_unwatch(state);
}

static void open_owner(bool tls)
{
    struct addr addr;
    struct http_h1_conf h1;

    owner.conn = NULL;
    if (!nginx)
        skip(); /* it is not installed */
    assert_true(addr_unix(&addr, tls ? tls_path : plain_path));
    h1 = h1_conf_for(&addr);
    h1.tls = tls;
    h1.tls_conf.ca = ca_file;
    h1.server_name = "users.test";
    h1_owner_open_with(loop, &owner, &h1, NULL);
}

static void exchange_everything(void)
{
    for (int i = 0; i < 10; i++) {
        struct h1_call get = { .path = "/hello" }, head = { .method = "HEAD", .path = "/large" };
        struct h1_call moved = { .path = "/moved" }, missing = { .path = "/missing" };

        h1_call_do(loop, &owner, &get);
        assert_int_equal(get.err, 0);
        assert_string_equal(get.body, "hello");
        h1_call_do(loop, &owner, &head);
        assert_int_equal(head.err, 0);
        assert_true(head.head_was_end);
        h1_call_do(loop, &owner, &moved);
        assert_int_equal(moved.status, 302);
        h1_call_do(loop, &owner, &missing);
        assert_int_equal(missing.status, 404);
    }
}

static ssize_t read_large(struct h1_call *call, uint8_t *buf, size_t cap, bool *eof)
{
    size_t left = LARGE - call->uploaded, n = left < cap ? left : cap;

    memset(buf, 'x', n);
    call->uploaded += n;
    *eof = n == left;
    return (ssize_t) n;
}

static void exchange_large_bodies(void)
{
    struct h1_call file = { .path = "/large" }, proxied = { .path = "/proxied" };
    struct h1_call upload = { .method = "POST", .path = "/hello", .read = read_large, .upload_len = -1 };

    h1_call_do(loop, &owner, &file);
    assert_int_equal(file.err, 0);
    assert_int_equal(file.body_bytes, LARGE);
    h1_call_do(loop, &owner, &proxied);
    assert_int_equal(proxied.err, 0);
    assert_int_equal(proxied.body_bytes, LARGE);
    h1_call_do(loop, &owner, &upload);
    assert_int_equal(upload.err, 0);
    assert_int_equal(upload.status, 200);
}

static void plain(void **state)
{
    (void) state;
    open_owner(false);
    exchange_everything();
    exchange_large_bodies();
}

static void tls(void **state)
{
    (void) state;
    open_owner(true);
    exchange_everything();
    exchange_large_bodies();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain, setup, teardown),
        cmocka_unit_test_setup_teardown(tls, setup, teardown),
    };

    return cmocka_run_group_tests(tests, make_all, drop_all);
}
