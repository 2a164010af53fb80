/* SPDX-License-Identifier: Apache-2.0 */
/* Load reports in all their forms, and those that count for nothing. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"
#include "cluster/orca.h"
#include "grpc/base64.h"
#include "proto/orca.pb-c.h"

static bool read_for(const char *value, const char *metrics, struct orca_report *out)
{
    return orca_read(value, strlen(value), metrics, out);
}

static void assert_number(double is, double should)
{
    if (!(is > should * 0.999999 && is < should * 1.000001) && is != should)
        fail_msg("%.17g is not %.17g", is, should);
}

static void forms(void **state)
{
    static const char *const values[] = {
        "TEXT cpu_utilization=0.3,mem_utilization=0.8,rps_fractional=1e3,eps=12.5,application_utilization=0.25,"
        "named_metrics.queue=5,utilization.disk=0.5,request_cost.db=3",
        "TEXT  cpu_utilization=0.3, mem_utilization=8E-1, rps_fractional=1000.0, eps=1.25e+1, "
        "application_utilization=0.25, named_metrics.queue=5, utilization.disk=0.5",
        "JSON {\"cpu_utilization\": 0.3, \"mem_utilization\":0.8,\"rps_fractional\":1000,\"eps\":12.5,"
        "\"application_utilization\":0.25, \"named_metrics\" : {\"queue\": 5}, "
        "\"utilization\":{\"disk\":0.5,\"cpu\":0}}",
        "JSON { \"cpuUtilization\" : 0.3 , \"memUtilization\" : 0.8 , \"rpsFractional\" : \"1000\", \"eps\" : 12.5 , "
        "\"applicationUtilization\" : 0.25 , \"namedMetrics\" : { \"queue\" : 5 } , \"utilization\" : { \"disk\" : 0.5 "
        "} , "
        "\"requestCost\" : { } } ",
    };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct orca_report report;

        if (!read_for(values[i], "named_metrics.queue,utilization.disk", &report))
            fail_msg("%s", values[i]);
        assert_number(report.cpu, 0.3);
        assert_number(report.memory, 0.8);
        assert_number(report.rps, 1000);
        assert_number(report.eps, 12.5);
        assert_number(report.application, 0.25);
        assert_number(report.chosen, 5);
    }
}

static void append(const ProtobufCMessage *message, struct buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = buf_room(out, size + 1);

    assert_int_equal(protobuf_c_message_pack(message, room), size);
    buf_added(out, size);
}

static void binary(void **state)
{
    Orca__OrcaLoadReport__NamedMetricsEntry entry = ORCA__ORCA_LOAD_REPORT__NAMED_METRICS_ENTRY__INIT,
                                            *entries[] = { &entry };
    Orca__OrcaLoadReport message = ORCA__ORCA_LOAD_REPORT__INIT;
    struct buf bytes = { 0 }, text = { 0 };
    struct orca_report report;

    (void) state;
    entry.key = (char *) "queue";
    entry.value = 7;
    message.cpu_utilization = 0.5;
    message.rps_fractional = 100;
    message.eps = 1;
    message.n_named_metrics = 1;
    message.named_metrics = entries;
    append(&message.base, &bytes);
    assert_true(grpc_base64_write(&text, buf_bytes(&bytes), buf_len(&bytes)));
    assert_true(buf_append(&text, "", 1));
    assert_true(orca_read_binary((const char *) buf_bytes(&text), buf_len(&text) - 1, "named_metrics.queue", &report));
    assert_number(report.cpu, 0.5);
    assert_number(report.rps, 100);
    assert_number(report.eps, 1);
    assert_number(report.chosen, 7);

    buf_clear(&bytes);
    assert_true(buf_printf(&bytes, "BIN %s", (const char *) buf_bytes(&text)));
    assert_true(orca_read((const char *) buf_bytes(&bytes), buf_len(&bytes), NULL, &report));
    assert_number(report.cpu, 0.5);
    assert_number(report.chosen, 0);
    /* Cut anywhere it is none, or has no number that is wrong. */
    for (size_t len = 4; len < buf_len(&bytes); len++)
        if (orca_read((const char *) buf_bytes(&bytes), len, NULL, &report))
            assert_true(report.cpu == 0 || report.cpu == 0.5);
    buf_free(&bytes);
    buf_free(&text);
}

static void what_counts_for_nothing(void **state)
{
    static const char *const values[] = {
        "",
        "cpu_utilization=0.3",
        "TEXT cpu_utilization",
        "TEXT cpu_utilization=",
        "TEXT cpu_utilization=x",
        "TEXT cpu_utilization=0.3x",
        "TEXT cpu_utilization=-0.3",
        "TEXT cpu_utilization=1e999",
        "TEXT cpu_utilization=nan",
        "TEXT cpu_utilization=0.3,cpu_utilization=0.4",
        "TEXT named_metrics.queue=1,named_metrics.queue=2",
        "TEXT cpu_utilization=0.3,,",
        "JSON ",
        "JSON {",
        "JSON {\"cpu_utilization\":0.3",
        "JSON {\"cpu_utilization\":-1}",
        "JSON {\"cpu_utilization\":true}",
        "JSON {\"cpu_utilization\":{\"a\":1}}",
        "JSON {\"named_metrics\":1}",
        "JSON {\"named_metrics\":{\"a\":{}}}",
        "JSON {\"cpu_utilization\":0.3} x",
        "JSON {\"cpu_utilization\":0.3,\"cpuUtilization\":0.4}",
        "BIN !",
        "BIN CQAAAAAAAOA=", /* cut off */
        "BIN CQAAAAAAAPB/", /* infinite */
        "BIN CQAAAAAAAPh/", /* no number */
        "BIN CgA=",         /* a number of another kind */
    };
    struct orca_report report;

    (void) state;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (read_for(values[i], "named_metrics.queue", &report))
            fail_msg("%s", values[i]);
}

/* What libmesh does not know is passed over. */
static void other_numbers(void **state)
{
    struct orca_report report;

    (void) state;
    assert_true(read_for("TEXT new_number=5,cpu_utilization=0.3,named_metrics.a=1", NULL, &report));
    assert_number(report.cpu, 0.3);
    assert_true(read_for("JSON {}", NULL, &report));
    assert_true(read_for("BIN ", NULL, &report));
}

static void what_says_how_much_it_is_used(void **state)
{
    struct orca_report report;

    (void) state;
    assert_true(read_for("TEXT cpu_utilization=0.3", "cpu_utilization,named_metrics.a", &report));
    assert_number(orca_utilization(&report), 0.3);
    assert_true(
        read_for("TEXT cpu_utilization=0.3,named_metrics.a=0.6,named_metrics.b=0.9", "named_metrics.a", &report));
    assert_number(orca_utilization(&report), 0.6);
    assert_true(read_for("TEXT cpu_utilization=0.3,mem_utilization=0.7,named_metrics.a=0.6",
                         "named_metrics.a,mem_utilization", &report));
    assert_number(orca_utilization(&report), 0.7);
    assert_true(read_for("TEXT cpu_utilization=0.3,application_utilization=0.1,named_metrics.a=0.6", "named_metrics.a",
                         &report));
    assert_number(orca_utilization(&report), 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(forms),
        LEAK_TEST(binary),
        LEAK_TEST(what_counts_for_nothing),
        LEAK_TEST(other_numbers),
        LEAK_TEST(what_says_how_much_it_is_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
