# The module that starts the pool program for a kernel.
semkernel_test(services/sessions/announcement_test LIBS semkernel_sessions_module_parts)
