/*
 * preimport.c - the list, and when there is room for the default one.
 */
#include "preimport.h"

#include <ctype.h>
#include <string.h>

#include <json.h>

#include "frame.h"

#define ROOM_MEMORY        (256 * MIB) /* a session with less needs it for itself */
#define ROOM_ADDRESS_SPACE (512 * MIB)

static const char *preimport_list(const config_t *config)
{
    if (config->preimport != NULL) {
        return strcmp(config->preimport, "none") == 0 ? "" : config->preimport;
    }
    return config->memory >= ROOM_MEMORY && config->address_space >= ROOM_ADDRESS_SPACE
               ? PREIMPORT_DEFAULT
               : "";
}

/* The next name of a list, without blanks around it; false at its end. */
static bool next_name(const char **at, const char **name, size_t *size)
{
    *at += strspn(*at, " ,");
    *name = *at;
    *size = strcspn(*at, ",");
    *at += *size;
    while (*size > 0 && (*name)[*size - 1] == ' ') {
        (*size)--;
    }
    return *size > 0;
}

/* Words of letters, digits and underscores with dots between them. */
static bool is_module(const char *name, size_t size)
{
    bool begins = true;

    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)name[i];
        if (begins ? !isalpha(c) && c != '_' : !isalnum(c) && c != '_' && c != '.') {
            return false;
        }
        begins = c == '.';
    }
    return !begins;
}

bool preimport_check(const config_t *config, failure_t *failure)
{
    const char *at = preimport_list(config);
    const char *name = NULL;
    size_t size = 0;

    if (strlen(at) > FRAME_WARM_MAX / 4) {
        return fail(failure, "--preimport is too long: at most %d characters", FRAME_WARM_MAX / 4);
    }
    while (next_name(&at, &name, &size)) {
        if (!is_module(name, size)) {
            return fail(failure,
                        "--preimport: \"%.*s\" is not the name of a module; give names with commas "
                        "between them, or none",
                        size > 100 ? 100 : (int)size, name);
        }
    }
    return true;
}

bool preimport_is_wanted(const config_t *config)
{
    const char *at = preimport_list(config);
    const char *name = NULL;
    size_t size = 0;

    return next_name(&at, &name, &size);
}

void preimport_write(const config_t *config, sk_buffer_t *out)
{
    const char *at = preimport_list(config);
    const char *name = NULL;
    size_t size = 0;

    for (const char *separator = ""; next_name(&at, &name, &size); separator = ",") {
        sk_buffer_append_text(out, separator);
        sk_json_write_string(out, name, size);
    }
}
