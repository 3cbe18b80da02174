/*
 * base64.c - RFC 4648 with the standard alphabet.
 *
 * Reading is canonical: bits that stand for no byte must be zero, so that no
 * two texts mean the same bytes (but for padding, which may be left out).
 */
#include "text.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sk_base64_append(sk_buffer_t *out, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    char *at = NULL;

    if (size > SIZE_MAX / 2 || !sk_buffer_reserve(out, (size + 2) / 3 * 4)) {
        out->failed = true;
        return;
    }
    at = out->data + out->size;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)bytes[i] << 16;

        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[group & 63] : '=';
    }
    *at = '\0';
    out->size = (size_t)(at - out->data);
}

/* The six bits that a letter stands for; 64: none. */
static uint32_t letter_value(char letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return (uint32_t)(letter - 'A');
    }
    if (letter >= 'a' && letter <= 'z') {
        return (uint32_t)(letter - 'a') + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return (uint32_t)(letter - '0') + 52;
    }
    return letter == '+' ? 62 : letter == '/' ? 63 : 64;
}

static bool decode_group(const char *text, size_t letters, char **at)
{
    uint32_t group = 0;
    uint32_t wrong = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < letters ? letter_value(text[i]) : 0;

        wrong |= value & 64;
        group = group << 6 | (value & 63);
    }
    if (wrong != 0 || (letters == 2 && (group & 0xFFFF) != 0) ||
        (letters == 3 && (group & 0xFF) != 0)) {
        return false;
    }
    for (size_t i = 0; i + 1 < letters; i++) {
        *(*at)++ = (char)(unsigned char)(group >> (16 - 8 * i) & 0xFF);
    }
    return true;
}

bool sk_base64_decode(const char *text, size_t size, sk_buffer_t *out)
{
    size_t letters = size;
    char *at = NULL;

    if (size % 4 == 0 && size > 0 && text[size - 1] == '=') {
        letters -= text[size - 2] == '=' ? 2 : 1;
    }
    if (letters % 4 == 1 || !sk_buffer_reserve(out, letters / 4 * 3 + 2)) {
        return false;
    }
    at = out->data + out->size;
    for (size_t i = 0; i < letters; i += 4) {
        if (!decode_group(text + i, letters - i < 4 ? letters - i : 4, &at)) {
            out->data[out->size] = '\0';
            return false;
        }
    }
    *at = '\0';
    out->size = (size_t)(at - out->data);
    return true;
}
