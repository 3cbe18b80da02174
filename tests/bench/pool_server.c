/* pool_server.c - starting a session pool, and looking at its processes. */
#include "bench/pool_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FLAGS_MAX = 32, SKIPPED = 77, CANNOT_SANDBOX = 78, PATIENCE_MS = 30000, PROCESSES = 9 };

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static void make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        give_up("cannot make a pipe");
    }
}

/* A byte that arrives in time; false at the end of the file. */
static bool read_byte(int file, char *byte)
{
    struct pollfd ready = {file, POLLIN, 0};

    if (poll(&ready, 1, PATIENCE_MS) != 1) {
        fputs("the session pool does not say what was awaited\n", stderr);
        exit(2);
    }
    return read(file, byte, 1) == 1;
}

static bool read_line(int file, char *line, size_t size)
{
    size_t length = 0;

    while (length + 1 < size && read_byte(file, &line[length]) && line[length] != '\n') {
        length++;
    }
    line[length] = '\0';
    return length > 0;
}

/* The announcement is a line of JSON; what is asked for needs no escapes in it. */
void pool_server_copy(const pool_server_t *server, const char *name, char *value, size_t size)
{
    char key[64];
    int key_length = snprintf(key, sizeof(key), "\"%s\":\"", name);
    const char *start = strstr(server->announcement, key);
    size_t length = start == NULL ? size : strcspn(start + key_length, "\"");

    if (length >= size) {
        fprintf(stderr, "the session pool announces no %s: %s\n", name, server->announcement);
        exit(2);
    }
    memcpy(value, start + key_length, length);
    value[length] = '\0';
}

static _Noreturn void end_without_server(pid_t process)
{
    int status = 0;

    (void)waitpid(process, &status, 0);
    bool cannot = WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_SANDBOX;
    exit(cannot && getenv("SEMKERNEL_REQUIRE_SANDBOX") == NULL ? SKIPPED : 2);
}

static pid_t spawn(const char *const *arguments, int announcement, int log, int lifeline)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, announcement, 1);
    posix_spawn_file_actions_adddup2(&actions, lifeline, 3);
    if (log >= 0) {
        posix_spawn_file_actions_adddup2(&actions, log, 2);
    }
    errno =
        posix_spawn(&pid, SESSIOND, &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (errno != 0) {
        give_up("cannot start " SESSIOND);
    }
    return pid;
}

static pid_t child_of(pid_t pid)
{
    static process_tree_t tree;

    process_tree_read(&tree, pid);
    if (tree.count == 0) {
        fputs("the session pool has ended\n", stderr);
        exit(2);
    }
    return tree.pids[0];
}

pool_server_t pool_server_start(const char *const *flags)
{
    const char *arguments[FLAGS_MAX] = {SESSIOND, "--lifeline", "3"};
    pool_server_t server = {.log = -1};
    int announcement[2];
    int lifeline[2];
    int log[2] = {-1, -1};
    bool logs = false;

    for (size_t i = 0; flags[i] != NULL && i + 4 < FLAGS_MAX; i++) {
        arguments[i + 3] = flags[i];
        logs = logs || strcmp(flags[i], "--log-level") == 0;
    }
    make_pipe(announcement);
    make_pipe(lifeline);
    if (logs) {
        make_pipe(log);
    }
    server.started = spawn(arguments, announcement[1], log[1], lifeline[0]);
    server.lifeline = lifeline[1];
    server.log = log[0];
    (void)close(announcement[1]);
    (void)close(lifeline[0]);
    if (logs) {
        (void)close(log[1]);
    }
    if (!read_line(announcement[0], server.announcement, sizeof(server.announcement))) {
        end_without_server(server.started);
    }
    (void)close(announcement[0]);
    pool_server_copy(&server, "socket", server.socket, sizeof(server.socket));
    pool_server_copy(&server, "level", server.level, sizeof(server.level));
    server.serving = child_of(child_of(server.started));
    return server;
}

void pool_server_stop(pool_server_t *server)
{
    int status = 0;

    (void)close(server->lifeline);
    if (server->log >= 0) {
        (void)close(server->log);
    }
    while (waitpid(server->started, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        fprintf(stderr, "the session pool ended with status %d\n", status);
        exit(2);
    }
}

void pool_server_await(const pool_server_t *server, const char *event)
{
    char line[512];
    char word[32];

    snprintf(word, sizeof(word), " %s ", event);
    do {
        if (!read_line(server->log, line, sizeof(line))) {
            fprintf(stderr, "the session pool ended while %s was awaited\n", event);
            exit(2);
        }
    } while (strstr(line, word) == NULL);
}

void pool_server_read_tree(const pool_server_t *server, process_tree_t *tree)
{
    process_tree_read(tree, server->serving);
}

void pool_server_await_empty(const pool_server_t *server)
{
    static process_tree_t tree;
    double deadline = bench_now() + PATIENCE_MS * 1e6;

    do {
        process_tree_read(&tree, server->serving);
        if (bench_now() > deadline) {
            fprintf(stderr, "%zu processes outlive their sessions\n", tree.count);
            exit(2);
        }
    } while (tree.count > 0 && poll(NULL, 0, 1) == 0);
}

void pool_server_introduce(bench_t *bench, const pool_server_t *server)
{
    static const char *const python[] = {"/usr/bin/python3", "-I", "-c", "pass", NULL};
    double ns[PROCESSES];
    double peak_kib = 0;

    printf("isolation level: %s\n", server->level);
    for (size_t i = 0; i < PROCESSES; i++) {
        bench_program(python, &ns[i], &peak_kib);
    }
    bench_yardstick(bench, "a process of Python alone", bench_percentile(ns, PROCESSES, 0.5), 15e6);
}
