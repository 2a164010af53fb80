/* SPDX-License-Identifier: Apache-2.0 */
/* The naive client's calls: tries, their timeouts, and the loop. With --attempts 1 and one endpoint it is also the plain client in
 * front of Envoy. */
#include "faults/naive.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STANDARD_TRIES = 3 };

static void try_again(struct naive *naive, struct call *call)
{
    struct peer *peer = &naive->peers[naive->cursor++ % naive->n_peers];

    call->tries++;
    call->deadline_us = schedule_now_us() + (uint64_t) naive->schedule.try_timeout_ms * 1000;
    TAILQ_INSERT_TAIL(&naive->running, call, by_deadline);
    if (!peer_send(peer, call))
        naive_ended(naive, call, false);
}

static void finish(struct naive *naive, struct call *call, const char *outcome)
{
    schedule_record(&naive->schedule, call->number, outcome, call->server, call->tries);
    naive->n_running--;
    free(call);
}

void naive_ended(struct naive *naive, struct call *call, bool answered)
{
    uint32_t most = naive->schedule.attempts ? naive->schedule.attempts : STANDARD_TRIES;
    char text[16];

    TAILQ_REMOVE(&naive->running, call, by_deadline);
    if (answered && call->status == 200) {
        finish(naive, call, "ok");
    } else if (call->tries < most) {
        try_again(naive, call);
    } else {
        snprintf(text, sizeof text, "%d", call->status);
        finish(naive, call, answered ? text : "FAILED");
    }
}

static void start(struct naive *naive, uint64_t number)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call)
        exit(2);
    call->number = number;
    naive->n_running++;
    try_again(naive, call);
}

static void time_out(struct naive *naive, uint64_t now)
{
    struct call *call;

    while ((call = TAILQ_FIRST(&naive->running)) && call->deadline_us <= now) {
        peer_cancel(call);
        naive_ended(naive, call, false);
    }
}

/* ---- the loop ---- */

static void wait_for(struct naive *naive, uint64_t until_us)
{
    struct pollfd fds[MOST_ENDPOINTS];
    struct peer *peers[MOST_ENDPOINTS];
    nfds_t n = 0;
    uint64_t now = schedule_now_us(), us = until_us > now ? until_us - now : 0;
    struct timespec span = { (time_t) (us / 1000000), (long) (us % 1000000) * 1000 };

    for (uint32_t i = 0; i < naive->n_peers; i++) {
        struct peer *peer = &naive->peers[i];

        if (peer->fd < 0)
            continue;
        peers[n] = peer;
        fds[n++] = (struct pollfd){ .fd = peer->fd, .events = peer_wants(peer) };
    }
    if (ppoll(fds, n, &span, NULL) <= 0)
        return;
    for (nfds_t i = 0; i < n; i++)
        if (fds[i].revents && peers[i]->fd == fds[i].fd)
            peer_serve(peers[i], fds[i].revents);
}

static void run(struct naive *naive)
{
    uint64_t next = 0, end_us = schedule_end_us(&naive->schedule);

    for (;;) {
        uint64_t start_us = schedule_start_us(&naive->schedule, next), now = schedule_now_us(), until = end_us;

        if (start_us <= now) {
            start(naive, next++);
            continue;
        }
        time_out(naive, now);
        if ((start_us == UINT64_MAX && naive->n_running == 0) || now >= end_us)
            return;
        if (start_us < until)
            until = start_us;
        if (!TAILQ_EMPTY(&naive->running) && TAILQ_FIRST(&naive->running)->deadline_us < until)
            until = TAILQ_FIRST(&naive->running)->deadline_us;
        wait_for(naive, until);
    }
}

static void add_peers(struct naive *naive)
{
    char *list = strdup(naive->schedule.endpoints ? naive->schedule.endpoints : ""), *rest = list, *one;

    while (list && (one = strsep(&rest, ",")) && *one && naive->n_peers < MOST_ENDPOINTS)
        peer_init(naive, one);
    free(list);
}

int main(int argc, char **argv)
{
    static struct naive naive;

    schedule_parse(argc, argv, &naive.schedule);
    TAILQ_INIT(&naive.running);
    add_peers(&naive);
    if (naive.n_peers == 0) {
        fprintf(stderr, "fault client: --endpoints is missing\n");
        return 2;
    }
    run(&naive);
    schedule_finish();
    return 0;
}
