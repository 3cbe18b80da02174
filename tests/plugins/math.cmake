semkernel_test(plugins/math_test LIBS semkernel::kernel)
add_dependencies(plugins_math_test math)
