/* SPDX-License-Identifier: Apache-2.0 */
/* Streams through the public interface: large bodies both ways with bounded memory, by waiting and by events; how they end. */
#include <pthread.h>

#include "support/mesh_client.h"

enum { LARGE = 50 << 20, PIECE = 48 << 10, SMALL_WINDOW = 65535 };

struct fixture {
    struct h2_server *server;
    struct mesh_client *client;
    struct mesh_queue *queue;
};

static struct fixture begin(const char *const *keys)
{
    struct fixture f = { .server = h2_server_start(NULL) };

    f.client = client_of_server(f.server, keys);
    MESH_OK(mesh_queue_new(f.client, &f.queue));
    return f;
}

static void end(struct fixture *f)
{
    mesh_queue_free(f->queue);
    mesh_client_free(f->client);
    h2_server_stop(f->server);
}

static struct mesh_stream *open_stream(struct fixture *f, const char *method, const char *path,
                                       struct mesh_queue *queue)
{
    struct mesh_stream *stream;
    struct ask ask = { 0 };

    ask_for(&ask, path, "a");
    ask.opts.method = method;
    MESH_OK(mesh_stream_open(f->client, &ask.opts, queue, 5, &stream));
    return stream;
}

/* A body that is generated and checked as it goes. */
struct flow {
    uint64_t at, sum;
    uint8_t piece[PIECE];
};

static size_t fill(struct flow *flow, uint64_t until)
{
    size_t n = until - flow->at < PIECE ? (size_t) (until - flow->at) : PIECE;

    for (size_t i = 0; i < n; i++)
        flow->piece[i] = h2_pattern(flow->at + i);
    return n;
}

static void check(struct flow *flow, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (flow->piece[i] != h2_pattern(flow->at + i))
            fail_msg("byte %llu is wrong", (unsigned long long) (flow->at + i));
    flow->sum = h2_sum(flow->sum, flow->piece, n);
    flow->at += n;
}

static void trailers_say(struct mesh_stream *stream, uint64_t bytes, uint64_t sum)
{
    const struct mesh_response *response = mesh_stream_response(stream);
    char text[24];

    assert_non_null(response);
    assert_int_equal(mesh_response_status(response), 200);
    snprintf(text, sizeof text, "%llu", (unsigned long long) bytes);
    assert_string_equal(mesh_response_trailer(response, "x-bytes"), text);
    snprintf(text, sizeof text, "%llu", (unsigned long long) sum);
    assert_string_equal(mesh_response_trailer(response, "x-sum"), text);
}

/* The most memory this process has had, bytes. */
static uint64_t resident(void)
{
    return process_status("VmHWM") << 10;
}

static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");

    if (file) {
        fputs("5", file);
        fclose(file);
    }
}

/* Sanitizers keep freed memory for a while. */
static void memory_was_bounded(uint64_t before)
{
#if !defined(__SANITIZE_ADDRESS__) && !MESH_TEST_TSAN
    assert_true(resident() < before + (24 << 20));
#else
    (void) before;
#endif
}

/* ---- by waiting ---- */

static void download(void **state)
{
    static struct flow flow;
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "GET", "/give?bytes=52428800&trailers=1", NULL);
    uint64_t before;
    size_t got = 1;

    (void) state;
    flow = (struct flow){ 0 };
    reset_peak();
    before = resident();
    MESH_OK(mesh_stream_finish(stream));
    assert_int_equal(mesh_response_status(mesh_stream_response(stream)), 200);
    while (got > 0) {
        MESH_OK(mesh_stream_read(stream, flow.piece, sizeof flow.piece, &got));
        check(&flow, got);
    }
    assert_int_equal(flow.at, LARGE);
    trailers_say(stream, LARGE, flow.sum);
    MESH_OK(mesh_stream_read(stream, flow.piece, sizeof flow.piece, &got));
    assert_int_equal(got, 0);
    memory_was_bounded(before);
    mesh_stream_free(stream);
    end(&f);
}

static void upload(void **state)
{
    static struct flow flow;
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "POST", "/take", NULL);
    uint64_t before, sum = 0;
    size_t got, n;

    (void) state;
    flow = (struct flow){ 0 };
    reset_peak();
    before = resident();
    while ((n = fill(&flow, LARGE)) > 0) {
        MESH_OK(mesh_stream_write(stream, flow.piece, n, NULL));
        sum = h2_sum(sum, flow.piece, n);
        flow.at += n;
    }
    MESH_OK(mesh_stream_finish(stream));
    MESH_OK(mesh_stream_read(stream, flow.piece, sizeof flow.piece, &got));
    assert_int_equal(got, 0);
    trailers_say(stream, LARGE, sum);
    memory_was_bounded(before);
    mesh_stream_free(stream);
    end(&f);
}

