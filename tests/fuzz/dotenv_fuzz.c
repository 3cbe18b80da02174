/*
 * dotenv_fuzz.c - any text is read or refused; what was read, written down
 * again within double quotes, reads the same.
 */
#include <string.h>

#include "buffer.h"
#include "dotenv.h"
#include "support/fuzz.h"

static void write_quoted(sk_buffer_t *out, const char *value)
{
    sk_buffer_append_char(out, '"');
    for (; *value != '\0'; value++) {
        if (*value == '\r') {
            sk_buffer_append_text(out, "\\r");
            continue;
        }
        if (*value == '"' || *value == '\\' || *value == '$') {
            sk_buffer_append_char(out, '\\');
        }
        sk_buffer_append_char(out, *value);
    }
    sk_buffer_append_char(out, '"');
}

static void check_rewritten(const sk_dotenv_t *dotenv)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_dotenv_t *again = NULL;

    for (size_t i = 0; i < sk_dotenv_count(dotenv); i++) {
        sk_buffer_appendf(&text, "%s%s\t= ", i % 2 == 0 ? " export " : "",
                          sk_dotenv_name_at(dotenv, i));
        write_quoted(&text, sk_dotenv_value_at(dotenv, i));
        sk_buffer_append_text(&text, i % 3 == 0 ? " # comment \"\r\n" : "\n");
    }
    again = sk_dotenv_read(sk_buffer_text(&text), text.size, NULL);
    if (text.size > (size_t)1 << 20) {
        FUZZ_CHECK(again == NULL);
    } else {
        FUZZ_CHECK(sk_dotenv_count(again) == sk_dotenv_count(dotenv));
    }
    for (size_t i = 0; i < sk_dotenv_count(again); i++) {
        FUZZ_CHECK(strcmp(sk_dotenv_name_at(again, i), sk_dotenv_name_at(dotenv, i)) == 0);
        FUZZ_CHECK(strcmp(sk_dotenv_value_at(again, i), sk_dotenv_value_at(dotenv, i)) == 0);
    }
    sk_dotenv_free(again);
    sk_buffer_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sk_dotenv_error_t error;
    sk_dotenv_t *dotenv = sk_dotenv_read((const char *)data, size, &error);

    FUZZ_CHECK((dotenv == NULL) == (error.text[0] != '\0'));
    FUZZ_CHECK(dotenv != NULL || error.line >= 1);
    for (size_t i = 0; i < sk_dotenv_count(dotenv); i++) {
        const char *name = sk_dotenv_name_at(dotenv, i);

        FUZZ_CHECK(name[0] != '\0' && strpbrk(name, "= \t\r\n\"'#") == NULL);
        FUZZ_CHECK(sk_dotenv_find(dotenv, name) == sk_dotenv_value_at(dotenv, i));
    }
    if (dotenv != NULL) {
        check_rewritten(dotenv);
    }
    sk_dotenv_free(dotenv);
    return 0;
}
