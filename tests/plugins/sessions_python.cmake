pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)

# Its pure parts.
foreach(part code_cleanup endpoint remote_error reply)
    semkernel_test(plugins/sessions_python_${part}_test LIBS sessions_python_parts)
endforeach()
semkernel_test(plugins/sessions_python_memory_test LIBS sessions_python_parts
               SOURCES support/fail_alloc.c)
semkernel_fuzz(fuzz/sessions_python_code_cleanup_fuzz LIBS sessions_python_parts)
semkernel_fuzz(fuzz/sessions_python_reply_fuzz LIBS sessions_python_parts)

# All of it, against the real local pool.
semkernel_test(plugins/sessions_python_test LIBS semkernel::kernel
               SOURCES support/files.c support/interpreter.c TIMEOUT 300
               ENVIRONMENT SEMKERNEL_SESSIOND_PREIMPORT=none)
add_dependencies(plugins_sessions_python_test http sessions sessions_python semkernel-sessiond)

# And against a server of the test in the place of a managed pool.
semkernel_test(plugins/sessions_python_managed_test LIBS semkernel::kernel PkgConfig::OPENSSL
               SOURCES support/files.c support/interpreter.c support/replay_server.c TIMEOUT 120)
add_dependencies(plugins_sessions_python_managed_test http sessions_python)
