/*
 * math.c - plugin "math": adds and subtracts.
 *
 * The smallest plugin that is of use. To write your own, copy this folder and
 * change, from top to bottom: the functions, what the plugin is, the list.
 */
#include <kernel/plugin.h>

KP_FUNCTION(number, Add, "Add an amount to a number and return the sum.",
            (number, input, "The number to begin with."),
            (number, amount, "How much to add to it."))
{
    return input + amount;
}

KP_FUNCTION(number, Subtract, "Subtract an amount from a number and return the difference.",
            (number, input, "The number to begin with."),
            (number, amount, "How much to take away from it."))
{
    return input - amount;
}

KP_PLUGIN("math", "1.0.0", "Add and subtract numbers.", Add, Subtract);
