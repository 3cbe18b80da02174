/* Where the values of a configuration come from, and what is said when they are wrong. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "support/check.h"
#include "support/fail_alloc.h"

static const char *const levels[] = {"low", "high", NULL};
static const kp_param params[] = {
    {.name = "endpoint", .type = KP_STRING, .env = "T_ENDPOINT|T_URL"},
    {.name = "timeout",
     .type = KP_INTEGER,
     .dflt = "30",
     .env = "T_TIMEOUT",
     .schema = "{\"minimum\":1}"},
    {.name = "key", .type = KP_STRING, .env = "T_KEY", .flags = KP_SECRET | KP_OPTIONAL},
    {.name = "verbose", .type = KP_BOOLEAN, .dflt = "false", .env = "T_VERBOSE"},
    {.name = "headers", .type = KP_OBJECT, .env = "T_HEADERS", .flags = KP_OPTIONAL},
    {.name = "seed", .type = KP_BYTES, .env = "T_SEED", .flags = KP_OPTIONAL},
    {.name = "level", .type = KP_STRING, .dflt = "\"low\"", .choices = levels, .env = "T_LEVEL"},
};

enum { ENDPOINT, TIMEOUT, KEY, VERBOSE, HEADERS, SEED, LEVEL, COUNT };

static const char *const variables[] = {"T_ENDPOINT", "T_URL",  "T_TIMEOUT", "T_KEY",  "T_VERBOSE",
                                        "T_HEADERS",  "T_SEED", "T_LEVEL",   "T_OTHER"};

static bool tell_secret(const char *id, char *buffer, size_t size, void *data)
{
    CHECK_STR(data, "vault");
    if (strcmp(id, "long") == 0) {
        memset(buffer, 'z', size); /* no NUL at all */
        return true;
    }
    if (strcmp(id, "number") == 0) {
        snprintf(buffer, size, "hunter77");
        return true;
    }
    if (strcmp(id, "id") == 0) {
        snprintf(buffer, size, "from the vault");
        return true;
    }
    return false;
}

typedef struct fixture {
    kernel__signature_t signature;
    kernel__limits_t limits;
    kernel__config_sources_t sources;
    kernel__config_t config;
    sk_dotenv_t *dotenv;
    kernel_error_t error;
} fixture_t;

static void fixture_init(fixture_t *f, const char *dotenv)
{
    static char vault[] = "vault";

    memset(f, 0, sizeof(*f));
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        unsetenv(variables[i]);
    }
    f->error = (kernel_error_t)KERNEL_ERROR_INIT;
    CHECK_EQ(kernel__signature_make(&f->signature, KERNEL__SIGNATURE_CONFIG, params, COUNT,
                                    sizeof(params[0]), "p", &f->error),
             KERNEL_OK);
    if (dotenv != NULL) {
        f->dotenv = sk_dotenv_read(dotenv, strlen(dotenv), NULL);
        CHECK(f->dotenv != NULL);
    }
    f->limits = (kernel__limits_t){100000, 1000, 8};
    f->sources = (kernel__config_sources_t){
        .dotenv = f->dotenv,
        .dotenv_path = "/etc/app/.env",
        .secret = tell_secret,
        .secret_data = vault,
        .limits = &f->limits,
    };
}

static void fixture_fini(fixture_t *f)
{
    kernel__signature_free(&f->signature);
    sk_dotenv_free(f->dotenv);
}

static kernel_status_t bind(fixture_t *f, const char *json)
{
    f->error = (kernel_error_t)KERNEL_ERROR_INIT;
    return kernel__config_bind(&f->config, &f->signature, json, &f->sources, "plugin 'p'",
                               &f->error);
}

