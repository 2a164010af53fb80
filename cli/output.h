/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands print: complaints, JSON, tables, numbers for people. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line on standard error, after the program's name. Control characters in it are shown, not obeyed. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same without the program's name: what was asked for. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "MESH_ERR_TIMEOUT: the detail", and the exit code for it. `detail` may be empty or NULL. */
int complain_error(int32_t err, const char *detail);
int error_exit_code(int32_t err);

/* Returns `block`; without memory the program ends here. */
void *must_have(void *block);

/* A string of JSON from anybody's bytes: what is not UTF-8 is taken as Latin-1. NULL becomes null. */
json_t *json_of_text(const char *text);
/* Prints one line, or indented on a terminal, and gives the value back. */
void print_json(json_t *value);
/* What the library described, parsed; NULL: told already. Frees the text. */
json_t *parse_described(char *text);
/* A member as text; "" when it is absent or null. */
const char *text_at(const json_t *object, const char *key);
uint64_t number_at(const json_t *object, const char *key);
/* A value as one would write it; to be freed. */
char *text_of_value(const json_t *value);

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_CHANGING, COLOUR_FAINT, COLOUR_TITLE };
/* Text whose control characters are shown, padded with blanks to `width`; coloured on a terminal only. */
void print_text(const char *text, size_t width, enum colour colour);

/* Places that print_text() takes on a terminal. */
size_t shown_width(const char *text);

/* A table whose columns are as wide as their longest cell. */
enum { TABLE_COLUMNS = 12 };
struct table {
    const char *titles[TABLE_COLUMNS]; /* NULL ends them */
    struct table_cell {
        char *text;
        enum colour colour;
    } (*rows)[TABLE_COLUMNS];
    size_t n_rows;
    size_t n_cells; /* of the last row */
    size_t indent;
};
void table_row(struct table *table);
void table_cell(struct table *table, const char *text, enum colour colour);
void table_number(struct table *table, uint64_t number);
/* Leaves out columns that have nothing in them. The table is empty afterwards. */
void table_print(struct table *table);

/* "12,345" and "1.23 ms". Return out. */
const char *group_digits(uint64_t number, char out[32]);
const char *show_us(double us, char out[32]);

#endif
