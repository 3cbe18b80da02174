/*
 * elf_note.h - what a shared object says about itself, read without running it.
 *
 * A plugin carries the note "kernel", type 1, in .note.kernel.plugin: four
 * 32-bit words. The reader trusts nothing of the file: sizes, counts and offsets
 * are checked before they are used, and what dlopen would map must be there.
 */
#ifndef KERNEL_ELF_NOTE_PRIVATE_H
#define KERNEL_ELF_NOTE_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

typedef enum kernel__elf_verdict {
    KERNEL__ELF_PLUGIN,     /* a shared object of this machine with our note */
    KERNEL__ELF_NOT_ELF,    /* something else */
    KERNEL__ELF_FOREIGN,    /* for another word size, byte order or machine */
    KERNEL__ELF_NOT_SHARED, /* a program, an object file, a core */
    KERNEL__ELF_DAMAGED,    /* cut off, or its tables contradict its size */
    KERNEL__ELF_NO_NOTE,    /* some other shared object */
    KERNEL__ELF_UNREADABLE  /* the read failed; errno */
} kernel__elf_verdict_t;

typedef struct kernel__elf_note {
    uint32_t epoch;
    uint32_t minor; /* of the header it was built with */
    uint32_t needs_minor;
    uint32_t pointer_size; /* bytes */
    char found[128];       /* what was found instead of a plugin, "" for a plugin */
} kernel__elf_note_t;

/* Read the note of an open file of `size` bytes; its position is not moved. */
kernel__elf_verdict_t kernel__elf_note_read(int fd, uint64_t size, kernel__elf_note_t *note_out);
/* The same for a file in memory. */
kernel__elf_verdict_t kernel__elf_note_read_bytes(const void *data, size_t size,
                                                  kernel__elf_note_t *note_out);

#endif /* KERNEL_ELF_NOTE_PRIVATE_H */
