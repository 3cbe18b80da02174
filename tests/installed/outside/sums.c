/* A plugin as a stranger writes it. */
#include <kernel/plugin.h>

KP_FUNCTION(integer, Add, "Add two integers.", (integer, input, "First addend"),
            (integer, amount, "Second addend"))
{
    return input + amount;
}

KP_PLUGIN("sums", "1.0.0", "Sums.", Add);
