/* SPDX-License-Identifier: Apache-2.0 */
/* A loop on a virtual clock with the control planes that live in its test, the names that lead to them, and what is logged. */
#ifndef SUPPORT_XDS_SCENE_H
#define SUPPORT_XDS_SCENE_H

#include <poll.h>
#include <signal.h>
#include <string.h>

#include "source/dns_name.h"
#include "source/xds/bootstrap.h"
#include "support/xds_plane.h"
#include "test_loop.h"

enum { SCENE_PLANES = 4, SCENE_LOG = 1 << 16 };

static struct scene {
    struct loop *loop;
    struct observe *observe;
    struct dns_names *names;
    struct plane *planes[SCENE_PLANES];
    struct bootstrap *bootstrap;
    char log[SCENE_LOG];
    size_t log_len;
} scene;

static inline void scene_keep_line(int32_t level, const char *event, const char *line, void *user)
{
    size_t len = strlen(line);

    (void) level, (void) event, (void) user;
    if (scene.log_len + len + 2 > sizeof scene.log)
        return;
    memcpy(scene.log + scene.log_len, line, len);
    scene.log_len += len;
    scene.log[scene.log_len++] = '\n';
    scene.log[scene.log_len] = '\0';
}

static inline unsigned scene_logged(const char *text)
{
    unsigned n = 0;

    for (const char *at = scene.log; (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

/* dns_servers NULL: the system's, which literal addresses and the hosts file do not need. */
static inline void scene_begin(const char *dns_servers)
{
    const struct observe_conf observe = { .level = MESH_LOG_DEBUG,
                                          .format = OBSERVE_TEXT,
                                          .log = "stderr",
                                          .access_log = "off",
                                          .redact = "",
                                          .service_name = "",
                                          .zone = "",
                                          .hook = scene_keep_line,
                                          .threadless = true };
    const struct dns_names_conf dns = { .resolver = { .servers = dns_servers, .timeout_ms = 200, .tries = 1 },
                                        .min_ttl_ms = 1000,
                                        .max_ttl_ms = 300000 };
    struct fault fault = { 0 };

    signal(SIGPIPE, SIG_IGN);
    scene = (struct scene){ .log_len = 0 };
    mesh_test_clock_start(1000 * US_PER_S);
    scene.loop = test_loop_new();
    MESH_OK(observe_new(&observe, &scene.observe, &fault));
    loop_enter(scene.loop);
    MESH_OK(dns_names_new(scene.loop, &dns, scene.observe, &scene.names, &fault));
    loop_leave(scene.loop);
}

static inline void scene_end(void)
{
    loop_enter(scene.loop);
    dns_names_free(scene.names);
    loop_leave(scene.loop);
    for (size_t i = 0; i < SCENE_PLANES; i++)
        plane_stop(scene.planes[i]);
    bootstrap_free(scene.bootstrap);
    observe_free(scene.observe);
    loop_free(scene.loop);
    clock_replace(NULL);
}

/* The bootstrap with this list of servers. */
static inline const struct bootstrap_servers *scene_servers(const char *list)
{
    char text[2048];
    struct fault fault = { 0 };

    snprintf(text, sizeof text, "{\"xds_servers\": [%s], \"node\": {\"id\": \"test\"}}", list);
    if (bootstrap_parse(text, "test", &scene.bootstrap, &fault))
        fail_msg("%s", fault.text);
    return &scene.bootstrap->servers;
}

#define INSECURE "\"channel_creds\": [{\"type\": \"insecure\"}]"

static inline void scene_turn(void)
{
    loop_turn(scene.loop);
    for (size_t i = 0; i < SCENE_PLANES; i++)
        if (scene.planes[i])
            plane_turn(scene.planes[i]);
}

static inline void scene_turns(void)
{
    for (int i = 0; i < 20; i++)
        scene_turn();
}

/* Time passes; what is due happens. */
static inline void scene_pass_ms(uint64_t ms)
{
    mesh_test_clock_advance_ms(ms);
    scene_turns();
}

#define SCENE_UNTIL(condition)                             \
    do {                                                   \
        for (int turns_ = 0; !(condition); turns_++) {     \
            if (turns_ > 20000)                            \
                fail_msg("does not come: %s", #condition); \
            scene_turn();                                  \
            if (turns_ > 100)                              \
                poll(NULL, 0, 1);                          \
        }                                                  \
    } while (0)

#endif
