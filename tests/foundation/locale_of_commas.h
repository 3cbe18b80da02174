/*
 * locale_of_commas.h - a locale whose decimal point is a comma.
 */
#ifndef LOCALE_OF_COMMAS_H
#define LOCALE_OF_COMMAS_H

/* Set one that is installed, or make one; skips the test where neither is possible. */
void use_locale_of_commas(void);

#endif /* LOCALE_OF_COMMAS_H */
