/* host PLUGIN FUNCTION: a host that adds 1 and 1 by a plugin; fails unless that makes 2. */
#include <kernel/kernel.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_t *kernel = kernel_new(NULL, &error);
    kernel_args_t *args = kernel_args_new();
    kernel_plugin_t *plugin = kernel_add_plugin(kernel, argv[argc - 2], "sums", NULL, &error);
    kernel_result_t *result;
    double sum;

    kernel_args_set_integer(args, "input", 1);
    kernel_args_set_integer(args, "amount", 1);
    result = kernel_invoke(kernel_plugin_find(plugin, argv[argc - 1]), args);
    sum = kernel_result_number(result);
    puts(error.status != KERNEL_OK ? error.text : kernel_result_text(result));

    kernel_result_free(result);
    kernel_args_free(args);
    kernel_free(kernel);
    return sum == 2 ? 0 : 1;
}
