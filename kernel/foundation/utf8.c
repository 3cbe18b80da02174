/*
 * utf8.c - checking, repairing and cutting UTF-8.
 *
 * What is well-formed stands in the Unicode standard's table 3-7: apart from
 * the lead byte itself only the second byte has a range of its own.
 */
#include "text.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

typedef struct lead {
    unsigned char size; /* of the character; 0: no character begins so */
    unsigned char low;  /* range of the second byte */
    unsigned char high;
} lead_t;

static lead_t lead_of(unsigned char byte)
{
    if (byte < 0xC2 || byte > 0xF4) {
        return (lead_t){(unsigned char)(byte < 0x80 ? 1 : 0), 0x80, 0xBF};
    }
    if (byte < 0xE0) {
        return (lead_t){2, 0x80, 0xBF};
    }
    if (byte < 0xF0) {
        return (lead_t){3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    }
    return (lead_t){4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
}

size_t sk_utf8_step(const char *text, size_t size, bool *valid_out)
{
    const unsigned char *bytes = (const unsigned char *)text;
    lead_t lead = lead_of(bytes[0]);
    size_t done = 1;

    while (done < lead.size && done < size && bytes[done] >= lead.low && bytes[done] <= lead.high) {
        lead.low = 0x80;
        lead.high = 0xBF;
        done++;
    }
    *valid_out = done == lead.size;
    return done;
}

/* The size of the ASCII run at the start, eight bytes at a time. */
static size_t ascii_run(const char *text, size_t size)
{
    size_t done = 0;
    uint64_t word = 0;

    while (size - done >= sizeof(word)) {
        memcpy(&word, text + done, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        done += sizeof(word);
    }
    while (done < size && (unsigned char)text[done] < 0x80) {
        done++;
    }
    return done;
}

/* The size of the valid text at the start. */
static size_t valid_run(const char *text, size_t size)
{
    size_t done = 0;

    for (;;) {
        bool valid = false;
        size_t step = 0;

        done += ascii_run(text + done, size - done);
        if (done == size) {
            return done;
        }
        step = sk_utf8_step(text + done, size - done, &valid);
        if (!valid) {
            return done;
        }
        done += step;
    }
}

bool sk_utf8_is_valid(const char *text, size_t size, size_t *offset_out)
{
    size_t done = size > 0 ? valid_run(text, size) : 0;

    if (offset_out != NULL) {
        *offset_out = done;
    }
    return done == size;
}

void sk_utf8_append_repaired(sk_buffer_t *out, const char *text, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t run = valid_run(text + done, size - done);
        bool valid = false;

        sk_buffer_append(out, text + done, run);
        done += run;
        if (done < size) {
            sk_buffer_append(out, REPLACEMENT, sizeof(REPLACEMENT) - 1);
            done += sk_utf8_step(text + done, size - done, &valid);
        }
    }
}

size_t sk_utf8_cut(const char *text, size_t size, size_t limit)
{
    if (size <= limit) {
        return size;
    }
    for (size_t back = 0; back < 4 && back <= limit; back++) {
        unsigned char byte = (unsigned char)text[limit - back];

        if ((byte & 0xC0) != 0x80) {
            /* A character begins here; the cut is before it unless it ends before the limit. */
            return lead_of(byte).size > back ? limit - back : limit;
        }
    }
    return limit;
}
