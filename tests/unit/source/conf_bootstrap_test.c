/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bootstrap comes from: xds.bootstrap in any form, gRPC's variables behind it, and what happens when it is wrong. */
#include "mesh_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/conf.h"
#include "source/xds/bootstrap.h"

#define BOOTSTRAP(id)                                                                                              \
    "{\"xds_servers\": [{\"server_uri\": \"unix:/x\", \"channel_creds\": [{\"type\": \"insecure\"}]}], \"node\": " \
    "{\"id\": \"" id "\"}}"

static struct conf *conf;
static struct fault fault;
static char file[] = "/tmp/mesh-bootstrap-XXXXXX";

static int begin(void **state)
{
    (void) state;
    clearenv();
    fault = (struct fault){ 0 };
    conf = conf_new();
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
    FILE *stream = fopen(file, "w");

    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
}

/* The id of its node; "": there is no bootstrap. */
static const char *node_id(void)
{
    static char id[32];
    struct bootstrap *bootstrap;

    if (conf_bootstrap(conf, &bootstrap, &fault))
        fail_msg("%s", fault.text);
    text_copy(id, sizeof id, bootstrap ? bootstrap->node.id : "");
    bootstrap_free(bootstrap);
    return id;
}

static void without_one_there_is_no_xds(void **state)
{
    (void) state;
    MESH_OK(conf_read_env(conf, &fault));
    MESH_OK(conf_check(conf, &fault));
    assert_string_equal(node_id(), "");
}

static void it_is_a_text_a_file_or_a_part_of_the_document(void **state)
{
    (void) state;
    MESH_OK(conf_set(conf, "xds.bootstrap", BOOTSTRAP("text"), &fault));
    assert_string_equal(node_id(), "text");
    MESH_OK(conf_check(conf, &fault));
    write_file(BOOTSTRAP("file"));
    MESH_OK(conf_set(conf, "xds.bootstrap", file, &fault));
    assert_string_equal(node_id(), "file");
    MESH_OK(conf_set(conf, "xds.bootstrap", "", &fault));
    assert_string_equal(node_id(), "");
}

static void the_document_may_hold_it(void **state)
{
    (void) state;
    MESH_OK(conf_set(conf, "config", "{\"xds\": {\"bootstrap\": " BOOTSTRAP("inside") "}}", &fault));
    assert_string_equal(node_id(), "inside");
}

static void grpcs_variables_stand_behind_ours(void **state)
{
    (void) state;
    setenv("GRPC_XDS_BOOTSTRAP_CONFIG", BOOTSTRAP("grpc text"), 1);
    MESH_OK(conf_read_env(conf, &fault));
    assert_string_equal(node_id(), "grpc text");
    write_file(BOOTSTRAP("grpc file"));
    setenv("GRPC_XDS_BOOTSTRAP", file, 1);
    MESH_OK(conf_read_env(conf, &fault));
    assert_string_equal(node_id(), "grpc file");
    setenv("MESH_CONFIG", "{\"xds\": {\"bootstrap\": " BOOTSTRAP("document") "}}", 1);
    MESH_OK(conf_read_env(conf, &fault));
    assert_string_equal(node_id(), "document");
    setenv("MESH_XDS_BOOTSTRAP", BOOTSTRAP("ours"), 1);
    MESH_OK(conf_read_env(conf, &fault));
    assert_string_equal(node_id(), "ours");
    assert_int_equal(conf->n_warnings, 0);
}

static void a_document_wins_over_grpcs_variables_when_it_comes_later(void **state)
{
    (void) state;
    setenv("GRPC_XDS_BOOTSTRAP_CONFIG", BOOTSTRAP("grpc"), 1);
    MESH_OK(conf_read_env(conf, &fault));
    write_file("{\"xds\": {\"bootstrap\": " BOOTSTRAP("later") "}}");
    MESH_OK(conf_read_file(conf, file, &fault));
    assert_string_equal(node_id(), "later");
}

static void a_wrong_one_is_refused_where_it_is_ours(void **state)
{
    (void) state;
    MESH_ERR(MESH_ERR_INVALID, conf_set(conf, "xds.bootstrap", "{\"xds_servers\": 1}", &fault));
    assert_string_equal(fault.text, "xds.bootstrap, line 1: xds_servers: it is a number, allowed is a list");
    MESH_ERR(MESH_ERR_INVALID, conf_set(conf, "config", "{\"xds\": {\"bootstrap\": 7}}", &fault));
    assert_string_equal(fault.text,
                        "set, line 1: xds.bootstrap is 7, allowed is a file, or a JSON object with xds_servers");
    MESH_OK(conf_set(conf, "xds.bootstrap", "/no/such/bootstrap.json", &fault));
    MESH_ERR(MESH_ERR_IO, conf_check(conf, &fault));
    assert_non_null(strstr(fault.text, "/no/such/bootstrap.json"));
}

static void a_wrong_one_of_grpc_is_a_warning(void **state)
{
    (void) state;
    setenv("GRPC_XDS_BOOTSTRAP_CONFIG", "{\"xds_servers\": []}", 1);
    MESH_OK(conf_read_env(conf, &fault));
    MESH_OK(conf_check(conf, &fault));
    assert_string_equal(node_id(), "");
    assert_int_equal(conf->n_warnings, 1);
    assert_string_equal(conf->warnings[0],
                        "there is no xDS: environment GRPC_XDS_BOOTSTRAP_CONFIG: xds_servers is missing, "
                        "a list of at least one server");
    setenv("MESH_XDS_BOOTSTRAP", BOOTSTRAP("ours"), 1);
    MESH_OK(conf_read_env(conf, &fault));
    assert_int_equal(conf->n_warnings, 0);
}

static void where_it_came_from_is_told(void **state)
{
    char *description;

    (void) state;
    setenv("GRPC_XDS_BOOTSTRAP_CONFIG", BOOTSTRAP("grpc"), 1);
    MESH_OK(conf_read_env(conf, &fault));
    description = conf_describe(conf, false);
    assert_non_null(strstr(description, "\"xds.bootstrap\""));
    assert_non_null(strstr(description, "environment GRPC_XDS_BOOTSTRAP_CONFIG"));
    mem_free(description);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(without_one_there_is_no_xds),
        TEST(it_is_a_text_a_file_or_a_part_of_the_document),
        TEST(the_document_may_hold_it),
        TEST(grpcs_variables_stand_behind_ours),
        TEST(a_document_wins_over_grpcs_variables_when_it_comes_later),
        TEST(a_wrong_one_is_refused_where_it_is_ours),
        TEST(a_wrong_one_of_grpc_is_a_warning),
        TEST(where_it_came_from_is_told),
    };
    int fd = mkstemp(file), failed;

    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests_name("source/conf_bootstrap", tests, NULL, NULL);
    unlink(file);
    return failed;
}
