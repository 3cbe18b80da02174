/*
 * frame_test.c - what packets may be, and that nothing else is.
 */
#include <string.h>

#include "support/check.h"
#include "worker/frame.h"

#define WORKER 77

static const unsigned char nonce[FRAME_NONCE_SIZE] = "0123456789abcdef";
static const unsigned char no_nonce[FRAME_NONCE_SIZE];

typedef struct packet {
    unsigned char bytes[FRAME_PACKET_MAX + 1];
    size_t size;
} packet_t;

static packet_t make_packet(frame_type_t type, unsigned number, uint32_t total, size_t body)
{
    packet_t packet;

    memset(&packet, 'x', sizeof(packet));
    frame_write_header(packet.bytes, type, number, total, nonce);
    packet.size = FRAME_HEADER_SIZE + body;
    return packet;
}

static frame_reader_t open_reader(void)
{
    frame_reader_t reader = {.sender = WORKER};

    frame_reader_open(&reader, nonce);
    return reader;
}

static frame_status_t take(frame_reader_t *reader, const packet_t *packet)
{
    return frame_read(reader, packet->bytes, packet->size, WORKER);
}

static void check_violation(const packet_t *packet, pid_t sender, const char *why)
{
    frame_reader_t reader = open_reader();

    CHECK_EQ(frame_read(&reader, packet->bytes, packet->size, sender), FRAME_VIOLATION);
    CHECK_STR_CONTAINS(reader.violation, why);
    frame_reader_fini(&reader);
}

static void frame_in_one_packet_is_complete(void)
{
    frame_reader_t reader = open_reader();
    packet_t packet = make_packet(FRAME_RESULT, 0, 5, 5);

    CHECK_EQ(take(&reader, &packet), FRAME_COMPLETE);
    CHECK_EQ(reader.type, FRAME_RESULT);
    CHECK_STR(sk_buffer_text(&reader.payload), "xxxxx");
    frame_reader_fini(&reader);
}

static void frame_in_many_packets_is_put_together(void)
{
    frame_reader_t reader = open_reader();

    for (unsigned i = 0; i < 3; i++) {
        packet_t packet = make_packet(FRAME_ERROR, i, 12, 4);
        CHECK_EQ(take(&reader, &packet), i < 2 ? FRAME_PARTIAL : FRAME_COMPLETE);
    }
    CHECK_EQ(reader.payload.size, 12);
    frame_reader_fini(&reader);
}

static void execution_of_two_frames_ends_with_done(void)
{
    frame_reader_t reader = open_reader();
    packet_t result = make_packet(FRAME_RESULT, 0, 2, 2);
    packet_t done = make_packet(FRAME_DONE, 0, 0, 0);

    CHECK_EQ(take(&reader, &result), FRAME_COMPLETE);
    CHECK_EQ(take(&reader, &done), FRAME_COMPLETE);
    CHECK_EQ(reader.type, FRAME_DONE);
    frame_reader_fini(&reader);
}

static void first_packet_of_a_worker_is_hello_without_nonce(void)
{
    frame_reader_t reader = {.sender = 0};
    packet_t packet = make_packet(FRAME_HELLO, 0, 3, 3);

    CHECK_EQ(frame_read(&reader, packet.bytes, packet.size, WORKER), FRAME_VIOLATION);
    frame_write_header(packet.bytes, FRAME_HELLO, 0, 3, no_nonce);
    CHECK_EQ(frame_read(&reader, packet.bytes, packet.size, WORKER), FRAME_COMPLETE);
    frame_write_header(packet.bytes, FRAME_RESULT, 0, 3, no_nonce);
    CHECK_EQ(frame_read(&reader, packet.bytes, packet.size, WORKER), FRAME_VIOLATION);
    frame_reader_fini(&reader);
}

static void packet_of_another_process_is_a_violation(void)
{
    packet_t packet = make_packet(FRAME_DONE, 0, 0, 0);

    check_violation(&packet, WORKER + 1, "another process");
    check_violation(&packet, -1, "another process");
}

