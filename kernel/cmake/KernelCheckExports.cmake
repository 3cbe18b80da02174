# Fails unless the module FILE exports the plugin's entry and nothing else.
# What a sanitizer adds begins with two underscores, which no author's name may.
execute_process(COMMAND ${NM} -D --defined-only ${FILE} OUTPUT_VARIABLE lines
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^ \n]+\n" names "${lines}")
list(TRANSFORM names STRIP)
list(FILTER names EXCLUDE REGEX "^__")
if(NOT names STREQUAL "kernel_plugin_v1")
    list(JOIN names ", " names)
    message(FATAL_ERROR "${FILE} must export kernel_plugin_v1 alone, but exports: ${names}")
endif()
