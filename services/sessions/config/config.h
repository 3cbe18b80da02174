/*
 * config.h - what can be set, and from where.
 *
 * One table of keys. Each key is a flag (--max-sessions), an environment variable
 * (SEMKERNEL_SESSIOND_MAX_SESSIONS) and a line of the configuration file
 * (max_sessions = 4); the flag beats the environment, the environment the file.
 */
#ifndef SESSIONS_CONFIG_PRIVATE_H
#define SESSIONS_CONFIG_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/failure.h"

/* clang-format off */
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define PREIMPORT_DEFAULT "numpy,matplotlib.pyplot"

#define BY_LEVEL (-1) /* not set: facility_find() chooses */

/* G: the title of those that follow. K: kind, field, default, smallest, largest, unit or words to
 * choose from, what it is. Help, manual page and example file are made of this table. */
#define CONFIG_KEYS(G, K) \
    G("Configuration and endpoint") \
    K(TEXT,   config,          NULL, 0, 0, \
      "PATH", "read this configuration file: key = value, # begins a comment") \
    K(TEXT,   socket,          NULL, 0, 0, \
      "PATH", "listen here; the directory must be ours, mode 0700 (default: a fresh private directory)") \
    K(SWITCH, print_endpoint,  false, 0, 0, NULL, \
      "tell where the server that runs can be reached, as variables for a shell, and exit") \
    K(SWITCH, tcp,             false, 0, 0, NULL, \
      "listen on 127.0.0.1 too, for clients that show the bearer token") \
    K(NUMBER, port,            0, 0, 65535, "N", "of TCP; 0: any that is free") \
    K(TEXT,   token_file,      NULL, 0, 0, \
      "PATH", "the bearer token, a file of mode 0600 (default: a random one, told beside the socket)") \
    K(TEXT,   tls_certificate, NULL, 0, 0, "PATH", "speak TLS over TCP: certificate with its chain, PEM") \
    K(TEXT,   tls_key,         NULL, 0, 0, "PATH", "the key of the certificate, PEM without a password") \
    K(TEXT,   host_name,       NULL, 0, 0, \
      "NAMES", "accept these names, separated by commas, in the header Host beside localhost") \
    K(NUMBER, lifeline,        -1, 0, 1048576, "FD", "end, quickly, when this descriptor reaches its end of file") \
    G("Isolation") \
    K(TEXT,   require,         NULL, 0, 0, \
      "LEVEL", "refuse to run below this level: full, no-cgroup (default), or landlock if it is allowed") \
    K(TEXT,   allow_level,     NULL, 0, 0, \
      "LEVEL", "landlock: run without namespaces where there are none; that isolates less") \
    K(TEXT,   level,           NULL, 0, 0, \
      "LEVEL", "run at this level (default: the strongest that this machine has)") \
    K(TEXT,   bwrap,           "/usr/bin/bwrap", 0, 0, "PATH", "the bubblewrap program") \
    K(TEXT,   python,          "/usr/bin/python3", 0, 0, "PATH", "the Python of the sessions, a path below /usr") \
    K(NUMBER, uid_base,        61000, 1000, 2147483647, \
      "UID", "as root: first user id of the sandboxes, one for each slot") \
    G("Sessions") \
    K(NUMBER, max_sessions,    BY_LEVEL, 1, 256, \
      "N", "sessions at a time (8 at level full, else 4)") \
    K(NUMBER, warm_min,        2, 0, 32, "N", "started workers kept ready for new sessions") \
    K(TEXT,   preimport,       NULL, 0, 0, \
      "MODULES", "what these import before a session comes, with commas, or none (default: " \
      PREIMPORT_DEFAULT ", if a session may have 256M of memory)") \
    K(NUMBER, cooldown,        300, 1, 3600, "SECONDS", "remove a session that was not used for so long") \
    K(NUMBER, max_life,        86400, 1, 31536000, "SECONDS", "remove a session that is so old, used or not") \
    K(NUMBER, reclaim_after,   120, 0, 86400, \
      "SECONDS", "a new session takes the place of the one that was not used longest, if for so long") \
    K(CHOICE, background,      BACKGROUND_FREEZE, 0, 0, "freeze|run|kill", \
      "processes and threads that an execution leaves behind are stopped until the next one, go on, or " \
      "are killed, and the threads stopped") \
    K(NUMBER, freeze_after,    500, 0, 3600000, \
      "MILLISECONDS", "stop them so long after the execution, so that a next one finds them awake") \
    K(NUMBER, timeout,         60, 1, 220, "SECONDS", "time of an execution whose request names none") \
    K(NUMBER, queue_wait,      20, 0, 200, \
      "SECONDS", "wait behind other calls of the same session before 429") \
    G("Limits of each session") \
    K(SIZE,   memory,          512 * MIB, 64 * MIB, 1024 * GIB, "BYTES", "resident memory of a session") \
    K(SIZE,   address_space,   BY_LEVEL, 128 * MIB, 1024 * GIB, \
      "BYTES", "address space of one process of a session (2G at level full, else 1G)") \
    K(NUMBER, processes,       BY_LEVEL, 4, 1024, \
      "N", "processes and threads of a session (64 at level full, else 16)") \
    K(NUMBER, cpu,             100, 5, 25600, \
      "PERCENT", "of one core that a session may use at level full") \
    K(NUMBER, descriptors,     256, 32, 65536, "N", "open descriptors of one process of a session") \
    K(SIZE,   data_size,       128 * MIB, 1 * MIB, 1024 * GIB, "BYTES", "files of a session, /mnt/data") \
    K(NUMBER, data_inodes,     8192, 16, 1073741824, "N", "files and directories of a session, /mnt/data") \
    K(SIZE,   tmp_size,        64 * MIB, 1 * MIB, 1024 * GIB, \
      "BYTES", "a session's /tmp, and as much again its /dev/shm") \
    K(SIZE,   output_limit,    1 * MIB, 1 * KIB, 16 * MIB, \
      "BYTES", "kept of each output stream of an execution") \
    K(SIZE,   output_drain,    64 * MIB, 1 * MIB, 1024 * GIB, \
      "BYTES", "read of each output stream before the execution is interrupted") \
    G("Requests") \
    K(NUMBER, connections,     64, 1, 1024, "N", "client connections at a time") \
    K(NUMBER, request_timeout, 10, 1, 300, \
      "SECONDS", "for the head of a request; and a body may not pause for longer") \
    K(CHOICE, operation_location, LOCATION_RELATIVE, 0, 0, "relative|absolute", \
      "form of the header Operation-Location; the service has been seen to send both") \
    K(SWITCH, lenient,         false, 0, 0, NULL, \
      "take bodies of executions wrapped in properties and flat ones, whatever the api-version") \
    G("Reports") \
    K(SWITCH, verbose,         false, 0, 0, NULL, \
      "on stderr: what it offers and lacks, then what log-level info shows") \
    K(CHOICE, log,             LOG_TEXT_LINES, 0, 0, "off|text|json", \
      "form of the log on stderr, a line for each event; never code, output, tokens or identifiers") \
    K(CHOICE, log_level,       LOG_WARN, 0, 0, "error|warn|info|debug", \
      "least severe of what is logged; requests and sessions are info") \
    G("Tests of clients") \
    K(SWITCH, faults,          false, 0, 0, NULL, \
      "let requests ask for errors, delays and cut connections, and show all requests: never for use")