static void packet_with_another_nonce_is_a_violation(void)
{
    packet_t packet = make_packet(FRAME_DONE, 0, 0, 0);

    frame_write_header(packet.bytes, FRAME_DONE, 0, 0, no_nonce);
    check_violation(&packet, WORKER, "nonce");
}

static void packet_while_nothing_is_open_is_a_violation(void)
{
    frame_reader_t reader = open_reader();
    packet_t packet = make_packet(FRAME_DONE, 0, 0, 0);

    frame_reader_close(&reader);
    CHECK_EQ(take(&reader, &packet), FRAME_VIOLATION);
    CHECK_STR_CONTAINS(reader.violation, "no execution");
    frame_reader_fini(&reader);
}

static void each_malformed_header_is_a_violation(void)
{
    static const struct {
        const char *name;
        size_t offset;
        unsigned char byte;
    } cases[] = {{"magic", 0, 0}, {"flags", 5, 1},           {"reserved", 28, 1},
                 {"type", 4, 99}, {"hello", 4, FRAME_HELLO}, {"exec", 4, FRAME_EXEC},
                 {"number", 6, 1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        packet_t packet = make_packet(FRAME_RESULT, 0, 4, 4);
        packet.bytes[cases[i].offset] = cases[i].byte;
        check_violation(&packet, WORKER, "");
    }
}

static void each_wrong_size_is_a_violation(void)
{
    static const struct {
        frame_type_t type;
        uint32_t total;
        size_t body;
    } cases[] = {{FRAME_RESULT, 0x80000000u, 4},
                 {FRAME_RESULT, FRAME_TOTAL_MAX + 1, 4},
                 {FRAME_RESULT, 4, 5},
                 {FRAME_RESULT, 4, 0},
                 {FRAME_DONE, 1, 1},
                 {FRAME_DONE, 0, 1},
                 {FRAME_RESULT, 70000, FRAME_PACKET_MAX - FRAME_HEADER_SIZE + 1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        packet_t packet = make_packet(cases[i].type, 0, cases[i].total, cases[i].body);
        check_violation(&packet, WORKER, "");
    }
    packet_t packet = make_packet(FRAME_DONE, 0, 0, 0);
    packet.size = FRAME_HEADER_SIZE - 1;
    check_violation(&packet, WORKER, "size");
}

static void frame_that_changes_on_its_way_is_a_violation(void)
{
    const packet_t changed[] = {
        make_packet(FRAME_ERROR, 1, 8, 4), make_packet(FRAME_RESULT, 1, 9, 4),
        make_packet(FRAME_RESULT, 2, 8, 4), make_packet(FRAME_RESULT, 0, 8, 4),
        make_packet(FRAME_RESULT, 1, 8, 5)};

    for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
        frame_reader_t reader = open_reader();
        packet_t first = make_packet(FRAME_RESULT, 0, 8, 4);
        CHECK_EQ(take(&reader, &first), FRAME_PARTIAL);
        CHECK_EQ(take(&reader, &changed[i]), FRAME_VIOLATION);
        frame_reader_fini(&reader);
    }
}

static void frames_of_one_execution_have_a_limit_together(void)
{
    const size_t body = FRAME_PACKET_MAX - FRAME_HEADER_SIZE;
    frame_reader_t reader = open_reader();

    for (int frame = 0; frame < 2; frame++) {
        size_t sent = 0;
        for (unsigned number = 0; sent < FRAME_TOTAL_MAX; number++) {
            size_t size = FRAME_TOTAL_MAX - sent < body ? FRAME_TOTAL_MAX - sent : body;
            packet_t packet = make_packet(FRAME_RESULT, number, FRAME_TOTAL_MAX, size);
            sent += size;
            CHECK_EQ(take(&reader, &packet),
                     sent < FRAME_TOTAL_MAX ? FRAME_PARTIAL : FRAME_COMPLETE);
        }
    }
    packet_t packet = make_packet(FRAME_RESULT, 0, 1, 1);
    CHECK_EQ(take(&reader, &packet), FRAME_VIOLATION);
    CHECK_STR_CONTAINS(reader.violation, "too much");
    frame_reader_fini(&reader);
}

static packet_t make_warm_packet(uint32_t total, size_t body)
{
    packet_t packet = make_packet(FRAME_WARM, 0, total, body);

    frame_write_header(packet.bytes, FRAME_WARM, 0, total, no_nonce);
    return packet;
}

static void answer_to_warm_comes_once_before_or_after_an_execution_is_opened(void)
{
    frame_reader_t reader = open_reader();
    packet_t packet = make_warm_packet(5, 5);

    CHECK_EQ(take(&reader, &packet), FRAME_VIOLATION); /* nobody has asked */
    for (int open = 0; open < 2; open++) {
        reader.warming = true;
        if (open != 0) {
            frame_reader_open(&reader, nonce);
        }
        CHECK_EQ(take(&reader, &packet), FRAME_COMPLETE);
        CHECK_EQ(reader.type, FRAME_WARM);
        CHECK_EQ(take(&reader, &packet), FRAME_VIOLATION);
    }
    frame_reader_fini(&reader);
}

static void answer_to_warm_is_one_small_packet_without_nonce(void)
{
    const packet_t wrong[] = {make_packet(FRAME_WARM, 0, 5, 5), make_warm_packet(6, 5),
                              make_warm_packet(FRAME_WARM_MAX + 1, FRAME_WARM_MAX + 1)};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        frame_reader_t reader = open_reader();
        reader.warming = true;
        CHECK_EQ(take(&reader, &wrong[i]), FRAME_VIOLATION);
        frame_reader_fini(&reader);
    }
    frame_reader_t reader = open_reader();
    packet_t begun = make_packet(FRAME_RESULT, 0, 8, 4);
    packet_t packet = make_warm_packet(4, 4);
    reader.warming = true;
    CHECK_EQ(take(&reader, &begun), FRAME_PARTIAL);
    CHECK_EQ(take(&reader, &packet), FRAME_VIOLATION);
    frame_reader_fini(&reader);
}

