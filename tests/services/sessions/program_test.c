/*
 * program_test.c - the workers' program, as source and as code.
 */
#include "sandbox/program.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/files.h"

#define PYTHON "/usr/bin/python3"

static const char source[] = "print(__name__, (lambda: 0).__code__.co_filename)\n";

typedef struct fixture {
    uv_loop_t loop;
    program_t *program;
} fixture_t;

static void fixture_init(fixture_t *f, const char *python, const char *text)
{
    failure_t failure = {""};

    CHECK_EQ(uv_loop_init(&f->loop), 0);
    f->program = program_new(&f->loop, python, text, strlen(text), &failure);
    CHECK_STR(failure.text, "");
}

static void fixture_fini(fixture_t *f)
{
    program_close(f->program);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    CHECK_EQ(uv_loop_close(&f->loop), 0);
    program_free(f->program);
}

static void compile_to_the_end(fixture_t *f)
{
    program_compile(f->program);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

/* A program in the place of Python. */
static file_path_t write_script(const file_path_t *directory, const char *text)
{
    file_path_t path = file_in(directory->text, "python");

    file_write(path.text, text, strlen(text));
    CHECK_EQ(chmod(path.text, 0755), 0);
    return path;
}

static bool file_is_source(const program_t *program)
{
    char text[sizeof(source)] = "";

    CHECK(pread(program_file(program), text, sizeof(text) - 1, 0) > 0);
    return strcmp(text, source) == 0;
}

static void source_serves_until_the_code_is_there(void)
{
    fixture_t f;

    fixture_init(&f, PYTHON, source);
    CHECK(file_is_source(f.program));
    program_compile(f.program);
    CHECK(file_is_source(f.program));
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    CHECK(!file_is_source(f.program));
    fixture_fini(&f);
}

static void code_does_what_its_source_says_under_its_own_name(void)
{
    fixture_t f;
    char command[96];
    char line[64] = "";

    fixture_init(&f, PYTHON, source);
    compile_to_the_end(&f);
    (void)snprintf(command, sizeof(command), PYTHON " -I /proc/%ld/fd/%d", (long)getpid(),
                   program_file(f.program));
    FILE *output = popen(command, "r");
    CHECK(output != NULL);
    CHECK(fgets(line, sizeof(line), output) != NULL);
    CHECK_EQ(pclose(output), 0);
    CHECK_STR(line, "__main__ " PROGRAM_PATH "\n");
    fixture_fini(&f);
}

static void what_cannot_be_compiled_stays_a_source(void)
{
    static const char *const pythons[] = {
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\n" PYTHON " \"$@\"\nexit 1\n",
        "#!/bin/sh\nkill -9 $$\n",
        "#!/nowhere\n",
    };
    file_path_t directory = temp_dir_new();
    fixture_t f;

    for (size_t i = 0; i < sizeof(pythons) / sizeof(pythons[0]); i++) {
        file_path_t python = write_script(&directory, pythons[i]);
        fixture_init(&f, python.text, source);
        compile_to_the_end(&f);
        CHECK(file_is_source(f.program));
        fixture_fini(&f);
    }
    fixture_init(&f, PYTHON, "def");
    int before = program_file(f.program);
    compile_to_the_end(&f);
    CHECK_EQ(program_file(f.program), before);
    fixture_fini(&f);
    temp_dir_free(&directory);
}

static void code_of_another_python_is_not_used(void)
{
    static const char script[] = "#!/bin/sh\nexec " PYTHON " \"$@\"\n";
    file_path_t directory = temp_dir_new();
    file_path_t python = write_script(&directory, script);
    fixture_t f;

    fixture_init(&f, python.text, source);
    compile_to_the_end(&f);
    CHECK(!file_is_source(f.program));
    file_copy("/bin/true", python.text);
    CHECK(file_is_source(f.program));
    fixture_fini(&f);
    temp_dir_free(&directory);
}

static void compiler_that_takes_too_long_ends_with_the_program(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t python = write_script(&directory, "#!/bin/sh\nexec sleep 1000\n");
    fixture_t f;

    fixture_init(&f, python.text, source);
    program_compile(f.program);
    fixture_fini(&f);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    temp_dir_free(&directory);
}

TESTS(TEST(source_serves_until_the_code_is_there),
      TEST(code_does_what_its_source_says_under_its_own_name),
      TEST(what_cannot_be_compiled_stays_a_source), TEST(code_of_another_python_is_not_used),
      TEST(compiler_that_takes_too_long_ends_with_the_program))
