/* SPDX-License-Identifier: Apache-2.0 */
/* Knot DNS as a child of the test, authoritative for "test.", on a loopback port of its own, its zone changed while it runs. */
#ifndef KNOT_H
#define KNOT_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mesh_test.h"

struct knot {
    pid_t pid;
    char folder[64], conf[128], servers[32];
    unsigned serial;
};

static inline bool knot_is_installed(void)
{
    return access("/usr/sbin/knotd", X_OK) == 0 && access("/usr/sbin/knotc", X_OK) == 0;
}

/* A port that is free for UDP and TCP. */
static inline unsigned knot_free_port(void)
{
    for (int i = 0; i < 50; i++) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof at;
        int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
        bool free_for_both = bind(udp, (struct sockaddr *) &at, sizeof at) == 0 &&
                             getsockname(udp, (struct sockaddr *) &at, &len) == 0 &&
                             bind(tcp, (struct sockaddr *) &at, sizeof at) == 0;

        close(udp);
        close(tcp);
        if (free_for_both)
            return ntohs(at.sin_port);
    }
    fail_msg("no free port");
    return 0;
}

static inline void knot_write_zone(struct knot *knot, const char *records)
{
    char path[128], fresh[136];
    FILE *file;

    snprintf(path, sizeof path, "%s/test.zone", knot->folder);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    file = fopen(fresh, "w");
    assert_non_null(file);
    fprintf(file, "$ORIGIN test.\n$TTL 1\n@ SOA ns hostmaster %u 60 60 600 1\n@ NS ns\nns A 127.0.0.1\n%s",
            ++knot->serial, records);
    fclose(file);
    assert_int_equal(rename(fresh, path), 0);
}

static inline pid_t knot_spawn(const char *const argv[])
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDWR);

    dup2(null, 1);
    dup2(null, 2);
    execv(argv[0], (char *const *) argv);
    _exit(127);
}

static inline int knot_control(struct knot *knot, const char *command, const char *argument)
{
    const char *const argv[] = { "/usr/sbin/knotc", "-b", "-c", knot->conf, command, argument, NULL };
    int status = -1;

    waitpid(knot_spawn(argv), &status, 0);
    return status;
}

/* Until it answers its control socket. */
static inline void knot_launch(struct knot *knot)
{
    const char *const argv[] = { "/usr/sbin/knotd", "-c", knot->conf, NULL };
    const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };

    knot->pid = knot_spawn(argv);
    for (int i = 0; i < 500 && knot_control(knot, "zone-status", "test.") != 0; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(knot_control(knot, "zone-status", "test."), 0);
}

static inline void knot_kill(struct knot *knot)
{
    if (knot->pid <= 0)
        return;
    kill(knot->pid, SIGKILL);
    waitpid(knot->pid, NULL, 0);
    knot->pid = 0;
}

static inline void knot_start(struct knot *knot, const char *records)
{
    unsigned port = knot_free_port();
    FILE *file;

    *knot = (struct knot){ .folder = "/tmp/mesh-knot-XXXXXX" };
    assert_non_null(mkdtemp(knot->folder));
    snprintf(knot->conf, sizeof knot->conf, "%s/knot.conf", knot->folder);
    snprintf(knot->servers, sizeof knot->servers, "127.0.0.1:%u", port);
    file = fopen(knot->conf, "w");
    assert_non_null(file);
    fprintf(file,
            "server:\n    rundir: \"%s\"\n    listen: 127.0.0.1@%u\n    udp-workers: 1\n    tcp-workers: 1\n"
            "    background-workers: 1\ndatabase:\n    storage: \"%s\"\n"
            "zone:\n  - domain: test\n    storage: \"%s\"\n    file: test.zone\n    zonefile-sync: -1\n    "
            "journal-content: none\n",
            knot->folder, port, knot->folder, knot->folder);
    fclose(file);
    knot_write_zone(knot, records);
    knot_launch(knot);
}

/* The zone has these records from now on. */
static inline void knot_change(struct knot *knot, const char *records)
{
    knot_write_zone(knot, records);
    assert_int_equal(knot_control(knot, "zone-reload", "test."), 0);
}

static inline void knot_stop(struct knot *knot)
{
    char command[128];

    knot_kill(knot);
    snprintf(command, sizeof command, "rm -r '%s'", knot->folder);
    assert_int_equal(system(command), 0);
}

#endif
