/* SPDX-License-Identifier: Apache-2.0 */
/* TLS streams once the peer is trusted: bytes both ways, ends of every kind, resumption, what is left behind. */
#include "support/dialling.h"
#include "support/tls_peer.h"

#include <openssl/err.h>

static struct certificate_folder folder;
static struct certificate certificate; /* self-signed, and trusted */
static const char *trusted;
static struct net_tls *tls;
static struct loop *loop;

static struct net_tls *tls_of(struct net_tls_conf conf)
{
    struct net_tls *made;
    struct fault fault;

    if (net_tls_new(&conf, &made, &fault) != 0)
        fail_msg("%s", fault.text);
    return made;
}

static int set_up_all(void **state)
{
    (void) state;
    certificate_folder_make(&folder);
    certificate =
        certificate_make((struct certificate_spec){ .common_name = "users", .names = "DNS:users.test,DNS:other.test" });
    trusted = certificate_write(&folder, "ca.pem", &certificate);
    return 0;
}

static int tear_down_all(void **state)
{
    (void) state;
    certificate_free(&certificate);
    certificate_folder_remove(&folder);
    return 0;
}

static int set_up(void **state)
{
    (void) state;
    loop = dialling_loop();
    tls = tls_of((struct net_tls_conf){ .ca = trusted });
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    net_tls_unref(tls);
    loop_free(loop);
    return 0;
}

static struct net_stream *open_stream(const struct peer *peer, struct net_tls *with, const char *name)
{
    struct dialled dialled =
        dial(loop, (struct net_dial_conf){ .addrs = &peer->addr, .n_addrs = 1, .tls = with, .server_name = name });

    if (dialled.err)
        fail_msg("%s", dialled.fault.text);
    return dialled.stream;
}

static void start(struct peer *peer, enum peer_manner manner)
{
    peer_start(peer, (struct peer_conf){ .manner = manner, .certificate = &certificate });
}

/* ---- bytes ---- */

static void test_pending_bytes_are_told(void **state)
{
    struct net_stream *stream;
    struct peer peer;
    char byte;

    (void) state;
    start(&peer, PEER_ECHO);
    stream = open_stream(&peer, tls, "users.test");
    assert_true(stream_write_all(stream, "hello", 5));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(stream_read(stream, &byte, 1), 1);
        assert_int_equal(byte, "hello"[i]);
        assert_int_equal(net_stream_pending(stream), i < 4);
    }
    assert_int_equal(net_stream_read(stream, &byte, 1), NET_AGAIN);
    assert_false(net_stream_pending(stream));
    assert_int_equal(net_stream_wants(stream, false), EPOLLIN);
    net_stream_close(stream);
    peer_stop(&peer);
}

/* Writes and reads as they come, so that both directions fill. */
static void echo(struct net_stream *stream, const char *bytes, size_t len)
{
    static char buf[100000];
    size_t written = 0, read = 0;

    while (read < len) {
        ssize_t w = written < len ? net_stream_write(stream, bytes + written, len - written) : NET_AGAIN;
        ssize_t r = net_stream_read(stream, buf, sizeof buf);

        assert_true(w > 0 || w == NET_AGAIN);
        assert_true(r > 0 || r == NET_AGAIN);
        if (r > 0) {
            assert_memory_equal(buf, bytes + read, (size_t) r);
            read += (size_t) r;
        }
        written += w > 0 ? (size_t) w : 0;
        if (w < 0 && r < 0)
            stream_wait(stream, written < len);
    }
}

static void test_megabytes_both_ways(void **state)
{
    enum { LEN = 8 << 20 };
    char *bytes = malloc(LEN);
    struct net_stream *stream;
    struct peer peer;

    (void) state;
    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (char) (i * 2654435761u >> 13);
    start(&peer, PEER_ECHO);
    stream = open_stream(&peer, tls, "users.test");
    echo(stream, bytes, LEN);
    net_stream_close(stream);
    peer_stop(&peer);
    free(bytes);
}

/* The bytes of a write that was put off may come from somewhere else the next time, and be more. */
static void test_write_goes_on_after_waiting(void **state)
{
    static char first[30000], second[60000];
    struct net_stream *stream;
    struct peer peer;
    uint64_t sent = 0;
    ssize_t n;

    (void) state;
    start(&peer, PEER_SWALLOW);
    stream = open_stream(&peer, tls, "users.test");
    while ((n = net_stream_write(stream, first, sizeof first)) > 0)
        sent += (uint64_t) n;
    assert_int_equal(n, NET_AGAIN);
    assert_int_equal(net_stream_wants(stream, true), EPOLLIN | EPOLLOUT);
    atomic_store(&peer.go, true);
    assert_true(stream_write_all(stream, second, sizeof second));
    net_stream_shutdown(stream);
    assert_int_equal(stream_read(stream, first, sizeof first), 0);
    net_stream_close(stream);
    peer_stop(&peer);
    assert_int_equal(peer.bytes, sent + sizeof second);
    assert_int_equal(peer.closed_with_notify, 1);
}

