/*
 * elf_note_fuzz.c - no file harms the reader, and it sees the same through a
 * descriptor as in memory.
 */
#include "elf_note.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    kernel__elf_note_t in_memory;
    kernel__elf_note_t in_file;
    kernel__elf_verdict_t verdict = kernel__elf_note_read_bytes(data, size, &in_memory);

    if (fd < 0) {
        fd = memfd_create("elf_note_fuzz", MFD_CLOEXEC);
    }
    FUZZ_CHECK(ftruncate(fd, 0) == 0);
    FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
    FUZZ_CHECK(kernel__elf_note_read(fd, size, &in_file) == verdict);
    FUZZ_CHECK(memcmp(&in_memory, &in_file, sizeof(in_file)) == 0);

    FUZZ_CHECK(verdict != KERNEL__ELF_UNREADABLE);
    FUZZ_CHECK((verdict == KERNEL__ELF_PLUGIN) == (in_memory.found[0] == '\0'));
    FUZZ_CHECK(memchr(in_memory.found, '\0', sizeof(in_memory.found)) != NULL);
    if (verdict != KERNEL__ELF_PLUGIN) {
        FUZZ_CHECK(in_memory.pointer_size == 0 || verdict == KERNEL__ELF_DAMAGED);
    }
    return 0;
}
