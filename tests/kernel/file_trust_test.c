/* Which files may be run, and for whom. */
#include "file_trust.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "support/files.h"

/* ---- one entry ---- */

static const kernel__file_trust_user_t root = {0, true};
static const kernel__file_trust_user_t alice = {1000, false};
static const kernel__file_trust_user_t set_id = {1000, true};

static struct stat entry_of(uid_t owner, mode_t mode)
{
    struct stat entry;

    memset(&entry, 0, sizeof(entry));
    entry.st_uid = owner;
    entry.st_gid = 50;
    entry.st_mode = mode;
    return entry;
}

static bool is_trusted(const kernel__file_trust_user_t *user, kernel__file_role_t role,
                       struct stat entry, const char *part)
{
    struct stat parent = entry_of(0, S_IFDIR | 0755);
    char why[512] = "";
    bool trusted = kernel__file_trust_judge(user, role, "/p/x", &entry, &parent, why, sizeof(why));

    CHECK_STR_CONTAINS(why, part);
    return trusted;
}

static void files_of_root_and_of_the_user_are_trusted(void)
{
    CHECK(is_trusted(&root, KERNEL__FILE_ITSELF, entry_of(0, S_IFREG | 0755), ""));
    CHECK(is_trusted(&alice, KERNEL__FILE_ITSELF, entry_of(0, S_IFREG | 0644), ""));
    CHECK(is_trusted(&alice, KERNEL__FILE_ITSELF, entry_of(1000, S_IFREG | 0755), ""));
}

static void files_and_directories_of_somebody_else_are_not(void)
{
    CHECK(!is_trusted(&root, KERNEL__FILE_ITSELF, entry_of(1000, S_IFREG | 0755),
                      "/p/x belongs to user 1000, expected root or user 0"));
    CHECK(!is_trusted(&alice, KERNEL__FILE_ITSELF, entry_of(1001, S_IFREG | 0755),
                      "expected root or user 1000"));
    CHECK(!is_trusted(&alice, KERNEL__FILE_DIRECTORY, entry_of(1001, S_IFDIR | 0755),
                      "copy the plugin to a directory of your own"));
}

static void directories_further_up_may_be_somebody_elses(void)
{
    CHECK(is_trusted(&root, KERNEL__FILE_ABOVE, entry_of(1000, S_IFDIR | 0755), ""));
}

static void writable_by_everybody_is_never_trusted(void)
{
    CHECK(!is_trusted(&alice, KERNEL__FILE_ITSELF, entry_of(1000, S_IFREG | 0646),
                      "can be written by every user (mode 0646)"));
    CHECK(!is_trusted(&alice, KERNEL__FILE_DIRECTORY, entry_of(1000, S_IFDIR | 0777),
                      "chmod o-w /p/x"));
    CHECK(!is_trusted(&alice, KERNEL__FILE_ABOVE, entry_of(0, S_IFDIR | 0777), "chmod o-w /p/x"));
    CHECK(!is_trusted(&root, KERNEL__FILE_ITSELF, entry_of(0, S_IFREG | 01777), "mode 1777"));
}

static void writable_by_a_group_counts_for_root_and_set_id_programs(void)
{
    CHECK(is_trusted(&alice, KERNEL__FILE_ITSELF, entry_of(1000, S_IFREG | 0664), ""));
    CHECK(is_trusted(&alice, KERNEL__FILE_DIRECTORY, entry_of(1000, S_IFDIR | 0775), ""));
    CHECK(!is_trusted(&root, KERNEL__FILE_ITSELF, entry_of(0, S_IFREG | 0664),
                      "can be written by group 50 (mode 0664)"));
    CHECK(!is_trusted(&root, KERNEL__FILE_ABOVE, entry_of(0, S_IFDIR | 0775), "runs as root"));
    CHECK(!is_trusted(&set_id, KERNEL__FILE_ITSELF, entry_of(1000, S_IFREG | 0664),
                      "with the rights of its file"));
}

