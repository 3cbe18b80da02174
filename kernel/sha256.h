/*
 * sha256.h - FIPS 180-4, for lists of trusted files.
 */
#ifndef KERNEL_SHA256_PRIVATE_H
#define KERNEL_SHA256_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL__SHA256_SIZE 32
#define KERNEL__SHA256_TEXT 65 /* hexadecimal, with the NUL */

typedef struct kernel__sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    unsigned char block[64];
} kernel__sha256_t;

void kernel__sha256_init(kernel__sha256_t *hash);
void kernel__sha256_update(kernel__sha256_t *hash, const void *data, size_t size);
/* Write the digest in lower-case hexadecimal; init before the next use. */
void kernel__sha256_finish(kernel__sha256_t *hash, char text[KERNEL__SHA256_TEXT]);

#endif /* KERNEL_SHA256_PRIVATE_H */