/* ---- ends ---- */

static void test_proper_end(void **state)
{
    struct net_stream *stream;
    struct peer peer;
    char buf[8];

    (void) state;
    start(&peer, PEER_FAREWELL);
    stream = open_stream(&peer, tls, "users.test");
    assert_int_equal(stream_read(stream, buf, sizeof buf), 3);
    assert_memory_equal(buf, "bye", 3);
    assert_int_equal(stream_read(stream, buf, sizeof buf), 0);
    assert_int_equal(stream_read(stream, buf, sizeof buf), 0);
    net_stream_close(stream);
    peer_stop(&peer);
}

static void test_end_without_notify_is_a_failure(void **state)
{
    struct net_stream *stream;
    struct peer peer;
    char buf[8];

    (void) state;
    start(&peer, PEER_CUT);
    stream = open_stream(&peer, tls, "users.test");
    assert_int_equal(stream_read(stream, buf, sizeof buf), 3);
    assert_int_equal(stream_read(stream, buf, sizeof buf), NET_FAILED);
    assert_int_equal(net_stream_fault(stream)->code, MESH_ERR_RESET);
    assert_says(net_stream_fault(stream), "ended without TLS close-notify");
    assert_int_equal(stream_read(stream, buf, sizeof buf), NET_FAILED);
    net_stream_close(stream);
    peer_stop(&peer);
}

/* Also straight after the handshake, when tickets are still to come. */
static void test_shutdown_is_told_and_reading_goes_on(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct net_stream *stream;
        struct peer peer;
        char buf[8];

        peer_start(&peer, (struct peer_conf){ .certificate = &certificate, .max_version = versions[i] });
        stream = open_stream(&peer, tls, "users.test");
        assert_true(stream_write_all(stream, "late", 4));
        net_stream_shutdown(stream);
        assert_int_equal(stream_read(stream, buf, sizeof buf), 4);
        assert_memory_equal(buf, "late", 4);
        assert_int_equal(stream_read(stream, buf, sizeof buf), 0);
        net_stream_close(stream);
        peer_stop(&peer);
        assert_int_equal(peer.closed_with_notify, 1);
        assert_int_equal(peer.closed_without_notify, 0);
    }
}

static void test_close_is_silent(void **state)
{
    struct net_stream *stream;
    struct peer peer;
    char buf[8];

    (void) state;
    start(&peer, PEER_ECHO);
    stream = open_stream(&peer, tls, "users.test");
    assert_true(stream_write_all(stream, "hello", 5));
    assert_int_equal(stream_read(stream, buf, sizeof buf), 5);
    net_stream_close(stream);
    stream = open_stream(&peer, tls, "users.test"); /* accepted after the first one's end */
    assert_int_equal(peer.closed_with_notify, 0);
    assert_int_equal(peer.closed_without_notify, 1);
    net_stream_close(stream);
    net_stream_close(NULL);
    peer_stop(&peer);
}

static void test_writing_to_the_dead_raises_nothing(void **state)
{
    static char block[20000];
    struct net_stream *stream;
    struct peer peer;

    (void) state;
    start(&peer, PEER_CUT);
    stream = open_stream(&peer, tls, "users.test");
    while (stream_write_all(stream, block, sizeof block))
        continue;
    assert_int_equal(net_stream_fault(stream)->code, MESH_ERR_RESET);
    assert_says(net_stream_fault(stream), "connection to 127.0.0.1:");
    net_stream_close(stream);
    peer_stop(&peer);
}

/* OpenSSL keeps one queue of errors per thread; what others leave in it is not ours. */
static void test_errors_of_others_do_not_matter(void **state)
{
    struct net_stream *stream;
    struct peer peer;
    char buf[8];

    (void) state;
    start(&peer, PEER_ECHO);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_RECORD_TYPE);
    stream = open_stream(&peer, tls, "users.test");
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_RECORD_TYPE);
    assert_int_equal(net_stream_read(stream, buf, sizeof buf), NET_AGAIN);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_RECORD_TYPE);
    assert_int_equal(net_stream_write(stream, "hello", 5), 5);
    assert_int_equal(stream_read(stream, buf, sizeof buf), 5);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_RECORD_TYPE);
    net_stream_shutdown(stream);
    assert_int_equal(ERR_peek_error(), 0);
    net_stream_close(stream);
    peer_stop(&peer);
}

/* ---- resumption ---- */

/* A round trip, so that tickets have come. */
static bool was_resumed(const struct peer *peer, struct net_tls *with, const char *name)
{
    struct net_stream *stream = open_stream(peer, with, name);
    bool resumed = net_stream_resumed(stream);
    char buf[8];

    assert_true(stream_write_all(stream, "hello", 5));
    assert_int_equal(stream_read(stream, buf, sizeof buf), 5);
    net_stream_close(stream);
    return resumed;
}

