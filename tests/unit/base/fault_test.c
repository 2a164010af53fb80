/* SPDX-License-Identifier: Apache-2.0 */
/* Faults: code and sentence travel together, are cut and never overrun. */
#include "mesh_test.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"

static void code_and_sentence_are_kept(void **state)
{
    struct fault fault = { 0 };

    (void) state;
    assert_int_equal(fault_set(&fault, MESH_ERR_DNS, "%s: no such name", "users"), MESH_ERR_DNS);
    assert_int_equal(fault.code, MESH_ERR_DNS);
    assert_string_equal(fault.text, "users: no such name");
    assert_int_equal(fault_prefix(&fault, "attempt %d: ", 2), MESH_ERR_DNS);
    assert_string_equal(fault.text, "attempt 2: users: no such name");
}

static void without_a_fault_the_code_still_comes_back(void **state)
{
    (void) state;
    assert_int_equal(fault_set(NULL, MESH_ERR_IO, "x"), MESH_ERR_IO);
    assert_true(fault_prefix(NULL, "x") < 0);
}

static void long_sentences_are_cut(void **state)
{
    char longer[2 * FAULT_TEXT];
    struct fault fault = { 0 };

    (void) state;
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    fault_set(&fault, MESH_ERR_IO, "%s", longer);
    assert_int_equal(strlen(fault.text), FAULT_TEXT - 1);
    fault_prefix(&fault, "front: ");
    assert_int_equal(strlen(fault.text), FAULT_TEXT - 1);
    assert_memory_equal(fault.text, "front: xxx", 10);
    fault_prefix(&fault, "%s", longer);
    assert_int_equal(strlen(fault.text), FAULT_TEXT - 1);
    assert_int_equal(fault.code, MESH_ERR_IO);
}

static void a_caller_gets_as_much_as_fits(void **state)
{
    struct fault fault = { 0 };
    char out[8] = "before";

    (void) state;
    fault_set(&fault, MESH_ERR_INVALID, "a long sentence");
    assert_int_equal(fault_tell(&fault, NULL, 0), MESH_ERR_INVALID);
    assert_int_equal(fault_tell(&fault, out, 0), MESH_ERR_INVALID);
    assert_string_equal(out, "before");
    assert_int_equal(fault_tell(&fault, out, sizeof out), MESH_ERR_INVALID);
    assert_string_equal(out, "a long ");
}

static void errno_has_words(void **state)
{
    char out[FAULT_TEXT];

    (void) state;
    assert_string_equal(fault_errno(ECONNREFUSED, out), "Connection refused");
    assert_string_equal(out, "Connection refused");
    assert_non_null(strstr(fault_errno(99999, out), "99999"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_and_sentence_are_kept),
        cmocka_unit_test(without_a_fault_the_code_still_comes_back),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(a_caller_gets_as_much_as_fits),
        cmocka_unit_test(errno_has_words),
    };

    return cmocka_run_group_tests_name("base/fault", tests, NULL, NULL);
}