static void sticky_directory_is_fine_if_the_entry_below_is_ours(void)
{
    struct stat parent = entry_of(0, S_IFDIR | 01777);
    struct stat mine = entry_of(1000, S_IFDIR | 0755);
    struct stat roots = entry_of(0, S_IFLNK | 0777);
    struct stat others = entry_of(1001, S_IFLNK | 0777);
    char why[512] = "";

    CHECK(is_trusted(&alice, KERNEL__FILE_ABOVE, parent, ""));
    CHECK(kernel__file_trust_judge(&alice, KERNEL__FILE_ABOVE, "/tmp/x", &mine, &parent, why,
                                   sizeof(why)));
    CHECK(kernel__file_trust_judge(&alice, KERNEL__FILE_ABOVE, "/tmp/x", &roots, &parent, why,
                                   sizeof(why)));
    CHECK(!kernel__file_trust_judge(&alice, KERNEL__FILE_ABOVE, "/tmp/x", &others, &parent, why,
                                    sizeof(why)));
    CHECK_STR_CONTAINS(why, "/tmp/x belongs to user 1001 and lies in a directory that others");
}

static void mode_of_a_link_means_nothing(void)
{
    CHECK(is_trusted(&root, KERNEL__FILE_ABOVE, entry_of(0, S_IFLNK | 0777), ""));
}

/* ---- the way to a file ---- */

static kernel_status_t open_trusted(const char *path, const char *part)
{
    kernel__trusted_file_t file;
    char why[1024] = "";
    kernel_status_t status = kernel__file_trust_open(path, &file, why, sizeof(why));

    CHECK((status == KERNEL_OK) == (file.fd >= 0));
    CHECK((status == KERNEL_OK) == (why[0] == '\0'));
    CHECK_STR_CONTAINS(why, part);
    if (file.fd >= 0) {
        close(file.fd);
    }
    return status;
}

static void set_mode(const char *path, mode_t mode)
{
    CHECK_EQ(chmod(path, mode), 0);
}

static void trusted_file_is_opened_with_its_real_path(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "x.so");
    file_path_t link = file_in(directory.text, "link");
    file_path_t roundabout = file_in(directory.text, "link/../x.so");
    kernel__trusted_file_t file;
    char why[512];
    char content[4] = "";

    file_write(path.text, "abc", 3);
    CHECK_EQ(symlink("x.so", link.text), 0);
    CHECK_EQ(kernel__file_trust_open(link.text, &file, why, sizeof(why)), KERNEL_OK);
    CHECK_STR(file.path, path.text);
    CHECK_EQ(file.stat.st_size, 3);
    CHECK_EQ(read(file.fd, content, 3), 3);
    CHECK_STR(content, "abc");
    CHECK_EQ(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(file.fd);
    CHECK_EQ(open_trusted(roundabout.text, "there is no file"), KERNEL_E_NOT_FOUND);
    temp_dir_free(&directory);
}

static void dots_and_slashes_lead_to_the_same_file(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t below = file_in(directory.text, "below");
    file_path_t path = file_in(directory.text, "x.so");
    file_path_t roundabout = file_in(directory.text, "./below//..///x.so");
    kernel__trusted_file_t file;
    char why[512];

    file_write(path.text, "abc", 3);
    CHECK_EQ(mkdir(below.text, 0700), 0);
    CHECK_EQ(kernel__file_trust_open(roundabout.text, &file, why, sizeof(why)), KERNEL_OK);
    CHECK_STR(file.path, path.text);
    close(file.fd);
    temp_dir_free(&directory);
}

static void links_are_followed_and_their_directories_judged(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t open_to_all = file_in(directory.text, "open");
    file_path_t path = file_in(directory.text, "open/x.so");
    file_path_t relative = file_in(directory.text, "relative.so");
    file_path_t absolute = file_in(directory.text, "absolute.so");

    CHECK_EQ(mkdir(open_to_all.text, 0755), 0);
    file_write(path.text, "abc", 3);
    CHECK_EQ(symlink("open/x.so", relative.text), 0);
    CHECK_EQ(symlink(path.text, absolute.text), 0);
    CHECK_EQ(open_trusted(relative.text, ""), KERNEL_OK);
    CHECK_EQ(open_trusted(absolute.text, ""), KERNEL_OK);
    set_mode(open_to_all.text, 0757);
    CHECK_EQ(open_trusted(relative.text, "/open can be written by every user"), KERNEL_E_DENIED);
    CHECK_EQ(open_trusted(absolute.text, "/open can be written by every user"), KERNEL_E_DENIED);
    temp_dir_free(&directory);
}

