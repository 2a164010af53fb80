/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents: every form a key may have, and sentences with file, line and key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "source/conf.h"

static struct conf *conf;
static struct fault fault;
static char folder[] = "/tmp/mesh-document-XXXXXX";
static char path[128];

static int begin(void **state)
{
    (void) state;
    clearenv();
    conf = conf_new();
    fault = (struct fault){ 0 };
    return conf == NULL;
}

static int end(void **state)
{
    (void) state;
    conf_free(conf);
    return 0;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *own(const char *service, enum key_id id)
{
    const struct value *value = values_find(&conf->values, service, key_at(id));

    return value ? value->text : NULL;
}

static const char design_example[] =
    "{ \"zone\": \"a\",\n"
    "  \"zone_cidrs\": [\"a=10.0.0.0/20\", \"b=10.0.16.0/20\"],\n"
    "  \"dns\": { \"servers\": [\"127.0.0.1:8600\"], \"tries\": 1 },\n"
    "  \"log\": \"off\", \"log.level\": \"info\",\n"
    "  \"services\": {\n"
    "    \"users\": {\n"
    "      \"endpoints\": [ {\"address\": \"127.0.0.1:9001\", \"zone\": \"a\", \"weight\": 1, \"priority\": 0} ],\n"
    "      \"protocol\": \"h2c\",\n"
    "      \"timeout_ms\": 2000,\n"
    "      \"retry\": {\"attempts\": 3, \"on\": [\"connect-failure\", \"reset\"], \"refused\": false},\n"
    "      \"balance\": {\"policy\": \"round_robin\"},\n"
    "      \"breaker\": {\"max_requests\": 1000} },\n"
    "    \"pay.v1\": { \"target\": \"https://pay\", \"tls\": {\"ca\": \"ca.pem\", \"verify\": \"off\"}, \"retry.on\": "
    "[] },\n"
    "    \"zoned\": { \"zones\": { \"a\": \"h2c://users-a.internal:80\", \"b\": \"h2c://users-b.internal:80\" } }\n"
    "  },\n"
    "  \"defaults\": { \"timeout_ms\": 15001, \"tls\": {\"server_name\": \"x\"} } }\n";

static void every_form_is_read(void **state)
{
    char expected[160];

    (void) state;
    write_file(design_example);
    if (conf_read_file(conf, path, &fault) != 0)
        fail_msg("%s", fault.text);
    assert_string_equal(conf_text(conf, "zone"), "a");
    assert_string_equal(conf_text(conf, "zone_cidrs"), "a=10.0.0.0/20,b=10.0.16.0/20");
    assert_string_equal(conf_text(conf, "dns.servers"), "127.0.0.1:8600");
    assert_int_equal(conf_number(conf, "dns.tries"), 1);
    assert_string_equal(conf_text(conf, "log"), "off");
    assert_string_equal(conf_text(conf, "log.level"), "info");
    assert_int_equal(conf_number(conf, "timeout_ms"), 15001);
    assert_string_equal(conf_text(conf, "tls.server_name"), "x");
    assert_string_equal(own("users", KEY_TIMEOUT_MS), "2000");
    assert_string_equal(own("users", KEY_RETRY_ON), "connect-failure,reset");
    assert_string_equal(own("users", KEY_RETRY_REFUSED), "off");
    assert_string_equal(own("users", KEY_BALANCE_POLICY), "round_robin");
    assert_string_equal(own("pay.v1", KEY_TLS_VERIFY), "off");
    assert_string_equal(own("pay.v1", KEY_RETRY_ON), "");
    snprintf(expected, sizeof expected, "%s/ca.pem", folder);
    assert_string_equal(own("pay.v1", KEY_TLS_CA), expected);
    assert_non_null(own("zoned", KEY_ZONES));
    assert_string_equal(conf_file(conf), path);
    snprintf(expected, sizeof expected, "file %s", path);
    assert_string_equal(values_find(&conf->values, "users", key_at(KEY_TIMEOUT_MS))->from, expected);
}

/* The sentence behind "file PATH, ". */
static void refuse(const char *text, const char *sentence)
{
    char expected[FAULT_TEXT];

    write_file(text);
    fault = (struct fault){ 0 };
    assert_int_equal(conf_read_file(conf, path, &fault), MESH_ERR_INVALID);
    snprintf(expected, sizeof expected, "file %s%s", path, sentence);
    assert_string_equal(fault.text, expected);
    assert_int_equal(conf->values.n, 0);
}

static void wrong_documents_are_explained(void **state)
{
    (void) state;
    refuse("{\n\"zone\": \"a\",\n}", ", line 3: no valid JSON: string or '}' expected near '}'");
    refuse("", ", line 1: no valid JSON: '[' or '{' expected near end of file");
    refuse("[]", ": the configuration is one JSON object");
    refuse("{\"zone\": \"a\",\n\"zone\": \"b\"}", ", line 2: no valid JSON: duplicate object key near '\"zone\"'");
    refuse("{\"zne\": \"a\"}", ", line 1: unknown key \"zne\"; the nearest is \"zone\"");
    refuse("{\n\n\"default\": {}}", ", line 3: unknown key \"default\"; the nearest is \"defaults\"");
    refuse("{\"defaults\": 3}", ", line 1: \"defaults\" is an object of keys");
    refuse("{\"services\": 3}", ", line 1: \"services\" is an object of services by name");
    refuse("{\"services\": {\n\"users\": []}}",
           ", line 2: service \"users\" is an object such as {\"target\": \"h2c://users:80\"}");
    refuse("{\"services\": {\"a b\": {}}}",
           ", line 1: service \"a b\": a name has 1 to 128 letters, digits, '.', '_' and '-'");
    refuse("{\"config\": \"x\"}", ", line 1: \"config\" cannot stand in a document that it leads to");
    refuse("{\"timeout_ms\": 3}", ", line 1: \"timeout_ms\" stands under \"defaults\" or in a service");
    refuse("{\"retry\": {\"attempts\": 3}}", ", line 1: \"retry.attempts\" stands under \"defaults\" or in a service");
    refuse("{\"defaults\": {\"target\": \"http://x\"}}",
           ", line 1: \"target\" stands in one service, under \"services\"");
    refuse("{\"defaults\": {\"zone\": \"x\"}}", ", line 1: \"zone\" belongs to the whole process, not to a service");
    refuse("{\"dns\": 3}", ", line 1: \"dns\" is an object of the keys that begin with \"dns.\"");
    refuse("{\"services\": {\"users\": {\n\"retry\": {\n\"atempts\": 3}}}}",
           ", line 3: unknown key \"retry.atempts\"; the nearest is \"retry.attempts\"");
    refuse("{\"services\": {\"users\": {\"tagret\": {}}}}",
           ", line 1: unknown key \"tagret\"; the nearest is \"target\"");
}

static void wrong_values_are_explained(void **state)
{
    (void) state;
    refuse("{\"services\": {\"users\": {\"retry\": {\n\"attempts\": 21}}}}",
           ", line 2: services.users.retry.attempts is \"21\", allowed is a whole number from 1 to 20");
    refuse("{\"defaults\": {\"timeout_ms\": -1}}",
           ", line 1: timeout_ms is \"-1\", allowed is a whole number of ms from 0 to 86400000");
    refuse("{\"defaults\": {\"timeout_ms\": \"1\"}}",
           ", line 1: timeout_ms is the text \"1\", allowed is a whole number of ms from 0 to 86400000");
    refuse("{\"defaults\": {\"timeout_ms\": 1.5}}",
           ", line 1: timeout_ms is 1.5, allowed is a whole number of ms from 0 to 86400000");
    refuse("{\"zone\": null}",
           ", line 1: zone is null, allowed is a name of up to 128 letters, digits, '.', '_', '-' and '/'");
    refuse("{\"defaults\": {\"retry\": {\"refused\": 1}}}", ", line 1: retry.refused is 1, allowed is on or off");
    refuse("{\"dns\": {\"servers\": [\"127.0.0.1\", 3]}}",
           ", line 1: dns.servers is [\"127.0.0.1\",3], allowed is a list of addresses such as "
           "10.0.0.2,127.0.0.1:8600,[::1]:53");
    refuse("{\"services\": {\"u\": {\"zones\": \"x\"}}}",
           ", line 1: services.u.zones is the text \"x\", allowed is an object such as "
           "{\"a\": \"h2c://users-a:80\", \"b\": \"h2c://users-b:80\"}");
    refuse("{\"services\": {\"u\": {\"zones\": {\"a\": 3}}}}",
           ", line 1: services.u.zones: zone \"a\": a target such as \"h2c://users-a:80\" is expected");
    refuse("{\"defaults\": {\"retry\": {\"attempts\": 3}, \"retry.attempts\": 4}}", ": retry.attempts stands twice");
}

static void wrong_endpoints_are_explained(void **state)
{
#define IN_USERS(endpoint) "{\"services\": {\"u\": {\n\"endpoints\": [{\"address\": \"10.0.0.1:80\"}, " endpoint "]}}}"
#define SAYS(what)         ", line 2: services.u.endpoints: endpoint 2: " what
    (void) state;
    refuse(IN_USERS("3"), SAYS("an object such as {\"address\": \"10.0.0.1:80\"} is expected"));
    refuse(IN_USERS("{}"), SAYS("its address is missing"));
    refuse(IN_USERS("{\"address\": \"users:80\"}"),
           SAYS("address \"users:80\" is no literal address such as 10.0.0.1:80, [::1]:80 or unix:/path; "
                "names stand in target"));
    refuse(IN_USERS("{\"address\": \"10.0.0.1:0\"}"), SAYS("address \"10.0.0.1:0\" needs a port from 1 to 65535"));
    refuse(IN_USERS("{\"address\": \"unix:\"}"), SAYS("address \"unix:\" needs a path of 1 to 107 bytes"));
    refuse(IN_USERS("{\"address\": 3}"), SAYS("address is a text"));
    refuse(IN_USERS("{\"addr\": \"x\"}"), SAYS("unknown \"addr\"; there are address, zone, weight, priority"));
    refuse(IN_USERS("{\"address\": \"10.0.0.1:80\", \"weight\": 0}"),
           SAYS("weight is a whole number from 1 to 1000000"));
    refuse(IN_USERS("{\"address\": \"10.0.0.1:80\", \"priority\": -1}"),
           SAYS("priority is a whole number from 0 to 128"));
    refuse(IN_USERS("{\"address\": \"10.0.0.1:80\", \"zone\": \"a b\"}"),
           SAYS("zone \"a b\" is not made of 1 to 128 letters, digits, '.', '_', '-' and '/'"));
}

static void lines_are_found(void **state)
{
    static const char text[] =
        "{ \"a\": { \"x\\\"}\": [1, {\"b\": 1}],\n \"b\": \"}\",\n\n \"c\" : {\"d\"\n: 5}},\n\"e\":1}";
    static const char *const a[] = { "a" }, *const b[] = { "a", "b" }, *const d[] = { "a", "c", "d" };
    static const char *const e[] = { "e" }, *const none[] = { "a", "x" }, *const deep[] = { "e", "x" };

    (void) state;
    assert_int_equal(conf_line(text, a, 1), 1);
    assert_int_equal(conf_line(text, b, 2), 2);
    assert_int_equal(conf_line(text, d, 3), 4);
    assert_int_equal(conf_line(text, e, 1), 6);
    assert_int_equal(conf_line(text, none, 2), 0);
    assert_int_equal(conf_line(text, deep, 2), 0);
    assert_int_equal(conf_line(text, a, 0), 0);
}

static void files_that_cannot_be_read_are_told(void **state)
{
    char expected[FAULT_TEXT];
    FILE *file;

    (void) state;
    assert_int_equal(conf_read_file(conf, "/no/such/mesh.json", &fault), MESH_ERR_IO);
    assert_string_equal(fault.text, "configuration file /no/such/mesh.json: No such file or directory");
    assert_int_equal(conf_read_file(conf, folder, &fault), MESH_ERR_IO);
    snprintf(expected, sizeof expected, "configuration file %s: Is a directory", folder);
    assert_string_equal(fault.text, expected);
    assert_int_equal(conf_read_file(conf, "", &fault), MESH_ERR_INVALID);
    file = fopen(path, "w");
    fwrite("{}\0{}", 1, 5, file);
    fclose(file);
    assert_int_equal(conf_read_file(conf, path, &fault), MESH_ERR_INVALID);
    snprintf(expected, sizeof expected, "configuration file %s: it has a NUL byte, so it is no text", path);
    assert_string_equal(fault.text, expected);
    setenv("MESH_CONFIG", "/no/such/mesh.json", 1);
    assert_int_equal(conf_read_env(conf, &fault), MESH_ERR_IO);
}

static void one_document_replaces_another(void **state)
{
    (void) state;
    write_file("{\"zone\": \"file\", \"defaults\": {\"timeout_ms\": 5}}");
    assert_int_equal(conf_read_file(conf, path, &fault), 0);
    setenv("MESH_CONFIG", " {\"zone\": \"inline\"}", 1);
    assert_int_equal(conf_read_env(conf, &fault), 0);
    assert_string_equal(conf_text(conf, "zone"), "inline");
    assert_int_equal(conf_number(conf, "timeout_ms"), 15000);
    assert_null(conf_file(conf));
    assert_int_equal(conf_read_file(conf, path, &fault), 0);
    assert_string_equal(conf_text(conf, "zone"), "inline");
    assert_int_equal(conf_set(conf, "config", path, &fault), 0);
    assert_string_equal(conf_text(conf, "zone"), "file");
    assert_string_equal(conf_file(conf), path);
}

static void a_file_is_read_again(void **state)
{
    struct conf *fresh;

    (void) state;
    write_file("{\"zone\": \"one\", \"region\": \"file\", \"defaults\": {\"timeout_ms\": 5}}");
    assert_int_equal(conf_set(conf, "region", "set", &fault), 0);
    assert_int_equal(conf_read_file(conf, path, &fault), 0);
    write_file("{\"zone\": \"two\", \"region\": \"file2\"}");
    fresh = conf_reread(conf, &fault);
    assert_non_null(fresh);
    assert_string_equal(conf_text(conf, "zone"), "one");
    assert_string_equal(conf_text(fresh, "zone"), "two");
    assert_string_equal(conf_text(fresh, "region"), "set");
    assert_int_equal(conf_number(fresh, "timeout_ms"), 15000);
    conf_free(fresh);
    write_file("{\"zone\": \"two\", ");
    assert_null(conf_reread(conf, &fault));
    assert_int_equal(fault.code, MESH_ERR_INVALID);
    write_file("{\"defaults\": {\"tls\": {\"ca\": \"missing.pem\"}}}");
    assert_null(conf_reread(conf, &fault));
    assert_non_null(strstr(fault.text, "missing.pem: No such file or directory"));
    unlink(path);
    assert_null(conf_reread(conf, &fault));
    assert_int_equal(fault.code, MESH_ERR_IO);
}

static void without_a_file_it_is_a_copy(void **state)
{
    struct conf *fresh;

    (void) state;
    assert_int_equal(conf_set(conf, "config", "{\"zone\": \"a\"}", &fault), 0);
    fresh = conf_reread(conf, &fault);
    assert_string_equal(conf_text(fresh, "zone"), "a");
    conf_free(fresh);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(every_form_is_read),
        TEST(wrong_documents_are_explained),
        TEST(wrong_values_are_explained),
        TEST(wrong_endpoints_are_explained),
        TEST(lines_are_found),
        TEST(files_that_cannot_be_read_are_told),
        TEST(one_document_replaces_another),
        TEST(a_file_is_read_again),
        TEST(without_a_file_it_is_a_copy),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/mesh.json", folder);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
