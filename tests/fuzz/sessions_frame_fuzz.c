/*
 * sessions_frame_fuzz.c - packets of a worker that lies.
 *
 * Input: a run of packets, each as one byte of flags, two of size, and its bytes.
 * The flags choose the sender, whether an execution is opened or closed first, and whether
 * the worker has been asked to get warm.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "worker/frame.h"

#define WORKER 77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char nonce[FRAME_NONCE_SIZE] = "0123456789abcdef";
    frame_reader_t reader = {.sender = 0};

    while (size >= 3) {
        const uint8_t flags = data[0];
        size_t length = (size_t)data[1] | (size_t)data[2] << 8;
        data += 3;
        size -= 3;
        length = length > size ? size : length;
        if ((flags & 1) != 0) {
            reader.sender = WORKER;
            frame_reader_open(&reader, nonce);
        }
        if ((flags & 8) != 0) {
            reader.warming = true;
        }
        if ((flags & 2) != 0) {
            frame_reader_close(&reader);
        }
        frame_status_t status = frame_read(&reader, data, length, (flags & 4) != 0 ? 1 : WORKER);
        if (status == FRAME_COMPLETE && reader.payload.size != reader.total) {
            abort();
        }
        if (reader.payload.size > FRAME_TOTAL_MAX || reader.received > FRAME_EXECUTION_MAX ||
            reader.displays > FRAME_DISPLAYS_MAX) {
            abort();
        }
        data += length;
        size -= length;
    }
    frame_reader_fini(&reader);
    return 0;
}
