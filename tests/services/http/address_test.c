/* Which addresses a request that a model wrote may reach. */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "support/check.h"

typedef struct address_case {
    const char *text;
    bool is_public;
} address_case_t;

static const address_case_t cases[] = {
    {"0.0.0.0", false},
    {"0.1.2.3", false},
    {"1.0.0.0", true},
    {"8.8.8.8", true},
    {"9.255.255.255", true},
    {"10.0.0.0", false},
    {"10.255.255.255", false},
    {"11.0.0.0", true},
    {"100.63.255.255", true},
    {"100.64.0.0", false},
    {"100.127.255.255", false},
    {"100.128.0.0", true},
    {"126.255.255.255", true},
    {"127.0.0.1", false},
    {"127.255.255.255", false},
    {"128.0.0.0", true},
    {"169.253.255.255", true},
    {"169.254.169.254", false},
    {"169.255.0.0", true},
    {"172.15.255.255", true},
    {"172.16.0.0", false},
    {"172.31.255.255", false},
    {"172.32.0.0", true},
    {"192.0.0.1", false},
    {"192.0.1.1", true},
    {"192.167.255.255", true},
    {"192.168.0.1", false},
    {"192.169.0.0", true},
    {"198.17.255.255", true},
    {"198.18.0.1", false},
    {"198.19.255.255", false},
    {"198.20.0.0", true},
    {"223.255.255.255", true},
    {"224.0.0.1", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"::", false},
    {"::1", false},
    {"::7f00:1", false},
    {"::ffff:127.0.0.1", false},
    {"::ffff:10.1.2.3", false},
    {"::ffff:8.8.8.8", true},
    {"64:ff9b::127.0.0.1", false},
    {"64:ff9b::8.8.8.8", true},
    {"64:ff9b:1::1", false},
    {"2002:7f00:1::", false},
    {"2002:808:808::1", true},
    {"2001::1", false},
    {"2001:4860:4860::8888", true},
    {"fbff::1", true},
    {"fc00::1", false},
    {"fdff::1", false},
    {"fe7f::1", true},
    {"fe80::1", false},
    {"febf::1", false},
    {"fec0::1", false},
    {"ff02::1", false},
    {"", false},
    {"example.org", false},
    {"fe80::1%eth0", false},
    {"/run/socket", false},
};

static void each_address_is_public_or_not(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (http__address_text_is_public(cases[i].text) != cases[i].is_public) {
            check_fail(__FILE__, __LINE__, "'%s' should be %s", cases[i].text,
                       cases[i].is_public ? "public" : "refused");
        }
    }
}

static void an_address_is_judged_like_its_text(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sockaddr_in in4 = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        char text[INET6_ADDRSTRLEN];
        bool is_public;

        if (inet_pton(AF_INET, cases[i].text, &in4.sin_addr) == 1) {
            is_public = http__address_is_public((struct sockaddr *)&in4, sizeof(in4));
            http__address_write((struct sockaddr *)&in4, sizeof(in4), text, sizeof(text));
        } else if (inet_pton(AF_INET6, cases[i].text, &in6.sin6_addr) == 1) {
            is_public = http__address_is_public((struct sockaddr *)&in6, sizeof(in6));
            http__address_write((struct sockaddr *)&in6, sizeof(in6), text, sizeof(text));
        } else {
            continue;
        }
        CHECK_EQ(is_public, cases[i].is_public);
        CHECK_EQ(http__address_text_is_public(text), cases[i].is_public);
    }
}

static void other_families_and_short_addresses_are_refused(void)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    char text[8];

    CHECK_EQ(inet_pton(AF_INET, "8.8.8.8", &in4.sin_addr), 1);
    CHECK(!http__address_is_public((struct sockaddr *)&local, sizeof(local)));
    CHECK(!http__address_is_public((struct sockaddr *)&in4, sizeof(in4) - 1));
    http__address_write((struct sockaddr *)&local, sizeof(local), text, sizeof(text));
    CHECK_STR(text, "?");
}

TESTS(TEST(each_address_is_public_or_not), TEST(an_address_is_judged_like_its_text),
      TEST(other_families_and_short_addresses_are_refused))
