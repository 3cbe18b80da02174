/* How a .env file is read, and what is refused with the line it stands in. */
#include "dotenv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "buffer.h"
#include "support/check.h"
#include "support/fail_alloc.h"

typedef struct read_case {
    const char *name;
    const char *text;
    const char *wanted; /* NAME<value> of each */
} read_case_t;

static const read_case_t read_cases[] = {
    {"nothing", "", ""},
    {"blank lines", "\n  \n\t\n\r\n", ""},
    {"one", "A=b", "A<b>"},
    {"two", "A=b\nC=d\n", "A<b>C<d>"},
    {"CRLF", "A=b\r\nC=\"d\"\r\n# e\r\nF=\r\n", "A<b>C<d>F<>"},
    {"CR at the very end", "A=b\r", "A<b>"},
    {"CR within a value", "A=b\rc", "A<b\rc>"},
    {"no value", "A=\nB=   \nC=''\nD=\"\"", "A<>B<>C<>D<>"},
    {"blanks around", "  A = b c \t\n\tD\t=\te", "A<b c>D<e>"},
    {"export", "export A=b\n  export\tC = d\nexport=e", "A<b>C<d>export<e>"},
    {"a variable named export", "export=1\n export =2\nexport export = 3", "export<3>"},
    {"names", "_a.b-C9=1", "_a.b-C9<1>"},
    {"names differ by case", "a=1\nA=2", "a<1>A<2>"},
    {"comment lines", "# A=b\n   # C=d\nE=f", "E<f>"},
    {"comment behind a bare value", "A=b # c\nD=e\t#f", "A<b>D<e>"},
    {"comment instead of a value", "A= # c\nB=", "A<>B<>"},
    {"# within a bare value", "A=b#c\nD=#e\nF=http://g/#h i", "A<b#c>D<#e>F<http://g/#h i>"},
    {"# within quotes", "A=\"b # c\"\nD='e # f'", "A<b # c>D<e # f>"},
    {"comment behind quotes", "A=\"b\" # c\nD='e'\t# \"f\nG=\"h\"#i", "A<b>D<e>G<h>"},
    {"blanks within quotes", "A=' b '\nC=\"\tc \"", "A< b >C<\tc >"},
    {"single quotes keep everything", "A='\\n\\t\\\\ \"$B\" \\'", "A<\\n\\t\\\\ \"$B\" \\>"},
    {"escapes", "A=\"\\n\\r\\t\\\\\\\"\\$\"", "A<\n\r\t\\\"$>"},
    {"other backslashes stay", "A=\"\\a\\x \\'\"\nB=\\n", "A<\\a\\x \\'>B<\\n>"},
    {"double quotes span lines", "A=\"b\nc\n\"\nD=e", "A<b\nc\n>D<e>"},
    {"single quotes span lines", "A='b\nc'\nD=e", "A<b\nc>D<e>"},
    {"CRLF within quotes is LF", "A=\"b\r\nc\"\r\nD='e\r\nf'", "A<b\nc>D<e\nf>"},
    {"CR within quotes stays", "A=\"b\rc\"", "A<b\rc>"},
    {"quotes within a bare value", "A=b\"c\"\nD=e'f", "A<b\"c\">D<e'f>"},
    {"nothing is expanded", "A=$B${C}\nD=\"$E `f`\"", "A<$B${C}>D<$E `f`>"},
    {"= within a value", "A=b=c==", "A<b=c==>"},
    {"the last of equal names wins", "A=1\nB=2\nA=3", "A<3>B<2>"},
    {"byte order mark",
     "\xEF\xBB\xBF"
     "A=b",
     "A<b>"},
    {"byte order mark alone", "\xEF\xBB\xBF", ""},
    {"UTF-8", "A=gr\xC3\xBC\xC3\x9F\n", "A<gr\xC3\xBC\xC3\x9F>"},
};

static void render(sk_buffer_t *out, const sk_dotenv_t *dotenv)
{
    for (size_t i = 0; i < sk_dotenv_count(dotenv); i++) {
        sk_buffer_appendf(out, "%s<%s>", sk_dotenv_name_at(dotenv, i),
                          sk_dotenv_value_at(dotenv, i));
    }
}

