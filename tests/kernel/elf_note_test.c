/* What is said about a file that calls itself a plugin, and that no file does harm. */
#include "elf_note.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "support/files.h"

#define MARKER TEST_PLUGIN_DIR "/marker.so"

typedef struct image {
    unsigned char *data;
    size_t size;
} image_t;

static image_t image_read(const char *path)
{
    image_t image = {NULL, 0};

    image.data = (unsigned char *)file_read(path, &image.size);
    return image;
}

static Elf64_Ehdr *header_of(const image_t *image)
{
    return (Elf64_Ehdr *)(void *)image->data;
}

static Elf64_Phdr *segments_of(const image_t *image)
{
    return (Elf64_Phdr *)(void *)(image->data + header_of(image)->e_phoff);
}

static Elf64_Phdr *segment_of_type(const image_t *image, uint32_t type)
{
    Elf64_Phdr *segments = segments_of(image);

    for (unsigned i = 0; i < header_of(image)->e_phnum; i++) {
        if (segments[i].p_type == type) {
            return &segments[i];
        }
    }
    check_fail(__FILE__, __LINE__, "there is no segment of type %u", type);
}

static void check_verdict(const image_t *image, kernel__elf_verdict_t wanted, const char *found)
{
    kernel__elf_note_t note;

    CHECK_EQ(kernel__elf_note_read_bytes(image->data, image->size, &note), wanted);
    CHECK_STR_CONTAINS(note.found, found);
}

/* ---- files as they are ---- */

static void note_of_a_plugin_is_read(void)
{
    image_t image = image_read(MARKER);
    kernel__elf_note_t note;

    CHECK_EQ(kernel__elf_note_read_bytes(image.data, image.size, &note), KERNEL__ELF_PLUGIN);
    CHECK_EQ(note.epoch, 1);
    CHECK_EQ(note.minor, 0);
    CHECK_EQ(note.needs_minor, 0);
    CHECK_EQ(note.pointer_size, sizeof(void *));
    CHECK_STR(note.found, "");
    free(image.data);
}

static void descriptor_and_memory_say_the_same(void)
{
    static const char *const files[] = {
        "marker.so",  "wrong_epoch.so", "needs_later.so", "wrong_pointer_size.so", "foreign.so",
        "not_elf.so", "script.so",      "empty.so",       "undefined.so",
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        file_path_t path = file_in(TEST_PLUGIN_DIR, files[i]);
        image_t image = image_read(path.text);
        int fd = open(path.text, O_RDONLY | O_CLOEXEC);
        kernel__elf_note_t in_memory;
        kernel__elf_note_t in_file;

        CHECK(fd >= 0);
        CHECK_EQ(kernel__elf_note_read(fd, image.size, &in_file),
                 kernel__elf_note_read_bytes(image.data, image.size, &in_memory));
        CHECK_EQ(memcmp(&in_file, &in_memory, sizeof(in_file)), 0);
        close(fd);
        free(image.data);
    }
}

