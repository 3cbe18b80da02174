/*
 * config.c - the configuration of an instance.
 *
 *     config_read_json       what was given, {"$env":..} and {"$secret":..} resolved
 *     config_fill            what was not: process environment, .env file, default
 *
 * Nobody else in this library reads configuration from the environment.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "coerce.h"
#include "error.h"
#include "json.h"
#include "text.h"

#define SECRET_ROOM   65536u
#define VARIABLE_ROOM 256u

typedef struct binder {
    kernel__config_t *config;
    const kernel__config_sources_t *sources;
    const char *subject;
    kernel_error_t *error;
} binder_t;

static kernel__coercion_t coercion_of(const binder_t *binder)
{
    return (kernel__coercion_t){
        .subject = binder->subject,
        .what = "configuration key",
        .limits = binder->sources->limits,
        .arena = &binder->config->arena,
        .error = binder->error,
        .copy = true,
    };
}

static const char *dotenv_path(const binder_t *binder)
{
    return binder->sources->dotenv_path != NULL ? binder->sources->dotenv_path : ".env";
}

/* ---- where text comes from ---- */

/* A variable that is set and not empty. */
static const char *find_in_process(const char *name)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? text : NULL;
}

static const char *find_in_file(const binder_t *binder, const char *name)
{
    const char *text = sk_dotenv_find(binder->sources->dotenv, name);

    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Bind the text of a variable; `file` NULL: of the process. */
static kernel_status_t bind_variable(const binder_t *binder, const kernel__parameter_t *parameter,
                                     const char *name, const char *text, const char *file,
                                     kp_value *out)
{
    kernel__coercion_t coercion = coercion_of(binder);
    char source[VARIABLE_ROOM + 128];

    if (file != NULL) {
        snprintf(source, sizeof(source), "%s in %s", name, file);
    } else {
        snprintf(source, sizeof(source), "%s in the environment", name);
    }
    coercion.source = source;
    return kernel__coerce_text(&coercion, parameter, text, strlen(text), out);
}

/* {"$env":"NAME"} */
static kernel_status_t bind_reference(const binder_t *binder, const kernel__parameter_t *parameter,
                                      const char *name, kp_value *out)
{
    const char *text = find_in_process(name);

    if (text != NULL) {
        return bind_variable(binder, parameter, name, text, NULL, out);
    }
    text = find_in_file(binder, name);
    if (text != NULL) {
        return bind_variable(binder, parameter, name, text, dotenv_path(binder), out);
    }
    return kernel__error_set(binder->error, KERNEL_E_INVALID,
                             "%s: configuration key '%s' refers to the variable %s, which is not "
                             "set (or empty) in the environment%s%s: set it, or give the value "
                             "itself",
                             binder->subject, parameter->name, name,
                             binder->sources->dotenv != NULL ? " and in " : "",
                             binder->sources->dotenv != NULL ? dotenv_path(binder) : "");
}

/* {"$secret":"id"} */
static kernel_status_t bind_secret(const binder_t *binder, const kernel__parameter_t *parameter,
                                   const char *id, kp_value *out)
{
    kernel__coercion_t coercion = coercion_of(binder);
    kernel_status_t status = KERNEL_OK;
    char *secret = NULL;

    if (binder->sources->secret == NULL) {
        return kernel__error_set(binder->error, KERNEL_E_INVALID,
                                 "%s: configuration key '%s' refers to the secret '%s', but the "
                                 "host gave the kernel no function that knows secrets "
                                 "(kernel_options_t.secret)",
                                 binder->subject, parameter->name, id);
    }
    secret = sk_calloc(1, SECRET_ROOM);
    if (secret == NULL) {
        return kernel__error_set(binder->error, KERNEL_E_NO_MEMORY, "%s: memory ran out",
                                 binder->subject);
    }
    if (!binder->sources->secret(id, secret, SECRET_ROOM, binder->sources->secret_data)) {
        status = kernel__error_set(binder->error, KERNEL_E_INVALID,
                                   "%s: configuration key '%s' refers to the secret '%s', which "
                                   "the host does not know",
                                   binder->subject, parameter->name, id);
    } else {
        secret[SECRET_ROOM - 1] = '\0';
        coercion.is_secret = true;
        status = kernel__coerce_text(&coercion, parameter, secret, strlen(secret), out);
    }
    sk_wipe(secret, SECRET_ROOM);
    sk_free(secret);
    return status;
}

/* ---- what was given ---- */

/* Is it an object with that one member, a string? */
static bool is_reference(const sk_json_span_t *value, const char *keyword, sk_json_span_t *name)
{
    sk_json_cursor_t cursor = sk_json_enter(value);
    sk_json_span_t key;
    sk_json_span_t next;

    return value->type == SK_JSON_OBJECT && sk_json_next(&cursor, &key, name) &&
           sk_json_string_equals(&key, keyword, strlen(keyword)) &&
           !sk_json_next(&cursor, NULL, &next) && name->type == SK_JSON_STRING;
}

static kernel_status_t bind_given(const binder_t *binder, const kernel__parameter_t *parameter,
                                  const sk_json_span_t *value, kp_value *out)
{
    kernel__coercion_t coercion = coercion_of(binder);
    char name[VARIABLE_ROOM];
    sk_json_span_t span;
    bool is_variable = is_reference(value, "$env", &span);

    if (!is_variable && !is_reference(value, "$secret", &span)) {
        return kernel__coerce_span(&coercion, parameter, value, out);
    }
    if (span.size - 2 >= sizeof(name) || span.size == 2) {
        return kernel__error_set(binder->error, KERNEL_E_INVALID,
                                 "%s: configuration key '%s' refers to a %s whose name is %s",
                                 binder->subject, parameter->name,
                                 is_variable ? "variable" : "secret",
                                 span.size == 2 ? "empty" : "longer than 255 bytes");
    }
    sk_json_string_decode(&span, name);
    return is_variable ? bind_reference(binder, parameter, name, out)
                       : bind_secret(binder, parameter, name, out);
}

static kernel_status_t config_scan(const binder_t *binder, const char *json, sk_json_span_t *root)
{
    const kernel__limits_t *given = binder->sources->limits;
    sk_json_limits_t limits = {SK_JSON_STRICT, given != NULL ? given->json_size : 0,
                               given != NULL ? given->json_depth : 0};
    sk_json_error_t error = {.status = SK_JSON_OK};

    switch (sk_json_scan(json, strlen(json), &limits, root, &error)) {
    case SK_JSON_OK:
        break;
    case SK_JSON_TOO_DEEP:
    case SK_JSON_TOO_LONG:
        return kernel__error_set(
            binder->error, KERNEL_E_LIMIT, "%s: the configuration is not taken: %s (%s)",
            binder->subject, error.text,
            error.status == SK_JSON_TOO_DEEP ? "max_json_depth" : "max_json_size");
    case SK_JSON_NO_MEMORY:
        return kernel__error_set(binder->error, KERNEL_E_NO_MEMORY, "%s: memory ran out",
                                 binder->subject);
    case SK_JSON_INVALID:
        if (binder->config->signature->has_secrets) {
            return kernel__error_set(binder->error, KERNEL_E_INVALID,
                                     "%s: the configuration is not valid JSON at byte %zu",
                                     binder->subject, error.offset);
        }
        return kernel__error_set(binder->error, KERNEL_E_INVALID,
                                 "%s: the configuration is not valid JSON: %s", binder->subject,
                                 error.text);
    }
    if (root->type != SK_JSON_OBJECT) {
        return kernel__error_set(binder->error, KERNEL_E_INVALID,
                                 "%s: the configuration must be a JSON object, found %s",
                                 binder->subject, sk_json_type_name(root->type));
    }
    return KERNEL_OK;
}

static kernel_status_t config_read_json(const binder_t *binder, const char *json)
{
    const kernel__signature_t *signature = binder->config->signature;
    kernel__coercion_t coercion = coercion_of(binder);
    sk_json_span_t root;
    sk_json_span_t key;
    sk_json_span_t value;
    sk_json_cursor_t cursor;
    kernel_status_t status = KERNEL_OK;

    if (json == NULL || json[strspn(json, " \t\r\n")] == '\0') {
        return KERNEL_OK;
    }
    status = config_scan(binder, json, &root);
    if (status != KERNEL_OK) {
        return status;
    }
    cursor = sk_json_enter(&root);
    while (status == KERNEL_OK && sk_json_next(&cursor, &key, &value)) {
        size_t i = 0;

        while (i < signature->count && !sk_json_string_equals(&key, signature->parameters[i].name,
                                                              signature->parameters[i].name_size)) {
            i++;
        }
        if (i == signature->count) {
            return kernel__coerce_refuse_name(&coercion, signature, key.text + 1, key.size - 2);
        }
        if (value.type != SK_JSON_NULL) {
            status =
                bind_given(binder, &signature->parameters[i], &value, &binder->config->values[i]);
        }
    }
    return status;
}

/* ---- what was not given ---- */

/* The first variable of "A|B" that `find` has; its name goes to `name`. */
static const char *find_first(const binder_t *binder, const char *names, bool in_file,
                              char name[VARIABLE_ROOM])
{
    const char *at = names;

    while (*at != '\0') {
        size_t size = strcspn(at, "|");
        const char *text = NULL;

        if (size < VARIABLE_ROOM) {
            memcpy(name, at, size);
            name[size] = '\0';
            text = in_file ? find_in_file(binder, name) : find_in_process(name);
        }
        if (text != NULL) {
            return text;
        }
        at += size + (at[size] == '|');
    }
    return NULL;
}

static kernel_status_t refuse_missing(const binder_t *binder, const kernel__parameter_t *parameter)
{
    char names[VARIABLE_ROOM] = "";
    size_t size = 0;

    if (parameter->env == NULL) {
        return kernel__error_set(binder->error, KERNEL_E_INVALID,
                                 "%s: configuration key '%s' is required: give it in the "
                                 "configuration",
                                 binder->subject, parameter->name);
    }
    for (const char *at = parameter->env; *at != '\0' && size + 5 < sizeof(names); at++) {
        if (*at == '|') {
            memcpy(names + size, " or ", 4);
            size += 4;
        } else {
            names[size++] = *at;
        }
    }
    names[size] = '\0';
    return kernel__error_set(binder->error, KERNEL_E_INVALID,
                             "%s: configuration key '%s' is required: give it in the "
                             "configuration, or set %s in the environment or in %s",
                             binder->subject, parameter->name, names,
                             binder->sources->dotenv != NULL ? dotenv_path(binder) : "a .env file");
}

static kernel_status_t config_fill(const binder_t *binder, const kernel__parameter_t *parameter,
                                   kp_value *out)
{
    char name[VARIABLE_ROOM];
    const char *text = NULL;

    if (parameter->env != NULL) {
        text = find_first(binder, parameter->env, false, name);
        if (text != NULL) {
            return bind_variable(binder, parameter, name, text, NULL, out);
        }
        text = find_first(binder, parameter->env, true, name);
        if (text != NULL) {
            return bind_variable(binder, parameter, name, text, dotenv_path(binder), out);
        }
    }
    *out = parameter->dflt;
    return parameter->is_required ? refuse_missing(binder, parameter) : KERNEL_OK;
}

/* ---- all of it ---- */

kernel_status_t kernel__config_bind(kernel__config_t *config, const kernel__signature_t *signature,
                                    const char *json, const kernel__config_sources_t *sources,
                                    const char *subject, kernel_error_t *error)
{
    binder_t binder = {.config = config, .sources = sources, .subject = subject, .error = error};
    kernel_status_t status = KERNEL_OK;

    memset(config, 0, sizeof(*config));
    config->signature = signature;
    kernel__arena_init(&config->arena, NULL, 0);
    config->values = kernel__arena_alloc(&config->arena, signature->count * sizeof(kp_value));
    if (config->values == NULL) {
        return kernel__error_set(error, KERNEL_E_NO_MEMORY, "%s: memory ran out", subject);
    }
    memset(config->values, 0, signature->count * sizeof(kp_value));
    config->count = signature->count;
    status = config_read_json(&binder, json);
    for (size_t i = 0; status == KERNEL_OK && i < config->count; i++) {
        if (config->values[i].type == KP_NULL) {
            status = config_fill(&binder, &signature->parameters[i], &config->values[i]);
        }
    }
    if (status != KERNEL_OK) {
        kernel__config_free(config);
    }
    return status;
}

/* Every text of a configuration is a copy in its arena, where it may be written. */
static void wipe_text(const kp_value *value)
{
    union {
        const char *read;
        char *written;
    } text = {.read = value->as.text.ptr};

    sk_wipe(text.written, value->as.text.len);
}

void kernel__config_free(kernel__config_t *config)
{
    /* All texts: any of them may have come from a {"$secret":..}. */
    for (size_t i = 0; i < config->count; i++) {
        const kp_value *value = &config->values[i];

        if (value->type >= KP_STRING &&
            value->as.text.ptr != config->signature->parameters[i].dflt.as.text.ptr) {
            wipe_text(value);
        }
    }
    kernel__arena_reset(&config->arena);
    memset(config, 0, sizeof(*config));
}
