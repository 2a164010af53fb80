/* SPDX-License-Identifier: Apache-2.0 */
/* Complaints, JSON, and text that a stranger may have chosen. */
#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mesh/mesh.h>

#include "cli/cli.h"

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static void put_safely(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (is_control((unsigned char) *text))
            fprintf(file, "\\x%02x", (unsigned char) *text);
        else
            putc(*text, file);
    }
}

__attribute__((format(printf, 2, 0))) static void put_line(const char *before, const char *format, va_list args)
{
    char text[2048];

    vsnprintf(text, sizeof text, format, args);
    fputs(before, stderr);
    put_safely(stderr, text);
    putc('\n', stderr);
}

void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line("mesh: ", format, args);
    va_end(args);
}

void tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_line("", format, args);
    va_end(args);
}

/* What the user wrote is wrong, on the command line or in the configuration. */
int error_exit_code(int32_t err)
{
    if (err == 0)
        return EXIT_OK;
    return err == MESH_ERR_INVALID ? EXIT_BAD_USAGE : EXIT_MESH_FAILED;
}

int complain_error(int32_t err, const char *detail)
{
    complain("%s: %s", mesh_error_name(err), detail && *detail ? detail : mesh_strerror(err));
    return error_exit_code(err);
}

void *must_have(void *block)
{
    if (block)
        return block;
    fputs("mesh: out of memory\n", stderr);
    exit(EXIT_MESH_FAILED);
}

/* ---- JSON ---- */

static json_t *json_of_latin1(const char *text)
{
    char *utf8 = must_have(malloc(2 * strlen(text) + 1)), *to = utf8;
    json_t *value;

    for (; *text; text++) {
        unsigned char c = (unsigned char) *text;

        if (c >= 0x80)
            *to++ = (char) (0xc0 | c >> 6);
        *to++ = (char) (c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    *to = '\0';
    value = json_string(utf8);
    free(utf8);
    return value;
}

json_t *json_of_text(const char *text)
{
    json_t *value;

    if (!text)
        return json_null();
    value = json_string(text);
    return must_have(value ? value : json_of_latin1(text));
}

void print_json(json_t *value)
{
    size_t form = isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT;

    json_dumpf(value, stdout, form | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(value);
}

json_t *parse_described(char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);

    mesh_string_free(text);
    if (!value)
        complain("the library's description is no JSON: %s", error.text);
    return value;
}

const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

uint64_t number_at(const json_t *object, const char *key)
{
    return (uint64_t) json_integer_value(json_object_get(object, key));
}

char *text_of_value(const json_t *value)
{
    if (json_is_string(value))
        return must_have(strdup(json_string_value(value)));
    if (json_is_null(value))
        return must_have(strdup(""));
    return must_have(json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT));
}

/* ---- text ---- */

/* https://no-color.org: any value that is not empty. */
static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

    if (!isatty(STDOUT_FILENO) || (no && *no))
        return false;
    return terminal && strcmp(terminal, "dumb") != 0;
}

static const char *const colour_codes[] = {
    [COLOUR_GOOD] = "32", [COLOUR_BAD] = "31", [COLOUR_CHANGING] = "33", [COLOUR_FAINT] = "2", [COLOUR_TITLE] = "1"
};

/* Characters as a terminal counts them: UTF-8 continuation bytes take no place, shown controls take four. */
size_t shown_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++) {
        unsigned char c = (unsigned char) *text;

        width += is_control(c) ? 4 : (c & 0xc0) != 0x80;
    }
    return width;
}

void print_text(const char *text, size_t width, enum colour colour)
{
    bool coloured = colour != COLOUR_NONE && wants_colour();

    if (coloured)
        printf("\033[%sm", colour_codes[colour]);
    put_safely(stdout, text);
    if (coloured)
        fputs("\033[0m", stdout);
    for (size_t shown = shown_width(text); shown < width; shown++)
        putchar(' ');
}

/* ---- numbers ---- */

const char *group_digits(uint64_t number, char out[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long) number);
    char *to = out;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *show_us(double us, char out[32])
{
    if (us >= 1e6)
        snprintf(out, 32, "%.2f s", us / 1e6);
    else if (us >= 1e3)
        snprintf(out, 32, "%.2f ms", us / 1e3);
    else
        snprintf(out, 32, "%.0f us", us);
    return out;
}