static void words_of_other_builds_are_told_apart(void)
{
    static const struct {
        const char *file;
        uint32_t words[4];
    } cases[] = {
        {"wrong_epoch.so", {2, 0, 0, sizeof(void *)}},
        {"needs_later.so", {1, 0, 9, sizeof(void *)}},
        {"wrong_pointer_size.so", {1, 0, 0, 4}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        file_path_t path = file_in(TEST_PLUGIN_DIR, cases[i].file);
        image_t image = image_read(path.text);
        kernel__elf_note_t note;

        CHECK_EQ(kernel__elf_note_read_bytes(image.data, image.size, &note), KERNEL__ELF_PLUGIN);
        CHECK_EQ(note.epoch, cases[i].words[0]);
        CHECK_EQ(note.minor, cases[i].words[1]);
        CHECK_EQ(note.needs_minor, cases[i].words[2]);
        CHECK_EQ(note.pointer_size, cases[i].words[3]);
        free(image.data);
    }
}

static void what_is_no_shared_object_is_named(void)
{
    static const struct {
        const char *text;
        size_t size;
        kernel__elf_verdict_t verdict;
        const char *found;
    } cases[] = {
        {"", 0, KERNEL__ELF_NOT_ELF, "0 bytes"},
        {"\177EL", 3, KERNEL__ELF_NOT_ELF, "3 bytes"},
        {"text", 4, KERNEL__ELF_NOT_ELF, "other bytes"},
        {"#!/bin/sh\n", 10, KERNEL__ELF_NOT_ELF, "script"},
        {"\177ELF", 4, KERNEL__ELF_DAMAGED, "cut off after 4 bytes"},
        {"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16, KERNEL__ELF_DAMAGED, "cut off after 16 bytes"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel__elf_note_t note;

        CHECK_EQ(kernel__elf_note_read_bytes(cases[i].text, cases[i].size, &note),
                 cases[i].verdict);
        CHECK_STR_CONTAINS(note.found, cases[i].found);
    }
}

static void shared_object_of_another_kind_has_no_note(void)
{
    image_t image = image_read(TEST_PLUGIN_DIR "/foreign.so");

    check_verdict(&image, KERNEL__ELF_NO_NOTE, "without the note");
    free(image.data);
}

static void directory_is_unreadable(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    kernel__elf_note_t note;

    CHECK(fd >= 0);
    CHECK_EQ(kernel__elf_note_read(fd, 4096, &note), KERNEL__ELF_UNREADABLE);
    CHECK_STR_CONTAINS(note.found, "directory");
    close(fd);
}

static void file_that_became_shorter_is_unreadable(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "short.so");
    kernel__elf_note_t note;
    int fd = -1;

    file_write(path.text, "\177ELF", 4);
    fd = open(path.text, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(kernel__elf_note_read(fd, 4096, &note), KERNEL__ELF_UNREADABLE);
    CHECK_STR_CONTAINS(note.found, "a read that failed");
    close(fd);
    temp_dir_free(&directory);
}

/* ---- damaged headers ---- */

static void other_machines_are_foreign(void)
{
    image_t image = image_read(MARKER);
    unsigned char *ident = header_of(&image)->e_ident;
    Elf64_Half machine = header_of(&image)->e_machine;

    ident[EI_CLASS] = ELFCLASS32;
    check_verdict(&image, KERNEL__ELF_FOREIGN, "32-bit");
    ident[EI_CLASS] = 7;
    check_verdict(&image, KERNEL__ELF_FOREIGN, "class unknown");
    ident[EI_CLASS] = ELFCLASS64;
    ident[EI_DATA] = ELFDATA2MSB;
    check_verdict(&image, KERNEL__ELF_FOREIGN, "big-endian");
    ident[EI_DATA] = 0;
    check_verdict(&image, KERNEL__ELF_FOREIGN, "unknown byte order");
    ident[EI_DATA] = ELFDATA2LSB;
    header_of(&image)->e_machine = EM_S390;
    check_verdict(&image, KERNEL__ELF_FOREIGN, "machine 22");
    header_of(&image)->e_machine = machine;
    check_verdict(&image, KERNEL__ELF_PLUGIN, "");
    free(image.data);
}

static void other_kinds_of_elf_file_are_not_shared_objects(void)
{
    image_t image = image_read(MARKER);

    header_of(&image)->e_type = ET_REL;
    check_verdict(&image, KERNEL__ELF_NOT_SHARED, "object file");
    header_of(&image)->e_type = ET_EXEC;
    check_verdict(&image, KERNEL__ELF_NOT_SHARED, "program");
    header_of(&image)->e_type = ET_CORE;
    check_verdict(&image, KERNEL__ELF_NOT_SHARED, "core dump");
    header_of(&image)->e_type = 0xFF00;
    check_verdict(&image, KERNEL__ELF_NOT_SHARED, "unknown type");
    free(image.data);
}

static void impossible_counts_and_offsets_are_damage(void)
{
    image_t image = image_read(MARKER);
    Elf64_Ehdr *header = header_of(&image);
    Elf64_Ehdr good = *header;

    header->e_phnum = 0;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "0 program headers");
    header->e_phnum = UINT16_MAX;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "65535 program headers");
    *header = good;
    header->e_phentsize = 55;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "of 55 bytes");
    *header = good;
    header->e_phoff = image.size;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "program headers at byte");
    header->e_phoff = UINT64_MAX;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "program headers at byte");
    header->e_phoff = UINT64_MAX - 100;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "program headers at byte");
    free(image.data);
}

