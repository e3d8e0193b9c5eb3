#!/bin/sh
# Compiles the C files beside the Python modules that call them into one library, tapedeck/engine/_kernel.so.
# The flags are part of the results: no fused or reordered floating-point operation, one instruction set a processor
# family, so that the compiled pass gives the same bytes as the Python one, on every machine of that family.
set -eu
cd "$(dirname "$0")/tapedeck"
case "$(uname -m)" in
    x86_64) machine=-march=x86-64-v2 ;;
    aarch64 | arm64) machine=-march=armv8-a ;;
    *) machine= ;;
esac
library=engine/_kernel.so
# shellcheck disable=SC2046,SC2086 # file names without spaces; no flag at all on other machines
${CC:-cc} -std=c11 -O3 $machine -ffp-contract=off -fno-fast-math -fvisibility=hidden -Wall -Wextra \
    -shared -fPIC -o "$library.$$" $(find . -name '*.c' | sort) -lm
mv "$library.$$" "$library"
