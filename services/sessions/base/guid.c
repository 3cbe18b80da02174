/*
 * guid.c - random bits from the kernel, written as version 4 has them.
 */
#include "guid.h"

#include <stddef.h>
#include <sys/random.h>

void guid_make(char guid[GUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bits[16] = {0};
    size_t at = 0;

    (void)!getrandom(bits, sizeof(bits), 0);
    bits[6] = (unsigned char)((bits[6] & 0x0F) | 0x40);
    bits[8] = (unsigned char)((bits[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < sizeof(bits); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            guid[at++] = '-';
        }
        guid[at++] = digits[bits[i] >> 4];
        guid[at++] = digits[bits[i] & 0x0F];
    }
    guid[at] = '\0';
}