static void segments_beyond_the_end_are_damage(void)
{
    image_t image = image_read(MARKER);
    Elf64_Phdr *segment = segment_of_type(&image, PT_LOAD);
    Elf64_Phdr good = *segment;

    segment->p_filesz = image.size + 1;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "cut off");
    segment->p_filesz = UINT64_MAX;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "cut off");
    *segment = good;
    segment->p_offset = UINT64_MAX - 10;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "cut off");
    *segment = good;
    segment = segment_of_type(&image, PT_DYNAMIC);
    segment->p_offset = image.size;
    check_verdict(&image, KERNEL__ELF_DAMAGED, "cut off");
    free(image.data);
}

/* Where the last byte is that dlopen would map. */
static size_t mapped_end(const image_t *image)
{
    const Elf64_Phdr *segments = segments_of(image);
    size_t end = 0;

    for (unsigned i = 0; i < header_of(image)->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset + segments[i].p_filesz > end) {
            end = segments[i].p_offset + segments[i].p_filesz;
        }
    }
    return end;
}

static void file_cut_off_anywhere_is_no_plugin(void)
{
    image_t image = image_read(MARKER);
    size_t end = mapped_end(&image);

    for (size_t size = 0; size < end; size++) {
        unsigned char *cut = malloc(size + 1); /* so that a sanitizer sees its edge */
        kernel__elf_note_t note;

        memcpy(cut, image.data, size);
        CHECK(kernel__elf_note_read_bytes(cut, size, &note) != KERNEL__ELF_PLUGIN);
        CHECK(note.found[0] != '\0');
        free(cut);
    }
    free(image.data);
}

static void any_changed_byte_is_survived(void)
{
    static const unsigned char values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    image_t image = image_read(MARKER);
    size_t size = image.size < 1024 ? image.size : 1024;

    for (size_t at = 0; at < size; at++) {
        unsigned char good = image.data[at];

        for (size_t i = 0; i < sizeof(values); i++) {
            kernel__elf_note_t note;
            kernel__elf_verdict_t verdict;

            image.data[at] = values[i];
            verdict = kernel__elf_note_read_bytes(image.data, image.size, &note);
            CHECK((verdict == KERNEL__ELF_PLUGIN) == (note.found[0] == '\0'));
            CHECK(verdict != KERNEL__ELF_UNREADABLE);
        }
        image.data[at] = good;
    }
    check_verdict(&image, KERNEL__ELF_PLUGIN, "");
    free(image.data);
}

/* ---- notes ---- */

/* A shared object with nothing but one segment of notes. */
static image_t image_with_notes(const void *notes, size_t size, uint64_t alignment)
{
    image_t like = image_read(MARKER);
    image_t image = {calloc(1, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + size),
                     sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + size};
    Elf64_Phdr *segment = NULL;

    CHECK(image.data != NULL);
    *header_of(&image) = *header_of(&like);
    header_of(&image)->e_phoff = sizeof(Elf64_Ehdr);
    header_of(&image)->e_phnum = 1;
    segment = segments_of(&image);
    segment->p_type = PT_NOTE;
    segment->p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    segment->p_filesz = size;
    segment->p_align = alignment;
    memcpy(image.data + segment->p_offset, notes, size);
    free(like.data);
    return image;
}

static void check_notes(const void *notes, size_t size, uint64_t alignment,
                        kernel__elf_verdict_t wanted, uint32_t epoch)
{
    image_t image = image_with_notes(notes, size, alignment);
    kernel__elf_note_t note;

    CHECK_EQ(kernel__elf_note_read_bytes(image.data, image.size, &note), wanted);
    CHECK_EQ(note.epoch, epoch);
    free(image.data);
}

typedef struct our_note {
    uint32_t name_size, content_size, type;
    char name[8];
    uint32_t words[4];
} our_note_t;

static void note_is_found_whatever_its_padding(void)
{
    our_note_t note = {8, 16, 1, "kernel", {1, 0, 0, 8}};
    struct {
        our_note_t note;
        uint32_t padding;
    } first = {{7, 16, 1, "kernel", {1, 0, 0, 8}}, 0};
    struct {
        uint32_t head[3];
        char name[8];
        uint32_t padding;
        uint32_t words[4];
    } wide = {{7, 16, 1}, "kernel", 0, {1, 0, 0, 8}};
    struct {
        uint32_t head[3];
        char name[8];
        uint32_t words[6];
    } longer = {{8, 24, 1}, "kernel", {1, 5, 0, 8, 77, 78}};

    check_notes(&note, sizeof(note), 4, KERNEL__ELF_PLUGIN, 1);
    check_notes(&note, sizeof(note), 1, KERNEL__ELF_PLUGIN, 1);
    check_notes(&first, sizeof(first), 4, KERNEL__ELF_PLUGIN, 1);
    check_notes(&wide, sizeof(wide), 8, KERNEL__ELF_PLUGIN, 1);
    check_notes(&longer, sizeof(longer), 4, KERNEL__ELF_PLUGIN, 1);
}

