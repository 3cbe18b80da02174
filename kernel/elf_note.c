/*
 * elf_note.c - a walk over the program headers of a shared object.
 *
 * Everything is copied out of the file before it is looked at, so alignment does
 * not matter. One window of a page serves nearly all: header, program headers
 * and note of an ordinary plugin lie in its first 4096 bytes.
 */
#include "elf_note.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOTE_NAME       "kernel"
#define NOTE_TYPE       1u
#define NOTE_WORDS      4u
#define MAX_HEADERS     256u           /* program headers; real files have about ten */
#define MAX_NOTES       1024u          /* in all segments together */
#define MAX_NOTES_BYTES (1024u * 1024) /* of one segment */

#define NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define NATIVE_DATA  (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

/* The header of the file that this code is in, made by the linker: says which machine is ours. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

typedef struct elf_reader {
    const unsigned char *bytes; /* NULL: read from `fd` */
    int fd;
    uint64_t size; /* of the file */
    uint64_t window_at;
    size_t window_size;
    unsigned char window[4096];
    unsigned note_count;
    kernel__elf_note_t *note;
} elf_reader_t;

static kernel__elf_verdict_t elf_refuse(elf_reader_t *reader, kernel__elf_verdict_t verdict,
                                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static kernel__elf_verdict_t elf_refuse(elf_reader_t *reader, kernel__elf_verdict_t verdict,
                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reader->note->found, sizeof(reader->note->found), format, arguments);
    va_end(arguments);
    return verdict;
}

static bool elf_has(const elf_reader_t *reader, uint64_t offset, uint64_t size)
{
    return offset <= reader->size && size <= reader->size - offset;
}

static bool elf_fill_window(elf_reader_t *reader, uint64_t offset)
{
    uint64_t left = reader->size - offset;
    size_t wanted = left < sizeof(reader->window) ? (size_t)left : sizeof(reader->window);
    size_t got = 0;

    while (got < wanted) {
        ssize_t n = pread(reader->fd, reader->window + got, wanted - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? EIO : errno; /* it has become shorter meanwhile */
            reader->window_size = 0;
            return false;
        }
        got += (size_t)n;
    }
    reader->window_at = offset;
    reader->window_size = got;
    return true;
}

/* Copy out what elf_has() says is there. `size` is never above a window's. */
static bool elf_copy(elf_reader_t *reader, uint64_t offset, void *out, size_t size)
{
    if (reader->bytes != NULL) {
        memcpy(out, reader->bytes + offset, size);
        return true;
    }
    if (offset < reader->window_at || offset - reader->window_at > reader->window_size ||
        size > reader->window_size - (size_t)(offset - reader->window_at)) {
        if (!elf_fill_window(reader, offset)) {
            return false;
        }
    }
    memcpy(out, reader->window + (offset - reader->window_at), size);
    return true;
}

static kernel__elf_verdict_t elf_unreadable(elf_reader_t *reader)
{
    int cause = errno;

    elf_refuse(reader, KERNEL__ELF_UNREADABLE, "a read that failed: %s", strerror(cause));
    errno = cause;
    return KERNEL__ELF_UNREADABLE;
}

/* PLUGIN here means: nothing against it so far. */
static kernel__elf_verdict_t elf_check_header(elf_reader_t *reader, ElfW(Ehdr) * header)
{
    static const char *const types[] = {[ET_NONE] = "an ELF file without a type",
                                        [ET_REL] = "an object file that is not linked",
                                        [ET_EXEC] = "a program",
                                        [ET_CORE] = "a core dump"};
    unsigned char ident[EI_NIDENT];

    if (!elf_has(reader, 0, SELFMAG)) {
        return elf_refuse(reader, KERNEL__ELF_NOT_ELF, "a file of %" PRIu64 " bytes", reader->size);
    }
    if (!elf_copy(reader, 0, ident, SELFMAG)) {
        return elf_unreadable(reader);
    }
    if (memcmp(ident, ELFMAG, SELFMAG) != 0) {
        return elf_refuse(reader, KERNEL__ELF_NOT_ELF, "a file that begins with %s",
                          memcmp(ident, "#!", 2) == 0 ? "#!, a script"
                                                      : "other bytes than an ELF file");
    }
    if (!elf_has(reader, 0, sizeof(ident))) {
        return elf_refuse(reader, KERNEL__ELF_DAMAGED,
                          "an ELF file cut off after %" PRIu64 " bytes", reader->size);
    }
    if (!elf_copy(reader, 0, ident, sizeof(ident))) {
        return elf_unreadable(reader);
    }
    if (ident[EI_CLASS] != NATIVE_CLASS) {
        return elf_refuse(reader, KERNEL__ELF_FOREIGN, "an ELF file of class %s",
                          ident[EI_CLASS] == ELFCLASS32   ? "32-bit"
                          : ident[EI_CLASS] == ELFCLASS64 ? "64-bit"
                                                          : "unknown");
    }
    if (ident[EI_DATA] != NATIVE_DATA) {
        return elf_refuse(reader, KERNEL__ELF_FOREIGN, "an ELF file of %s byte order",
                          ident[EI_DATA] == ELFDATA2LSB   ? "little-endian"
                          : ident[EI_DATA] == ELFDATA2MSB ? "big-endian"
                                                          : "unknown");
    }
    if (!elf_has(reader, 0, sizeof(*header))) {
        return elf_refuse(reader, KERNEL__ELF_DAMAGED,
                          "an ELF file cut off after %" PRIu64 " bytes", reader->size);
    }
    if (!elf_copy(reader, 0, header, sizeof(*header))) {
        return elf_unreadable(reader);
    }
    if (header->e_machine != __ehdr_start.e_machine) {
        return elf_refuse(reader, KERNEL__ELF_FOREIGN, "an ELF file for machine %u, this one is %u",
                          (unsigned)header->e_machine, (unsigned)__ehdr_start.e_machine);
    }
    if (header->e_type != ET_DYN) {
        return elf_refuse(reader, KERNEL__ELF_NOT_SHARED, "%s",
                          header->e_type < sizeof(types) / sizeof(types[0])
                              ? types[header->e_type]
                              : "an ELF file of unknown type");
    }
    if (header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phnum == 0 ||
        header->e_phnum > MAX_HEADERS) {
        return elf_refuse(reader, KERNEL__ELF_DAMAGED, "%u program headers of %u bytes",
                          (unsigned)header->e_phnum, (unsigned)header->e_phentsize);
    }
    if (!elf_has(reader, header->e_phoff, (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)))) {
        return elf_refuse(reader, KERNEL__ELF_DAMAGED,
                          "program headers at byte %" PRIu64 " of a file of %" PRIu64 " bytes",
                          (uint64_t)header->e_phoff, reader->size);
    }
    return KERNEL__ELF_PLUGIN;
}

