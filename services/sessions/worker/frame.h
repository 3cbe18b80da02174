/*
 * frame.h - packets of a worker put together to frames.
 *
 * A packet is a header of 32 bytes and a part of a frame's payload. Everything
 * here comes from a process that runs untrusted code: what is not exactly as it
 * must be is a violation, and the reason is a text for the log.
 */
#ifndef SESSIONS_FRAME_PRIVATE_H
#define SESSIONS_FRAME_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <buffer.h>

#define FRAME_MAGIC         0x314B5753u /* "SWK1" */
#define FRAME_HEADER_SIZE   32
#define FRAME_PACKET_MAX    (60 * 1024)
#define FRAME_TOTAL_MAX     (16u * 1024 * 1024) /* one frame */
#define FRAME_EXECUTION_MAX (32u * 1024 * 1024) /* all frames of an execution */
#define FRAME_DISPLAYS_MAX  16                  /* frames of that type in an execution */
#define FRAME_WARM_MAX      (8 * 1024)
#define FRAME_NONCE_SIZE    16

typedef enum frame_type {
    FRAME_HELLO = 1,   /* worker: ready; JSON */
    FRAME_EXEC = 2,    /* host: run this; JSON, with two descriptors */
    FRAME_RESULT = 3,  /* worker: {"value": ...} */
    FRAME_ERROR = 4,   /* worker: {"name", "value", "traceback"} */
    FRAME_DONE = 5,    /* worker: the execution has ended; empty */
    FRAME_DISPLAY = 6, /* worker: length of a media type in a byte, this, what is displayed */
    /* host: be ready sooner; {"modules":[..],"fonts":name}, and a descriptor if there is a name;
     * worker: once, before the next execution's frames, no nonce: {"missing":[..],"all":bool} */
    FRAME_WARM = 7
} frame_type_t;

/* The bytes of one packet's header; number counts the packets of a frame from 0. */
void frame_write_header(unsigned char header[FRAME_HEADER_SIZE], frame_type_t type, unsigned number,
                        uint32_t total, const unsigned char nonce[FRAME_NONCE_SIZE]);

typedef enum frame_status { FRAME_PARTIAL, FRAME_COMPLETE, FRAME_VIOLATION } frame_status_t;

/* Expectations are the host's: set them before packets arrive. */
typedef struct frame_reader {
    pid_t sender;                          /* the only process that may send; 0: any, and hello */
    bool open;                             /* an execution is open: nonce below */
    bool warming;                          /* the answer to FRAME_WARM is still to come */
    unsigned char nonce[FRAME_NONCE_SIZE]; /* its 128 random bits */
    uint64_t received;                     /* payload announced in this execution */
    unsigned displays;                     /* begun in this execution */
    frame_type_t type;                     /* of the frame being put together, and then complete */
    uint32_t total;
    unsigned number;
    bool within; /* a frame has begun */
    sk_buffer_t payload;
    const char *violation; /* why, static text */
} frame_reader_t;

void frame_reader_fini(frame_reader_t *reader);

/* Open the reader for an execution's frames, or close it: then no packet is allowed. */
void frame_reader_open(frame_reader_t *reader, const unsigned char nonce[FRAME_NONCE_SIZE]);
void frame_reader_close(frame_reader_t *reader);

/* Take one packet from process `sender`. COMPLETE: type and payload are those of a whole frame,
 * until the next call. */
frame_status_t frame_read(frame_reader_t *reader, const void *packet, size_t size, pid_t sender);

#endif /* SESSIONS_FRAME_PRIVATE_H */
