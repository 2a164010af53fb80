/* SPDX-License-Identifier: Apache-2.0 */
/* Where lines go and what happens when they cannot: full pipes, full disks, closed descriptors, rotation, forks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mesh_test.h"
#include "observe/observe.h"

/* In a forked child of a program that had threads ThreadSanitizer of gcc 12 cannot start one, and a lock of AddressSanitizer's
 * allocator may be held forever by a thread that is not there. The other builds test it. */
#if MESH_TEST_TSAN || defined(__SANITIZE_ADDRESS__)
enum { CHILD_MAY_START_THREADS = 0 };
#else
enum { CHILD_MAY_START_THREADS = 1 };
#endif

static char folder[] = "/tmp/observe_test.XXXXXX";

static char *path_of(const char *name)
{
    static char paths[4][128];
    static size_t turn;
    char *path = paths[turn++ % COUNT_OF(paths)];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static struct observe *made(const char *log, const char *access_log, bool threadless)
{
    struct observe_conf conf = {
        .level = MESH_LOG_INFO, .format = OBSERVE_JSON, .log = log, .access_log = access_log, .threadless = threadless
    };
    struct observe *observe;
    struct fault fault = { 0 };

    if (observe_new(&conf, &observe, &fault) != 0)
        fail_msg("%s", fault.text);
    return observe;
}

static struct observe *made_fd(int log, int access_log, bool threadless)
{
    char log_text[32] = "off", access_text[32] = "off";

    if (log >= 0)
        snprintf(log_text, sizeof log_text, "fd:%d", log);
    if (access_log >= 0)
        snprintf(access_text, sizeof access_text, "fd:%d", access_log);
    return made(log_text, access_text, threadless);
}

static void say(struct observe *observe, const char *service)
{
    struct observe_access record = { .service = service, .path = "/", .method = "GET", .status = 200, .attempts = 1 };

    observe_access(observe, &record);
}

/* ---- reading back ---- */

struct tally {
    size_t lines, bad;
    size_t dropped_told; /* sum of the log_dropped events */
    size_t failures_told;
};

static void count_line(const char *line, size_t len, struct tally *tally)
{
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(object, "event"));
    json_t *fields = json_object_get(object, "fields");

    if (!object)
        tally->bad++;
    else if (event && strcmp(event, "log_dropped") == 0)
        tally->dropped_told += (size_t) json_integer_value(json_object_get(fields, "lines"));
    else if (event && strcmp(event, "log_write_failed") == 0)
        tally->failures_told++;
    else
        tally->lines++;
    json_decref(object);
}

static struct tally tally_of(const char *text, size_t len)
{
    struct tally tally = { 0 };

    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t) (end - text) : len;

        count_line(text, line, &tally);
        len -= end ? line + 1 : line;
        text += line + 1;
    }
    return tally;
}

/* Adds what a descriptor gives until it has been silent for `silent_ms`, or its end. */
static void slurp(struct buf *all, int fd, int silent_ms)
{
    struct pollfd wanted = { .fd = fd, .events = POLLIN };

    while (poll(&wanted, 1, silent_ms) == 1) {
        uint8_t *room = buf_room(all, 65536);
        ssize_t n = read(fd, room, 65536);

        if (n <= 0)
            break;
        buf_added(all, (size_t) n);
    }
}

static struct tally tally_buf(struct buf *all)
{
    struct tally tally = tally_of((const char *) buf_bytes(all), buf_len(all));

    buf_free(all);
    return tally;
}

static struct tally tally_fd(int fd, int silent_ms)
{
    struct buf all = { 0 };

    slurp(&all, fd, silent_ms);
    return tally_buf(&all);
}

static struct tally tally_file(const char *name)
{
    int fd = open(path_of(name), O_RDONLY);
    struct tally tally;

    assert_true(fd >= 0);
    tally = tally_fd(fd, 1000);
    close(fd);
    return tally;
}

/* ---- the tests ---- */

static void *say_many(void *user)
{
    for (int i = 0; i < 5000; i++)
        say(user, "users");
    return NULL;
}

static void test_many_threads_one_file(void **state)
{
    bool threadless = *state != NULL;
    struct observe *observe = made("off", path_of("many"), threadless);
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, say_many, observe), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    size_t dropped = observe_dropped(observe);
    observe_free(observe);
    struct tally tally = tally_file("many");
    assert_int_equal(tally.bad, 0);
    assert_int_equal(tally.lines + dropped, COUNT_OF(threads) * 5000);
    unlink(path_of("many"));
}

