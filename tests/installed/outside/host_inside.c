/* A host with a plugin linked into it. */
#include <kernel/kernel.h>

#include <stdio.h>

const struct kp_module *kernel_plugin_v1_sums(const struct kp_host *host);

int main(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_t *kernel = kernel_new(NULL, &error);
    kernel_result_t *result;
    int64_t sum;

    if (kernel_register_static("inside", kernel_plugin_v1_sums, &error) == KERNEL_OK) {
        kernel_add_plugin(kernel, "inside", "sums", NULL, &error);
    }
    result = kernel_invoke_json(kernel, "sums-Add", "{\"input\":1,\"amount\":1}");
    sum = kernel_result_integer(result);
    puts(error.status != KERNEL_OK ? error.text : kernel_result_text(result));

    kernel_result_free(result);
    kernel_free(kernel);
    return sum == 2 ? 0 : 1;
}