static void links_in_a_circle_come_to_an_end(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t first = file_in(directory.text, "first");
    file_path_t second = file_in(directory.text, "second");

    CHECK_EQ(symlink("second", first.text), 0);
    CHECK_EQ(symlink("first", second.text), 0);
    CHECK_EQ(open_trusted(first.text, "more than 40 symbolic links"), KERNEL_E_LIMIT);
    temp_dir_free(&directory);
}

static void link_to_nothing_is_not_found(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t link = file_in(directory.text, "link.so");

    CHECK_EQ(symlink("nothing.so", link.text), 0);
    CHECK_EQ(open_trusted(link.text, "nothing.so"), KERNEL_E_NOT_FOUND);
    temp_dir_free(&directory);
}

static void what_is_no_regular_file_is_refused_without_being_opened(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t pipe_path = file_in(directory.text, "pipe.so");
    file_path_t folder = file_in(directory.text, "folder.so");
    file_path_t file = file_in(directory.text, "file");
    file_path_t below = file_in(directory.text, "file/x.so");

    CHECK_EQ(mkfifo(pipe_path.text, 0600), 0); /* opening it would wait for a writer */
    CHECK_EQ(mkdir(folder.text, 0700), 0);
    file_write(file.text, "abc", 3);
    CHECK_EQ(open_trusted(pipe_path.text, "expected a regular file"), KERNEL_E_INVALID);
    CHECK_EQ(open_trusted(folder.text, "is a directory"), KERNEL_E_INVALID);
    CHECK_EQ(open_trusted("/dev/null", "expected a regular file"), KERNEL_E_INVALID);
    CHECK_EQ(open_trusted("/", "is a directory"), KERNEL_E_INVALID);
    CHECK_EQ(open_trusted(below.text, "which is no directory"), KERNEL_E_NOT_FOUND);
    temp_dir_free(&directory);
}

static void paths_that_cannot_be_are_refused(void)
{
    char *name = malloc(PATH_MAX + 2);
    char too_long[300];

    CHECK(name != NULL);
    memset(name, '/', PATH_MAX + 1);
    name[PATH_MAX + 1] = '\0';
    memset(too_long, 'a', sizeof(too_long));
    too_long[0] = '/';
    too_long[sizeof(too_long) - 1] = '\0';
    CHECK_EQ(open_trusted(name, "too long"), KERNEL_E_LIMIT);
    CHECK_EQ(open_trusted(too_long, "too long"), KERNEL_E_LIMIT);
    CHECK_EQ(open_trusted("x.so", "relative"), KERNEL_E_INVALID);
    CHECK_EQ(open_trusted("", "relative"), KERNEL_E_INVALID);
    CHECK_EQ(open_trusted("/no/such/file.so", "there is no file /no"), KERNEL_E_NOT_FOUND);
    free(name);
}

static void open_modes_are_refused_along_the_whole_way(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t upper = file_in(directory.text, "upper");
    file_path_t lower = file_in(directory.text, "upper/lower");
    file_path_t path = file_in(directory.text, "upper/lower/x.so");

    CHECK_EQ(mkdir(upper.text, 0755), 0);
    CHECK_EQ(mkdir(lower.text, 0755), 0);
    file_write(path.text, "abc", 3);
    CHECK_EQ(open_trusted(path.text, ""), KERNEL_OK);
    set_mode(path.text, 0666);
    CHECK_EQ(open_trusted(path.text, "x.so can be written by every user"), KERNEL_E_DENIED);
    set_mode(path.text, 0644);
    set_mode(lower.text, 0777);
    CHECK_EQ(open_trusted(path.text, "lower can be written by every user"), KERNEL_E_DENIED);
    set_mode(lower.text, 01777);
    CHECK_EQ(open_trusted(path.text, ""), KERNEL_OK);
    set_mode(lower.text, 0755);
    set_mode(upper.text, 0777);
    CHECK_EQ(open_trusted(path.text, "upper can be written by every user"), KERNEL_E_DENIED);
    set_mode(upper.text, 0755);
    temp_dir_free(&directory);
}

