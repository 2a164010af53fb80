/* SPDX-License-Identifier: Apache-2.0 */
/* Tables whose columns fit what is in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

void table_row(struct table *table)
{
    table->rows = must_have(realloc(table->rows, (table->n_rows + 1) * sizeof *table->rows));
    memset(table->rows[table->n_rows++], 0, sizeof *table->rows);
    table->n_cells = 0;
}

void table_cell(struct table *table, const char *text, enum colour colour)
{
    struct table_cell *cell = &table->rows[table->n_rows - 1][table->n_cells++];

    cell->text = must_have(strdup(text));
    cell->colour = colour;
}

void table_number(struct table *table, uint64_t number)
{
    char text[32];

    snprintf(text, sizeof text, "%llu", (unsigned long long) number);
    table_cell(table, text, COLOUR_NONE);
}

/* 0: nothing stands in the column. */
static size_t column_width(const struct table *table, size_t column)
{
    size_t width = 0;

    for (size_t row = 0; row < table->n_rows; row++) {
        const char *text = table->rows[row][column].text;
        size_t shown = text ? shown_width(text) : 0;

        width = shown > width ? shown : width;
    }
    if (width == 0)
        return 0;
    return width > strlen(table->titles[column]) ? width : strlen(table->titles[column]);
}

static size_t count_columns(const struct table *table)
{
    size_t n = 0;

    while (n < TABLE_COLUMNS && table->titles[n])
        n++;
    return n;
}

/* Blanks go between cells, not behind the last one that has something. */
static void print_row(const struct table *table, const size_t *widths, const struct table_cell *cells)
{
    size_t blanks = table->indent;

    for (size_t i = 0; i < count_columns(table); i++) {
        const char *text = cells[i].text ? cells[i].text : "";

        if (widths[i] == 0)
            continue;
        if (*text) {
            printf("%*s", (int) blanks, "");
            print_text(text, 0, cells[i].colour);
            blanks = 0;
        }
        blanks += widths[i] - (*text ? shown_width(text) : 0) + 2;
    }
    putchar('\n');
}

void table_print(struct table *table)
{
    struct table_cell titles[TABLE_COLUMNS] = { 0 };
    size_t widths[TABLE_COLUMNS] = { 0 };

    for (size_t i = 0; i < count_columns(table); i++) {
        titles[i] = (struct table_cell){ (char *) (uintptr_t) table->titles[i], COLOUR_TITLE };
        widths[i] = column_width(table, i);
    }
    print_row(table, widths, titles);
    for (size_t row = 0; row < table->n_rows; row++) {
        print_row(table, widths, table->rows[row]);
        for (size_t i = 0; i < TABLE_COLUMNS; i++)
            free(table->rows[row][i].text);
    }
    free(table->rows);
    table->rows = NULL;
    table->n_rows = 0;
}
