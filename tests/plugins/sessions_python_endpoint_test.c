/* Which addresses are taken, and what becomes of them. */
#include "endpoint.h"

#include "support/check.h"

#define POOL "https://eu.example.io/subscriptions/s/resourceGroups/r/sessionPools/p"

typedef struct sample {
    const char *text;
    const char *base;
    const char *query;
} sample_t;

static void address_is_brought_into_shape(void)
{
    static const sample_t samples[] = {
        {POOL, POOL, ""},
        {POOL "/", POOL, ""},
        {POOL "///", POOL, ""},
        {POOL "/python/execute", POOL, ""},
        {POOL "/python/execute/", POOL, ""},
        {POOL "//Python//EXECUTE", POOL, ""},
        {POOL "/python/executes", POOL "/python/executes", ""},
        {POOL "/xpython/execute", POOL "/xpython/execute", ""},
        {POOL "/python/execute/more", POOL "/python/execute/more", ""},
        {"https://h//a///b", "https://h/a/b", ""},
        {"https://h", "https://h", ""},
        {"https://h/", "https://h", ""},
        {"HTTPS://H:8443/a", "https://H:8443/a", ""},
        {"https://h?x=1&y=2", "https://h", "x=1&y=2"},
        {"https://h/a/?x=1", "https://h/a", "x=1"},
        {"https://h/a?api-version=2024&x=1&Identifier=i", "https://h/a", "x=1"},
        {"https://h/a?&&x&identifier", "https://h/a", "x"},
        {"https://[::1]:8080/a", "https://[::1]:8080/a", ""},
        {"http://localhost:8080", "http://localhost:8080", ""},
        {"http://127.0.0.1/a", "http://127.0.0.1/a", ""},
        {"http://127.255.0.9", "http://127.255.0.9", ""},
        {"http://[::1]/", "http://[::1]", ""},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        endpoint_t endpoint;
        char error[256] = "";

        CHECK(endpoint_read(&endpoint, samples[i].text, false, error, sizeof(error)));
        CHECK_STR(endpoint.base, samples[i].base);
        CHECK_STR(endpoint.query, samples[i].query);
        endpoint_fini(&endpoint);
    }
}

static void address_that_could_mislead_is_refused(void)
{
    static const struct {
        const char *text;
        const char *error;
    } samples[] = {
        {"", "must begin with https://"},
        {"eu.example.io/pool", "must begin with https://"},
        {"ftp://h", "must begin with https://"},
        {"https:/h", "must begin with https://"},
        {"https://user:secret@h/", "user name or password"},
        {"https://user@h/", "user name or password"},
        {"https://h/#part", "fragment"},
        {"https://h#part", "fragment"},
        {"https://", "not a host"},
        {"https:///a", "not a host"},
        {"https://:443/", "not a host"},
        {"https://h:/", "not a host"},
        {"https://h:0/", "not a host"},
        {"https://h:65536/", "not a host"},
        {"https://h:99999999999999999999/", "not a host"},
        {"https://h:80a/", "not a host"},
        {"https://[::1/", "not a host"},
        {"https://[]/", "not a host"},
        {"https://[::1]x/", "not a host"},
        {"https://a,b/", "not a host"},
        {"https://h/a b", "no URL may have"},
        {" https://h/", "no URL may have"},
        {"https://h/\n", "no URL may have"},
        {"https://h\\@evil/", "no URL may have"},
        {"https://h\xC3\xA4/", "no URL may have"},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        endpoint_t endpoint;
        char error[256] = "";

        CHECK(!endpoint_read(&endpoint, samples[i].text, true, error, sizeof(error)));
        CHECK_STR_CONTAINS(error, samples[i].error);
        CHECK(strstr(error, "secret") == NULL);
    }
}

static void http_is_for_loopback_unless_allowed(void)
{
    static const char *const remote[] = {
        "http://example.org/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://128.0.0.1/",
        "http://127.0.0/",
        "http://127.0.0.1./",
        "http://127.0.0.256/",
        "http://127.0.0.1.1/",
        "http://127.0.0.0001/",
        "http://[::2]/",
        "http://1270.0.1/",
        "http://127.0.0.x/",
    };

    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        endpoint_t endpoint;
        char error[256] = "";

        CHECK(!endpoint_read(&endpoint, remote[i], false, error, sizeof(error)));
        CHECK_STR_CONTAINS(error, "allow_http");
        CHECK(endpoint_read(&endpoint, remote[i], true, error, sizeof(error)));
        CHECK(!endpoint.is_loopback);
        endpoint_fini(&endpoint);
    }
}

