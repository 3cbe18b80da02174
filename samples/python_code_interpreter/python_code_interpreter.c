/*
 * python_code_interpreter - run Python in a sandboxed session.
 *
 * It needs no account: without any configuration the session is one of the local
 * pool that the kernel starts for it. A managed pool is used instead when the
 * environment or a .env file has its address in ACA_POOL_MANAGEMENT_ENDPOINT.
 *
 * Output:
 *
 *    Status:
 *    Succeeded
 *    Result:
 *
 *    Stdout:
 *    2
 *
 *    Stderr:
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include <kernel/kernel.h>

int main(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_t *kernel = kernel_new(NULL, &error);
    kernel_plugin_t *sessions =
        kernel_add_plugin(kernel, "sessions_python", "PythonCodeInterpreter", NULL, &error);
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result = NULL;
    int exit_status = EXIT_SUCCESS;

    kernel_args_set_string(args, "code", "print(1 + 1)");
    result = kernel_invoke(kernel_plugin_find(sessions, "execute_code"), args);

    if (error.status != KERNEL_OK) { /* the first thing that failed */
        fprintf(stderr, "%s\n", error.text);
        exit_status = EXIT_FAILURE;
    } else if (kernel_result_status(result) != KERNEL_OK) {
        fprintf(stderr, "%s\n", kernel_result_error(result));
        exit_status = EXIT_FAILURE;
        if (kernel_result_status(result) == KERNEL_E_UNSUPPORTED) { /* no sandbox on this machine */
            exit_status = EX_CONFIG;
        }
    } else {
        puts(kernel_result_text(result));
    }

    kernel_result_free(result);
    kernel_args_free(args);
    kernel_free(kernel);
    return exit_status;
}
