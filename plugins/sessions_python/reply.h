/*
 * reply.h - reading what a pool answers to an execution, writing our result.
 *
 * Both families of envelopes come out as one: family A wraps it in "properties",
 * family B keeps stdout and stderr inside "result". Integers keep all their
 * digits, since numbers are never read but copied as they stand; U+0000, which
 * no text of ours can hold, becomes U+2400. A value nested deeper than JSON
 * readers go stays the text it is. Pure functions.
 */
#ifndef SESSIONS_PYTHON_REPLY_PRIVATE_H
#define SESSIONS_PYTHON_REPLY_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <buffer.h>
#include <json.h>

#include "attachment.h"

typedef struct reply {
    sk_buffer_t body; /* owned; the repaired one that the spans point into, if there was need */
    sk_buffer_t status;
    sk_buffer_t out;
    sk_buffer_t err;
    sk_buffer_t error_code;
    sk_buffer_t error_message;
    sk_json_span_t result; /* of the last expression; text NULL: none */
    sk_json_span_t execution_id;
    sk_json_span_t milliseconds;
    sk_json_span_t session_state; /* "kept" or "lost" after a timeout, local pools */
    const char *failure;          /* "exception", "timeout", "aborted"; NULL: none, or not known */
    bool succeeded;
    sk_json_span_t displays; /* list of what was displayed beside the result; text NULL: none */
    attachments_t attachments;
} reply_t;

/*
 * Read. `body` must live as long as the reply. Call reply_fini() whatever comes back; false:
 * `error` says why the answer cannot be read ("memory ran out" is one reason).
 */
bool reply_read(reply_t *reply, const char *body, size_t size, char *error, size_t error_size);
void reply_fini(reply_t *reply);

/* Four parts, each under its label: Status, Result, Stdout, Stderr. */
void reply_write_text(const reply_t *reply, sk_buffer_t *out);
/* The JSON object that REPLY_SCHEMA describes. */
void reply_write_value(const reply_t *reply, sk_buffer_t *out);

/* clang-format off */
#define REPLY_SCHEMA                                                                               \
    "{\"type\":\"object\",\"properties\":{"                                                        \
    "\"status\":{\"type\":\"string\","                                                             \
        "\"description\":\"The service's word: Succeeded, Failed, Success, Failure, ...\"},"       \
    "\"succeeded\":{\"type\":\"boolean\"},"                                                        \
    "\"result\":{\"description\":\"Value of the last expression; null or empty if it has none. "   \
        "An image: its media type, size and attachment.\"},"                                       \
    "\"stdout\":{\"type\":\"string\"},"                                                            \
    "\"stderr\":{\"type\":\"string\",\"description\":\"Holds the traceback of an exception.\"},"   \
    "\"failure\":{\"type\":\"string\",\"enum\":[\"exception\",\"timeout\",\"aborted\"]},"          \
    "\"session_state\":{\"type\":\"string\",\"enum\":[\"kept\",\"lost\"]},"                        \
    "\"execution_time_ms\":{\"type\":\"number\"},"                                                 \
    "\"execution_id\":{\"type\":\"string\"},"                                                      \
    "\"error\":{\"type\":\"object\",\"properties\":{\"code\":{\"type\":\"string\"},"               \
        "\"message\":{\"type\":\"string\"}}}},"                                                    \
    "\"required\":[\"status\",\"succeeded\",\"result\",\"stdout\",\"stderr\"]}"
/* clang-format on */

#endif /* SESSIONS_PYTHON_REPLY_PRIVATE_H */
