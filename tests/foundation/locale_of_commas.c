/*
 * locale_of_commas.c - finds or makes a locale whose decimal point is a comma.
 */
#include "locale_of_commas.h"

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check.h"

static bool set_numbers(const char *name)
{
    return setlocale(LC_NUMERIC, name) != NULL && strcmp(localeconv()->decimal_point, ",") == 0;
}

/* localedef comes with the C library; it warns of all the categories that are not given. */
static bool make_locale(void)
{
    char folder[] = "/tmp/locale-test-XXXXXX";
    char command[256];
    bool is_set = false;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(command, sizeof(command),
             "cd %s && printf 'LC_NUMERIC\\ndecimal_point \",\"\\nthousands_sep \".\"\\n"
             "grouping 3\\nEND LC_NUMERIC\\n' >source && "
             "localedef -c -i source -f ANSI_X3.4-1968 ./xx_XX >log 2>&1",
             folder);
    if (system(command) >= 0 && setenv("LOCPATH", folder, 1) == 0) {
        is_set = set_numbers("xx_XX");
    }
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    CHECK_EQ(system(command), 0);
    return is_set;
}

void use_locale_of_commas(void)
{
    char text[16];

    if (!set_numbers("de_DE.UTF-8") && !set_numbers("fr_FR.UTF-8") && !make_locale()) {
        SKIP("no locale with a decimal comma, and localedef cannot make one");
    }
    snprintf(text, sizeof(text), "%.1f", 0.5);
    CHECK_STR(text, "0,5");
}
