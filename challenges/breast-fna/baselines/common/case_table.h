/* Reading one case of a table port: a header and one row, cells found by column name. */
#ifndef FIEL_CASE_TABLE_H
#define FIEL_CASE_TABLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Folders of the contract; a native test build names others. */
#ifndef FIEL_INPUT
#define FIEL_INPUT "/input"
#endif
#ifndef FIEL_OUTPUT
#define FIEL_OUTPUT "/output"
#endif

enum { LINE_MAX_BYTES = 8192, CELLS_MAX = 256 };

struct case_table {
    char header[LINE_MAX_BYTES];
    char row[LINE_MAX_BYTES];
    char *names[CELLS_MAX];
    char *cells[CELLS_MAX];
    int columns;
};

/* Says what is wrong (the log stays at the site) and ends the run. */
static void give_up(const char *what, const char *where) {
    fprintf(stderr, "%s: %s\n", what, where);
    exit(1);
}

static void read_line(FILE *file, char *line, const char *path) {
    if (!fgets(line, LINE_MAX_BYTES, file)) give_up("expected a header and one row in", path);
    line[strcspn(line, "\r\n")] = '\0';
}

/* Cuts a line at its commas and strips quotes around a cell. */
static int split_line(char *line, char **cells) {
    int count = 0;
    for (char *cell = line; cell && count < CELLS_MAX; count++) {
        char *comma = strchr(cell, ',');
        if (comma) *comma = '\0';
        size_t length = strlen(cell);
        if (length >= 2 && cell[0] == '"' && cell[length - 1] == '"') {
            cell[length - 1] = '\0';
            cell++;
        }
        cells[count] = cell;
        cell = comma ? comma + 1 : NULL;
    }
    return count;
}

static void read_case(struct case_table *table, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) give_up("cannot open", path);
    read_line(file, table->header, path);
    read_line(file, table->row, path);
    fclose(file);
    table->columns = split_line(table->header, table->names);
    if (split_line(table->row, table->cells) != table->columns)
        give_up("header and row differ in length in", path);
}

static const char *cell(const struct case_table *table, const char *name) {
    for (int i = 0; i < table->columns; i++)
        if (strcmp(table->names[i], name) == 0) return table->cells[i];
    give_up("no column", name);
    return NULL;
}

static double number(const struct case_table *table, const char *name) {
    const char *text = cell(table, name);
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0') give_up("not a number in column", name);
    return value;
}

#endif
