/*
 * lookups.c - one look-up of a name at a time, few names at once.
 *
 *     http__lookups_ask       known: go; looked up by another: wait; else lead
 *     http__lookups_resolved  the leader has the address: the name is known
 *     http__lookups_leave     a leader or a waiting one is over
 *     http__lookups_next      who may go now?
 */
#include "lookups.h"

#include <assert.h>
#include <string.h>

#include "alloc.h"

struct http__name {
    http__name_t *next;
    uint64_t fresh_until; /* 0: being looked up */
    char host[];
};

static http__name_t **lookups_find(http__lookups_t *lookups, const char *host)
{
    http__name_t **at = &lookups->names;

    while (*at != NULL && strcmp((*at)->host, host) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void lookups_forget(http__lookups_t *lookups, http__name_t **at)
{
    http__name_t *name = *at;

    if (name->fresh_until != 0) {
        lookups->known_count--;
    }
    *at = name->next;
    sk_free(name);
}

/* Drop the known name that is the first to become stale. */
static void lookups_forget_oldest(http__lookups_t *lookups)
{
    http__name_t **oldest = NULL;

    for (http__name_t **at = &lookups->names; *at != NULL; at = &(*at)->next) {
        if ((*at)->fresh_until != 0 &&
            (oldest == NULL || (*at)->fresh_until < (*oldest)->fresh_until)) {
            oldest = at;
        }
    }
    if (oldest != NULL) {
        lookups_forget(lookups, oldest);
    }
}

/* May it go? Then it leads, if the name is not known. */
static bool lookups_admit(http__lookups_t *lookups, http__lookup_t *lookup, uint64_t now)
{
    http__name_t **at = lookups_find(lookups, lookup->host);
    size_t size = strlen(lookup->host) + 1;
    http__name_t *name = NULL;

    if (*at != NULL && (*at)->fresh_until == 0) {
        return false;
    }
    if (*at != NULL && now < (*at)->fresh_until) {
        return true;
    }
    if (*at != NULL) {
        lookups_forget(lookups, at);
    }
    if (lookups->leader_count >= HTTP__LOOKUPS_MAX) {
        return false;
    }
    name = sk_malloc(sizeof(*name) + size);
    if (name == NULL) {
        return true; /* nobody will follow it, and nothing is wrong with that */
    }
    memcpy(name->host, lookup->host, size);
    name->fresh_until = 0;
    name->next = lookups->names;
    lookups->names = name;
    lookups->leader_count++;
    lookup->leads = name;
    return true;
}

void http__lookups_init(http__lookups_t *lookups)
{
    memset(lookups, 0, sizeof(*lookups));
    lookups->last = &lookups->first;
}

void http__lookups_fini(http__lookups_t *lookups)
{
    assert(lookups->first == NULL && lookups->leader_count == 0);
    while (lookups->names != NULL) {
        lookups_forget(lookups, &lookups->names);
    }
}

bool http__lookups_ask(http__lookups_t *lookups, http__lookup_t *lookup, uint64_t now)
{
    if (lookup->host == NULL || lookups_admit(lookups, lookup, now)) {
        return true;
    }
    lookup->is_waiting = true;
    lookup->next = NULL;
    *lookups->last = lookup;
    lookups->last = &lookup->next;
    return false;
}

void http__lookups_resolved(http__lookups_t *lookups, http__lookup_t *lookup, uint64_t now)
{
    if (lookup->leads == NULL) {
        return;
    }
    lookup->leads->fresh_until = now + HTTP__LOOKUP_FRESH_MS;
    lookup->leads = NULL;
    lookups->leader_count--;
    lookups->known_count++;
    lookups->is_changed = lookups->first != NULL;
    if (lookups->known_count > HTTP__LOOKUPS_KNOWN) {
        lookups_forget_oldest(lookups);
    }
}

/* Take `*at` out of the queue. */
static http__lookup_t *lookups_unqueue(http__lookups_t *lookups, http__lookup_t **at)
{
    http__lookup_t *lookup = *at;

    *at = lookup->next;
    if (*at == NULL) {
        lookups->last = at;
    }
    lookup->next = NULL;
    lookup->is_waiting = false;
    return lookup;
}

void http__lookups_leave(http__lookups_t *lookups, http__lookup_t *lookup)
{
    if (lookup->leads != NULL) {
        lookups_forget(lookups, lookups_find(lookups, lookup->host));
        lookup->leads = NULL;
        lookups->leader_count--;
        lookups->is_changed = lookups->first != NULL;
    }
    if (lookup->is_waiting) {
        http__lookup_t **at = &lookups->first;

        while (*at != lookup) {
            at = &(*at)->next;
        }
        (void)lookups_unqueue(lookups, at);
    }
}

http__lookup_t *http__lookups_next(http__lookups_t *lookups, uint64_t now)
{
    if (!lookups->is_changed) {
        return NULL;
    }
    for (http__lookup_t **at = &lookups->first; *at != NULL; at = &(*at)->next) {
        if (lookups_admit(lookups, *at, now)) {
            return lookups_unqueue(lookups, at);
        }
    }
    lookups->is_changed = false;
    return NULL;
}

http__lookup_t *http__lookups_take(http__lookups_t *lookups, const char *host)
{
    for (http__lookup_t **at = &lookups->first; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->host, host) == 0) {
            return lookups_unqueue(lookups, at);
        }
    }
    return NULL;
}