/* In a block of exactly the size, so that a sanitizer sees reads beyond it. */
static sk_dotenv_t *read_exactly(const char *text, size_t size, sk_dotenv_error_t *error)
{
    char *copy = malloc(size > 0 ? size : 1);
    sk_dotenv_t *dotenv = NULL;

    CHECK(copy != NULL);
    memcpy(copy, text, size);
    dotenv = sk_dotenv_read(copy, size, error);
    free(copy);
    return dotenv;
}

static void each_form_is_read(void)
{
    for (size_t i = 0; i < sizeof(read_cases) / sizeof(read_cases[0]); i++) {
        const read_case_t *each = &read_cases[i];
        sk_dotenv_error_t error = {0};
        sk_dotenv_t *dotenv = read_exactly(each->text, strlen(each->text), &error);
        sk_buffer_t out = SK_BUFFER_INIT;

        if (dotenv == NULL) {
            check_fail(__FILE__, __LINE__, "%s: line %u: %s", each->name, error.line, error.text);
        }
        render(&out, dotenv);
        if (strcmp(sk_buffer_text(&out), each->wanted) != 0) {
            check_fail(__FILE__, __LINE__, "%s: read as %s", each->name, sk_buffer_text(&out));
        }
        sk_buffer_fini(&out);
        sk_dotenv_free(dotenv);
    }
}

typedef struct refused_case {
    const char *name;
    const char *text;
    size_t size; /* 0: up to the NUL */
    unsigned line;
    const char *reason;
} refused_case_t;

static const char not_closed[] = "the quote that begins here is not closed";
static const char no_assignment[] = "expected NAME=value";
static const char trailing[] = "only a comment may follow the closing quote";

