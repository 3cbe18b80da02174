/* start: the shortest host there is. It loads a plugin and calls it once. */
#include <kernel/kernel.h>

int main(void)
{
    kernel_t *kernel = kernel_new(NULL, NULL);
    kernel_plugin_t *math = kernel_add_plugin(kernel, "math", NULL, NULL, NULL);
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result;
    double sum;

    kernel_args_set_integer(args, "input", 1);
    kernel_args_set_integer(args, "amount", 2);
    result = kernel_invoke(kernel_plugin_find(math, "Add"), args);
    sum = kernel_result_number(result);
    kernel_result_free(result);
    kernel_args_free(args);
    kernel_free(kernel);
    return sum == 3 ? 0 : 1;
}
