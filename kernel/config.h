/*
 * config.h - the configuration of an instance: JSON, then the environment, then
 * the .env file, then the declared default.
 */
#ifndef KERNEL_CONFIG_PRIVATE_H
#define KERNEL_CONFIG_PRIVATE_H

#include <kernel/kernel.h>

#include "arena.h"
#include "bind.h"
#include "dotenv.h"
#include "signature.h"

typedef struct kernel__config_sources {
    const sk_dotenv_t *dotenv; /* NULL: none */
    const char *dotenv_path;   /* for errors */
    kernel_secret_fn secret;   /* NULL: none */
    void *secret_data;
    const kernel__limits_t *limits;
} kernel__config_sources_t;

typedef struct kernel__config {
    kp_value *values; /* one per declared parameter */
    size_t count;
    kernel__arena_t arena;
    const kernel__signature_t *signature; /* borrowed: which values are secret */
} kernel__config_t;

/*
 * Bind. `json` may be NULL; {"$env":"NAME"} and {"$secret":"id"} as values are resolved. `subject`
 * ("plugin 'sessions_python'") begins the error's text, which names key, source with its variable
 * and the expected form, never a secret's value. On failure nothing is left to free.
 */
kernel_status_t kernel__config_bind(kernel__config_t *config, const kernel__signature_t *signature,
                                    const char *json, const kernel__config_sources_t *sources,
                                    const char *subject, kernel_error_t *error);
/* Wipes all texts. */
void kernel__config_free(kernel__config_t *config);

#endif /* KERNEL_CONFIG_PRIVATE_H */
