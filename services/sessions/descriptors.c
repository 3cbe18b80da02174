/*
 * descriptors.c - what a session and a connection take of them.
 *
 * At rest a session has five: control socket, worker, bubblewrap, init, and one
 * for its control group. While it starts or runs there are pipes, memory files and
 * the /proc of its processes besides.
 */
#include "descriptors.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define OWN        64
#define SESSION    16
#define CONNECTION 2 /* itself, and the file that it is about */

bool descriptors_raise(const config_t *config, failure_t *failure)
{
    const rlim_t needed =
        (rlim_t)(OWN + SESSION * config->max_sessions + CONNECTION * config->connections);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed) {
        return true;
    }
    const rlim_t most = limit.rlim_max;
    limit.rlim_cur = needed;
    limit.rlim_max = most < needed ? needed : most; /* which root may */
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ||
           fail(failure,
                "cannot serve %lld sessions and %lld connections: they can need %llu open "
                "descriptors, %llu are allowed (%s); raise the limit (ulimit -Hn, LimitNOFILE= of "
                "a unit) or lower --max-sessions or --connections",
                (long long)config->max_sessions, (long long)config->connections,
                (unsigned long long)needed, (unsigned long long)most, strerror(errno));
}
