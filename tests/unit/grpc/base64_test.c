/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: the examples of RFC 4648, with and without padding, and what is none. */
#include <string.h>

#include "mesh_test.h"

#include "grpc/base64.h"

static void stands_for(const char *text, const char *bytes)
{
    uint8_t out[16] = { 0 };

    assert_int_equal(grpc_base64_size(text, strlen(text)), strlen(bytes));
    grpc_base64_read(text, strlen(text), out);
    assert_string_equal((char *) out, bytes);
}

static void examples_are_read(void **state)
{
    (void) state;
    stands_for("", "");
    stands_for("Zg==", "f");
    stands_for("Zg", "f");
    stands_for("Zm8=", "fo");
    stands_for("Zm8", "fo");
    stands_for("Zm9v", "foo");
    stands_for("Zm9vYg==", "foob");
    stands_for("Zm9vYmE=", "fooba");
    stands_for("Zm9vYmFy", "foobar");
    stands_for("+/+/", "\xfb\xff\xbf");
}

static void examples_are_written(void **state)
{
    static const char *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct buf out = { 0 };

        assert_true(grpc_base64_write(&out, "foobar", i));
        assert_int_equal(buf_len(&out), strlen(texts[i]));
        assert_memory_equal(buf_bytes(&out), texts[i], strlen(texts[i]));
        buf_free(&out);
    }
}

static void other_texts_are_none(void **state)
{
    static const char *const texts[] = { "Z",    "Zm9vY", "=",    "==",   "===",      "====",       "Zg=",
                                         "Z===", "Zm 8",  "Zm-8", "Zm_8", "Zg==Zg==", "\xc3\xa4zz", "Zm9v\n" };

    (void) state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_true(grpc_base64_size(texts[i], strlen(texts[i])) == SIZE_MAX);
}

static void random_bytes_come_back(void **state)
{
    struct rand dice;

    (void) state;
    rand_seed_with(&dice, 3);
    for (int i = 0; i < 20000; i++) {
        size_t len = rand_below(&dice, 100);
        uint8_t bytes[100], *back = mem_alloc(len + 1);
        struct buf text = { 0 };

        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t) rand_below(&dice, 256);
        assert_true(grpc_base64_write(&text, bytes, len));
        assert_int_equal(grpc_base64_size((const char *) buf_bytes(&text), buf_len(&text)), len);
        grpc_base64_read((const char *) buf_bytes(&text), buf_len(&text), back);
        assert_memory_equal(back, bytes, len);
        mem_free(back);
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_TEST(examples_are_read),
        LEAK_TEST(examples_are_written),
        LEAK_TEST(other_texts_are_none),
        LEAK_TEST(random_bytes_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
