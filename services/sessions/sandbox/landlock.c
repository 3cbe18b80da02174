/*
 * landlock.c - three system calls, and rules as data.
 *
 * The header of the system may be older than its kernel: what is used of the
 * interface stands here.
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

#define FS_EXECUTE     (UINT64_C(1) << 0)
#define FS_WRITE_FILE  (UINT64_C(1) << 1)
#define FS_READ_FILE   (UINT64_C(1) << 2)
#define FS_READ_DIR    (UINT64_C(1) << 3)
#define FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR    (UINT64_C(1) << 7)
#define FS_MAKE_REG    (UINT64_C(1) << 8)
#define FS_MAKE_SYM    (UINT64_C(1) << 12)
#define FS_REFER       (UINT64_C(1) << 13)
#define FS_TRUNCATE    (UINT64_C(1) << 14)
#define FS_ALL         ((UINT64_C(1) << 16) - 1) /* the last one: ioctl of devices, since ABI 5 */
#define NET_ALL        UINT64_C(3)               /* bind and connect TCP, since ABI 4 */
#define SCOPE_ABSTRACT UINT64_C(1)               /* and signals, since ABI 6 */
#define SCOPE_SIGNAL   UINT64_C(2)

#define FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)

typedef struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
} ruleset_t;

typedef struct __attribute__((packed)) path_rule {
    uint64_t allowed;
    int32_t parent;
} path_rule_t;

static const uint64_t uses[] = {
    [LANDLOCK_SEE] = FS_READ_FILE | FS_READ_DIR,
    [LANDLOCK_RUN] = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE,
    [LANDLOCK_DEVICE] = FS_READ_FILE | FS_WRITE_FILE,
    [LANDLOCK_OWN] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE |
                     FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SYM | FS_REFER | FS_TRUNCATE,
};

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

static bool restrict_self(const ruleset_t *rules, const landlock_grant_t *grants, unsigned count)
{
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, rules, sizeof(*rules), 0);
    bool done = ruleset >= 0;

    for (unsigned i = 0; i < count && done; i++) {
        struct stat status;
        path_rule_t rule = {uses[grants[i].use], open(grants[i].path, O_PATH | O_CLOEXEC)};
        if (rule.parent < 0) {
            continue; /* nobody can do anything with what is not there */
        }
        done = fstat(rule.parent, &status) == 0;
        if (done && !S_ISDIR(status.st_mode)) {
            rule.allowed &= FILES;
        }
        done = done && syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
        (void)close(rule.parent);
    }
    done = done && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (ruleset >= 0) {
        int error = errno;
        (void)close(ruleset);
        errno = error;
    }
    return done;
}

/* Is the parent out of reach? The question before a signal to everybody. */
static bool landlock_is_enclosed(void)
{
    return kill(getppid(), 0) != 0 && errno == EPERM;
}

bool landlock_enclose(void)
{
    const ruleset_t scopes = {.scopes = SCOPE_SIGNAL};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !restrict_self(&scopes, NULL, 0)) {
        return false;
    }
    if (!landlock_is_enclosed()) {
        errno = ENOTSUP;
        return false;
    }
    return true;
}

void landlock_kill_others(void)
{
    if (landlock_is_enclosed()) {
        (void)kill(-1, SIGKILL);
    }
}

bool landlock_confine(const landlock_grant_t *grants, unsigned count)
{
    const ruleset_t rules = {
        .files = FS_ALL, .network = NET_ALL, .scopes = SCOPE_ABSTRACT | SCOPE_SIGNAL};

    return restrict_self(&rules, grants, count);
}
