/*
 * distance.c - how far two names are apart, for "did you mean ...?".
 *
 * Optimal string alignment, in half edits: 2 for an insertion, a deletion, a
 * replacement and a swap of neighbours, 1 for a letter in the other case.
 */
#include "text.h"

#include <limits.h>
#include <string.h>

#define LONGEST_NAME 128

static unsigned char folded(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

/* What it costs to read one letter as another. */
static unsigned letter_cost(char a, char b)
{
    if (a == b) {
        return 0;
    }
    return folded(a) == folded(b) ? 1 : 2;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table: row[j] is the distance of a's first letters to b's first j. */
static unsigned table_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][LONGEST_NAME + 1];
    unsigned *before = rows[0];
    unsigned *last = rows[1];
    unsigned *row = rows[2];

    for (size_t j = 0; j <= b_length; j++) {
        last[j] = (unsigned)(2 * j);
    }
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *oldest = before;

        row[0] = (unsigned)(2 * i);
        for (size_t j = 1; j <= b_length; j++) {
            unsigned swap = UINT_MAX;

            row[j] = smaller(last[j], row[j - 1]) + 2;
            row[j] = smaller(row[j], last[j - 1] + letter_cost(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1])) {
                swap = before[j - 2] + 2 + letter_cost(a[i - 1], b[j - 2]) +
                       letter_cost(a[i - 2], b[j - 1]);
            }
            row[j] = smaller(row[j], swap);
        }
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

unsigned sk_text_distance(const char *a, const char *b, unsigned limit)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    size_t gap = a_length > b_length ? a_length - b_length : b_length - a_length;

    if (a_length > LONGEST_NAME || b_length > LONGEST_NAME || gap * 2 >= limit) {
        return strcmp(a, b) == 0 ? 0 : limit;
    }
    return smaller(table_distance(a, a_length, b, b_length), limit);
}

static bool is_same_but_for_case(const char *a, const char *b)
{
    while (*a != '\0' && folded(*a) == folded(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

int sk_text_closest(const char *name, const char *const *candidates, size_t count)
{
    size_t length = strlen(name);
    unsigned near = (unsigned)(length < 6 ? 2 : length / 3 * 2);
    unsigned best = smaller(near + 1, (unsigned)(2 * length)); /* what is found must be nearer */
    int closest = -1;

    for (size_t i = 0; i < count && i < INT_MAX; i++) {
        unsigned distance = best;

        if (candidates[i] != NULL) {
            distance = sk_text_distance(name, candidates[i], best);
        }
        if (candidates[i] != NULL && is_same_but_for_case(name, candidates[i])) {
            distance = smaller(distance, 1);
        }
        if (distance < best) {
            best = distance;
            closest = (int)i;
        }
    }
    return closest;
}
