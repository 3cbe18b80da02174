/*
 * embedded.h - the Python files that are built into the program.
 */
#ifndef SESSIONS_EMBEDDED_PRIVATE_H
#define SESSIONS_EMBEDDED_PRIVATE_H

#include <stddef.h>

extern const unsigned char embedded_worker[];
extern const size_t embedded_worker_size;
extern const unsigned char embedded_selftest[];
extern const size_t embedded_selftest_size;
extern const unsigned char embedded_survey[];
extern const size_t embedded_survey_size;

#endif /* SESSIONS_EMBEDDED_PRIVATE_H */
