/*
 * rejections.c - a list that only grows: what was handed out stays valid.
 */
#include "rejections.h"

#include <stdbool.h>
#include <string.h>

#include "alloc.h"

typedef struct kernel__rejection {
    kernel_rejection_t public;
    char *path; /* owned */
    char *text; /* owned */
    struct kernel__rejection *next;
} rejection_t;

void kernel__rejections_init(kernel__rejections_t *rejections)
{
    *rejections = (kernel__rejections_t){.lock = PTHREAD_MUTEX_INITIALIZER};
    rejections->last = &rejections->first;
}

static void rejection_free(rejection_t *rejection)
{
    sk_free(rejection->path);
    sk_free(rejection->text);
    sk_free(rejection);
}

void kernel__rejections_fini(kernel__rejections_t *rejections)
{
    while (rejections->first != NULL) {
        rejection_t *rejection = rejections->first;

        rejections->first = rejection->next;
        rejection_free(rejection);
    }
    pthread_mutex_destroy(&rejections->lock);
}

static rejection_t *rejection_new(const char *path, kernel_status_t status, const char *text)
{
    rejection_t *rejection = sk_calloc(1, sizeof(*rejection));

    if (rejection == NULL) {
        return NULL;
    }
    rejection->path = sk_strdup(path);
    rejection->text = sk_strdup(text);
    if (rejection->path == NULL || rejection->text == NULL) {
        rejection_free(rejection);
        return NULL;
    }
    rejection->public.size = sizeof(rejection->public);
    rejection->public.path = rejection->path;
    rejection->public.status = status;
    rejection->public.text = rejection->text;
    return rejection;
}

/* A host that tries the same again and again learns nothing new. */
static bool is_known(const kernel__rejections_t *rejections, const char *path, const char *text)
{
    const rejection_t *rejection = rejections->first;

    while (rejection != NULL &&
           (strcmp(rejection->path, path) != 0 || strcmp(rejection->text, text) != 0)) {
        rejection = rejection->next;
    }
    return rejection != NULL;
}

void kernel__rejections_add(kernel__rejections_t *rejections, const char *path,
                            kernel_status_t status, const char *text)
{
    pthread_mutex_lock(&rejections->lock);
    if (!is_known(rejections, path, text)) {
        rejection_t *rejection = rejection_new(path, status, text);

        if (rejection != NULL) {
            *rejections->last = rejection;
            rejections->last = &rejection->next;
            rejections->count++;
        }
    }
    pthread_mutex_unlock(&rejections->lock);
}

size_t kernel__rejections_count(kernel__rejections_t *rejections)
{
    size_t count = 0;

    pthread_mutex_lock(&rejections->lock);
    count = rejections->count;
    pthread_mutex_unlock(&rejections->lock);
    return count;
}

const kernel_rejection_t *kernel__rejections_at(kernel__rejections_t *rejections, size_t index)
{
    const rejection_t *rejection = NULL;

    pthread_mutex_lock(&rejections->lock);
    rejection = rejections->first;
    while (rejection != NULL && index > 0) {
        rejection = rejection->next;
        index--;
    }
    pthread_mutex_unlock(&rejections->lock);
    return rejection != NULL ? &rejection->public : NULL;
}
