/*
 * program.h - the Python program that all workers run.
 *
 *     program = program_new(&loop, "/usr/bin/python3", source, size, &failure);
 *     program_compile(program);
 *     ... program_file(program) ...
 *     program_close(program);
 *     (the loop runs to its end)
 *     program_free(program);
 *
 * Python compiles a program each time it starts it, which took 4 ms of the 30 of a worker's
 * start. So it is compiled once, beside all else; until that is done, and where it cannot
 * be done, workers start from the source.
 */
#ifndef SESSIONS_PROGRAM_PRIVATE_H
#define SESSIONS_PROGRAM_PRIVATE_H

#include <stddef.h>
#include <uv.h>

#include "base/failure.h"

/* Where it lies in a sandbox. Its code has this name, too. */
#define PROGRAM_PATH "/opt/w.py"

typedef struct program program_t;

/* Keep the source. `python` is the program that workers are started with; it outlives this. */
program_t *program_new(uv_loop_t *loop, const char *python, const void *source, size_t size,
                       failure_t *failure);

/* Begin to compile it. */
void program_compile(program_t *program);

/* A file in memory for Python to run: the code, if it is there and made by the Python of now,
 * else the source. It stays the program's. */
int program_file(const program_t *program);

/* Let go of the loop; NULL is fine. */
void program_close(program_t *program);

void program_free(program_t *program);

#endif /* SESSIONS_PROGRAM_PRIVATE_H */
