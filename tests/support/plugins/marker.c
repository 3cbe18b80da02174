/*
 * marker.c - tells when code of its file runs: a constructor makes the file that
 * the environment variable TEST_MARKER names.
 *
 * As it stands it is a plugin; what the build defines makes it one that must be
 * refused before the constructor runs: EPOCH, NEEDS_MINOR, POINTER_SIZE, or
 * FOREIGN for a shared object that is no plugin at all.
 */
#ifdef NEEDS_MINOR
#define KP_NEEDS_MINOR NEEDS_MINOR
#endif
#include <kernel/plugin.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void leave_marker(void)
{
    const char *path = getenv("TEST_MARKER");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

    if (fd >= 0) {
        close(fd);
    }
}

#ifdef EPOCH
#undef KP_EPOCH
#define KP_EPOCH EPOCH
#endif

#if defined(FOREIGN)
#undef KP_NOTE
#define KP_NOTE
#elif defined(POINTER_SIZE)
#undef KP_NOTE
#define KP_NOTE                                                                                    \
    static const kp_elf_note kp_note_                                                              \
        __attribute__((used, section(".note.kernel.plugin"), aligned(4))) = {                      \
            8, 16, 1, "kernel", {KP_EPOCH, KP_MINOR, KP_NEEDS_MINOR, POINTER_SIZE}};
#endif

KP_FUNCTION(integer, version, "Return the number that the build gave.")
{
#ifdef VERSION
    return VERSION;
#else
    return 1;
#endif
}

KP_PLUGIN("marker", "1.0.0", "Leaves a mark when its code runs.", version);
