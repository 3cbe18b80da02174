# What is installed beside the modules (kernel_add_plugin() installs those) and
# the programs (each is installed where it is made): the library, the headers, and
# what tells pkg-config and CMake where they are.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/semkernel)
install(TARGETS semkernel_kernel semkernel_plugin EXPORT semkernel
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT semkernel NAMESPACE semkernel:: FILE semkernelTargets.cmake
        DESTINATION ${package_dir})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/kernel/include/kernel
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/semkernel FILES_MATCHING PATTERN *.h)

set(semkernel_plugin_dir ${CMAKE_INSTALL_LIBDIR}/semkernel/plugins)
configure_package_config_file(${PROJECT_SOURCE_DIR}/kernel/cmake/semkernelConfig.cmake.in
    ${PROJECT_BINARY_DIR}/package/semkernelConfig.cmake INSTALL_DESTINATION ${package_dir}
    PATH_VARS semkernel_plugin_dir)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/semkernelConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/semkernelConfig.cmake
              ${PROJECT_BINARY_DIR}/package/semkernelConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/kernel/cmake/KernelAddPlugin.cmake
              ${PROJECT_SOURCE_DIR}/kernel/cmake/KernelCheckExports.cmake
              ${PROJECT_SOURCE_DIR}/kernel/cmake/plugin.map
        DESTINATION ${package_dir})

# pkg-config finds the prefix from where the file lies, so that the tree can move.
set(pkgconfig_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_pkgconfig ${pkgconfig_dir} ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/kernel/cmake/semkernel.pc.in
               ${PROJECT_BINARY_DIR}/package/semkernel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/semkernel.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