static void stronger_source_wins(void)
{
    static const struct {
        const char *json;
        const char *first;  /* T_ENDPOINT of the process; NULL: not set */
        const char *second; /* T_URL */
        const char *dotenv;
        const char *wanted;
    } cases[] = {
        {"{\"endpoint\":\"json\"}", "env", "url", "T_ENDPOINT=file", "json"},
        {"{\"endpoint\":null}", "env", "url", "T_ENDPOINT=file", "env"},
        {"{}", "env", "url", "T_ENDPOINT=file", "env"},
        {NULL, "env", NULL, "T_ENDPOINT=file", "env"},
        {"  ", "", "url", "T_ENDPOINT=file", "url"},
        {NULL, NULL, "url", "T_ENDPOINT=file", "url"},
        {NULL, NULL, NULL, "T_ENDPOINT=file\nT_URL=other", "file"},
        {NULL, NULL, NULL, "T_ENDPOINT=\nT_URL=other", "other"},
        {NULL, "", "", "T_URL='a # b'", "a # b"},
        {NULL, NULL, NULL, "\xEF\xBB\xBF# c\r\nexport T_URL=\"a\\\"b\" # c\r\n", "a\"b"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_t f;

        fixture_init(&f, cases[i].dotenv);
        if (cases[i].first != NULL) {
            setenv("T_ENDPOINT", cases[i].first, 1);
        }
        if (cases[i].second != NULL) {
            setenv("T_URL", cases[i].second, 1);
        }
        CHECK_EQ(bind(&f, cases[i].json), KERNEL_OK);
        CHECK_EQ(f.config.count, COUNT);
        CHECK_STR(f.config.values[ENDPOINT].as.text.ptr, cases[i].wanted);
        CHECK_EQ(f.config.values[TIMEOUT].as.integer, 30);
        CHECK_EQ(f.config.values[KEY].type, KP_NULL);
        kernel__config_free(&f.config);
        fixture_fini(&f);
    }
}

static void text_of_variables_is_read_by_the_declared_type(void)
{
    fixture_t f;

    fixture_init(&f, "T_ENDPOINT=5\nT_TIMEOUT=60\nT_VERBOSE=TRUE\nT_HEADERS='{\"a\": 1}'\n"
                     "T_SEED=AAE=\nT_LEVEL=high\nT_KEY='\"quoted\"'\n");
    CHECK_EQ(bind(&f, NULL), KERNEL_OK);
    CHECK_EQ(f.config.values[ENDPOINT].type, KP_STRING);
    CHECK_STR(f.config.values[ENDPOINT].as.text.ptr, "5");
    CHECK_EQ(f.config.values[TIMEOUT].as.integer, 60);
    CHECK_EQ(f.config.values[VERBOSE].as.boolean, 1);
    CHECK_STR(f.config.values[HEADERS].as.text.ptr, "{\"a\":1}");
    CHECK_EQ(f.config.values[SEED].as.text.len, 2);
    CHECK(memcmp(f.config.values[SEED].as.text.ptr, "\0\1", 3) == 0);
    CHECK_STR(f.config.values[LEVEL].as.text.ptr, "high");
    CHECK_STR(f.config.values[KEY].as.text.ptr, "\"quoted\"");
    kernel__config_free(&f.config);
    fixture_fini(&f);
}

static void references_are_resolved(void)
{
    fixture_t f;

    fixture_init(&f, "T_OTHER=from the file\nT_TIMEOUT=7");
    CHECK_EQ(bind(&f, "{\"endpoint\":{\"$env\":\"T_OTHER\"},\"timeout\":{\"$env\":\"T_TIMEOUT\"},"
                      "\"key\":{\"$secret\":\"id\"},\"headers\":{\"$env\":\"x\",\"a\":1}}"),
             KERNEL_OK);
    CHECK_STR(f.config.values[ENDPOINT].as.text.ptr, "from the file");
    CHECK_EQ(f.config.values[TIMEOUT].as.integer, 7);
    CHECK_STR(f.config.values[KEY].as.text.ptr, "from the vault");
    CHECK_STR(f.config.values[HEADERS].as.text.ptr, "{\"$env\":\"x\",\"a\":1}");
    kernel__config_free(&f.config);
    setenv("T_OTHER", "from the process", 1);
    CHECK_EQ(bind(&f, "{\"endpoint\":{\"\\u0024env\":\"T_\\u004fTHER\"}}"), KERNEL_OK);
    CHECK_STR(f.config.values[ENDPOINT].as.text.ptr, "from the process");
    kernel__config_free(&f.config);
    fixture_fini(&f);
}

static void configuration_that_does_not_fit_is_refused_with_its_source(void)
{
    static const struct {
        const char *json;
        const char *variable; /* of the process; NULL: none */
        const char *value;
        const char *dotenv;
        kernel_status_t status;
        const char *text;
    } cases[] = {
        {NULL, NULL, NULL, NULL, KERNEL_E_INVALID,
         "plugin 'p': configuration key 'endpoint' is required: give it in the configuration, or "
         "set T_ENDPOINT or T_URL in the environment or in a .env file"},
        {NULL, "T_URL", "", "T_OTHER=1", KERNEL_E_INVALID, "or in /etc/app/.env"},
        {"{\"endpont\":\"x\"}", NULL, NULL, NULL, KERNEL_E_INVALID,
         "plugin 'p': unknown configuration key 'endpont'; did you mean 'endpoint'? legal: "
         "endpoint, timeout, key"},
        {"{\"endpoint\":[]}", NULL, NULL, NULL, KERNEL_E_INVALID,
         "plugin 'p': configuration key 'endpoint' must be a string, was given the array []"},
        {"{\"endpoint\":\"x\",\"timeout\":\"soon\"}", NULL, NULL, NULL, KERNEL_E_INVALID,
         "configuration key 'timeout' must be an integer, was given the string 'soon'"},
        {"{\"endpoint\":\"x\"}", "T_TIMEOUT", "soon", NULL, KERNEL_E_INVALID,
         "configuration key 'timeout' (T_TIMEOUT in the environment) must be an integer, was given "
         "the string 'soon'"},
        {"{\"endpoint\":\"x\"}", NULL, NULL, "T_TIMEOUT=0", KERNEL_E_INVALID,
         "configuration key 'timeout' (T_TIMEOUT in /etc/app/.env) must be at least 1"},
        {"{\"endpoint\":\"x\"}", "T_VERBOSE", "yes", NULL, KERNEL_E_INVALID,
         "'verbose' (T_VERBOSE in the environment) must be a boolean, was given the string 'yes'"},
        {"{\"endpoint\":\"x\"}", "T_HEADERS", "{a}", NULL, KERNEL_E_INVALID,
         "'headers' (T_HEADERS in the environment) must be a JSON object, is not JSON: "},
        {"{\"endpoint\":\"x\"}", "T_SEED", "%", NULL, KERNEL_E_INVALID,
         "'seed' (T_SEED in the environment) must be bytes in base64"},
        {"{\"endpoint\":\"x\"}", "T_LEVEL", "hihg", NULL, KERNEL_E_INVALID,
         "'level' (T_LEVEL in the environment) is none of its choices, was given the string "
         "'hihg'; "
         "did you mean 'high'? legal: low, high"},
        {"{\"endpoint\":\"x\"}", "T_LEVEL", "\xFF", NULL, KERNEL_E_INVALID,
         "is not valid UTF-8 at byte 0"},
        {"{\"endpoint\":{\"$env\":\"T_OTHER\"}}", "T_OTHER", "", NULL, KERNEL_E_INVALID,
         "plugin 'p': configuration key 'endpoint' refers to the variable T_OTHER, which is not "
         "set "
         "(or empty) in the environment: set it"},
        {"{\"endpoint\":{\"$env\":\"T_OTHER\"}}", NULL, NULL, "A=1", KERNEL_E_INVALID,
         "is not set (or empty) in the environment and in /etc/app/.env"},
        {"{\"endpoint\":{\"$env\":\"\"}}", NULL, NULL, NULL, KERNEL_E_INVALID,
         "'endpoint' refers to a variable whose name is empty"},
        {"{\"endpoint\":{\"$env\":5}}", NULL, NULL, NULL, KERNEL_E_INVALID,
         "must be a string, was given the object {\"$env\":5}"},
        {"{\"endpoint\":\"x\",\"key\":{\"$secret\":\"none\"}}", NULL, NULL, NULL, KERNEL_E_INVALID,
         "'key' refers to the secret 'none', which the host does not know"},
        {"{\"endpoint\":\"x\",\"endpoint\":\"y\"}", NULL, NULL, NULL, KERNEL_E_INVALID,
         "plugin 'p': the configuration is not valid JSON at byte"},
        {"[]", NULL, NULL, NULL, KERNEL_E_INVALID,
         "plugin 'p': the configuration must be a JSON object, found array"},
        {"{\"headers\":{\"a\":[[[[[[[[1]]]]]]]]}}", NULL, NULL, NULL, KERNEL_E_LIMIT,
         "plugin 'p': the configuration is not taken: "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_t f;

        fixture_init(&f, cases[i].dotenv);
        if (cases[i].variable != NULL) {
            setenv(cases[i].variable, cases[i].value, 1);
        }
        CHECK_EQ(bind(&f, cases[i].json), cases[i].status);
        CHECK_STR_CONTAINS(f.error.text, cases[i].text);
        CHECK(f.config.values == NULL);
        kernel__config_free(&f.config); /* harmless */
        fixture_fini(&f);
    }
}

static void secret_without_a_host_that_knows_it_is_refused(void)
{
    fixture_t f;

    fixture_init(&f, NULL);
    f.sources.secret = NULL;
    CHECK_EQ(bind(&f, "{\"endpoint\":{\"$secret\":\"id\"}}"), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(f.error.text, "refers to the secret 'id', but the host gave the kernel no "
                                     "function that knows secrets (kernel_options_t.secret)");
    fixture_fini(&f);
}

static void secrets_stay_out_of_errors(void)
{
    static const char *const texts[] = {
        "{\"endpoint\":\"x\",\"timeout\":{\"$secret\":\"number\"}}",
        "{\"endpoint\":\"x\",\"level\":{\"$secret\":\"number\"}}",
        "{\"endpoint\":\"x\",\"headers\":{\"$secret\":\"number\"}}",
        "{\"endpoint\":\"x\",\"verbose\":{\"$secret\":\"number\"}}",
        "{\"endpoint\":\"x\",\"key\":[\"hunter77\"]}",
        "{\"endpoint\":\"x\",\"key\":hunter77}",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fixture_t f;

        fixture_init(&f, NULL);
        CHECK_EQ(bind(&f, texts[i]), KERNEL_E_INVALID);
        CHECK(strstr(f.error.text, "unter") == NULL);
        CHECK(strstr(f.error.text, "'h'") == NULL);
        fixture_fini(&f);
    }
}

static void secret_without_an_end_is_cut(void)
{
    fixture_t f;

    fixture_init(&f, NULL);
    CHECK_EQ(bind(&f, "{\"endpoint\":{\"$secret\":\"long\"}}"), KERNEL_OK);
    CHECK_EQ(f.config.values[ENDPOINT].as.text.len, 65535);
    kernel__config_free(&f.config);
    fixture_fini(&f);
}

/* An allocator that looks into every block that comes back. */
static bool found_secret;

static void free_and_look(void *memory)
{
    /* Blocks begin with their size, see below. */
    size_t *block = (size_t *)memory - 2;
    size_t size = block[0];
    const char *text = memory;

    for (size_t i = 0; i + 6 <= size; i++) {
        found_secret = found_secret || memcmp(text + i, "hunter", 6) == 0;
    }
    free(block);
}

static void *malloc_sized(size_t size)
{
    size_t *block = calloc(1, size + 2 * sizeof(size_t));

    CHECK(block != NULL);
    block[0] = size;
    return block + 2;
}

static void *realloc_sized(void *memory, size_t size)
{
    void *moved = malloc_sized(size);

    if (memory != NULL) {
        size_t before = *((size_t *)memory - 2);

        memcpy(moved, memory, before < size ? before : size);
        free_and_look(memory);
    }
    return moved;
}

static void secrets_are_wiped_before_their_memory_is_freed(void)
{
    static const kp_param secret_params[] = {
        {.name = "plain", .type = KP_STRING, .flags = KP_SECRET},
        {.name = "escaped", .type = KP_STRING, .flags = KP_SECRET},
        {.name = "bytes", .type = KP_BYTES, .flags = KP_SECRET},
        {.name = "bag", .type = KP_OBJECT, .flags = KP_SECRET},
        {.name = "string_bag", .type = KP_OBJECT, .flags = KP_SECRET},
        {.name = "variable", .type = KP_STRING, .env = "T_KEY", .flags = KP_SECRET},
        {.name = "vault", .type = KP_STRING},
        {.name = "pin", .type = KP_INTEGER, .flags = KP_SECRET | KP_OPTIONAL},
    };
    static const char json[] =
        "{\"plain\":\"hunter1\",\"escaped\":\"\\u0068unter2\",\"bytes\":\"aHVudGVyMw==\","
        "\"bag\":{ \"a\": \"hunter4\" },\"string_bag\":\"{\\\"a\\\":\\\"hunter5\\\"}\","
        "\"vault\":{\"$secret\":\"number\"}}";
    static const char refused[] = "{\"plain\":\"hunter1\",\"escaped\":\"\\u0068unter2\","
                                  "\"pin\":\"\\u0068unter\"}";
    static const sk_allocator_t allocator = {malloc_sized, realloc_sized, free_and_look};
    kernel__signature_t signature;
    fixture_t f;

    sk_set_allocator(&allocator);
    fixture_init(&f, NULL);
    setenv("T_KEY", "hunter6", 1);
    CHECK_EQ(kernel__signature_make(&signature, KERNEL__SIGNATURE_CONFIG, secret_params, 8,
                                    sizeof(secret_params[0]), "p", &f.error),
             KERNEL_OK);
    CHECK_EQ(kernel__config_bind(&f.config, &signature, json, &f.sources, "p", &f.error),
             KERNEL_OK);
    CHECK(memcmp(f.config.values[2].as.text.ptr, "hunter3", 8) == 0);
    CHECK_STR(f.config.values[6].as.text.ptr, "hunter77");
    kernel__config_free(&f.config);
    CHECK(!found_secret);
    CHECK_EQ(kernel__config_bind(&f.config, &signature, refused, &f.sources, "p", &f.error),
             KERNEL_E_INVALID);
    CHECK(!found_secret);
    kernel__signature_free(&signature);
    fixture_fini(&f);
}

static void default_that_is_text_is_shared_and_survives(void)
{
    fixture_t f;

    fixture_init(&f, NULL);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(bind(&f, "{\"endpoint\":\"x\"}"), KERNEL_OK);
        CHECK_STR(f.config.values[LEVEL].as.text.ptr, "low");
        kernel__config_free(&f.config);
    }
    fixture_fini(&f);
}

static void configuration_without_keys_takes_none(void)
{
    kernel__signature_t signature;
    fixture_t f;

    fixture_init(&f, NULL);
    CHECK_EQ(
        kernel__signature_make(&signature, KERNEL__SIGNATURE_CONFIG, NULL, 0, 0, "p", &f.error),
        KERNEL_OK);
    CHECK_EQ(kernel__config_bind(&f.config, &signature, NULL, &f.sources, "p", &f.error),
             KERNEL_OK);
    kernel__config_free(&f.config);
    CHECK_EQ(kernel__config_bind(&f.config, &signature, "{\"a\":1}", &f.sources, "p", &f.error),
             KERNEL_E_INVALID);
    CHECK_STR(f.error.text, "p: unknown configuration key 'a'; there are none to give");
    kernel__signature_free(&signature);
    fixture_fini(&f);
}

static fixture_t lasting;

static void bind_and_free(void)
{
    kernel_status_t status = bind(&lasting, "{\"endpoint\":\"a\\nb\",\"key\":{\"$secret\":\"id\"},"
                                            "\"headers\":{\"a\":1},\"timeout\":\"5\"}");

    CHECK(status == KERNEL_OK || (status == KERNEL_E_NO_MEMORY && fail_alloc_happened()));
    CHECK_EQ(lasting.error.status, status);
    CHECK(status == KERNEL_OK || lasting.config.values == NULL);
    kernel__config_free(&lasting.config);
}

static void any_allocation_may_fail(void)
{
    static const sk_allocator_t allocator = {fail_alloc_malloc, fail_alloc_realloc,
                                             fail_alloc_free};

    sk_set_allocator(&allocator);
    fixture_init(&lasting, "T_SEED=AAE=");
    fail_alloc_each(bind_and_free);
    fixture_fini(&lasting);
    CHECK_EQ(fail_alloc_live(), 0);
}

TESTS(TEST(stronger_source_wins), TEST(text_of_variables_is_read_by_the_declared_type),
      TEST(references_are_resolved),
      TEST(configuration_that_does_not_fit_is_refused_with_its_source),
      TEST(secret_without_a_host_that_knows_it_is_refused), TEST(secrets_stay_out_of_errors),
      TEST(secret_without_an_end_is_cut), TEST(secrets_are_wiped_before_their_memory_is_freed),
      TEST(default_that_is_text_is_shared_and_survives),
      TEST(configuration_without_keys_takes_none), TEST(any_allocation_may_fail))
