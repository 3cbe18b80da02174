/*
 * frame.c - the packets' rules, each of which is one line of frame_check().
 */
#include "frame.h"

#include <string.h>

/* Offsets in the header; numbers are in the machine's byte order: both ends run on it. */
enum {
    AT_MAGIC = 0,
    AT_TYPE = 4,
    AT_FLAGS = 5,
    AT_NUMBER = 6,
    AT_TOTAL = 8,
    AT_NONCE = 12,
    AT_RESERVED = 28
};

typedef struct header {
    uint32_t magic;
    uint8_t type;
    uint8_t flags;
    uint16_t number;
    uint32_t total;
    unsigned char nonce[FRAME_NONCE_SIZE];
    uint32_t reserved;
} header_t;

static header_t header_read(const unsigned char *bytes)
{
    header_t header;

    memcpy(&header.magic, bytes + AT_MAGIC, sizeof(header.magic));
    header.type = bytes[AT_TYPE];
    header.flags = bytes[AT_FLAGS];
    memcpy(&header.number, bytes + AT_NUMBER, sizeof(header.number));
    memcpy(&header.total, bytes + AT_TOTAL, sizeof(header.total));
    memcpy(header.nonce, bytes + AT_NONCE, sizeof(header.nonce));
    memcpy(&header.reserved, bytes + AT_RESERVED, sizeof(header.reserved));
    return header;
}

void frame_write_header(unsigned char header[FRAME_HEADER_SIZE], frame_type_t type, unsigned number,
                        uint32_t total, const unsigned char nonce[FRAME_NONCE_SIZE])
{
    const uint32_t magic = FRAME_MAGIC;
    const uint16_t short_number = (uint16_t)number;

    memset(header, 0, FRAME_HEADER_SIZE);
    memcpy(header + AT_MAGIC, &magic, sizeof(magic));
    header[AT_TYPE] = (unsigned char)type;
    memcpy(header + AT_NUMBER, &short_number, sizeof(short_number));
    memcpy(header + AT_TOTAL, &total, sizeof(total));
    memcpy(header + AT_NONCE, nonce, FRAME_NONCE_SIZE);
}

void frame_reader_fini(frame_reader_t *reader)
{
    sk_buffer_fini(&reader->payload);
}

void frame_reader_open(frame_reader_t *reader, const unsigned char nonce[FRAME_NONCE_SIZE])
{
    reader->open = true;
    reader->received = 0;
    reader->displays = 0;
    reader->within = false;
    memcpy(reader->nonce, nonce, FRAME_NONCE_SIZE);
}

void frame_reader_close(frame_reader_t *reader)
{
    reader->open = false;
    reader->within = false;
    sk_buffer_fini(&reader->payload);
}

/* The same for the answer to FRAME_WARM, which the host's next order may have crossed. */
static const char *frame_check_warm(const frame_reader_t *reader, const header_t *header,
                                    size_t body)
{
    static const unsigned char no_nonce[FRAME_NONCE_SIZE];

    if (!reader->warming) {
        return "a packet of an unexpected type";
    }
    if (memcmp(header->nonce, no_nonce, FRAME_NONCE_SIZE) != 0) {
        return "a packet with a wrong nonce";
    }
    if (reader->within || header->number != 0) {
        return "a packet out of order";
    }
    if (header->total > FRAME_WARM_MAX || body != header->total) {
        return "a packet of the wrong size";
    }
    return NULL;
}

/* The reason why this packet must not be; NULL if it may. */
static const char *frame_check(const frame_reader_t *reader, const header_t *header, size_t body,
                               pid_t sender)
{
    static const unsigned char no_nonce[FRAME_NONCE_SIZE];
    bool hello = reader->sender == 0;

    if (!hello && sender != reader->sender) {
        return "a packet from another process than the worker";
    }
    if (header->magic != FRAME_MAGIC || header->flags != 0 || header->reserved != 0) {
        return "a packet with a malformed header";
    }
    if (!hello && header->type == FRAME_WARM) {
        return frame_check_warm(reader, header, body);
    }
    if (hello ? header->type != FRAME_HELLO
              : header->type != FRAME_RESULT && header->type != FRAME_ERROR &&
                    header->type != FRAME_DONE && header->type != FRAME_DISPLAY) {
        return "a packet of an unexpected type";
    }
    if (!hello && !reader->open) {
        return "a packet while no execution is open";
    }
    if (memcmp(header->nonce, hello ? no_nonce : reader->nonce, FRAME_NONCE_SIZE) != 0) {
        return "a packet with a wrong nonce";
    }
    if (header->total > FRAME_TOTAL_MAX) {
        return "a frame that is too large";
    }
    if (!reader->within && reader->received + header->total > FRAME_EXECUTION_MAX) {
        return "too much in the frames of one execution";
    }
    if (!reader->within && header->type == FRAME_DISPLAY &&
        reader->displays >= FRAME_DISPLAYS_MAX) {
        return "too many displays in one execution";
    }
    if (header->type == FRAME_DONE && header->total != 0) {
        return "an end with content";
    }
    if (reader->within ? header->type != reader->type || header->total != reader->total ||
                             header->number != (uint16_t)(reader->number + 1)
                       : header->number != 0) {
        return "a packet out of order";
    }
    size_t have = reader->within ? reader->payload.size : 0;
    if (body > header->total - have || (body == 0 && header->total != 0)) {
        return "a packet of the wrong size";
    }
    return NULL;
}

static frame_status_t frame_violate(frame_reader_t *reader, const char *why)
{
    reader->violation = why;
    frame_reader_close(reader);
    return FRAME_VIOLATION;
}

frame_status_t frame_read(frame_reader_t *reader, const void *packet, size_t size, pid_t sender)
{
    if (size < FRAME_HEADER_SIZE || size > FRAME_PACKET_MAX) {
        return frame_violate(reader, "a packet of the wrong size");
    }
    header_t header = header_read(packet);
    const size_t body = size - FRAME_HEADER_SIZE;
    const char *why = frame_check(reader, &header, body, sender);
    if (why != NULL) {
        return frame_violate(reader, why);
    }
    if (!reader->within) {
        sk_buffer_clear(&reader->payload);
        reader->within = true;
        reader->type = (frame_type_t)header.type;
        reader->total = header.total;
        reader->received += header.total;
        reader->displays += header.type == FRAME_DISPLAY;
        reader->warming = reader->warming && header.type != FRAME_WARM;
    }
    reader->number = header.number;
    sk_buffer_append(&reader->payload, (const unsigned char *)packet + FRAME_HEADER_SIZE, body);
    if (reader->payload.failed) {
        return frame_violate(reader, "no memory for a frame");
    }
    if (reader->payload.size < reader->total) {
        return FRAME_PARTIAL;
    }
    reader->within = false;
    return FRAME_COMPLETE;
}
