/*
 * fuzz_main.c - runs a fuzz target over files and folders, without a fuzzer.
 *
 * So every normal build replays the corpus: each input once as it is, once cut
 * in half, and the empty one. The input lies in a block of exactly its size,
 * which lets a sanitizer see a read beyond its end.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/fuzz.h"

static void run_input(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL) {
        fprintf(stderr, "not enough memory for an input of %zu bytes\n", size);
        exit(1);
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void fail(const char *path)
{
    fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
    exit(1);
}

static unsigned run_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t size = 0;

    if (file == NULL) {
        fail(path);
        return 0;
    }
    size = fread(data, 1, sizeof(data), file);
    if (ferror(file)) {
        fail(path);
    }
    fclose(file);
    run_input(data, size);
    run_input(data, size / 2);
    return 1;
}

static unsigned run_path(const char *path)
{
    struct stat status;
    struct dirent **names = NULL;
    unsigned files = 0;
    int count = 0;

    if (stat(path, &status) != 0) {
        fail(path);
    }
    if (!S_ISDIR(status.st_mode)) {
        return run_file(path);
    }
    count = scandir(path, &names, NULL, alphasort);
    if (count < 0) {
        fail(path);
    }
    for (int i = 0; i < count; i++) {
        char below[4096];

        if (names[i]->d_name[0] != '.') {
            snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
            files += run_path(below);
        }
        free(names[i]);
    }
    free(names);
    return files;
}

int main(int argc, char **argv)
{
    unsigned files = 0;

    run_input(NULL, 0);
    for (int i = 1; i < argc; i++) {
        files += run_path(argv[i]);
    }
    printf("%u inputs\n", files);
    return files > 0 ? 0 : 1;
}
