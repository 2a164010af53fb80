/* SPDX-License-Identifier: Apache-2.0 */
/* Calls a service from several threads, and forks again and again meanwhile: parent and children go on calling by one client.
 *
 *   fork SERVICE PATH CHILDREN CALLS
 *
 * Each request says whose it is in x-who: "parent", "child-1", ... . Each child makes CALLS calls from two threads, frees the
 * client and ends with 0 when all went well; every second one never calls and ends at once. One JSON object on stdout. */
#include <mesh/mesh.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARENT_THREADS = 4, CHILD_THREADS = 2, BETWEEN_FORKS = 200, MAX_CHILDREN = 64 };

static struct mesh_client *client;
static const char *service, *path;
static char who[32] = "parent";
static _Atomic unsigned long calls, failed;
static _Atomic bool stopping;
static unsigned long calls_of_a_child;

static void call_once(void)
{
    struct mesh_header header = { "x-who", who };
    struct mesh_response *response = NULL;
    struct mesh_request_opts opts;
    int32_t err;

    mesh_request_opts_init(&opts, sizeof opts);
    opts.service = service;
    opts.path = path;
    opts.headers = &header;
    opts.n_headers = 1;
    err = mesh_request(client, &opts, &response);
    if (err || mesh_response_status(response) != 200) {
        atomic_fetch_add(&failed, 1);
        fprintf(stderr, "%s: %s: %s\n", who, mesh_error_name(err), mesh_response_detail(response));
    }
    mesh_response_free(response);
    atomic_fetch_add(&calls, 1);
}

static void *call_until_told(void *arg)
{
    while (!atomic_load(&stopping))
        call_once();
    return arg;
}

static void *call_some(void *arg)
{
    for (unsigned long i = 0; i < calls_of_a_child; i++)
        call_once();
    return arg;
}

/* ---- the child ---- */

static int be_a_child(int number)
{
    pthread_t threads[CHILD_THREADS];

    atomic_store(&failed, 0);
    snprintf(who, sizeof who, "child-%d", number);
    if (number % 2 == 0)
        return 0; /* never touched the client */
    for (int i = 0; i < CHILD_THREADS; i++)
        if (pthread_create(&threads[i], NULL, call_some, NULL) != 0)
            return 2;
    for (int i = 0; i < CHILD_THREADS; i++)
        pthread_join(threads[i], NULL);
    mesh_client_free(client);
    return atomic_load(&failed) == 0 ? 0 : 1;
}

/* ---- the parent ---- */

static void wait_for_calls(unsigned long n)
{
    unsigned long until = atomic_load(&calls) + n;

    while (atomic_load(&calls) < until)
        usleep(1000);
}

static int reap(const pid_t *children, int n)
{
    int unwell = 0, status;

    for (int i = 0; i < n; i++)
        unwell += waitpid(children[i], &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    return unwell;
}

int main(int argc, char **argv)
{
    pid_t children[MAX_CHILDREN];
    pthread_t threads[PARENT_THREADS];
    int n_children, unwell;
    char why[256];

    if (argc != 5 || mesh_client_new(NULL, &client, why, sizeof why) != 0)
        return 2;
    service = argv[1];
    path = argv[2];
    n_children = (int) strtol(argv[3], NULL, 10);
    calls_of_a_child = strtoul(argv[4], NULL, 10);
    if (n_children > MAX_CHILDREN)
        return 2;
    for (int i = 0; i < PARENT_THREADS; i++)
        if (pthread_create(&threads[i], NULL, call_until_told, NULL) != 0)
            return 2;
    for (int i = 0; i < n_children; i++) {
        wait_for_calls(BETWEEN_FORKS);
        children[i] = fork();
        if (children[i] == 0)
            _exit(be_a_child(i + 1)); /* memory of threads that were not copied would be taken for lost */
    }
    unwell = reap(children, n_children);
    wait_for_calls(BETWEEN_FORKS);
    atomic_store(&stopping, true);
    for (int i = 0; i < PARENT_THREADS; i++)
        pthread_join(threads[i], NULL);
    mesh_client_free(client);
    printf("{\"calls\": %lu, \"failed\": %lu, \"unwell\": %d}\n", atomic_load(&calls), atomic_load(&failed), unwell);
    return 0;
}
