/*
 * files.c - temporary files, and other users.
 */
#include "support/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"

#define ORDINARY_USER 1000

static _Noreturn void fail(const char *what, const char *path)
{
    check_fail(__FILE__, __LINE__, "cannot %s %s: %s", what, path, strerror(errno));
}

file_path_t temp_dir_new(void)
{
    file_path_t directory = {"/tmp/semkernel-test-XXXXXX"};

    if (mkdtemp(directory.text) == NULL) {
        fail("make", directory.text);
    }
    return directory;
}

static int remove_entry(const char *path, const struct stat *stats, int kind, struct FTW *place)
{
    (void)stats;
    (void)kind;
    (void)place;
    return remove(path);
}

void temp_dir_free(const file_path_t *directory)
{
    if (nftw(directory->text, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        fail("remove", directory->text);
    }
}

file_path_t file_in(const char *directory, const char *name)
{
    file_path_t path;

    if ((size_t)snprintf(path.text, sizeof(path.text), "%s/%s", directory, name) >=
        sizeof(path.text)) {
        errno = ENAMETOOLONG;
        fail("name", name);
    }
    return path;
}

void file_write(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t done = 0;

    if (fd < 0) {
        fail("write", path);
    }
    while (done < size) {
        ssize_t written = write(fd, (const char *)data + done, size - done);

        if (written < 0) {
            fail("write", path);
        }
        done += (size_t)written;
    }
    close(fd);
}

char *file_read(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    struct stat stats;
    char *data = NULL;

    if (file == NULL || fstat(fileno(file), &stats) != 0) {
        fail("read", path);
    }
    data = malloc((size_t)stats.st_size + 1);
    if (data == NULL || fread(data, 1, (size_t)stats.st_size, file) != (size_t)stats.st_size) {
        fail("read", path);
    }
    fclose(file);
    data[stats.st_size] = '\0';
    if (size_out != NULL) {
        *size_out = (size_t)stats.st_size;
    }
    return data;
}

void file_copy(const char *from, const char *to)
{
    size_t size = 0;
    char *data = file_read(from, &size);
    file_path_t beside;

    if ((size_t)snprintf(beside.text, sizeof(beside.text), "%s.new", to) >= sizeof(beside.text)) {
        errno = ENAMETOOLONG;
        fail("name", to);
    }
    file_write(beside.text, data, size);
    free(data);
    if (chmod(beside.text, 0755) != 0 || rename(beside.text, to) != 0) {
        fail("rename", beside.text);
    }
}

void as_ordinary_user(void (*body)(void))
{
    pid_t child = 0;
    int status = 0;

    if (geteuid() != 0) {
        body();
        return;
    }
    fflush(NULL);
    child = fork();
    if (child == 0) {
        /* User namespaces that have no such user refuse it. */
        if (setgroups(0, NULL) != 0 ||
            setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0 ||
            setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0 ||
            access(TEST_BUILD_DIR, R_OK | X_OK) != 0) {
            _exit(77);
        }
        body();
        fflush(NULL);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        fail("start", "a process");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        SKIP("there is no user 1000 here, or the build tree is closed to it");
    }
    CHECK_EQ(status, 0);
}
