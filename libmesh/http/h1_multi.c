/* SPDX-License-Identifier: Apache-2.0 */
/* Making a multi handle without leaving descriptors to programs that the application starts: libcurl 7.88 opens a socket pair for
 * each (for curl_multi_wakeup(), which we never need) that is not close-on-exec, and does not tell which. The two are found by
 * what a wake-up does to them. */
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "http/h1.h"

/* New descriptors get the lowest free numbers; other threads may open some at the same time. */
enum { SPAN = 32 };

/* Bytes that wait at a socket or have been sent by it and not been read; -1: it cannot be one of the pair. */
static int bytes_under_way(int fd)
{
    int domain = 0, in = 0, out = 0, flags = fcntl(fd, F_GETFD);
    socklen_t len = sizeof domain;

    if (flags < 0 || (flags & FD_CLOEXEC))
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_UNIX)
        return -1;
    if (ioctl(fd, FIONREAD, &in) < 0 || ioctl(fd, SIOCOUTQ, &out) < 0)
        return -1;
    return in + out;
}

static int lowest_free(void)
{
    int fd = open("/", O_PATH | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd;
}

static void close_pair_on_exec(CURLM *multi, int first)
{
    int before[SPAN], unread = -1, n = 0;
    char byte;

    for (int i = 0; i < SPAN; i++)
        before[i] = bytes_under_way(first + i);
    curl_multi_wakeup(multi);
    for (int i = 0; i < SPAN; i++) {
        if (before[i] != 0 || bytes_under_way(first + i) <= 0)
            continue;
        fcntl(first + i, F_SETFD, FD_CLOEXEC);
        if (ioctl(first + i, FIONREAD, &n) == 0 && n > 0)
            unread = first + i;
    }
    if (unread >= 0)
        (void) !recv(unread, &byte, 1, MSG_DONTWAIT);
}

CURLM *h1_multi_new(void)
{
    int first = lowest_free();
    CURLM *multi = curl_multi_init();

    if (multi && first >= 0)
        close_pair_on_exec(multi, first);
    return multi;
}
