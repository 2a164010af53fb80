/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text: whatever goes in, a strict parser reads what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "observe/escape.h"
#include "observe/observe.h"

/* What a parser makes of the text that json_text() wrote. */
static json_t *through_json(const char *text, size_t len, size_t most)
{
    struct buf out = { 0 };
    json_error_t error;
    json_t *value;

    assert_true(json_text(&out, text, len, most));
    value = json_loadb((const char *) buf_bytes(&out), buf_len(&out), JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        fail_msg("%s: %.*s", error.text, (int) buf_len(&out), (const char *) buf_bytes(&out));
    for (size_t i = 0; i < buf_len(&out); i++)
        assert_true(buf_bytes(&out)[i] >= 0x20);
    buf_free(&out);
    return value;
}

static void assert_becomes(const char *text, const char *expected)
{
    json_t *value = through_json(text, strlen(text), 0);

    assert_string_equal(json_string_value(value), expected);
    json_decref(value);
}

static void test_valid_text_is_kept(void **state)
{
    (void) state;
    assert_becomes("", "");
    assert_becomes("plain /path?x=1", "plain /path?x=1");
    assert_becomes("\" \\ \n \r \t \b \f \x01 \x1f \x7f", "\" \\ \n \r \t \b \f \x01 \x1f \x7f");
    assert_becomes("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void test_invalid_utf8_is_replaced(void **state)
{
    (void) state;
    assert_becomes("a\xff"
                   "b",
                   "a\xef\xbf\xbd"
                   "b");
    assert_becomes("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd");                                 /* overlong */
    assert_becomes("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");                 /* surrogate */
    assert_becomes("\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* beyond U+10FFFF */
    assert_becomes("\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd");                                 /* ends early */
}

/* Python's splitlines() and terminals see more line ends and commands than ASCII has. */
static void test_no_raw_line_end_or_terminal_command(void **state)
{
    static const char nasty[] = "\xc2\x85 \xe2\x80\xa8 \xe2\x80\xa9 \xc2\x9b \xe2\x80\xae \xe2\x81\xa6";
    struct buf out = { 0 };

    (void) state;
    assert_true(json_text(&out, nasty, sizeof nasty - 1, 0));
    for (size_t i = 0; i < buf_len(&out); i++)
        assert_true(buf_bytes(&out)[i] < 0x80);
    buf_free(&out);
    assert_becomes(nasty, nasty);
}

static void test_every_byte_value(void **state)
{
    char bytes[256];
    json_t *value;

    (void) state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char) i;
    value = through_json(bytes, sizeof bytes, 0);
    assert_memory_equal(json_string_value(value), bytes, 128);
    json_decref(value);
}

static void test_cut_says_so_and_keeps_characters_whole(void **state)
{
    json_t *value = through_json("abcdef", 6, 3);

    (void) state;
    assert_string_equal(json_string_value(value), "abc\xe2\x80\xa6");
    json_decref(value);
    value = through_json("ab\xe2\x82\xac", 5, 4);
    assert_string_equal(json_string_value(value), "ab\xe2\x80\xa6");
    json_decref(value);
    value = through_json("abc", 3, 3);
    assert_string_equal(json_string_value(value), "abc");
    json_decref(value);
}

static void test_escape_stops_at_its_room(void **state)
{
    char out[8];
    bool cut;

    (void) state;
    assert_int_equal(escape(out, 7, "ab\x01zz", 5, &cut), 2); /* \u0001 needs six */
    assert_true(cut);
    assert_int_equal(escape(out, 8, "ab\x01", 3, &cut), 8);
    assert_false(cut);
}

static void test_writer_sets_the_commas(void **state)
{
    struct json_writer w = { 0 };
    char *text;

    (void) state;
    json_begin(&w, '{');
    json_key(&w, "a");
    json_number(&w, -5);
    json_key(&w, "list");
    json_begin(&w, '[');
    json_quoted(&w, "x\"y");
    json_quoted(&w, NULL);
    json_bool(&w, true);
    json_begin(&w, '{');
    json_end(&w, '}');
    json_begin(&w, '[');
    json_end(&w, ']');
    json_end(&w, ']');
    json_key(&w, "raw");
    json_raw(&w, "{\"k\":1.5}");
    json_end(&w, '}');
    text = json_finish(&w);
    assert_string_equal(text, "{\"a\":-5,\"list\":[\"x\\\"y\",null,true,{},[]],\"raw\":{\"k\":1.5}}");
    mem_free(text);
    assert_int_equal(w.depth, 0);
}

static void test_writer_fails_softly(void **state)
{
    (void) state;
    for (uint64_t nth = 1;; nth++) {
        struct json_writer w = { 0 };
        int64_t live;
        char *text;
        bool reached;

        mem_watch(nth, true);
        json_begin(&w, '[');
        for (int i = 0; i < 200; i++)
            json_quoted(&w, "some text");
        json_end(&w, ']');
        text = json_finish(&w);
        mem_free(text);
        reached = mem_unwatch(&live);
        assert_int_equal(live, 0);
        if (!reached)
            break;
        assert_null(text);
    }
}

static void test_writer_refuses_bottomless_nesting(void **state)
{
    struct json_writer w = { 0 };

    (void) state;
    for (int i = 0; i < 100; i++)
        json_begin(&w, '[');
    for (int i = 0; i < 100; i++)
        json_end(&w, ']');
    assert_null(json_finish(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_text_is_kept),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_no_raw_line_end_or_terminal_command),
        cmocka_unit_test(test_every_byte_value),
        cmocka_unit_test(test_cut_says_so_and_keeps_characters_whole),
        cmocka_unit_test(test_escape_stops_at_its_room),
        cmocka_unit_test(test_writer_sets_the_commas),
        cmocka_unit_test(test_writer_fails_softly),
        cmocka_unit_test(test_writer_refuses_bottomless_nesting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