static void *write_all(void *user)
{
    static struct flow flow;
    struct mesh_stream *stream = user;
    size_t n;

    flow = (struct flow){ 0 };
    while ((n = fill(&flow, LARGE)) > 0) {
        if (mesh_stream_write(stream, flow.piece, n, NULL) != 0)
            return NULL;
        flow.at += n;
    }
    return mesh_stream_finish(stream) == 0 ? user : NULL;
}

/* One thread writes, one reads; what is not read stops what is written. */
static void both_ways_at_once(void **state)
{
    static struct flow flow;
    struct fixture f = begin(PAIRS("http.window_bytes", "65535"));
    struct mesh_stream *stream = open_stream(&f, "POST", "/echo", NULL);
    pthread_t writer;
    size_t got = 1;
    void *wrote;

    (void) state;
    flow = (struct flow){ 0 };
    assert_int_equal(pthread_create(&writer, NULL, write_all, stream), 0);
    while (got > 0) {
        MESH_OK(mesh_stream_read(stream, flow.piece, sizeof flow.piece, &got));
        check(&flow, got);
    }
    pthread_join(writer, &wrote);
    assert_ptr_equal(wrote, stream);
    assert_int_equal(flow.at, LARGE);
    trailers_say(stream, LARGE, flow.sum);
    mesh_stream_free(stream);
    end(&f);
}

/* ---- by events ---- */

struct progress {
    struct flow in, out;
    uint64_t to_write, to_read;
    unsigned heads, ends;
    bool finished, readable, writable;
    int32_t err;
};

static void note(struct progress *p, const struct mesh_event *event)
{
    assert_int_equal(event->tag, 5);
    assert_null(event->response);
    assert_int_equal(p->ends, 0);
    switch (event->kind) {
    case MESH_EVENT_HEAD:
        p->heads++;
        break;
    case MESH_EVENT_READABLE:
        p->readable = true;
        break;
    case MESH_EVENT_WRITABLE:
        p->writable = true;
        break;
    case MESH_EVENT_END:
        p->ends++;
        p->err = event->err;
        p->readable = true;
        break;
    default:
        fail_msg("event %u", event->kind);
    }
}

static void write_what_goes(struct progress *p, struct mesh_stream *stream)
{
    while (p->writable && p->out.at < p->to_write) {
        size_t taken, n = fill(&p->out, p->to_write);
        int32_t err = mesh_stream_write(stream, p->out.piece, n, &taken);

        p->out.sum = h2_sum(p->out.sum, p->out.piece, taken);
        p->out.at += taken;
        if (err == MESH_ERR_AGAIN)
            p->writable = false;
        else
            MESH_OK(err);
    }
    if (p->out.at == p->to_write && !p->finished) {
        MESH_OK(mesh_stream_finish(stream));
        p->finished = true;
    }
}

static void read_what_comes(struct progress *p, struct mesh_stream *stream)
{
    while (p->readable) {
        size_t got;
        int32_t err = mesh_stream_read(stream, p->in.piece, sizeof p->in.piece, &got);

        if (err == 0)
            check(&p->in, got);
        p->readable = err == 0 && got > 0;
        if (err != 0 && err != MESH_ERR_AGAIN)
            MESH_OK(err);
    }
}

/* Until the END event. */
static void pump(struct fixture *f, struct mesh_stream *stream, struct progress *p, bool by_descriptor)
{
    struct pollfd fd = { .fd = by_descriptor ? mesh_queue_fd(f->queue) : -1, .events = POLLIN };

    while (p->ends == 0) {
        struct mesh_event events[8];
        int32_t n;

        if (by_descriptor)
            assert_int_equal(poll(&fd, 1, GUARD_MS), 1);
        n = mesh_queue_next(f->queue, events, 8, by_descriptor ? 0 : GUARD_MS);
        assert_true(n >= 0);
        for (int32_t i = 0; i < n; i++)
            note(p, &events[i]);
        write_what_goes(p, stream);
        read_what_comes(p, stream);
    }
    MESH_OK(p->err);
    assert_int_equal(p->heads, 1);
    assert_int_equal(p->in.at, p->to_read);
}

static struct progress *progress_new(uint64_t to_write, uint64_t to_read)
{
    struct progress *p = calloc(1, sizeof *p);

