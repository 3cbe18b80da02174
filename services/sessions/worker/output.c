/*
 * output.c - keep, count, drop.
 */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <text.h>

void output_fini(output_t *output)
{
    sk_buffer_fini(&output->kept);
}

/* Characters that begin in these bytes: all bytes but UTF-8's continuations, 10xxxxxx. Eight at a
 * time: a flood of output passes through here. */
static uint64_t count_characters(const char *bytes, size_t size)
{
    const uint64_t lowest_bits = UINT64_C(0x0101010101010101);
    uint64_t continuations = 0;
    size_t at = 0;

    for (; size - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, sizeof(word));
        continuations += (uint64_t)__builtin_popcountll((word >> 7) & ~(word >> 6) & lowest_bits);
    }
    for (; at < size; at++) {
        continuations += ((unsigned char)bytes[at] & 0xC0) == 0x80;
    }
    return size - continuations;
}

void output_take(output_t *output, const char *bytes, size_t size)
{
    size_t room = output->kept.size < output->limit ? output->limit - output->kept.size : 0;
    size_t keep = size < room ? size : room;

    sk_buffer_append(&output->kept, bytes, keep);
    output->total += size;
    output->dropped += count_characters(bytes + keep, size - keep);
}

bool output_read(output_t *output, int pipe, size_t most)
{
    static char bytes[64 * 1024]; /* one thread: one buffer for all */
    size_t done = 0;

    while (done < most) {
        ssize_t got = read(pipe, bytes, sizeof(bytes));
        if (got < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        if (got == 0) {
            return false;
        }
        output_take(output, bytes, (size_t)got);
        done += (size_t)got;
    }
    return true;
}

void output_cut(sk_buffer_t *text, size_t start, size_t characters)
{
    size_t at = start;

    while (at < text->size && (characters > 0 || ((unsigned char)text->data[at] & 0xC0) == 0x80)) {
        characters -= ((unsigned char)text->data[at] & 0xC0) != 0x80;
        at++;
    }
    if (at < text->size) {
        text->size = at;
        text->data[at] = '\0';
    }
}

/* A cut may have taken the tail of the last character: leave out its beginning, too. */
static size_t whole_characters(const char *text, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)text[size - back];
        if (byte >= 0xC0) {
            size_t needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
            return needed > back ? size - back : size;
        }
    }
    return size;
}

void output_render(const output_t *output, size_t characters, sk_buffer_t *text)
{
    const size_t start = text->size;
    size_t size = output->kept.size;

    if (output->dropped > 0) {
        size = whole_characters(sk_buffer_text(&output->kept), size);
    }
    sk_utf8_append_repaired(text, sk_buffer_text(&output->kept), size);
    if (characters > 0) {
        output_cut(text, start, characters);
    } else if (output->dropped > 0) {
        sk_buffer_appendf(text, "\n[%llu characters cut]", (unsigned long long)output->dropped);
    }
}