static void note_is_found_behind_others(void)
{
    struct {
        uint32_t head[3];
        char name[4];
        uint32_t content[5];
        uint32_t empty[3];
        our_note_t reserved;
        our_note_t ours;
    } notes = {{4, 20, 3},
               "GNU",
               {0},
               {0, 0, 0},
               {8, 16, 2, "kernel", {9, 9, 9, 9}},
               {8, 16, 1, "kernel", {1, 0, 0, 8}}};

    check_notes(&notes, sizeof(notes), 4, KERNEL__ELF_PLUGIN, 1);
}

static void notes_that_are_not_ours_do_not_count(void)
{
    our_note_t other_name = {8, 16, 1, "kermit", {1, 0, 0, 8}};
    our_note_t other_type = {8, 16, 2, "kernel", {1, 0, 0, 8}};
    our_note_t too_short = {8, 12, 1, "kernel", {1, 0, 0, 8}};
    our_note_t long_name = {9, 12, 1, "kernel", {1, 0, 0, 8}};

    check_notes(&other_name, sizeof(other_name), 4, KERNEL__ELF_NO_NOTE, 0);
    check_notes(&other_type, sizeof(other_type), 4, KERNEL__ELF_NO_NOTE, 0);
    check_notes(&too_short, sizeof(too_short), 4, KERNEL__ELF_NO_NOTE, 0);
    check_notes(&long_name, sizeof(long_name), 4, KERNEL__ELF_NO_NOTE, 0);
    check_notes("", 0, 4, KERNEL__ELF_NO_NOTE, 0);
}

static void notes_larger_than_their_segment_are_damage(void)
{
    our_note_t note = {8, 16, 1, "kernel", {1, 0, 0, 8}};

    note.name_size = UINT32_MAX;
    check_notes(&note, sizeof(note), 4, KERNEL__ELF_DAMAGED, 0);
    note.name_size = 8;
    note.content_size = UINT32_MAX;
    check_notes(&note, sizeof(note), 4, KERNEL__ELF_DAMAGED, 0);
    note.content_size = 17;
    check_notes(&note, sizeof(note), 4, KERNEL__ELF_DAMAGED, 0);
    note.name_size = UINT32_MAX;
    note.content_size = UINT32_MAX;
    check_notes(&note, sizeof(note), 8, KERNEL__ELF_DAMAGED, 0);
}

static void endless_notes_come_to_an_end(void)
{
    size_t size = 2 * 1024 * 1024;
    unsigned char *zeros = calloc(1, size);

    CHECK(zeros != NULL);
    check_notes(zeros, 100 * 1024, 4, KERNEL__ELF_DAMAGED, 0);
    check_notes(zeros, size, 4, KERNEL__ELF_DAMAGED, 0);
    free(zeros);
}

TESTS(TEST(note_of_a_plugin_is_read), TEST(descriptor_and_memory_say_the_same),
      TEST(words_of_other_builds_are_told_apart), TEST(what_is_no_shared_object_is_named),
      TEST(shared_object_of_another_kind_has_no_note), TEST(directory_is_unreadable),
      TEST(file_that_became_shorter_is_unreadable), TEST(other_machines_are_foreign),
      TEST(other_kinds_of_elf_file_are_not_shared_objects),
      TEST(impossible_counts_and_offsets_are_damage), TEST(segments_beyond_the_end_are_damage),
      TEST(file_cut_off_anywhere_is_no_plugin), TEST(any_changed_byte_is_survived),
      TEST(note_is_found_whatever_its_padding), TEST(note_is_found_behind_others),
      TEST(notes_that_are_not_ours_do_not_count), TEST(notes_larger_than_their_segment_are_damage),
      TEST(endless_notes_come_to_an_end))
