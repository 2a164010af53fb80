/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of reading, copying and using a configuration fails once: told, nothing leaks, nothing half-changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "source/conf.h"

static char path[] = "/tmp/mesh-memory-XXXXXX";

static const char document[] =
    "{ \"zone\": \"a\", \"zone_cidrs\": [\"a=10.0.0.0/20\", \"b=10.0.16.0/20\"], \"access_log\": \"x.log\",\n"
    "  \"dns\": { \"servers\": [\"127.0.0.1:8600\"] },\n"
    "  \"services\": {\n"
    "    \"users\": { \"endpoints\": [ {\"address\": \"127.0.0.1:9001\", \"zone\": \"a\"}, {\"address\": \"unix:/x\"} "
    "],\n"
    "      \"protocol\": \"h2c\", \"retry\": {\"attempts\": 3, \"on\": [\"reset\"]}, \"authority\": \"u\" },\n"
    "    \"pay\": { \"target\": \"https://pay\", \"tls\": {\"server_name\": \"pay.example\"} },\n"
    "    \"unix\": { \"target\": \"unix:/run/x\" },\n"
    "    \"zoned\": { \"zones\": { \"a\": \"h2c://10.0.0.1\", \"b\": \"h2c://b.internal:80\" } } },\n"
    "  \"defaults\": { \"timeout_ms\": 15001, \"proxy\": \"env\" } }\n";

static int32_t scenario(struct conf *conf, struct fault *fault)
{
    struct service *services = NULL;
    struct conf *fresh;
    size_t n = 0;
    int32_t err = conf_read_env(conf, fault);

    if (!err)
        err = conf_set(conf, "services", "local=10.0.0.1:80@a,10.0.0.2:80", fault);
    if (!err)
        err = conf_check(conf, fault);
    if (!err)
        err = conf_services(conf, &services, &n, fault);
    for (size_t i = 0; i < n; i++)
        service_clear(&services[i]);
    mem_free(services);
    if (err)
        return err;
    fresh = conf_reread(conf, fault);
    conf_free(fresh);
    return fresh ? 0 : fault->code;
}

static void every_failing_allocation_is_told(void **state)
{
    bool fired = true;
    uint64_t nth;

    (void) state;
    for (nth = 1; fired; nth++) {
        struct fault fault = { 0 };
        int64_t live;
        struct conf *conf;
        int32_t err;

        mem_watch(nth, false);
        conf = conf_new();
        err = conf ? scenario(conf, &fault) : MESH_ERR_NOMEM;
        conf_free(conf);
        fired = mem_unwatch(&live);
        if (err != (fired ? MESH_ERR_NOMEM : 0))
            fail_msg("allocation %u: %d %s", (unsigned) nth, err, fault.text);
        assert_int_equal(live, 0);
    }
    assert_true(nth > 100);
}

static void a_failed_reading_changes_nothing(void **state)
{
    bool fired = true;

    (void) state;
    for (uint64_t nth = 1; fired; nth++) {
        struct conf *conf = conf_new();
        size_t before;
        int32_t err;

        assert_int_equal(conf_set(conf, "region", "r", NULL), 0);
        before = conf->values.n;
        mem_watch(nth, false);
        err = conf_read_env(conf, NULL);
        fired = mem_unwatch(NULL);
        assert_int_equal(err, fired ? MESH_ERR_NOMEM : 0);
        if (fired)
            assert_int_equal(conf->values.n, before);
        if (fired)
            assert_int_equal(conf->n_warnings, 0);
        conf_free(conf);
    }
}

static void descriptions_fail_softly(void **state)
{
    struct conf *conf = conf_new();
    bool fired = true;

    (void) state;
    assert_int_equal(conf_read_env(conf, NULL), 0);
    assert_int_equal(conf_set(conf, "proxy", "http://a:b@c", NULL), 0);
    for (uint64_t nth = 1; fired; nth++) {
        int64_t live;
        char *text;

        mem_watch(nth, false);
        text = conf_describe(conf, true);
        fired = mem_unwatch(&live);
        assert_int_equal(text == NULL, fired);
        assert_int_equal(live, text != NULL);
        mem_free(text);
    }
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failing_allocation_is_told),
        cmocka_unit_test(a_failed_reading_changes_nothing),
        cmocka_unit_test(descriptions_fail_softly),
    };
    int fd = mkstemp(path);
    int failed;

    if (fd < 0 || write(fd, document, strlen(document)) != (ssize_t) strlen(document))
        return 1;
    close(fd);
    clearenv();
    setenv("MESH_CONFIG", path, 1);
    setenv("MESH_TIMEOUT_MS", "3", 1);
    setenv("MESH_TIMEOUT", "3", 1);
    setenv("MESH_SERVICES", "env=http://env:80", 1);
    setenv("OTEL_SERVICE_NAME", "memory", 1);
    setenv("GRPC_XDS_BOOTSTRAP_CONFIG",
           "{\"xds_servers\": [{\"server_uri\": \"a:1\", \"channel_creds\": [{\"type\": \"insecure\"}]}]}", 1);
    setenv("https_proxy", "proxy:3128", 1);
    setenv("no_proxy", "none", 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
