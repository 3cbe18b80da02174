/*
 * address.c - is an address one of the public Internet?
 *
 * Two tables of ranges that are not, from the registries of special-purpose
 * addresses. Some IPv6 ranges carry an IPv4 address that a gateway or the kernel
 * of the machine unwraps; there the inner address decides.
 */
#include "address.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

typedef struct address_range4 {
    uint8_t prefix[4];
    unsigned bits;
} address_range4_t;

static const address_range4_t address_local4[] = {
    {{0, 0, 0, 0}, 8},      /* this network */
    {{10, 0, 0, 0}, 8},     /* private */
    {{100, 64, 0, 0}, 10},  /* shared behind a carrier's gateway */
    {{127, 0, 0, 0}, 8},    /* loopback */
    {{169, 254, 0, 0}, 16}, /* link-local: metadata services of clouds */
    {{172, 16, 0, 0}, 12},  /* private */
    {{192, 0, 0, 0}, 24},   /* protocol assignments */
    {{192, 168, 0, 0}, 16}, /* private */
    {{198, 18, 0, 0}, 15},  /* benchmarks */
    {{224, 0, 0, 0}, 3},    /* multicast, reserved, broadcast */
};

typedef struct address_range6 {
    uint8_t prefix[16];
    unsigned bits;
    size_t inner; /* where an IPv4 address begins that decides; 0: the range is not public */
} address_range6_t;

static const address_range6_t address_local6[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12}, /* IPv4-mapped */
    {{0, 0x64, 0xff, 0x9b}, 96, 12},                      /* translated (NAT64) */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, 0},                 /* translated, local use */
    {{0x20, 0x02}, 16, 2},                                /* 6to4 */
    {{0x20, 0x01, 0, 0}, 32, 0},                          /* Teredo */
    {{0}, 96, 0},                                         /* ::, ::1, IPv4-compatible */
    {{0xfc}, 7, 0},                                       /* unique local */
    {{0xfe, 0x80}, 10, 0},                                /* link-local */
    {{0xfe, 0xc0}, 10, 0},                                /* site-local */
    {{0xff}, 8, 0},                                       /* multicast */
};

static bool address_matches(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
    size_t whole = bits / 8;
    unsigned rest = bits % 8;

    if (memcmp(bytes, prefix, whole) != 0) {
        return false;
    }
    return rest == 0 || (bytes[whole] >> (8 - rest)) == (prefix[whole] >> (8 - rest));
}

static bool address_is_public4(const uint8_t *bytes)
{
    for (size_t i = 0; i < sizeof(address_local4) / sizeof(address_local4[0]); i++) {
        if (address_matches(bytes, address_local4[i].prefix, address_local4[i].bits)) {
            return false;
        }
    }
    return true;
}

static bool address_is_public6(const uint8_t *bytes)
{
    for (size_t i = 0; i < sizeof(address_local6) / sizeof(address_local6[0]); i++) {
        const address_range6_t *range = &address_local6[i];

        if (address_matches(bytes, range->prefix, range->bits)) {
            return range->inner != 0 && address_is_public4(bytes + range->inner);
        }
    }
    return true;
}

bool http__address_is_public(const struct sockaddr *address, socklen_t size)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    if (address->sa_family == AF_INET && size >= sizeof(in4)) {
        memcpy(&in4, address, sizeof(in4));
        return address_is_public4((const uint8_t *)&in4.sin_addr);
    }
    if (address->sa_family == AF_INET6 && size >= sizeof(in6)) {
        memcpy(&in6, address, sizeof(in6));
        return address_is_public6(in6.sin6_addr.s6_addr);
    }
    return false;
}

bool http__address_text_is_public(const char *text)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1) {
        return address_is_public4(bytes);
    }
    /* A scope ("%eth0") belongs to link-local addresses, which are not public. */
    return inet_pton(AF_INET6, text, bytes) == 1 && address_is_public6(bytes);
}

void http__address_write(const struct sockaddr *address, socklen_t size, char *text,
                         socklen_t text_size)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    const char *written = NULL;

    if (address->sa_family == AF_INET && size >= sizeof(in4)) {
        memcpy(&in4, address, sizeof(in4));
        written = inet_ntop(AF_INET, &in4.sin_addr, text, text_size);
    } else if (address->sa_family == AF_INET6 && size >= sizeof(in6)) {
        memcpy(&in6, address, sizeof(in6));
        written = inet_ntop(AF_INET6, &in6.sin6_addr, text, text_size);
    }
    if (written == NULL && text_size >= 2) {
        memcpy(text, "?", 2);
    }
}
