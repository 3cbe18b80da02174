/*
 * manual.c - writes what is installed beside the program, when it is built.
 *
 *     manual example FILE             an example configuration
 *     manual page TEMPLATE FILE       the manual page: in the template @FLAGS@ stands for
 *                                     the flags and @VERSION@ for the version
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kernel/version.h>

#include "config/config_text.h"

static void print_line(FILE *out, const char *line)
{
    const char *at = strstr(line, "@VERSION@");

    if (strcmp(line, "@FLAGS@\n") == 0) {
        config_print_manual(out);
    } else if (at == NULL) {
        (void)fputs(line, out);
    } else {
        (void)fprintf(out, "%.*s%s%s", (int)(at - line), line, KERNEL_VERSION_STRING,
                      at + strlen("@VERSION@"));
    }
}

static bool print_page(FILE *out, const char *template)
{
    char line[1024];
    FILE *in = fopen(template, "re");

    if (in == NULL) {
        return false;
    }
    while (fgets(line, sizeof(line), in) != NULL) {
        print_line(out, line);
    }
    bool ok = ferror(in) == 0;
    (void)fclose(in);
    return ok;
}

int main(int argc, char **argv)
{
    const bool page = argc == 4 && strcmp(argv[1], "page") == 0;

    if (!page && (argc != 3 || strcmp(argv[1], "example") != 0)) {
        (void)fputs("usage: manual example FILE | manual page TEMPLATE FILE\n", stderr);
        return EXIT_FAILURE;
    }
    FILE *out = fopen(argv[argc - 1], "we");
    bool ok = out != NULL;
    if (ok && page) {
        ok = print_page(out, argv[2]);
    } else if (ok) {
        config_print_example(out);
    }
    if ((out != NULL && fclose(out) != 0) || !ok) {
        perror(argv[argc - 1]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