    p->to_write = to_write;
    p->to_read = to_read;
    p->writable = true;
    return p;
}

static void by_events(const char *path, uint64_t to_write, uint64_t to_read, bool by_descriptor)
{
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "POST", path, f.queue);
    struct progress *p = progress_new(to_write, to_read);
    struct mesh_event event;
    uint64_t before;

    reset_peak();
    before = resident();
    write_what_goes(p, stream);
    pump(&f, stream, p, by_descriptor);
    trailers_say(stream, to_write ? to_write : to_read, to_write ? p->out.sum : p->in.sum);
    memory_was_bounded(before);
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 0);
    mesh_stream_free(stream);
    free(p);
    end(&f);
}

static void download_by_events(void **state)
{
    (void) state;
    by_events("/give?bytes=52428800&trailers=1", 0, LARGE, false);
}

static void upload_by_events(void **state)
{
    (void) state;
    by_events("/take", LARGE, 0, false);
}

static void both_ways_by_events(void **state)
{
    (void) state;
    by_events("/echo", LARGE, LARGE, false);
}

static void both_ways_by_the_descriptor(void **state)
{
    (void) state;
    by_events("/echo", LARGE / 4, LARGE / 4, true);
}

/* ---- back-pressure ---- */

/* Nobody reads, so the server may not go on; reading lets it. */
static void who_does_not_read_stops_the_server(void **state)
{
    static struct flow flow;
    struct fixture f = begin(PAIRS("http.window_bytes", "65535"));
    struct mesh_stream *stream = open_stream(&f, "POST", "/echo", f.queue);
    size_t taken, n, stuck = 0;

    (void) state;
    flow = (struct flow){ 0 };
    while (stuck < 100) { /* tenth of a second in which nothing is taken any more */
        struct mesh_event events[8];
        int32_t err;

        n = fill(&flow, LARGE);
        err = mesh_stream_write(stream, flow.piece, n, &taken);
        assert_true(err == 0 || err == MESH_ERR_AGAIN);
        flow.at += taken;
        stuck = taken > 0 ? 0 : stuck + 1;
        mesh_queue_next(f.queue, events, 8, 1);
    }
    /* ours, the server's window and our window, and what the server holds between them */
    assert_in_range(flow.at, 2 * SMALL_WINDOW, 1 << 20);
    mesh_stream_free(stream);
    UNTIL(h2_server_streams(f.server) == 0);
    ANSWER(get(f.client, "/ok", NULL), 0, 200, 1); /* the connection is as before */
    assert_int_equal(h2_server_accepted(f.server), 1);
    end(&f);
}

/* ---- heads, ends, failures ---- */

static void a_short_exchange(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    uint8_t buf[64];
    size_t got;

    (void) state;
    ask_for(&ask, "/echo", NULL);
    ask.opts.method = "POST";
    ask.opts.body = "one ";
    ask.opts.body_len = 4;
    MESH_OK(mesh_stream_open(f.client, &ask.opts, NULL, 0, &stream));
    MESH_OK(mesh_stream_write(stream, "two", 3, NULL));
    MESH_OK(mesh_stream_write(stream, NULL, 0, NULL));
    for (size_t n = 0; n < 7; n += got) {
        MESH_OK(mesh_stream_read(stream, buf, 1, &got));
        assert_int_equal(got, 1);
        assert_int_equal(buf[0], "one two"[n]);
    }
    MESH_OK(mesh_stream_finish(stream));
    MESH_OK(mesh_stream_finish(stream));
    assert_int_equal(mesh_stream_write(stream, "x", 1, NULL), MESH_ERR_INVALID);
    MESH_OK(mesh_stream_read(stream, buf, sizeof buf, &got));
    assert_int_equal(got, 0);
    mesh_stream_free(stream);
    mesh_stream_free(NULL);
    end(&f);
}

/* The whole answer is there while the body is still being written. */
static void an_early_end(void **state)
{
    static struct flow flow;
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "POST", "/early", NULL);
    int32_t err = 0;
    size_t got;

    (void) state;
    assert_int_equal(mesh_response_status(mesh_stream_response(stream)), 200);
    for (int i = 0; i < 1000 && !err; i++)
        err = mesh_stream_write(stream, flow.piece, sizeof flow.piece, NULL);
    assert_int_equal(err, MESH_ERR_RESET);
    MESH_OK(mesh_stream_read(stream, flow.piece, sizeof flow.piece, &got));
    assert_int_equal(got, 0);
    mesh_stream_free(stream);
    ANSWER(get(f.client, "/ok", NULL), 0, 200, 1);
    end(&f);
}

