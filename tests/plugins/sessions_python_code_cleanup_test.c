/* What is code and what is wrapping. */
#include "code_cleanup.h"

#include "support/check.h"

#define NBSP "\xC2\xA0"
#define BOM  "\xEF\xBB\xBF"

typedef struct sample {
    const char *text;
    const char *code;
} sample_t;

static void check_samples(const sample_t *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sk_buffer_t code = SK_BUFFER_INIT;

        code_cleanup(&code, samples[i].text, strlen(samples[i].text));
        CHECK_STR(sk_buffer_text(&code), samples[i].code);
        sk_buffer_fini(&code);
    }
}

#define CHECK_SAMPLES(...)                                                                         \
    do {                                                                                           \
        static const sample_t samples[] = {__VA_ARGS__};                                           \
        check_samples(samples, sizeof(samples) / sizeof(samples[0]));                              \
    } while (0)

static void white_space_around_the_code_goes(void)
{
    CHECK_SAMPLES({"print('hello')", "print('hello')"}, {"  print('hello')  ", "print('hello')"},
                  {"\n\n  print('hello')\n\n", "print('hello')"},
                  {NBSP "print(1)" NBSP, "print(1)"}, {BOM "print(1)", "print(1)"},
                  {"\x1cprint(1)\x1f", "print(1)"}, {"\xC2\x85print(1)\xC2\x85", "print(1)"},
                  {NBSP " print(1)", "print(1)"}, {" \n\t\n" NBSP "\nx = 1\n \n", "x = 1"});
}

static void fence_goes_with_the_name_of_its_language(void)
{
    CHECK_SAMPLES({"```python\nprint(1)\n```", "print(1)"},
                  {"```Python\nprint(1)\n```", "print(1)"}, {"```py\nprint(1)\n```", "print(1)"},
                  {"```py3\nprint(1)\n```", "print(1)"}, {"```python3\nprint(1)\n```", "print(1)"},
                  {"```ipython\nprint(1)\n```", "print(1)"},
                  {"```IPython3\nprint(1)\n```", "print(1)"}, {"```\nprint(1)\n```", "print(1)"},
                  {"``` python \nprint(1)\n```\n", "print(1)"},
                  {"\n  ```python\nprint(1)\n  ```  ", "print(1)"},
                  {"```python\r\nx = 1\r\nprint(x)\r\n```\r\n", "x = 1\nprint(x)"},
                  {"```python\nprint(1)```", "print(1)"}, {"```python\nprint(1)", "print(1)"},
                  {"```python\n    x = 1\n    y = 2\n```", "x = 1\ny = 2"},
                  {"```python\npython = 3\n```", "python = 3"}, {"```\npython\n```", "python"});
}

static void longer_fence_keeps_the_shorter_one_inside(void)
{
    CHECK_SAMPLES({"````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''"},
                  {"````\nprint(1)\n```", "print(1)\n```"}, {"```\nprint(1)\n`````", "print(1)"});
}

static void backticks_around_the_code_go(void)
{
    CHECK_SAMPLES({"    \n`print('hello')`\n    ", "print('hello')"}, {"`print(1)`", "print(1)"},
                  {"``print(1)``", "print(1)"}, {"```print(1)```", "print(1)"},
                  {"```python print(1)```", "print(1)"}, {"```python\n```", ""},
                  {"`py x = 1`", "x = 1"}, {"` `` print(1) `` `", "print(1)"},
                  {"`    x = 1\n    y = 2`", "x = 1\ny = 2"}, {"`python = 3`", "python = 3"});
}

static void backticks_within_the_code_stay(void)
{
    CHECK_SAMPLES({"x = `1`", "x = `1`"}, {"x = 1 # `x`", "x = 1 # `x`"},
                  {"print('```')", "print('```')"}, {"s = '''\n```\n'''", "s = '''\n```\n'''"},
                  {"x = 1\n``", "x = 1\n``"});
}

static void closing_fence_that_was_never_opened_goes(void)
{
    CHECK_SAMPLES({"print(1)\n```", "print(1)"}, {"print(1)\n  ````  \n", "print(1)"},
                  {"print(1)\r\n```\r\n", "print(1)"});
}

