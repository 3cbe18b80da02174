# The short way to everything. Each target installs what it needs (and fetches nothing
# when nothing is missing), then calls CMake or ctest.
#
#   make run       build, and run the sample that executes Python code
#   make test      build, and run the tests
#   make check     what `make test` does, under sanitizers; fuzzers; style; short benchmarks
#   make bench     the benchmarks, in full
#   make install   install below PREFIX (DESTDIR is put before it)
#   make clean     remove what was built

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
JOBS    ?= $(shell nproc)

.PHONY: run test check check-address check-thread check-fuzz check-rest bench install clean
.NOTPARALLEL:
unexport MAKEFLAGS

needs = @.ci/install-dependencies
configure = cmake --log-level=NOTICE -S . -B $(1)
build = env -u MAKELEVEL cmake --build $(1) --parallel $(JOBS)
ctest = ctest --test-dir $(1) --parallel $(JOBS) --output-on-failure --no-tests=error $(2)

# The tests need more of the machine; a tree that has them keeps them.
without_tests = $(if $(wildcard $(BUILD)/CMakeCache.txt),,-DSEMKERNEL_TESTS=OFF)

# Assertions on, symbols for the reports, and fast enough for the whole suite.
checked = -DSEMKERNEL_WERROR=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -g"
clang = -DCMAKE_C_COMPILER=clang

run:
	$(needs) run
	$(call configure,$(BUILD)) $(without_tests)
	$(call build,$(BUILD)) --target product
	$(BUILD)/samples/python_code_interpreter

test:
	$(needs) run test
	$(call configure,$(BUILD)) -DSEMKERNEL_TESTS=ON
	$(call build,$(BUILD))
	$(call ctest,$(BUILD))

check: check-address check-thread check-fuzz check-rest

check-address:
	$(needs) run test check
	$(call configure,$(BUILD)-address) $(checked) -DSEMKERNEL_SANITIZE=address,undefined
	$(call build,$(BUILD)-address)
	$(call ctest,$(BUILD)-address)

check-thread:
	$(needs) run test check
	$(call configure,$(BUILD)-thread) $(checked) -DSEMKERNEL_SANITIZE=thread $(clang)
	$(call build,$(BUILD)-thread)
	$(call ctest,$(BUILD)-thread)

check-fuzz:
	$(needs) run test check
	$(call configure,$(BUILD)-fuzz) $(checked) -DSEMKERNEL_FUZZ=ON \
	      -DSEMKERNEL_SANITIZE=address,undefined $(clang)
	$(call build,$(BUILD)-fuzz) --target fuzz
	$(call ctest,$(BUILD)-fuzz,-C check -L fuzz)

check-rest:
	$(needs) run test check
	$(call configure,$(BUILD)) -DSEMKERNEL_TESTS=ON
	$(call build,$(BUILD))
	$(call ctest,$(BUILD),-C check -L 'check|bench')

bench:
	$(needs) run test bench
	$(call configure,$(BUILD)) -DSEMKERNEL_TESTS=ON
	$(call build,$(BUILD))
	ctest --test-dir $(BUILD) -C bench -L bench --verbose --no-tests=error

install:
	$(needs) run
	$(call configure,$(BUILD)) $(without_tests) -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	$(call build,$(BUILD)) --target product
	DESTDIR=$(DESTDIR) cmake --install $(BUILD)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi

clean:
	rm -rf $(BUILD) $(BUILD)-address $(BUILD)-thread $(BUILD)-fuzz