static void a_stream_that_fails_says_why(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "POST", "/kill", NULL);
    const struct mesh_response *response;
    uint8_t buf[64];
    size_t got;

    (void) state;
    assert_int_equal(mesh_stream_read(stream, buf, sizeof buf, &got), MESH_ERR_RESET);
    response = mesh_stream_response(stream);
    assert_non_null(response);
    assert_int_equal(mesh_response_error(response), MESH_ERR_RESET);
    assert_int_equal(mesh_response_status(response), 0);
    says(mesh_response_detail(response), "attempt 1 of 3");
    assert_int_equal(mesh_stream_write(stream, "x", 1, NULL), MESH_ERR_RESET);
    mesh_stream_free(stream);
    end(&f);
}

/* What was written is kept for another attempt while it is small. */
static void a_stream_is_retried_while_its_body_is_kept(void **state)
{
    static uint8_t body[40000];
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "PUT", "/status?code=503&first=1", NULL);
    const struct mesh_response *response;

    (void) state;
    MESH_OK(mesh_stream_write(stream, body, sizeof body, NULL));
    MESH_OK(mesh_stream_finish(stream));
    response = mesh_stream_response(stream);
    assert_int_equal(mesh_response_status(response), 200);
    assert_string_equal(h2_server_record(f.server, "a").attempts, "-,2");
    mesh_stream_free(stream);
    end(&f);
}

static void a_stream_that_has_sent_more_than_is_kept_is_not_retried(void **state)
{
    static uint8_t body[300000];
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "PUT", "/status?code=503&delay=300", NULL);
    const struct mesh_response *response;

    (void) state;
    MESH_OK(mesh_stream_write(stream, body, sizeof body, NULL));
    response = mesh_stream_response(stream);
    assert_int_equal(mesh_response_status(response), 503);
    assert_string_equal(h2_server_record(f.server, "a").attempts, "-");
    mesh_stream_free(stream);
    end(&f);
}

static void the_deadline_is_for_the_head(void **state)
{
    struct fixture f = begin(PAIRS("timeout_ms", "200", "stream.idle_ms", "60000"));
    struct mesh_stream *stream = open_stream(&f, "GET", "/never", NULL);
    uint8_t buf[512];
    size_t got;

    (void) state;
    MESH_OK(mesh_stream_finish(stream));
    assert_int_equal(mesh_stream_read(stream, buf, sizeof buf, &got), MESH_ERR_TIMEOUT);
    mesh_stream_free(stream);
    stream = open_stream(&f, "POST", "/echo", NULL);
    assert_int_equal(mesh_response_status(mesh_stream_response(stream)), 200);
    poll(NULL, 0, 300);
    MESH_OK(mesh_stream_write(stream, "late", 4, NULL));
    MESH_OK(mesh_stream_read(stream, buf, sizeof buf, &got));
    assert_int_equal(got, 4);
    mesh_stream_free(stream);
    end(&f);
}

static void a_silent_stream_has_a_limit(void **state)
{
    struct fixture f = begin(PAIRS("stream.idle_ms", "200"));
    struct mesh_stream *stream = open_stream(&f, "GET", "/hang", NULL);
    uint8_t buf[512];
    int32_t err;
    size_t got;

    (void) state;
    while ((err = mesh_stream_read(stream, buf, sizeof buf, &got)) == 0)
        assert_true(got > 0);
    assert_int_equal(err, MESH_ERR_TIMEOUT);
    says(mesh_response_detail(mesh_stream_response(stream)), "stream.idle_ms");
    mesh_stream_free(stream);
    end(&f);
}

static void a_failure_by_events(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "POST", "/kill", f.queue);
    struct mesh_event event;

    (void) state;
    assert_null(mesh_stream_response(stream));
    assert_int_equal(mesh_queue_next(f.queue, &event, 1, GUARD_MS), 1);
    assert_int_equal(event.kind, MESH_EVENT_END);
    assert_int_equal(event.err, MESH_ERR_RESET);
    assert_int_equal(event.tag, 5);
    assert_int_equal(mesh_response_error(mesh_stream_response(stream)), MESH_ERR_RESET);
    mesh_stream_free(stream);
    end(&f);
}

