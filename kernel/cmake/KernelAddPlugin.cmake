# kernel_add_plugin(target SOURCES source... [LIBS library...] [NAME module] [SERVICE] [STATIC])
#
# Builds one plugin. The default is a module, TARGET.so, that needs nothing of the
# kernel, hides everything but its entry, and is never unmapped; where testing is
# enabled, the test plugins/TARGET_exports_only_its_entry makes sure of that.
#
#   LIBS     what the plugin links against
#   NAME     the module's name, if it is not the target's
#   SERVICE  one of the modules that the kernel itself uses; it lies in services/
#   STATIC   a static library instead, to be built into a program; the entry is
#            kernel_plugin_v1_NAME
#
# To install a module where the kernel finds it:
#
#   install(TARGETS target LIBRARY DESTINATION ${semkernel_PLUGIN_DIR})

function(kernel_add_plugin target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "SERVICE;STATIC" "NAME" "SOURCES;LIBS")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "kernel_add_plugin(${target}): unknown arguments "
                            "${arg_UNPARSED_ARGUMENTS}; after the target come SOURCES, LIBS, NAME, "
                            "SERVICE and STATIC")
    endif()
    if(NOT arg_SOURCES)
        message(FATAL_ERROR "kernel_add_plugin(${target}): no SOURCES, nothing could be built")
    endif()
    if(NOT arg_NAME)
        set(arg_NAME ${target})
    endif()

    if(arg_STATIC)
        add_library(${target} STATIC ${arg_SOURCES})
        target_compile_definitions(${target} PRIVATE KP_STATIC_NAME=${arg_NAME})
        set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    else()
        add_library(${target} MODULE ${arg_SOURCES})
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME} PREFIX "" SUFFIX .so)
        # Hidden visibility alone does not keep the symbols of archives inside.
        # Nor does it the templates of C++'s library.
        target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,nodelete
                            -Wl,-z,relro,-z,now
                            -Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
    endif()
    set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden
                          CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    target_compile_options(${target} PRIVATE -Wall -Wextra)
    target_link_libraries(${target} PRIVATE semkernel::plugin ${arg_LIBS})

    if(PROJECT_NAME STREQUAL semkernel)
        target_link_libraries(${target} PRIVATE semkernel_build)
    endif()
    if(arg_STATIC)
        return()
    endif()
    if(PROJECT_NAME STREQUAL semkernel)
        kernel_place_plugin_of_ours(${target} "${arg_SERVICE}")
    endif()

    # Proves that nothing of the kernel is needed. With clang's sanitizers, whose
    # run-time library is in the program, no module is complete.
    if(NOT CMAKE_C_COMPILER_ID MATCHES Clang OR NOT (SEMKERNEL_SANITIZE OR SEMKERNEL_FUZZ))
        target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
    add_test(NAME plugins/${target}_exports_only_its_entry
             COMMAND ${CMAKE_COMMAND} -D NM=${CMAKE_NM} -D FILE=$<TARGET_FILE:${target}>
                     -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/KernelCheckExports.cmake)
endfunction()

# Modules of this project have their places in the build tree and in the install
# tree; those that exist only for tests (SEMKERNEL_TEST_PLUGIN_DIR) are not installed.
function(kernel_place_plugin_of_ours target is_service)
    set(place plugins)
    if(is_service)
        set(place services)
    endif()
    if(SEMKERNEL_TEST_PLUGIN_DIR)
        set_target_properties(${target} PROPERTIES
                              LIBRARY_OUTPUT_DIRECTORY ${SEMKERNEL_TEST_PLUGIN_DIR})
    else()
        set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY
                              ${PROJECT_BINARY_DIR}/lib/semkernel/${place})
        install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/semkernel/${place})
    endif()
endfunction()