static uint64_t elf_align(uint64_t offset, uint64_t alignment)
{
    return (offset + alignment - 1) & ~(alignment - 1);
}

/* Look for our note in one segment: PLUGIN, NO_NOTE, or what is wrong. */
static kernel__elf_verdict_t elf_search_segment(elf_reader_t *reader, const ElfW(Phdr) * segment)
{
    uint64_t alignment = segment->p_align == 8 ? 8 : 4;
    uint64_t size = segment->p_filesz;
    uint64_t at = 0;

    if (size > MAX_NOTES_BYTES) {
        return elf_refuse(reader, KERNEL__ELF_DAMAGED, "notes of %" PRIu64 " bytes", size);
    }
    while (size - at >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;
        char name[sizeof(NOTE_NAME)];
        uint32_t words[NOTE_WORDS];
        uint64_t name_at = at + sizeof(head);
        uint64_t content_at = 0;
        uint64_t end = 0;

        if (++reader->note_count > MAX_NOTES) {
            return elf_refuse(reader, KERNEL__ELF_DAMAGED, "more than %u notes", MAX_NOTES);
        }
        if (!elf_copy(reader, segment->p_offset + at, &head, sizeof(head))) {
            return elf_unreadable(reader);
        }
        /* Both sizes are 32 bits wide, so no sum here can overflow. */
        content_at = elf_align(name_at + head.n_namesz, alignment);
        end = content_at + head.n_descsz;
        if (content_at > size || end > size) {
            return elf_refuse(reader, KERNEL__ELF_DAMAGED,
                              "a note that is larger than its segment");
        }
        /* Our header counts the padding of the name as part of it. */
        if (head.n_type == NOTE_TYPE && head.n_descsz >= sizeof(words) &&
            (head.n_namesz == sizeof(name) || head.n_namesz == sizeof(name) + 1)) {
            if (!elf_copy(reader, segment->p_offset + name_at, name, sizeof(name)) ||
                !elf_copy(reader, segment->p_offset + content_at, words, sizeof(words))) {
                return elf_unreadable(reader);
            }
            if (memcmp(name, NOTE_NAME, sizeof(name)) == 0) {
                reader->note->epoch = words[0];
                reader->note->minor = words[1];
                reader->note->needs_minor = words[2];
                reader->note->pointer_size = words[3];
                return KERNEL__ELF_PLUGIN;
            }
        }
        at = elf_align(end, alignment);
        if (at > size) {
            break;
        }
    }
    return KERNEL__ELF_NO_NOTE;
}

static kernel__elf_verdict_t elf_search(elf_reader_t *reader)
{
    ElfW(Ehdr) header;
    kernel__elf_verdict_t verdict = elf_check_header(reader, &header);
    bool found = false;

    for (unsigned i = 0; verdict == KERNEL__ELF_PLUGIN && i < header.e_phnum; i++) {
        ElfW(Phdr) segment;

        if (!elf_copy(reader, header.e_phoff + (uint64_t)i * sizeof(segment), &segment,
                      sizeof(segment))) {
            return elf_unreadable(reader);
        }
        /* Touching what is mapped beyond the end of a file would be a SIGBUS. */
        if ((segment.p_type == PT_LOAD || segment.p_type == PT_NOTE ||
             segment.p_type == PT_DYNAMIC) &&
            !elf_has(reader, segment.p_offset, segment.p_filesz)) {
            return elf_refuse(reader, KERNEL__ELF_DAMAGED,
                              "a file of %" PRIu64 " bytes that must be longer: it was cut off",
                              reader->size);
        }
        if (segment.p_type == PT_NOTE && !found) {
            verdict = elf_search_segment(reader, &segment);
            found = verdict == KERNEL__ELF_PLUGIN;
            verdict = verdict == KERNEL__ELF_NO_NOTE ? KERNEL__ELF_PLUGIN : verdict;
        }
    }
    if (verdict == KERNEL__ELF_PLUGIN && !found) {
        return elf_refuse(reader, KERNEL__ELF_NO_NOTE,
                          "a shared object without the note of a plugin");
    }
    return verdict;
}

kernel__elf_verdict_t kernel__elf_note_read(int fd, uint64_t size, kernel__elf_note_t *note_out)
{
    elf_reader_t reader = {.fd = fd, .size = size, .note = note_out};

    memset(note_out, 0, sizeof(*note_out));
    return elf_search(&reader);
}

kernel__elf_verdict_t kernel__elf_note_read_bytes(const void *data, size_t size,
                                                  kernel__elf_note_t *note_out)
{
    elf_reader_t reader = {.bytes = data, .fd = -1, .size = size, .note = note_out};

    memset(note_out, 0, sizeof(*note_out));
    return elf_search(&reader);
}