static void target_is_escaped(void)
{
    endpoint_t endpoint;
    sk_buffer_t target = SK_BUFFER_INIT;
    char error[256] = "";

    CHECK(endpoint_read(&endpoint, "https://h/p?x=1", false, error, sizeof(error)));
    endpoint_write_target(&target, &endpoint, "executions", "a&b#c%d+e f/?=~-._Z",
                          "2024-10-02-preview");
    CHECK_STR(sk_buffer_text(&target),
              "https://h/p/executions?x=1&identifier=a%26b%23c%25d%2Be%20f%2F%3F%3D~-._Z&"
              "api-version=2024-10-02-preview");
    sk_buffer_fini(&target);
    endpoint_fini(&endpoint);

    CHECK(endpoint_read(&endpoint, "https://h", false, error, sizeof(error)));
    endpoint_write_target(&target, &endpoint, "code/execute", "abcd", "2024-02-02-preview");
    CHECK_STR(sk_buffer_text(&target),
              "https://h/code/execute?identifier=abcd&api-version=2024-02-02-preview");
    sk_buffer_fini(&target);
    endpoint_fini(&endpoint);
}

static void version_tells_the_family(void)
{
    static const struct {
        const char *text;
        api_family_t family;
    } good[] = {
        {"2023-08-01-preview", API_FAMILY_A}, {"2024-02-02-preview", API_FAMILY_A},
        {"2024-08-02-preview", API_FAMILY_A}, {"2024-10-02-preview", API_FAMILY_B},
        {"2025-02-02-preview", API_FAMILY_B}, {"2025-10-02-preview", API_FAMILY_B},
        {"2026-01-01", API_FAMILY_B},
    };
    static const char *const bad[] = {
        "",          "2024", "2024-10-02-", "2024-10-02preview", "latest", "2024-10-02-preview&x=1",
        "2024_10_02"};
    api_family_t family;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK(api_version_read(good[i].text, &family));
        CHECK_EQ(family, good[i].family);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!api_version_read(bad[i], &family));
    }
}

static void identifier_is_four_to_128_printable_characters(void)
{
    char text[130];

    CHECK(identifier_is_legal("abcd"));
    CHECK(identifier_is_legal("|-&^%$#(){}[];<>"));
    CHECK(!identifier_is_legal("abc"));
    CHECK(!identifier_is_legal(""));
    CHECK(!identifier_is_legal("ab cd"));
    CHECK(!identifier_is_legal("ab\\cd"));
    CHECK(!identifier_is_legal("ab\ncd"));
    CHECK(!identifier_is_legal("abcd\x7f"));
    CHECK(!identifier_is_legal("abc\xC3\xA4"));
    memset(text, 'x', sizeof(text));
    text[128] = '\0';
    CHECK(identifier_is_legal(text));
    text[128] = 'x';
    text[129] = '\0';
    CHECK(!identifier_is_legal(text));
}

static void made_identifiers_are_random_uuids(void)
{
    char first[IDENTIFIER_SIZE];
    char second[IDENTIFIER_SIZE];

    CHECK(identifier_make(first));
    CHECK(identifier_make(second));
    CHECK(strcmp(first, second) != 0);
    CHECK_EQ(strlen(first), 36);
    CHECK_EQ(first[8], '-');
    CHECK_EQ(first[14], '4');
    CHECK(strchr("89ab", first[19]) != NULL);
    CHECK(identifier_is_legal(first));
}

TESTS(TEST(address_is_brought_into_shape), TEST(address_that_could_mislead_is_refused),
      TEST(http_is_for_loopback_unless_allowed), TEST(target_is_escaped),
      TEST(version_tells_the_family), TEST(identifier_is_four_to_128_printable_characters),
      TEST(made_identifiers_are_random_uuids))
