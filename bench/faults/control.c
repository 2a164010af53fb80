/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on stdin, a line each: "NAME NUMBER" sets a field of struct settings and is answered "ok" when it holds. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults/server.h"

static const struct {
    const char *name;
    size_t at;
} fields[] = {
    { "slots", offsetof(struct settings, slots) },
    { "service_us", offsetof(struct settings, service_us) },
    { "exponential", offsetof(struct settings, exponential) },
    { "slow_percent", offsetof(struct settings, slow_percent) },
    { "delay_us", offsetof(struct settings, delay_us) },
    { "fail_permille", offsetof(struct settings, fail_permille) },
    { "queue_max", offsetof(struct settings, queue_max) },
    { "refuse", offsetof(struct settings, refuse) },
    { "mute", offsetof(struct settings, mute) },
    { "execute_abandoned", offsetof(struct settings, execute_abandoned) },
    { "listen", offsetof(struct settings, listen) },
};

static uint64_t *field(struct settings *settings, const char *name)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, name) == 0)
            return (uint64_t *) (void *) ((char *) settings + fields[i].at);
    give_up(name);
}

static void apply_listen(struct server *server)
{
    if (server->settings.listen && server->listener < 0)
        server_listen(server);
    if (!server->settings.listen && server->listener >= 0) {
        server_stop_listening(server);
        server_reset_connections(server);
    }
}

void control_set(struct server *server, const char *name, const char *value)
{
    char *end;
    uint64_t number = strtoull(value, &end, 10);

    if (*value == '\0' || *end != '\0')
        give_up(value);
    *field(&server->settings, name) = number;
}

static void obey(struct server *server, char *line)
{
    char *value = strchr(line, ' ');

    if (!value)
        give_up(line);
    *value++ = '\0';
    control_set(server, line, value);
    apply_listen(server);
    printf("ok\n");
    fflush(stdout);
}

/* The rig waits for each answer, so that a read gives whole lines. */
bool control_read(struct server *server)
{
    char text[1024];
    ssize_t n = read(STDIN_FILENO, text, sizeof text - 1);
    char *line = text, *end;

    if (n <= 0)
        return false;
    text[n] = '\0';
    while ((end = strchr(line, '\n'))) {
        *end = '\0';
        obey(server, line);
        line = end + 1;
    }
    return true;
}