static void test_off_wants_nothing(void **state)
{
    struct observe *observe = made("off", NULL, false);

    (void) state;
    assert_false(observe_wants(observe, MESH_LOG_ERROR));
    assert_false(observe_wants_access(observe));
    OBSERVE(observe, MESH_LOG_ERROR, "something", FIELD_NUMBER("n", 1));
    say(observe, "users");
    observe_free(observe);
    observe_free(NULL);
    OBSERVE(NULL, MESH_LOG_ERROR, "something", FIELD_NUMBER("n", 1));
    say(NULL, "users");
    assert_int_equal(observe_dropped(NULL), 0);
}

static int32_t refusal(const char *access_log, struct fault *fault)
{
    struct observe_conf conf = { .log = "off", .access_log = access_log };
    struct observe *observe = (struct observe *) fault;
    int32_t err = observe_new(&conf, &observe, fault);

    assert_null(observe);
    return err;
}

static void test_wrong_targets_are_told(void **state)
{
    struct fault fault = { 0 };
    char text[32];
    int ends[2];

    (void) state;
    assert_int_equal(refusal("/no/such/folder/log", &fault), MESH_ERR_IO);
    assert_non_null(strstr(fault.text, "access_log"));
    assert_non_null(strstr(fault.text, "/no/such/folder/log"));
    assert_int_equal(refusal("fd:", &fault), MESH_ERR_INVALID);
    assert_int_equal(refusal("fd:-1", &fault), MESH_ERR_INVALID);
    assert_int_equal(refusal("fd:99999999999", &fault), MESH_ERR_INVALID);
    assert_int_equal(refusal("fd:4094", &fault), MESH_ERR_IO);
    assert_int_equal(pipe(ends), 0);
    snprintf(text, sizeof text, "fd:%d", ends[0]); /* the reading end */
    assert_int_equal(refusal(text, &fault), MESH_ERR_IO);
    close(ends[0]);
    close(ends[1]);
}

/* Nobody reads: making lines goes on, the surplus is counted, and once somebody reads all is told. */
static void test_full_pipe(void **state)
{
    bool threadless = *state != NULL;
    const size_t made_lines = 20000;
    struct observe *observe;
    struct buf all = { 0 };
    struct tally tally;
    size_t dropped;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    observe = made_fd(ends[1], ends[1], threadless);
    for (size_t i = 0; i < made_lines; i++)
        say(observe, "users");
    assert_true(observe_dropped(observe) > 0);
    assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);

    slurp(&all, ends[0], 300);
    for (int i = 0; i < 40; i++) { /* without a thread the maker of the next lines carries on */
        say(observe, "users");
        slurp(&all, ends[0], threadless ? 0 : 20);
    }
    dropped = observe_dropped(observe);
    observe_free(observe);
    slurp(&all, ends[0], 100);
    tally = tally_buf(&all);
    assert_int_equal(tally.bad, 0);
    assert_int_equal(tally.dropped_told, dropped);
    assert_int_equal(tally.lines + dropped, made_lines + 40);
    close(ends[0]);
    close(ends[1]);
}

static void test_free_does_not_wait_for_a_full_pipe(void **state)
{
    struct observe *observe;
    uint64_t before_us;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    observe = made_fd(ends[1], ends[1], *state != NULL);
    for (size_t i = 0; i < 5000; i++)
        say(observe, "users");
    before_us = clock_now_us();
    observe_free(observe);
    assert_true(clock_now_us() - before_us < 5 * US_PER_S); /* generous: it must end at all */
    close(ends[0]);
    close(ends[1]);
}

/* SIGPIPE stands at its default here: it would end the test. */
static void test_reader_gone(void **state)
{
    struct observe *observe;
    struct tally tally;
    int access_log[2], events[2];

    assert_int_equal(pipe(access_log), 0);
    assert_int_equal(pipe(events), 0);
    observe = made_fd(events[1], access_log[1], *state != NULL);
    close(access_log[0]);
    for (size_t i = 0; i < 200; i++) {
        say(observe, "users");
        usleep(100);
    }
    observe_free(observe);
    close(events[1]);
    tally = tally_fd(events[0], 1000);
    assert_int_equal(tally.failures_told, 1);
    assert_int_equal(tally.bad, 0);
    close(events[0]);
    close(access_log[1]);
}

static void test_socket(void **state)
{
    struct observe *observe;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    observe = made_fd(-1, ends[1], *state != NULL);
    say(observe, "users");
    struct tally tally = tally_fd(ends[0], 200);
    assert_int_equal(tally.lines, 1);
    for (size_t i = 0; i < 20000; i++)
        say(observe, "users");
    assert_true(observe_dropped(observe) > 0);
    close(ends[0]);
    for (size_t i = 0; i < 100; i++)
        say(observe, "users");
    observe_free(observe);
    close(ends[1]);
}

