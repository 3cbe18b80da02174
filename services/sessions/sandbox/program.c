/*
 * program.c - a source that becomes code in a process of its own.
 *
 *   program_compile       starts Python, which reads the source from its stdin
 *   program_on_code       reads the code from its stdout, to the end
 *   program_keep_code     has it ready for the workers that start from now on
 *
 * Nothing of a session comes near that process: it compiles what is built into this program.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <alloc.h>
#include <buffer.h>

struct program {
    uv_loop_t *loop;    /* borrowed */
    const char *python; /* borrowed */
    int source;
    int code;          /* -1: none */
    struct stat maker; /* the Python that was asked to compile */
    pid_t compiler;    /* 0: none runs */
    int pipe;          /* from it */
    uv_poll_t watch;
    sk_buffer_t received;
};

static void program_on_code(uv_poll_t *handle, int status, int events);

/* Only CPython runs code that does not lie in a file named .pyc. It leaves without the farewells
 * of an interpreter, so that its end can be waited for. */
static const char script[] =
    "import importlib.util, marshal, os, sys\n"
    "sys.implementation.name == 'cpython' or os._exit(1)\n"
    "code = compile(sys.stdin.buffer.read(), '" PROGRAM_PATH "', 'exec', dont_inherit=True)\n"
    "sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))\n"
    "sys.stdout.flush()\n"
    "os._exit(0)\n";

static int make_file(const char *name, const void *content, size_t size)
{
    int file = memfd_create(name, MFD_CLOEXEC);

    if (file >= 0 && write(file, content, size) != (ssize_t)size) {
        (void)close(file);
        file = -1;
    }
    return file;
}

program_t *program_new(uv_loop_t *loop, const char *python, const void *source, size_t size,
                       failure_t *failure)
{
    program_t *program = sk_calloc(1, sizeof(*program));

    if (program == NULL) {
        (void)fail(failure, "cannot keep the worker program: out of memory");
        return NULL;
    }
    program->loop = loop;
    program->python = python;
    program->code = program->pipe = -1;
    program->source = make_file("worker", source, size);
    if (program->source < 0) {
        (void)fail(failure, "cannot keep the worker program: %s", strerror(errno));
        sk_free(program);
        return NULL;
    }
    return program;
}

static pid_t start_compiler(const program_t *program, int out)
{
    const char *const arguments[] = {program->python, "-I", "-S", "-c", script, NULL};
    char *nothing[] = {NULL};
    char source[32];
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;

    if (posix_spawn_file_actions_init(&actions) != 0) {
        return 0;
    }
    /* Opened anew in the child, so that nobody shares the read position. */
    (void)snprintf(source, sizeof(source), "/proc/self/fd/%d", program->source);
    if (posix_spawn_file_actions_addopen(&actions, 0, source, O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, out, 1) != 0 ||
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawn(&pid, program->python, &actions, NULL, (char *const *)(size_t)arguments,
                    nothing) != 0) {
        pid = 0;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

void program_compile(program_t *program)
{
    int ends[2];

    if (stat(program->python, &program->maker) != 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return;
    }
    /* The child writes to the end that waits: only ours must not. */
    (void)fcntl(ends[1], F_SETFL, 0);
    program->compiler = start_compiler(program, ends[1]);
    (void)close(ends[1]);
    program->pipe = ends[0];
    if (program->compiler == 0 || uv_poll_init(program->loop, &program->watch, ends[0]) != 0) {
        program_close(program);
        return;
    }
    program->watch.data = program;
    (void)uv_poll_start(&program->watch, UV_READABLE, program_on_code);
}

/* Only what is whole is of use. */
static void program_keep_code(program_t *program, int status)
{
    const sk_buffer_t *received = &program->received;

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !received->failed && received->size > 0) {
        program->code = make_file("worker", received->data, received->size);
    }
}

static void program_on_code(uv_poll_t *handle, int status, int events)
{
    program_t *program = handle->data;
    char part[16 * 1024];

    (void)status;
    (void)events;
    ssize_t got = read(program->pipe, part, sizeof(part));
    if (got > 0) {
        sk_buffer_append(&program->received, part, (size_t)got);
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    int ended = 1;
    (void)waitpid(program->compiler, &ended, 0);
    program->compiler = 0;
    program_keep_code(program, ended);
    program_close(program);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int program_file(const program_t *program)
{
    struct stat now;

    /* Another Python may not know this code, and would not say so in time. */
    if (program->code >= 0 && stat(program->python, &now) == 0 &&
        is_same_file(&now, &program->maker)) {
        return program->code;
    }
    return program->source;
}

void program_close(program_t *program)
{
    if (program == NULL) {
        return;
    }
    if (program->watch.data != NULL) {
        program->watch.data = NULL;
        uv_close((uv_handle_t *)&program->watch, NULL);
    }
    if (program->compiler != 0) {
        (void)kill(program->compiler, SIGKILL);
        (void)waitpid(program->compiler, NULL, 0);
        program->compiler = 0;
    }
    if (program->pipe >= 0) {
        (void)close(program->pipe);
        program->pipe = -1;
    }
    sk_buffer_fini(&program->received);
}

void program_free(program_t *program)
{
    if (program == NULL) {
        return;
    }
    (void)close(program->source);
    if (program->code >= 0) {
        (void)close(program->code);
    }
    sk_free(program);
}
