/*
 * beneath_test.c - the same answers with openat2 and, where a filter takes it away, without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/beneath.h"
#include "support/check.h"

/* Names of 255 and 256 bytes. */
#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50

static const struct {
    const char *path;
    int flags;
    int error; /* 0: it opens */
    int other; /* is as good */
} cases[] = {
    {"file", O_RDONLY, 0, 0},
    {"directory/file", O_RDONLY, 0, 0},
    {"directory//deep/file", O_RDONLY, 0, 0},
    {".", O_RDONLY | O_DIRECTORY, 0, 0},
    {"directory/deep", O_RDONLY | O_DIRECTORY, 0, 0},
    {"directory/new", O_WRONLY | O_CREAT | O_EXCL, 0, 0},
    {"file", O_WRONLY | O_CREAT | O_EXCL, EEXIST, 0},
    {"missing", O_RDONLY, ENOENT, 0},
    {"missing/file", O_RDONLY, ENOENT, 0},
    {"file/file", O_RDONLY, ENOTDIR, 0},
    {"file", O_RDONLY | O_DIRECTORY, ENOTDIR, 0},
    {"link-to-file", O_RDONLY, ELOOP, 0},
    {"link-to-directory/file", O_RDONLY, ELOOP, ENOTDIR},
    {"link-out/hosts", O_RDONLY, ELOOP, ENOTDIR},
    {"link-out", O_RDONLY | O_DIRECTORY, ELOOP, ENOTDIR},
    {"/etc/hosts", O_RDONLY, EXDEV, 0},
    {"../beneath-secret", O_RDONLY, EXDEV, 0},
    {"directory/../../beneath-secret", O_RDONLY, EXDEV, 0},
    {"fifo", O_RDONLY, 0, 0}, /* and does not wait for a writer */
    {"", O_RDONLY, ENOENT, EXDEV},
    {X250 "xxxxx", O_RDONLY, ENOENT, 0},
    {X250 "xxxxxx", O_RDONLY, ENAMETOOLONG, 0},
};

#define COUNT (sizeof(cases) / sizeof(cases[0]))

static void make_tree(char *path)
{
    const char *const directories[] = {"root", "root/directory", "root/directory/deep"};
    const char *const files[] = {"beneath-secret", "root/file", "root/directory/file",
                                 "root/directory/deep/file"};

    CHECK(mkdtemp(path) != NULL);
    CHECK_EQ(chdir(path), 0);
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        CHECK_EQ(mkdir(directories[i], 0700), 0);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        CHECK_EQ(close(open(files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
    }
    CHECK_EQ(symlink("file", "root/link-to-file"), 0);
    CHECK_EQ(symlink("directory", "root/link-to-directory"), 0);
    CHECK_EQ(symlink("/etc", "root/link-out"), 0);
    CHECK_EQ(mkfifo("root/fifo", 0600), 0);
}

static void remove_tree(const char *path)
{
    static const char *const names[] = {"root/directory/deep/file",
                                        "root/directory/deep",
                                        "root/directory/file",
                                        "root/directory/new",
                                        "root/directory",
                                        "root/link-to-file",
                                        "root/link-to-directory",
                                        "root/link-out",
                                        "root/fifo",
                                        "root/file",
                                        "root",
                                        "beneath-secret"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CHECK_EQ(remove(names[i]), 0);
    }
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(rmdir(path), 0);
}

/* From here on this process has a kernel without openat2. */
static void take_openat2_away(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0 ||
        syscall(SYS_openat2, -1, NULL, NULL, 0) != -1 || errno != ENOSYS) {
        _exit(1);
    }
}

static void try_all(int root, int errors[COUNT])
{
    for (size_t i = 0; i < COUNT; i++) {
        const unsigned mode = (cases[i].flags & O_CREAT) != 0 ? 0600 : 0;
        int file = open_beneath(root, cases[i].path, cases[i].flags, mode);
        errors[i] = file < 0 ? errno : 0;
        if (file >= 0) {
            (void)close(file);
        }
    }
}

static void check_all(bool with_openat2)
{
    char path[] = "/tmp/beneath-XXXXXX";
    int errors[COUNT];
    int ends[2];

    make_tree(path);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        int root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!with_openat2) {
            take_openat2_away();
        }
        try_all(root, errors);
        _exit(write(ends[1], errors, sizeof(errors)) == (ssize_t)sizeof(errors) ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(read(ends[0], errors, sizeof(errors)), sizeof(errors));
    (void)close(ends[0]);
    (void)close(ends[1]);
    remove_tree(path);
    for (size_t i = 0; i < COUNT; i++) {
        if (errors[i] != cases[i].error && (cases[i].other == 0 || errors[i] != cases[i].other)) {
            check_equal(__FILE__, __LINE__, cases[i].path, errors[i], cases[i].error);
        }
    }
}

static void nothing_leads_out_of_the_directory(void)
{
    check_all(true);
}

static void nothing_leads_out_of_the_directory_without_openat2(void)
{
    check_all(false);
}

TESTS(TEST(nothing_leads_out_of_the_directory),
      TEST(nothing_leads_out_of_the_directory_without_openat2))