static void name_of_the_language_before_the_code_goes(void)
{
    CHECK_SAMPLES(
        {" python print('hello') ", "print('hello')"}, {"Python print('hello')", "print('hello')"},
        {"python\nprint(1)", "print(1)"}, {"PYTHON \nprint(1)", "print(1)"},
        {"  python\n  x = 1\n  y = 2", "x = 1\ny = 2"}, {"python !pip list", "!pip list"},
        {"python %matplotlib inline", "%matplotlib inline"}, {"python # a comment", "# a comment"},
        {"python @cache\ndef f(): pass", "@cache\ndef f(): pass"},
        {"python if x: print(x)", "if x: print(x)"}, {"python if x else y:", "if x else y:"},
        {"python import os", "import os"}, {"python not_in = 1", "not_in = 1"},
        {"python not x", "not x"}, {"python inside = 1", "inside = 1"});
}

static void variable_of_that_name_stays(void)
{
    CHECK_SAMPLES(
        {"python_var = 1", "python_var = 1"}, {"pythonic()", "pythonic()"},
        {"python3 -c 'x'", "python3 -c 'x'"}, {"python = 3", "python = 3"},
        {"python.run()", "python.run()"}, {"python (1)", "python (1)"},
        {"python [1]", "python [1]"}, {"python .x", "python .x"},
        {"python , x = 1, 2", "python , x = 1, 2"}, {"python : int = 1", "python : int = 1"},
        {"python ; x", "python ; x"}, {"python + 1", "python + 1"},
        {"python -c 'x'", "python -c 'x'"}, {"python * 2", "python * 2"},
        {"python / 2", "python / 2"}, {"python & 2", "python & 2"}, {"python | 2", "python | 2"},
        {"python ^ 2", "python ^ 2"}, {"python < 2", "python < 2"}, {"python > 2", "python > 2"},
        {"python != 2", "python != 2"}, {"python % 2", "python % 2"},
        {"python in x", "python in x"}, {"python is None", "python is None"},
        {"python and x", "python and x"}, {"python or x", "python or x"},
        {"python not in x", "python not in x"}, {"python if x else y", "python if x else y"},
        {"  python = 1\n  y = 2", "python = 1\ny = 2"}, {"py print(1)", "py print(1)"});
}

static void common_indentation_goes(void)
{
    CHECK_SAMPLES({"    x = 1\n    y = 2", "x = 1\ny = 2"},
                  {"\n    if x:\n        y = 2\n\n    z = 3\n", "if x:\n    y = 2\n\nz = 3"},
                  {"    x = 1\ny = 2", "x = 1\ny = 2"}, {"  x = 1\n y = 2", "x = 1\ny = 2"},
                  {"\tx = 1\n\ty = 2", "x = 1\ny = 2"}, {"\tx = 1\n    y = 2", "x = 1\n    y = 2"},
                  {"if x:\n    y = 2", "if x:\n    y = 2"},
                  {"  x = 1\n \n  y = 2", "x = 1\n\ny = 2"},
                  {"  x = 1\n     \n  y = 2", "x = 1\n   \ny = 2"});
}

static void inner_lines_stay(void)
{
    CHECK_SAMPLES({"x = 1  \ny = 2", "x = 1  \ny = 2"}, {"x = 1\r\ny = 2\r\n", "x = 1\ny = 2"},
                  {"s = '''\n  ``` \n" NBSP "'''", "s = '''\n  ``` \n" NBSP "'''"},
                  {"print('\xC3\xA4')", "print('\xC3\xA4')"});
}

static void nothing_but_wrapping_is_nothing(void)
{
    CHECK_SAMPLES({"", ""}, {"`", ""}, {" ", ""}, {"` ", ""}, {"``````", ""}, {"```\n```", ""},
                  {"python", ""}, {"```python", ""}, {"python\n\n", ""}, {NBSP BOM, ""},
                  {"\n\n\n", ""});
}

static void text_before_a_fence_is_left_to_python(void)
{
    CHECK_SAMPLES({"Here:\n```python\nprint(1)\n```", "Here:\n```python\nprint(1)"});
}

TESTS(TEST(white_space_around_the_code_goes), TEST(fence_goes_with_the_name_of_its_language),
      TEST(longer_fence_keeps_the_shorter_one_inside), TEST(backticks_around_the_code_go),
      TEST(backticks_within_the_code_stay), TEST(closing_fence_that_was_never_opened_goes),
      TEST(name_of_the_language_before_the_code_goes), TEST(variable_of_that_name_stays),
      TEST(common_indentation_goes), TEST(inner_lines_stay), TEST(nothing_but_wrapping_is_nothing),
      TEST(text_before_a_fence_is_left_to_python))