/* After mesh_stream_free() no event has the stream's tag. */
static void freed_streams_are_not_heard_of(void **state)
{
    struct fixture f = begin(NULL);

    (void) state;
    for (int i = 0; i < 300; i++) {
        struct mesh_stream *stream = open_stream(&f, "GET", i % 2 ? "/ok" : "/give?bytes=100000", f.queue);
        struct mesh_event event;

        mesh_stream_finish(stream);
        if (i % 3)
            poll(NULL, 0, i % 5 ? 0 : 2);
        mesh_stream_free(stream);
        assert_int_equal(mesh_queue_next(f.queue, &event, 1, 0), 0);
    }
    UNTIL(h2_server_streams(f.server) == 0);
    ANSWER(get(f.client, "/ok", NULL), 0, 200, 1);
    end(&f);
}

/* ---- many at once ---- */

static void *one_echo(void *user)
{
    struct fixture *f = user;
    struct flow *flow = calloc(1, sizeof *flow);
    struct mesh_stream *stream;
    struct ask ask = { 0 };
    bool ok = true;

    ask_for(&ask, "/echo", NULL);
    ask.opts.method = "POST";
    ok = mesh_stream_open(f->client, &ask.opts, NULL, 0, &stream) == 0;
    for (int i = 0; ok && i < 30; i++) {
        size_t n = 1 + (size_t) i * 500, there = 0, got = 1;

        for (size_t k = 0; k < n; k++)
            flow->piece[k] = (uint8_t) (i + k);
        ok = mesh_stream_write(stream, flow->piece, n, NULL) == 0;
        while (ok && there < n && got > 0) {
            ok = mesh_stream_read(stream, flow->piece, n - there, &got) == 0;
            for (size_t k = 0; ok && k < got; k++)
                ok = flow->piece[k] == (uint8_t) (i + (there + k));
            there += got;
        }
    }
    mesh_stream_free(stream);
    free(flow);
    return ok ? f : NULL;
}

static void many_streams(void **state)
{
    enum { N = 40 };
    struct fixture f = begin(PAIRS("loops", "2"));
    pthread_t threads[N];

    (void) state;
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_echo, &f), 0);
    for (int i = 0; i < N; i++) {
        void *ok;

        pthread_join(threads[i], &ok);
        assert_ptr_equal(ok, &f);
    }
    end(&f);
}

static void wrong_arguments_are_refused(void **state)
{
    struct fixture f = begin(NULL);
    struct mesh_stream *stream = open_stream(&f, "POST", "/echo", f.queue);
    struct ask ask = { 0 };
    uint8_t buf[4];
    size_t n = 7;

    (void) state;
    assert_int_equal(mesh_stream_write(stream, "x", 1, NULL), MESH_ERR_INVALID);
    assert_int_equal(mesh_stream_write(stream, NULL, 1, &n), MESH_ERR_INVALID);
    assert_int_equal(n, 0);
    assert_int_equal(mesh_stream_read(stream, buf, 0, &n), MESH_ERR_INVALID);
    assert_int_equal(mesh_stream_read(stream, buf, 4, NULL), MESH_ERR_INVALID);
    assert_int_equal(mesh_stream_read(NULL, buf, 4, &n), MESH_ERR_INVALID);
    assert_int_equal(mesh_stream_finish(NULL), MESH_ERR_INVALID);
    assert_null(mesh_stream_response(NULL));
    mesh_stream_free(stream);
    ask_for(&ask, "no slash", NULL);
    assert_int_equal(mesh_stream_open(f.client, &ask.opts, NULL, 0, &stream), MESH_ERR_INVALID);
    assert_null(stream);
    assert_int_equal(mesh_stream_open(f.client, NULL, NULL, 0, &stream), MESH_ERR_INVALID);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(download),
        cmocka_unit_test(upload),
        cmocka_unit_test(both_ways_at_once),
        cmocka_unit_test(download_by_events),
        cmocka_unit_test(upload_by_events),
        cmocka_unit_test(both_ways_by_events),
        cmocka_unit_test(both_ways_by_the_descriptor),
        cmocka_unit_test(who_does_not_read_stops_the_server),
        cmocka_unit_test(a_short_exchange),
        cmocka_unit_test(an_early_end),
        cmocka_unit_test(a_stream_that_fails_says_why),
        cmocka_unit_test(a_stream_is_retried_while_its_body_is_kept),
        cmocka_unit_test(a_stream_that_has_sent_more_than_is_kept_is_not_retried),
        cmocka_unit_test(the_deadline_is_for_the_head),
        cmocka_unit_test(a_silent_stream_has_a_limit),
        cmocka_unit_test(a_failure_by_events),
        cmocka_unit_test(freed_streams_are_not_heard_of),
        cmocka_unit_test(many_streams),
        cmocka_unit_test(wrong_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
