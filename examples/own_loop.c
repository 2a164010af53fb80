/* SPDX-License-Identifier: Apache-2.0 */
/* libmesh inside a program's own epoll loop, without any thread of the library: own_loop SERVICE PATH.
 *
 * Every 20 ms a timer of the program starts a request, ten in all. The loop watches two descriptors: the timer's and the
 * library's. How long it may wait at most is asked of the library each time. */
#include <mesh/mesh.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { ALL_REQUESTS = 10, MOST_EVENTS = 16, EVERY_NS = 20 * 1000 * 1000 };

static struct mesh_client *client;
static struct mesh_queue *queue;
static unsigned started, answered, failed;

static void check(int32_t err, const char *what, const char *why)
{
    if (err >= 0)
        return;
    fprintf(stderr, "%s: %s\n", what, *why ? why : mesh_strerror(err));
    exit(1);
}

static void make_client(void)
{
    struct mesh_conf *conf = mesh_conf_new();
    char why[256] = "out of memory";
    int32_t err = conf ? mesh_conf_read_env(conf, why, sizeof why) : MESH_ERR_NOMEM;

    check(err, "environment", why);
    check(mesh_conf_set(conf, "threads", "none", why, sizeof why), "threads", why);
    check(mesh_client_new(conf, &client, why, sizeof why), "client", why);
    check(mesh_queue_new(client, &queue), "queue", "");
    mesh_conf_free(conf);
}

static int make_timer(void)
{
    const struct itimerspec every = { { 0, EVERY_NS }, { 0, EVERY_NS } };
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0) {
        perror("timer");
        exit(1);
    }
    return timer;
}

static void on_timer(int timer, const char *service, const char *path)
{
    struct mesh_request_opts opts = { .size = sizeof opts, .service = service, .path = path };
    uint64_t ticks;

    if (read(timer, &ticks, sizeof ticks) != sizeof ticks || started == ALL_REQUESTS)
        return;
    check(mesh_request_start(client, &opts, queue, ++started, NULL), path, "");
}

static void on_library(void)
{
    struct mesh_event events[MOST_EVENTS];
    int32_t n;

    mesh_loop_process(client);
    n = mesh_queue_next(queue, events, MOST_EVENTS, 0);
    for (int32_t i = 0; i < n; i++) {
        answered++;
        failed += events[i].err != 0;
        printf("%" PRIu64 ": %" PRId32 " %s\n", events[i].tag, mesh_response_status(events[i].response),
               mesh_response_detail(events[i].response));
        mesh_response_free(events[i].response);
    }
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    check(fd, "descriptor", "");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("epoll");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), timer = make_timer();
    struct epoll_event event;

    if (argc != 3) {
        fprintf(stderr, "usage: own_loop SERVICE PATH\n");
        return 2;
    }
    make_client();
    watch(epoll, timer);
    watch(epoll, mesh_loop_fd(client));

    while (answered < ALL_REQUESTS) {
        int n = epoll_wait(epoll, &event, 1, mesh_loop_timeout_ms(client));

        if (n == 1 && event.data.fd == timer)
            on_timer(timer, argv[1], argv[2]);
        on_library(); /* also when the time is up: that is how its timers run */
    }
    mesh_queue_free(queue);
    mesh_client_free(client);
    close(timer);
    close(epoll);
    return failed > 0;
}