/* clang-format on */

/* In the order of their words in the table. */
typedef enum location_form { LOCATION_RELATIVE, LOCATION_ABSOLUTE } location_form_t;
typedef enum log_format { LOG_OFF, LOG_TEXT_LINES, LOG_JSON } log_format_t;
typedef enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level_t;
typedef enum background { BACKGROUND_FREEZE, BACKGROUND_RUN, BACKGROUND_KILL } background_t;

#define CONFIG_TYPE_TEXT   const char *
#define CONFIG_TYPE_NUMBER int64_t
#define CONFIG_TYPE_SIZE   int64_t
#define CONFIG_TYPE_SWITCH bool
#define CONFIG_TYPE_CHOICE int64_t
#define CONFIG_NOTHING(title)
#define CONFIG_FIELD(kind, field, ...) CONFIG_TYPE_##kind field;

typedef struct config {
    CONFIG_KEYS(CONFIG_NOTHING, CONFIG_FIELD)
    char *file_text; /* owned: texts of the file point into it */
} config_t;

typedef enum key_kind { KEY_TEXT, KEY_NUMBER, KEY_SIZE, KEY_SWITCH, KEY_CHOICE } key_kind_t;

/* A row of the table; one without a name is the title in `help`. */
typedef struct config_key {
    const char *name;
    key_kind_t kind;
    size_t offset; /* of its field */
    int64_t smallest;
    int64_t largest;
    const char *unit; /* of a choice its words: one|other */
    const char *help;
} config_key_t;

typedef enum config_wish { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION, CONFIG_WRONG } config_wish_t;

/* Read flags, environment and file into `config`. Texts point into argv, the
 * environment, or the configuration's own memory: free it with config_fini(). */
config_wish_t config_read(config_t *config, int argc, char **argv, char **environment,
                          failure_t *failure);

void config_fini(config_t *config);

const config_key_t *config_keys(size_t *count_out);
const config_t *config_defaults(void);

#endif /* SESSIONS_CONFIG_PRIVATE_H */
