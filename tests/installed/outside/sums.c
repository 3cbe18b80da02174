/* A plugin as a stranger writes it. */
#include <kernel/plugin.h>

KP_FUNCTION(integer, add, "Add two integers.", (integer, a, "First addend"),
            (integer, b, "Second addend"))
{
    return a + b;
}

KP_PLUGIN("sums", "1.0.0", "Sums.", add);
