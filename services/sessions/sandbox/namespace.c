/*
 * namespace.c - the server's namespaces and the slots' file systems.
 *
 * Root takes a mount and a process namespace; an ordinary user takes a user
 * namespace with them, mapped to himself alone, which gives the right to mount. Over one directory
 * that every system has (the room) lies a small file system with a directory a
 * slot. It is mode 0711, and a slot's directory 0700 and the slot user's own:
 * bubblewrap runs as that user and must reach its own files and no others.
 */
#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/embedded.h"
#include "directories.h"

#define TMP_INODES 4096
#define SHM_INODES 1024

static const char *room; /* set once, by namespace_enter */

static bool write_file(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0) {
        (void)close(file);
    }
    return ok;
}

static bool unshare_as_user(void)
{
    char map[64];
    unsigned uid = geteuid();
    unsigned gid = getegid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) != 0) {
        return false;
    }
    if (!write_file("/proc/self/setgroups", "deny")) {
        return false;
    }
    (void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    if (!write_file("/proc/self/uid_map", map)) {
        return false;
    }
    (void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", map);
}

static bool mount_room(void)
{
    static const char *const rooms[] = {"/mnt", "/media", "/srv", "/opt", "/tmp"};
    struct stat status;

    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        if (lstat(rooms[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            room = rooms[i];
            return mount("tmpfs", room, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                         "mode=0711,size=64k,nr_inodes=2048") == 0;
        }
    }
    errno = ENOENT;
    return false;
}

bool namespace_enter(const facility_t *facility, failure_t *failure)
{
    if (facility->level == LEVEL_LANDLOCK) {
        return directories_open(embedded_worker, embedded_worker_size, failure);
    }
    bool entered = facility->root ? unshare(CLONE_NEWNS | CLONE_NEWPID) == 0 : unshare_as_user();

    if (!entered || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) {
        return facility_explain_namespaces(errno, failure);
    }
    return true;
}

bool namespace_furnish(const facility_t *facility, failure_t *failure)
{
    if (facility->level == LEVEL_LANDLOCK) {
        return true;
    }
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        return fail(failure,
                    "cannot sandbox: /proc cannot be mounted: %s; in a container, run it with an "
                    "unmasked /proc (--security-opt systempaths=unconfined)",
                    strerror(errno));
    }
    if (!mount_room()) {
        return facility_explain_namespaces(errno, failure);
    }
    return true;
}

/* ---- trying ---- */

/* As bubblewrap does it: a sandbox's user takes namespaces of his own. */
static bool try_sandbox(const facility_t *facility, const config_t *config, failure_t *failure)
{
    const uid_t id = (uid_t)config->uid_base;

    if (!namespace_furnish(facility, failure)) {
        return false;
    }
    if (facility->root &&
        (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0)) {
        return fail(failure, "cannot sandbox: no way to become the sandbox's user: %s",
                    strerror(errno));
    }
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 || facility_explain_namespaces(errno, failure);
}

/* Run it in a child, and get what it says when it fails. */
static bool try_apart(bool (*try)(const facility_t *, const config_t *, failure_t *),
                      const facility_t *facility, const config_t *config, failure_t *failure)
{
    int ends[2] = {-1, -1};
    int status = 1;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail(failure, "cannot look for namespaces: %s", strerror(errno));
    }
    pid_t child = fork();
    if (child == 0) {
        bool works = try(facility, config, failure);
        (void)!write(ends[1], failure->text, works ? 0 : sizeof(failure->text));
        _exit(works ? 0 : 1);
    }
    (void)close(ends[1]);
    (void)!read(ends[0], failure->text, sizeof(failure->text));
    (void)close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0;
}

static bool try_namespaces(const facility_t *facility, const config_t *config, failure_t *failure)
{
    return namespace_enter(facility, failure) && try_apart(try_sandbox, facility, config, failure);
}

bool namespace_try(const facility_t *facility, const config_t *config, failure_t *failure)
{
    return try_apart(try_namespaces, facility, config, failure);
}

/* ---- slots ---- */

static bool mount_tmpfs(const char *path, unsigned long flags, int64_t size, int64_t inodes,
                        unsigned mode, const place_t *place)
{
    char options[160];

    (void)snprintf(options, sizeof(options), "size=%lld,nr_inodes=%lld,mode=%04o,uid=%u,gid=%u",
                   (long long)size, (long long)inodes, mode, (unsigned)place->uid,
                   (unsigned)place->gid);
    return mkdir(path, 0700) == 0 &&
           mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | flags, options) == 0;
}

bool namespace_mount(place_t *place, unsigned number, const facility_t *facility,
                     const config_t *config, failure_t *failure)
{
    char path[64];

    if (facility->level == LEVEL_LANDLOCK) {
        return directories_make(place, number, facility, config, failure);
    }
    if (room == NULL) {
        return fail(failure,
                    "cannot mount the file systems of slot %u: not in the namespaces that "
                    "they belong to",
                    number);
    }
    place->uid = facility->root ? (uid_t)config->uid_base + number : geteuid();
    place->gid = facility->root ? (gid_t)config->uid_base + number : getegid();
    (void)snprintf(path, sizeof(path), "%s/%u", room, number);
    (void)snprintf(place->data, sizeof(place->data), "%s/%u/data", room, number);
    (void)snprintf(place->tmp, sizeof(place->tmp), "%s/%u/tmp", room, number);
    (void)snprintf(place->shm, sizeof(place->shm), "%s/%u/shm", room, number);
    if (!cgroup_make(&place->group, &facility->cgroups, number, config, failure)) {
        return false;
    }
    if (mkdir(path, 0700) != 0 || chown(path, place->uid, place->gid) != 0 ||
        !mount_tmpfs(place->data, MS_NOEXEC, config->data_size, config->data_inodes, 0700, place) ||
        !mount_tmpfs(place->tmp, 0, config->tmp_size, TMP_INODES, 01777, place) ||
        !mount_tmpfs(place->shm, 0, config->tmp_size, SHM_INODES, 01777, place)) {
        int error = errno;
        namespace_unmount(place);
        return fail(failure, "cannot mount the file systems of slot %u at %s: %s", number, path,
                    strerror(error));
    }
    return true;
}

void namespace_unmount(place_t *place)
{
    const char *const paths[] = {place->shm, place->tmp, place->data};

    if (place->worker[0] != '\0') {
        directories_remove(place);
        return;
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        (void)umount2(paths[i], MNT_DETACH);
        (void)rmdir(paths[i]);
    }
    char parent[64];
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)(strlen(place->data) - strlen("/data")),
                   place->data);
    (void)rmdir(parent);
    cgroup_remove(&place->group);
}