static void test_device_that_is_always_full(void **state)
{
    struct observe *observe;
    struct tally tally;
    int events[2];

    assert_int_equal(pipe(events), 0);
    char log_text[32];
    snprintf(log_text, sizeof log_text, "fd:%d", events[1]);
    observe = made(log_text, "/dev/full", *state != NULL);
    for (size_t i = 0; i < 1000; i++)
        say(observe, "users");
    observe_free(observe);
    close(events[1]);
    tally = tally_fd(events[0], 1000);
    assert_int_equal(tally.failures_told, 1);
    close(events[0]);
}

/* The limit ends a write in the middle of a line; SIGXFSZ at its default would end the test. */
static void test_disk_full_and_healed(void **state)
{
    bool threadless = *state != NULL;
    struct rlimit before, small;
    struct observe *observe = made(path_of("events"), path_of("limited"), threadless);
    size_t dropped;
    struct tally tally;

    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){ 1000, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (size_t i = 0; i < 100; i++)
        say(observe, "users");
    while (observe_dropped(observe) == 0)
        usleep(1000);
    usleep(threadless ? 0 : 100000);
    setrlimit(RLIMIT_FSIZE, &before);
    dropped = observe_dropped(observe);
    for (size_t i = 0; i < 10; i++)
        say(observe, "users");
    observe_free(observe);

    tally = tally_file("limited");
    assert_int_equal(tally.bad, 1); /* the torn one, alone on its line */
    assert_true(tally.lines >= 10);
    assert_int_equal(tally.lines + dropped, 110);
    tally = tally_file("events");
    assert_int_equal(tally.failures_told, 1);
    assert_int_equal(tally.dropped_told, dropped);
    unlink(path_of("limited"));
    unlink(path_of("events"));
}