static void test_second_connection_resumes(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct net_tls *own = tls_of((struct net_tls_conf){ .ca = trusted });
        struct net_tls *second = tls_of((struct net_tls_conf){ .ca = trusted });
        struct peer peer;

        peer_start(&peer, (struct peer_conf){ .certificate = &certificate, .max_version = versions[i] });
        assert_false(was_resumed(&peer, own, "users.test"));
        assert_true(was_resumed(&peer, own, "users.test"));
        assert_true(was_resumed(&peer, own, "users.test"));
        assert_false(was_resumed(&peer, own, "other.test")); /* another name is verified anew */
        assert_false(was_resumed(&peer, second, "users.test"));
        assert_true(was_resumed(&peer, own, "users.test"));
        peer_stop(&peer);
        assert_int_equal(peer.resumed, 3);
        net_tls_unref(own);
        net_tls_unref(second);
    }
}

/* The session stands for the certificate, so it does not live longer. */
static void test_session_of_an_expired_certificate(void **state)
{
    struct certificate expired =
        certificate_make((struct certificate_spec){ .common_name = "old", .names = "DNS:old.test", .until_s = -60 });
    struct net_tls *insecure = tls_of((struct net_tls_conf){ .insecure = true });
    struct peer peer;

    (void) state;
    peer_start(&peer, (struct peer_conf){ .certificate = &expired });
    assert_false(was_resumed(&peer, insecure, "old.test"));
    assert_false(was_resumed(&peer, insecure, "old.test"));
    peer_stop(&peer);
    net_tls_unref(insecure);
    certificate_free(&expired);
}

/* A server that was restarted knows the old ticket no more: a full handshake, no failure. */
static void test_ticket_of_a_former_server(void **state)
{
    struct peer peer;

    (void) state;
    start(&peer, PEER_ECHO);
    assert_false(was_resumed(&peer, tls, "users.test"));
    peer_stop(&peer);
    start(&peer, PEER_ECHO);
    assert_false(was_resumed(&peer, tls, "users.test"));
    assert_true(was_resumed(&peer, tls, "users.test"));
    peer_stop(&peer);
}

/* A stream outlives the last reference of others to its identity. */
static void test_stream_keeps_its_identity(void **state)
{
    struct net_tls *own = tls_of((struct net_tls_conf){ .ca = trusted });
    struct net_stream *stream;
    struct peer peer;
    char buf[8];

    (void) state;
    start(&peer, PEER_ECHO);
    stream = open_stream(&peer, own, "users.test");
    net_tls_unref(own);
    assert_true(stream_write_all(stream, "hello", 5));
    assert_int_equal(stream_read(stream, buf, sizeof buf), 5);
    net_stream_close(stream);
    peer_stop(&peer);
}

/* ---- memory ---- */

static struct dialled dial_everything(const struct peer *peer)
{
    struct loop_conf loop_conf = { .threadless = true };
    struct net_tls_conf conf = { .ca = trusted };
    struct dialled dialled = { .err = MESH_ERR_NOMEM };
    struct loop *own = NULL;
    struct net_tls *made = NULL;
    char buf[8];

    if (loop_new(&loop_conf, &own) == 0 && net_tls_new(&conf, &made, NULL) == 0)
        dialled =
            dial(own, (struct net_dial_conf){
                          .addrs = &peer->addr, .n_addrs = 1, .tls = made, .alpn = "h2", .server_name = "users.test" });
    if (dialled.stream) {
        assert_true(stream_write_all(dialled.stream, "hello", 5));
        assert_int_equal(stream_read(dialled.stream, buf, sizeof buf), 5);
        net_stream_close(dialled.stream);
    }
    net_tls_unref(made);
    if (own)
        loop_free(own);
    return dialled;
}

static void test_every_allocation_may_fail(void **state)
{
    struct peer peer;
    int64_t live;

    (void) state;
    start(&peer, PEER_ECHO);
    for (int then_all = 0; then_all < 2; then_all++) {
        bool was_reached = true;

        for (uint64_t nth = 1; was_reached; nth++) {
            struct dialled dialled;

            mem_watch(nth, then_all);
            dialled = dial_everything(&peer);
            was_reached = mem_unwatch(&live);
            assert_int_equal(live, 0);
            assert_true(dialled.err == 0 || dialled.err == MESH_ERR_NOMEM);
            assert_true(was_reached || dialled.err == 0);
        }
    }
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pending_bytes_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_megabytes_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write_goes_on_after_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_proper_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_without_notify_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shutdown_is_told_and_reading_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_is_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writing_to_the_dead_raises_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_of_others_do_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_connection_resumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_session_of_an_expired_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ticket_of_a_former_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_keeps_its_identity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_allocation_may_fail, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