static void displays_of_one_execution_are_counted(void)
{
    frame_reader_t reader = open_reader();
    packet_t packet = make_packet(FRAME_DISPLAY, 0, 1, 1);

    for (int i = 0; i < FRAME_DISPLAYS_MAX; i++) {
        CHECK_EQ(take(&reader, &packet), FRAME_COMPLETE);
    }
    packet = make_packet(FRAME_DISPLAY, 0, FRAME_TOTAL_MAX, 1); /* nothing of it is awaited */
    CHECK_EQ(take(&reader, &packet), FRAME_VIOLATION);
    CHECK_STR_CONTAINS(reader.violation, "too many displays");
    frame_reader_open(&reader, nonce); /* the next execution may display again */
    packet = make_packet(FRAME_DISPLAY, 0, 2, 1);
    CHECK_EQ(take(&reader, &packet), FRAME_PARTIAL);
    packet = make_packet(FRAME_DISPLAY, 1, 2, 1);
    CHECK_EQ(take(&reader, &packet), FRAME_COMPLETE);
    CHECK_EQ(reader.displays, 1);
    frame_reader_fini(&reader);
}

TESTS(TEST(answer_to_warm_comes_once_before_or_after_an_execution_is_opened),
      TEST(answer_to_warm_is_one_small_packet_without_nonce),
      TEST(displays_of_one_execution_are_counted), TEST(frame_in_one_packet_is_complete),
      TEST(frame_in_many_packets_is_put_together), TEST(execution_of_two_frames_ends_with_done),
      TEST(first_packet_of_a_worker_is_hello_without_nonce),
      TEST(packet_of_another_process_is_a_violation),
      TEST(packet_with_another_nonce_is_a_violation),
      TEST(packet_while_nothing_is_open_is_a_violation), TEST(each_malformed_header_is_a_violation),
      TEST(each_wrong_size_is_a_violation), TEST(frame_that_changes_on_its_way_is_a_violation),
      TEST(frames_of_one_execution_have_a_limit_together))
