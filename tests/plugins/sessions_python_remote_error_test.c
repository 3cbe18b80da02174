/* What a refusal of the pool comes to. */
#include "remote_error.h"

#include <kernel/plugin.h>

#include "support/check.h"

typedef struct sample {
    unsigned http_status;
    const char *header_code;
    const char *body;
    const char *code;
    const char *message;
    int status;
} sample_t;

static void every_form_of_a_body_is_read(void)
{
    static const sample_t samples[] = {
        {400, NULL,
         "{\"error\":{\"code\":\"SessionRequestValidationFailed\",\"message\":\"bad\","
         "\"target\":\"x\",\"details\":[]}}",
         "SessionRequestValidationFailed", "bad", KP_E_REMOTE},
        {429, NULL,
         "{\"code\":\"SessionsCountExceedsLimit\",\"message\":\"The request sessions count is "
         "'1'.\"}",
         "SessionsCountExceedsLimit", "The request sessions count is '1'.", KP_E_BUSY},
        {400, NULL,
         "{\"type\":\"t\",\"title\":\"One or more validation errors occurred.\",\"status\":400,"
         "\"errors\":{\"$\":[\"'x' is invalid\"]},\"traceId\":\"0\"}",
         "", "One or more validation errors occurred. 'x' is invalid", KP_E_REMOTE},
        {400, NULL, "{\"title\":\"Bad\",\"detail\":\"more\"}", "", "Bad more", KP_E_REMOTE},
        {400, NULL, "{\"error\":{\"error\":{\"code\":\"C\",\"message\":\"m\"}}}", "C", "m",
         KP_E_REMOTE},
        {400, NULL, "{\"error\":\"plain\"}", "", "plain", KP_E_REMOTE},
        {403, NULL, "", "", "", KP_E_DENIED},
        {404, "NoSessionFoundError", "", "NoSessionFoundError", "", KP_E_NOT_FOUND},
        {404, "Other", "{\"code\":\"Mine\",\"message\":\"m\"}", "Mine", "m", KP_E_NOT_FOUND},
        {413, NULL, "too\n large ", "", "too large", KP_E_LIMIT},
        {502, NULL, "<html><head><title>502 Bad Gateway</title></head><body>\n</body></html>", "",
         "502 Bad Gateway", KP_E_REMOTE},
        {500, NULL, "a < b", "", "a < b", KP_E_REMOTE},
        {500, NULL, "[1,2]", "", "[1,2]", KP_E_REMOTE},
        {500, NULL, "\xFF\x01", "", "??", KP_E_REMOTE},
        {401, NULL, "", "", "", KP_E_AUTH},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        remote_error_t error;

        remote_error_read(&error, samples[i].http_status, samples[i].header_code, NULL,
                          samples[i].body, strlen(samples[i].body));
        CHECK_STR(error.code, samples[i].code);
        CHECK_STR(error.message, samples[i].message);
        CHECK_EQ(error.status, samples[i].status);
    }
}

static void long_message_is_cut_between_characters(void)
{
    char body[2001];
    remote_error_t error;

    for (size_t i = 0; i + 1 < sizeof(body); i += 2) {
        memcpy(body + i, "\xC3\xA4", 2);
    }
    remote_error_read(&error, 500, NULL, NULL, body, sizeof(body) - 1);
    CHECK(strlen(error.message) < EXCERPT_SIZE);
    CHECK_STR_CONTAINS(error.message, "\xC3\xA4...");
}

static void missing_properties_ask_for_the_other_shape(void)
{
    static const char body[] =
        "{\"error\":{\"code\":\"sessionPropertiesMissing\",\"message\":\"m\"}}";
    remote_error_t error;

    remote_error_read(&error, 400, NULL, NULL, body, strlen(body));
    CHECK(remote_error_is_shape(&error));
    remote_error_read(&error, 500, NULL, NULL, body, strlen(body));
    CHECK(!remote_error_is_shape(&error));
    remote_error_read(&error, 400, "SessionPropertiesMissing", NULL, "", 0);
    CHECK(remote_error_is_shape(&error));
    remote_error_read(&error, 400, NULL, NULL, "", 0);
    CHECK(!remote_error_is_shape(&error));
}

static void text_says_what_to_do(void)
{
    static const struct {
        unsigned http_status;
        const char *challenge;
        const char *body;
        const char *text;
    } samples[] = {
        {401, NULL, "",
         "HTTP status 401 without a word: so a service answers to an api_version that it "
         "does not know, check \"2024-10-02-preview\", or to a wrong token"},
        {401, "Bearer", "",
         "HTTP status 401; the token is wrong, has expired, or was issued for another audience "
         "than "
         "https://dynamicsessions.io"},
        {403, NULL, "",
         "HTTP status 403; the identity needs the role \"Azure ContainerApps Session Executor\" on "
         "this pool; a new assignment takes a minute or more to work"},
        {404, NULL, "", "HTTP status 404; check pool_management_endpoint"},
        {404, NULL, "{\"code\":\"NoSessionFoundError\",\"message\":\"none\"}",
         "HTTP status 404, NoSessionFoundError: none"},
        {413, NULL, "", "HTTP status 413; send less code at a time"},
        {429, NULL, "{\"code\":\"C\",\"message\":\"Too many.\"}",
         "HTTP status 429, C: Too many; try again later, when sessions of the pool have ended"},
        {503, NULL, "", "HTTP status 503; the code may have run, or a part of it"},
        {409, NULL, "", "HTTP status 409"},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        remote_error_t error;
        sk_buffer_t text = SK_BUFFER_INIT;

        remote_error_read(&error, samples[i].http_status, NULL, samples[i].challenge,
                          samples[i].body, strlen(samples[i].body));
        remote_error_write(&text, &error, "2024-10-02-preview");
        CHECK_STR(sk_buffer_text(&text), samples[i].text);
        sk_buffer_fini(&text);
    }
}

TESTS(TEST(every_form_of_a_body_is_read), TEST(long_message_is_cut_between_characters),
      TEST(missing_properties_ask_for_the_other_shape), TEST(text_says_what_to_do))