/* The application closes what it gave us, and all else, as daemons do; a socket gets the number. */
static void test_closed_numbers_are_not_written_to(void **state)
{
    bool threadless = *state != NULL;
    int ends[2], sockets[2], highest = 60;
    struct observe *observe;
    pid_t child = fork();

    if (child == 0) {
        char byte;

        if (pipe(ends) != 0)
            _exit(9);
        observe = made_fd(ends[1], ends[1], threadless);
        say(observe, "users");
        for (int fd = 3; fd < highest; fd++)
            close(fd);
        do
            if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) != 0)
                _exit(8);
        while (sockets[1] < highest);
        for (int i = 0; i < 100; i++)
            say(observe, "users");
        observe_free(observe);
        for (int fd = 3; fd < highest; fd++)
            if (read(fd, &byte, 1) > 0)
                _exit(1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static uint64_t fake_us = US_PER_S;

static uint64_t fake_now(void)
{
    return fake_us;
}

static void test_rotated_file_is_opened_anew(void **state)
{
    struct observe *observe = made("off", path_of("rotated"), true);
    char moved[160];

    (void) state;
    clock_replace(fake_now);
    fake_us += 2 * US_PER_S;
    say(observe, "users");
    snprintf(moved, sizeof moved, "%s.1", path_of("rotated"));
    assert_int_equal(rename(path_of("rotated"), moved), 0);
    say(observe, "users"); /* within the second: still the old file */
    fake_us += 2 * US_PER_S;
    say(observe, "users");
    clock_replace(NULL);
    observe_free(observe);
    assert_int_equal(tally_file("rotated").lines, 1);
    assert_int_equal(tally_file("rotated.1").lines, 2);
    unlink(path_of("rotated"));
    unlink(path_of("rotated.1"));
}

static void test_redirected_stderr_is_followed(void **state)
{
    int kept = dup(STDERR_FILENO), first[2], second[2], sockets[2];
    struct observe *observe;
    struct tally tallies[2];

    (void) state;
    assert_int_equal(pipe(first) | pipe(second) | socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    clock_replace(fake_now);
    dup2(first[1], STDERR_FILENO);
    observe = made("off", "stderr", true);
    fake_us += 2 * US_PER_S;
    say(observe, "users");
    dup2(second[1], STDERR_FILENO);
    fake_us += 2 * US_PER_S;
    say(observe, "users");
    close(STDERR_FILENO);
    fake_us += 2 * US_PER_S;
    say(observe, "users");
    dup2(sockets[1], STDERR_FILENO); /* what a program without standard error may well get as number 2 */
    fake_us += 2 * US_PER_S;
    say(observe, "users");
    dup2(kept, STDERR_FILENO);
    clock_replace(NULL);
    tallies[0] = tally_fd(first[0], 0);
    tallies[1] = tally_fd(second[0], 0);
    assert_int_equal(observe_dropped(observe), 2);
    observe_free(observe);
    assert_int_equal(tallies[0].lines, 1);
    assert_int_equal(tallies[1].lines, 1);
    assert_int_equal(tally_fd(sockets[0], 0).lines, 0);
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
        close(sockets[i]);
    }
    close(kept);
}

/* Every line is written once, by the process that made it. */
static void test_fork(void **state)
{
    struct observe *observe;
    int status;
    pid_t child;

    if (!CHILD_MAY_START_THREADS && *state == NULL)
        skip();
    observe = made("off", path_of("forked"), *state != NULL);
    for (int i = 0; i < 100; i++)
        say(observe, "parent");
    child = fork();
    if (child == 0) {
        observe_after_fork(observe);
        for (int i = 0; i < 100; i++)
            say(observe, "child");
        observe_free(observe);
        _exit(0);
    }
    for (int i = 0; i < 100; i++)
        say(observe, "parent");
    observe_free(observe);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct tally tally = tally_file("forked");
    assert_int_equal(tally.bad, 0);
    assert_int_equal(tally.lines, 300);
    unlink(path_of("forked"));
}

static void on_line(int32_t level, const char *event, const char *line, void *user)
{
    struct buf *all = user;

    buf_printf(all, "%d %s %d\n", level, event, strchr(line, '\n') != NULL);
}

static void test_hook_takes_all_lines(void **state)
{
    struct buf all = { 0 };
    struct observe_conf conf = {
        .level = MESH_LOG_INFO, .log = "stderr", .access_log = "/no/such/folder/log", .hook = on_line, .hook_user = &all
    };
    struct observe *observe;

    (void) state;
    assert_int_equal(observe_new(&conf, &observe, NULL), 0);
    say(observe, "users");
    OBSERVE(observe, MESH_LOG_DEBUG, "too_quiet", FIELD_NUMBER("n", 1));
    OBSERVE(observe, MESH_LOG_WARN, "endpoint_down", FIELD_TEXT("cluster", "a\nb"));
    observe_free(observe);
    buf_append(&all, "", 1);
    assert_string_equal((const char *) buf_bytes(&all), "9 access 0\n13 endpoint_down 0\n");
    buf_free(&all);
}

static void test_repeated_events_are_limited(void **state)
{
    struct observe *observe = made(path_of("repeated"), "off", true);

    (void) state;
    clock_replace(fake_now);
    for (int i = 0; i < 1000; i++)
        OBSERVE(observe, MESH_LOG_WARN, "connection_closed", FIELD_NUMBER("n", i));
    OBSERVE(observe, MESH_LOG_WARN, "endpoint_down", FIELD_NUMBER("n", 1));
    clock_replace(NULL);
    observe_free(observe);
    assert_in_range(tally_file("repeated").lines, 2, 200);
    unlink(path_of("repeated"));
}

static void test_out_of_memory(void **state)
{
    struct observe_conf conf = {
        .level = MESH_LOG_INFO, .log = path_of("scarce"), .access_log = "/dev/null", .threadless = *state != NULL
    };

    for (uint64_t nth = 1;; nth++) {
        struct observe *observe;
        int64_t live;
        bool reached;

        mem_watch(nth, true);
        if (observe_new(&conf, &observe, NULL) == 0) {
            say(observe, "users");
            OBSERVE(observe, MESH_LOG_WARN, "endpoint_down", FIELD_NUMBER("n", 1));
        }
        observe_free(observe);
        reached = mem_unwatch(&live);
        assert_int_equal(live, 0);
        if (!reached)
            break;
    }
    unlink(path_of("scarce"));
}

static int make_folder(void **state)
{
    (void) state;
    signal(SIGPIPE, SIG_DFL);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void) state;
    return rmdir(folder);
}

/* With a writer thread, and without one. */
#define BOTH_WAYS(test)                               \
    { #test, test, NULL, NULL, NULL },                \
    {                                                 \
#test "_threadless", test, NULL, NULL, folder \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(test_many_threads_one_file),
        cmocka_unit_test(test_off_wants_nothing),
        cmocka_unit_test(test_wrong_targets_are_told),
        BOTH_WAYS(test_full_pipe),
        BOTH_WAYS(test_free_does_not_wait_for_a_full_pipe),
        BOTH_WAYS(test_reader_gone),
        BOTH_WAYS(test_socket),
        BOTH_WAYS(test_device_that_is_always_full),
        BOTH_WAYS(test_disk_full_and_healed),
        BOTH_WAYS(test_closed_numbers_are_not_written_to),
        cmocka_unit_test(test_rotated_file_is_opened_anew),
        cmocka_unit_test(test_redirected_stderr_is_followed),
        BOTH_WAYS(test_fork),
        cmocka_unit_test(test_hook_takes_all_lines),
        cmocka_unit_test(test_repeated_events_are_limited),
        BOTH_WAYS(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
