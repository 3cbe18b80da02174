# The module that starts the pool program for a kernel.
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
semkernel_test(services/sessions/announcement_test LIBS semkernel_sessions_module_parts)
semkernel_test(services/sessions/module_test LIBS semkernel::kernel PkgConfig::OPENSSL
               SOURCES support/files.c support/interpreter.c support/replay_server.c TIMEOUT 120
               ENVIRONMENT SEMKERNEL_SESSIOND_PREIMPORT=none)
add_dependencies(services_sessions_module_test http sessions sessions_python)