static void group_writable_is_refused_for_root(void)
{
    file_path_t directory = {""};
    file_path_t path = {""};

    if (geteuid() != 0) {
        SKIP("needs root");
    }
    directory = temp_dir_new();
    path = file_in(directory.text, "x.so");
    file_write(path.text, "abc", 3);
    set_mode(path.text, 0664);
    CHECK_EQ(open_trusted(path.text, "x.so can be written by group"), KERNEL_E_DENIED);
    set_mode(path.text, 0644);
    set_mode(directory.text, 0775);
    CHECK_EQ(open_trusted(path.text, "chmod g-w"), KERNEL_E_DENIED);
    temp_dir_free(&directory);
}

static void check_group_writable(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "x.so");

    file_write(path.text, "abc", 3);
    set_mode(path.text, 0664);
    set_mode(directory.text, 0775);
    CHECK_EQ(open_trusted(path.text, ""), KERNEL_OK);
    temp_dir_free(&directory);
}

static void group_writable_is_fine_for_others(void)
{
    as_ordinary_user(check_group_writable);
}

static void check_unreadable(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "x.so");

    file_write(path.text, "abc", 3);
    set_mode(path.text, 0000);
    CHECK_EQ(open_trusted(path.text, "may not read"), KERNEL_E_DENIED);
    temp_dir_free(&directory);
}

static void file_that_may_not_be_read_is_denied(void)
{
    as_ordinary_user(check_unreadable);
}

static void file_of_another_user_is_refused_for_root(void)
{
    file_path_t directory = {""};
    file_path_t path = {""};

    if (geteuid() != 0) {
        SKIP("needs root to give a file away");
    }
    directory = temp_dir_new();
    path = file_in(directory.text, "x.so");
    file_write(path.text, "abc", 3);
    CHECK_EQ(chown(path.text, 1000, 1000), 0);
    CHECK_EQ(open_trusted(path.text, "x.so belongs to user 1000"), KERNEL_E_DENIED);
    CHECK_EQ(chown(path.text, 0, 0), 0);
    CHECK_EQ(chown(directory.text, 1000, 1000), 0);
    CHECK_EQ(open_trusted(path.text, "belongs to user 1000"), KERNEL_E_DENIED);
    temp_dir_free(&directory);
}

/* Somebody else's link in a directory like /tmp may lead somewhere else a moment later. */
static void link_of_another_user_in_a_shared_directory_is_refused(void)
{
    file_path_t directory = {""};
    file_path_t shared = {""};
    file_path_t path = {""};
    file_path_t link = {""};

    if (geteuid() != 0) {
        SKIP("needs root to give a link away");
    }
    directory = temp_dir_new();
    shared = file_in(directory.text, "shared");
    path = file_in(directory.text, "x.so");
    link = file_in(directory.text, "shared/x.so");
    CHECK_EQ(mkdir(shared.text, 0755), 0);
    set_mode(shared.text, 01777);
    file_write(path.text, "abc", 3);
    CHECK_EQ(symlink("../x.so", link.text), 0);
    CHECK_EQ(open_trusted(link.text, ""), KERNEL_OK);
    CHECK_EQ(lchown(link.text, 1000, 1000), 0);
    CHECK_EQ(open_trusted(link.text, "shared/x.so belongs to user 1000 and lies in"),
             KERNEL_E_DENIED);
    temp_dir_free(&directory);
}

TESTS(TEST(files_of_root_and_of_the_user_are_trusted),
      TEST(files_and_directories_of_somebody_else_are_not),
      TEST(directories_further_up_may_be_somebody_elses),
      TEST(writable_by_everybody_is_never_trusted),
      TEST(writable_by_a_group_counts_for_root_and_set_id_programs),
      TEST(sticky_directory_is_fine_if_the_entry_below_is_ours), TEST(mode_of_a_link_means_nothing),
      TEST(trusted_file_is_opened_with_its_real_path), TEST(dots_and_slashes_lead_to_the_same_file),
      TEST(links_are_followed_and_their_directories_judged), TEST(links_in_a_circle_come_to_an_end),
      TEST(link_to_nothing_is_not_found),
      TEST(what_is_no_regular_file_is_refused_without_being_opened),
      TEST(paths_that_cannot_be_are_refused), TEST(open_modes_are_refused_along_the_whole_way),
      TEST(group_writable_is_refused_for_root), TEST(group_writable_is_fine_for_others),
      TEST(file_that_may_not_be_read_is_denied), TEST(file_of_another_user_is_refused_for_root),
      TEST(link_of_another_user_in_a_shared_directory_is_refused))
