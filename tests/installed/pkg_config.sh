#!/bin/sh
# pkg_config.sh COMPILER SOURCE PKGCONFIG_DIR PROGRAM - a host that pkg-config helps to build
# and that then calls a plugin from the directory that pkg-config names.
set -eu
export PKG_CONFIG_PATH="$3"
libdir=$(pkg-config --variable=libdir semkernel)

# shellcheck disable=SC2046 # flags are separate words
"$1" -std=c11 -Wall -Wextra -Werror "$2" $(pkg-config --cflags --libs semkernel) \
    -Wl,-rpath,"$libdir" -o "$4"
ls "$(pkg-config --variable=plugindir semkernel)" | grep -qx math.so
"$4" math Add