static void each_wrong_text_is_refused_with_its_line(void)
{
    static const refused_case_t cases[] = {
        {"double quote", "A=\"b", 0, 1, not_closed},
        {"single quote", "A=b\n\nC='d\ne\nf\n", 0, 3, not_closed},
        {"quote closed by an escape", "A=b\nC=\"d\\\"", 0, 2, not_closed},
        {"backslash at the end", "A=\"b\\", 0, 1, not_closed},
        {"quote at the end", "A='", 0, 1, not_closed},
        {"text behind quotes", "A=b\nC=\"d\ne\" f", 0, 3, trailing},
        {"quotes behind quotes", "A='b''c'", 0, 1, trailing},
        {"no =", "A=b\r\nsecret\r\n", 0, 2, no_assignment},
        {"no name", "=b", 0, 1, no_assignment},
        {"export alone", "export A", 0, 1, no_assignment},
        {"digit first", "\n1A=b", 0, 2, no_assignment},
        {"blank within a name", "A B=c", 0, 1, no_assignment},
        {"other character in a name", "A\xC3\xA4=c", 0, 1, no_assignment},
        {"no UTF-8", "A=b\nC=\xFF", 0, 2, "the text is not UTF-8"},
        {"UTF-16",
         "\xFF\xFE"
         "A\0",
         4, 1, "the text"},
        {"NUL", "A=b\n\nC=d\0e", 10, 3, "the text has a NUL byte"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const refused_case_t *each = &cases[i];
        size_t size = each->size > 0 ? each->size : strlen(each->text);
        sk_dotenv_error_t error = {0};

        if (read_exactly(each->text, size, &error) != NULL) {
            check_fail(__FILE__, __LINE__, "%s: accepted", each->name);
        }
        if (error.line != each->line || error.system_error != 0 ||
            strstr(error.text, each->reason) == NULL) {
            check_fail(__FILE__, __LINE__, "%s: line %u: %s", each->name, error.line, error.text);
        }
        CHECK(sk_dotenv_read(each->text, size, NULL) == NULL);
    }
}

static void no_error_text_quotes_what_may_be_a_secret(void)
{
    static const char *const texts[] = {"sesame", "A=\"sesame", "A='x' sesame", "sesame\xFF"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sk_dotenv_error_t error = {0};

        CHECK(sk_dotenv_read(texts[i], strlen(texts[i]), &error) == NULL);
        CHECK(strstr(error.text, "sesame") == NULL);
    }
}

static void every_beginning_of_a_file_is_read_or_refused(void)
{
    static const char text[] =
        "\xEF\xBB\xBF# c\r\nexport A = \"b\\n\\\"c\r\nd\" # e\nF='g\nh'\r\nI=j # k\n";

    for (size_t size = 0; size < sizeof(text); size++) {
        sk_dotenv_error_t error = {0};
        sk_dotenv_t *dotenv = read_exactly(text, size, &error);

        CHECK((dotenv == NULL) == (error.text[0] != '\0'));
        sk_dotenv_free(dotenv);
    }
}

static void names_are_found_or_not(void)
{
    sk_dotenv_t *dotenv = sk_dotenv_read("A=1\nB=\n", 7, NULL);

    CHECK_STR(sk_dotenv_find(dotenv, "A"), "1");
    CHECK_STR(sk_dotenv_find(dotenv, "B"), "");
    CHECK(sk_dotenv_find(dotenv, "a") == NULL);
    CHECK(sk_dotenv_find(dotenv, "") == NULL);
    CHECK(sk_dotenv_find(NULL, "A") == NULL);
    CHECK_EQ(sk_dotenv_count(dotenv), 2);
    CHECK_EQ(sk_dotenv_count(NULL), 0);
    CHECK_STR(sk_dotenv_name_at(dotenv, 1), "B");
    CHECK(sk_dotenv_name_at(dotenv, 2) == NULL);
    CHECK(sk_dotenv_value_at(dotenv, 2) == NULL);
    sk_dotenv_free(dotenv);
    sk_dotenv_free(NULL);
}

static void many_variables_are_kept(void)
{
    sk_buffer_t text = SK_BUFFER_INIT;
    sk_dotenv_t *dotenv = NULL;

    for (int i = 0; i < 200; i++) {
        sk_buffer_appendf(&text, "NAME_%d=value %d\n", i, i);
    }
    dotenv = sk_dotenv_read(text.data, text.size, NULL);
    CHECK_EQ(sk_dotenv_count(dotenv), 200);
    CHECK_STR(sk_dotenv_find(dotenv, "NAME_0"), "value 0");
    CHECK_STR(sk_dotenv_find(dotenv, "NAME_199"), "value 199");
    sk_dotenv_free(dotenv);
    sk_buffer_fini(&text);
}

/* ---- files ---- */

static void write_file(char path[64], const char *text, size_t size)
{
    FILE *file = NULL;
    int descriptor = -1;

    snprintf(path, 64, "/tmp/dotenv-test-XXXXXX");
    descriptor = mkstemp(path);
    CHECK(descriptor >= 0);
    file = fdopen(descriptor, "wb");
    CHECK(file != NULL);
    CHECK_EQ(fwrite(text, 1, size, file), size);
    CHECK_EQ(fclose(file), 0);
}

static void a_file_is_read(void)
{
    char path[64];
    sk_dotenv_error_t error = {0};
    sk_dotenv_t *dotenv = NULL;

    write_file(path, "A=b\n", 4);
    dotenv = sk_dotenv_read_file(path, &error);
    CHECK_EQ(unlink(path), 0);
    CHECK_STR(sk_dotenv_find(dotenv, "A"), "b");
    sk_dotenv_free(dotenv);
}

static void what_cannot_be_read_is_told_with_the_systems_reason(void)
{
    sk_dotenv_error_t error = {0};

    CHECK(sk_dotenv_read_file("/nowhere/at/all/.env", &error) == NULL);
    CHECK_EQ(error.system_error, ENOENT);
    CHECK_EQ(error.line, 0);
    CHECK_STR(error.text, "No such file or directory");
    CHECK(sk_dotenv_read_file("/", &error) == NULL);
    CHECK_EQ(error.system_error, EISDIR);
    CHECK(sk_dotenv_read_file("/nowhere/at/all/.env", NULL) == NULL);
}

static void a_file_of_a_mebibyte_is_read_and_a_larger_one_refused(void)
{
    size_t size = (size_t)1 << 20;
    char *text = malloc(size + 1);
    char path[64];
    sk_dotenv_error_t error = {0};
    sk_dotenv_t *dotenv = NULL;

    CHECK(text != NULL);
    memset(text, '#', size + 1);
    write_file(path, text, size);
    dotenv = sk_dotenv_read_file(path, &error);
    CHECK_EQ(unlink(path), 0);
    CHECK(dotenv != NULL);
    sk_dotenv_free(dotenv);

    write_file(path, text, size + 1);
    CHECK(sk_dotenv_read_file(path, &error) == NULL);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(error.system_error, 0);
    CHECK_STR_CONTAINS(error.text, "larger than 1 MiB");
    free(text);
}

/* ---- memory ---- */

static bool secret_was_freed;

/* The size stands in front of the block, so that freeing can look through it. */
static void *watching_malloc(size_t size)
{
    size_t *memory = calloc(1, sizeof(size_t) * 2 + size);

    if (memory == NULL) {
        return NULL;
    }
    memory[0] = size;
    return memory + 2;
}

static void watching_free(void *memory)
{
    size_t *begin = (size_t *)memory - 2;

    if (memmem(memory, begin[0], "sesame", 6) != NULL) {
        secret_was_freed = true;
    }
    free(begin);
}

static void *watching_realloc(void *memory, size_t size)
{
    void *moved = watching_malloc(size);

    if (memory != NULL && moved != NULL) {
        size_t before = ((size_t *)memory)[-2];

        memcpy(moved, memory, before < size ? before : size);
        watching_free(memory);
    }
    return moved;
}

static void values_are_wiped_before_their_memory_is_freed(void)
{
    static const sk_allocator_t watching = {watching_malloc, watching_realloc, watching_free};
    static const char text[] = "A=\"open\\tsesame\"\nB=sesame # no";
    char path[64];
    sk_dotenv_t *dotenv = NULL;
    void *control = NULL;

    sk_set_allocator(&watching);
    write_file(path, text, strlen(text));
    dotenv = sk_dotenv_read_file(path, NULL);
    CHECK_EQ(unlink(path), 0);
    CHECK_STR(sk_dotenv_find(dotenv, "B"), "sesame");
    sk_dotenv_free(dotenv);
    CHECK(sk_dotenv_read("A=sesame\nB='sesame", 17, NULL) == NULL);
    CHECK(!secret_was_freed);

    control = sk_strdup("sesame");
    sk_free(control);
    CHECK(secret_was_freed);
}

static const sk_allocator_t counting = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

static void read_many(void)
{
    sk_dotenv_error_t error = {0};
    char text[400] = "";
    size_t size = 0;
    sk_dotenv_t *dotenv = NULL;

    for (int i = 0; i < 40; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "A%d=b%d\n", i, i);
    }
    dotenv = sk_dotenv_read(text, size, &error);
    CHECK((dotenv == NULL) == fail_alloc_happened());
    CHECK_EQ(error.system_error, dotenv == NULL ? ENOMEM : 0);
    sk_dotenv_free(dotenv);
}

static void read_one_file(void)
{
    sk_dotenv_error_t error = {0};
    sk_dotenv_t *dotenv = sk_dotenv_read_file("/dev/null", &error);

    CHECK((dotenv == NULL) == fail_alloc_happened());
    CHECK_EQ(error.system_error, dotenv == NULL ? ENOMEM : 0);
    sk_dotenv_free(dotenv);
}

static void any_failing_allocation_is_survived(void)
{
    sk_set_allocator(&counting);
    fail_alloc_each(read_many);
    fail_alloc_each(read_one_file);
}

TESTS(TEST(each_form_is_read), TEST(each_wrong_text_is_refused_with_its_line),
      TEST(no_error_text_quotes_what_may_be_a_secret),
      TEST(every_beginning_of_a_file_is_read_or_refused), TEST(names_are_found_or_not),
      TEST(many_variables_are_kept), TEST(a_file_is_read),
      TEST(what_cannot_be_read_is_told_with_the_systems_reason),
      TEST(a_file_of_a_mebibyte_is_read_and_a_larger_one_refused),
      TEST(values_are_wiped_before_their_memory_is_freed), TEST(any_failing_allocation_is_survived))
