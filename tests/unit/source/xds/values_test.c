/* SPDX-License-Identifier: Apache-2.0 */
/* Values that many resources have: equal JSON gives equal text, shares are bounded, data comes from where it is said to be. */
#include "mesh_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/xds/values.h"

/* ---- JSON ---- */

static Pb__Value number(double value)
{
    Pb__Value made = PB__VALUE__INIT;

    made.kind_case = PB__VALUE__KIND_NUMBER_VALUE;
    made.number_value = value;
    return made;
}

static Pb__Value text(const char *value)
{
    Pb__Value made = PB__VALUE__INIT;

    made.kind_case = PB__VALUE__KIND_STRING_VALUE;
    made.string_value = (char *) value;
    return made;
}

static void json_is(const Pb__Value *value, const char *expected)
{
    char *json = values_json(value);

    assert_non_null(json);
    assert_string_equal(json, expected);
    mem_free(json);
}

static void test_scalars_are_json(void **state)
{
    Pb__Value value = PB__VALUE__INIT;

    (void) state;
    json_is(&value, "null");
    value.kind_case = PB__VALUE__KIND_BOOL_VALUE;
    value.bool_value = true;
    json_is(&value, "true");
    value = text("v\"1");
    json_is(&value, "\"v\\\"1\"");
    value = number(3);
    json_is(&value, "3");
    value = number(-0.5);
    json_is(&value, "-0.5");
    value = number(INFINITY);
    json_is(&value, "null");
}

/* The order of members on the wire says nothing; that of a list does. */
static void test_members_are_sorted(void **state)
{
    Pb__Value one = number(1), two = number(2), list_value = PB__VALUE__INIT;
    Pb__Value *values[] = { &two, &one };
    Pb__ListValue list = PB__LIST_VALUE__INIT;
    Pb__Struct__FieldsEntry b = PB__STRUCT__FIELDS_ENTRY__INIT, a = PB__STRUCT__FIELDS_ENTRY__INIT;
    Pb__Struct__FieldsEntry *fields[] = { &b, &a };
    Pb__Struct object = PB__STRUCT__INIT;
    char *json;

    (void) state;
    list.n_values = 2;
    list.values = values;
    list_value.kind_case = PB__VALUE__KIND_LIST_VALUE;
    list_value.list_value = &list;
    b.key = (char *) "b";
    b.value = &list_value;
    a.key = (char *) "a";
    a.value = &one;
    object.n_fields = 2;
    object.fields = fields;
    json = values_json_object(&object);
    assert_string_equal(json, "{\"a\":1,\"b\":[2,1]}");
    mem_free(json);
}

/* ---- shares ---- */

static void test_fractions_are_bounded(void **state)
{
    Type__FractionalPercent fraction = TYPE__FRACTIONAL_PERCENT__INIT;
    struct fault fault = { 0 };
    struct reading reading = { .fault = &fault };
    struct route_fraction out;

    (void) state;
    MESH_OK(values_fraction(&reading, "percentage", NULL, &out));
    assert_int_equal(out.numerator, 0);
    fraction.numerator = 12;
    fraction.denominator = TYPE__FRACTIONAL_PERCENT__DENOMINATOR_TYPE__MILLION;
    MESH_OK(values_fraction(&reading, "percentage", &fraction, &out));
    assert_int_equal(out.numerator, 12);
    assert_int_equal(out.denominator, 1000000);
    fraction.numerator = 200;
    fraction.denominator = TYPE__FRACTIONAL_PERCENT__DENOMINATOR_TYPE__HUNDRED;
    MESH_OK(values_fraction(&reading, "percentage", &fraction, &out));
    assert_int_equal(out.numerator, 100);
    fraction.denominator = (Type__FractionalPercent__DenominatorType) 7;
    MESH_ERR(MESH_ERR_INVALID, values_fraction(&reading, "percentage", &fraction, &out));
    assert_string_equal(fault.text, "percentage: denominator 7 does not exist");
}

/* ---- data ---- */

static void test_data_comes_from_a_file(void **state)
{
    char path[] = "/tmp/mesh-values-XXXXXX";
    int fd = mkstemp(path);
    Core__DataSource source = CORE__DATA_SOURCE__INIT;
    struct fault fault = { 0 };
    struct reading reading = { .fault = &fault };
    struct buf out = { 0 };

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "sorry", 5), 5);
    close(fd);
    source.specifier_case = CORE__DATA_SOURCE__SPECIFIER_FILENAME;
    source.filename = path;
    MESH_OK(values_data(&reading, &source, 5, &out));
    assert_int_equal(buf_len(&out), 5);
    assert_memory_equal(buf_bytes(&out), "sorry", 5);
    MESH_ERR(MESH_ERR_INVALID, values_data(&reading, &source, 4, &out));
    assert_string_equal(fault.text, "filename: 5 bytes; allowed are 4");
    unlink(path);
    MESH_ERR(MESH_ERR_INVALID, values_data(&reading, &source, 5, &out));
    assert_non_null(strstr(fault.text, "cannot be read"));
    buf_free(&out);
}

/* Opening a pipe that nobody writes to would never end. */
static void test_pipes_are_not_read(void **state)
{
    char folder[] = "/tmp/mesh-values-XXXXXX", path[64];
    Core__DataSource source = CORE__DATA_SOURCE__INIT;
    struct fault fault = { 0 };
    struct reading reading = { .fault = &fault };
    struct buf out = { 0 };

    (void) state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    source.specifier_case = CORE__DATA_SOURCE__SPECIFIER_FILENAME;
    source.filename = path;
    MESH_ERR(MESH_ERR_INVALID, values_data(&reading, &source, 5, &out));
    assert_non_null(strstr(fault.text, "is no regular file"));
    unlink(path);
    rmdir(folder);
}

static void test_data_comes_from_a_variable(void **state)
{
    Core__DataSource source = CORE__DATA_SOURCE__INIT;
    struct fault fault = { 0 };
    struct reading reading = { .fault = &fault };
    struct buf out = { 0 };

    (void) state;
    source.specifier_case = CORE__DATA_SOURCE__SPECIFIER_ENVIRONMENT_VARIABLE;
    source.environment_variable = (char *) "VALUES_TEST_BODY";
    unsetenv("VALUES_TEST_BODY");
    MESH_ERR(MESH_ERR_INVALID, values_data(&reading, &source, 9, &out));
    assert_string_equal(fault.text, "environment_variable: there is no environment variable VALUES_TEST_BODY");
    setenv("VALUES_TEST_BODY", "closed", 1);
    MESH_OK(values_data(&reading, &source, 9, &out));
    assert_int_equal(buf_len(&out), 6);
    buf_free(&out);
    source.specifier_case = CORE__DATA_SOURCE__SPECIFIER__NOT_SET;
    MESH_ERR(MESH_ERR_INVALID, values_data(&reading, &source, 9, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(test_scalars_are_json),      LEAK_TEST(test_members_are_sorted),
        LEAK_TEST(test_fractions_are_bounded), LEAK_TEST(test_data_comes_from_a_file),
        LEAK_TEST(test_pipes_are_not_read),    LEAK_TEST(test_data_comes_from_a_variable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
