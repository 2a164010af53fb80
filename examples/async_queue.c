/* SPDX-License-Identifier: Apache-2.0 */
/* Many requests at once from one thread that also has something else to do: async_queue SERVICE < PATHS.
 *
 * Paths are read from standard input, one a line, and requested as they come; answers are printed as they arrive. One poll()
 * waits for both. The tag of an event says which request it answers: here it is the number of the line. */
#include <mesh/mesh.h>

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_PATH = 1024, MOST_EVENTS = 64 };

static const char *service;
static struct mesh_queue *queue;
static uint64_t n_lines, n_running, n_failed;

/* What cannot even be started gets no event: the path is wrong, and the library's log says how. */
static void start(uint64_t number, const char *path)
{
    struct mesh_request_opts opts = { .size = sizeof opts, .service = service, .path = path };
    int32_t err = mesh_request_start(NULL, &opts, queue, number, NULL);

    if (err == 0) {
        n_running++;
        return;
    }
    n_failed++;
    printf("%" PRIu64 ": %s\n", number, mesh_error_name(err));
}

static void print_event(const struct mesh_event *event)
{
    const struct mesh_response *response = event->response;

    n_running--;
    if (event->err == 0) {
        printf("%" PRIu64 ": %" PRId32 " from %s\n", event->tag, mesh_response_status(response),
               mesh_response_endpoint(response));
        return;
    }
    n_failed++;
    printf("%" PRIu64 ": %s, %s\n", event->tag, mesh_error_name(event->err), mesh_response_detail(response));
}

static void take_events(void)
{
    struct mesh_event events[MOST_EVENTS];
    int32_t n = mesh_queue_next(queue, events, MOST_EVENTS, 0);

    for (int32_t i = 0; i < n; i++) {
        print_event(&events[i]);
        mesh_response_free(events[i].response);
    }
}

/* What has come of the input; a path is complete with its newline. False: the input has ended. */
static bool read_paths(void)
{
    static char text[LONGEST_PATH];
    static size_t have;
    ssize_t n = read(STDIN_FILENO, text + have, sizeof text - have - 1);
    char *line = text, *end;

    if (n <= 0)
        return false;
    have += (size_t) n;
    text[have] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        start(++n_lines, line);
        line = end + 1;
    }
    have -= (size_t) (line - text);
    memmove(text, line, have);
    return true;
}

int main(int argc, char **argv)
{
    struct pollfd fds[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
    int32_t err;

    if (argc != 2) {
        fprintf(stderr, "usage: async_queue SERVICE < PATHS\n");
        return 2;
    }
    service = argv[1];
    err = mesh_queue_new(NULL, &queue);
    if (err) {
        fprintf(stderr, "queue: %s\n", mesh_strerror(err));
        return 1;
    }
    fds[0].fd = mesh_queue_fd(queue);

    while (fds[1].fd >= 0 || n_running > 0) {
        poll(fds, 2, -1);
        if (fds[0].revents)
            take_events();
        if (fds[1].revents && !read_paths())
            fds[1].fd = -1; /* poll() passes over it */
    }
    mesh_queue_free(queue);
    return n_failed > 0;
}
