#!/bin/sh
# Builds and runs every *_test.c of this folder with clang: run.sh [FLAG...], for example
# run.sh -fsanitize=address or run.sh -fsanitize=undefined. ONLY=name limits it to name_test.c.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernels=$(dirname "$here")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
link="-l:libomp.so.5 -lm -lpthread"
case "$*" in
*-fsanitize=thread*) # the Swift toolchain's runtime of ThreadSanitizer refers to libdispatch
  swift=$(dirname "$(readlink -f "$(command -v swift)")")/../lib/swift/linux
  link="$link -L$swift -Wl,-rpath,$swift -ldispatch -lBlocksRuntime"
  ;;
esac
# As many compilers as CPUs; the objects' names tell apart files of one name.
export flags="-O3 -g -fopenmp -Wall -Wextra -fno-sanitize-recover=all $* -I$kernels/include" work
find "$kernels" -name '*.c' ! -path "$here/*" | xargs -P "$(nproc)" -I{} sh -c \
  '${CC:-clang} $flags -c "$1" -o "$work/$(echo "$1" | tr / _).o"' sh {}
linker=
command -v ld.lld >/dev/null && linker=-fuse-ld=lld # gold warns at length about AddressSanitizer
status=0
for source in "$here"/${ONLY:-*}_test.c; do
  name=$(basename "$source" .c)
  ${CC:-clang} -O2 -g -fopenmp -Wall -Wextra -fno-sanitize-recover=all "$@" -I"$kernels/include" \
    -c "$source" -o "$work/$name.test"
  ${CC:-clang} $linker "$@" "$work/$name.test" "$work"/*.o $link -o "$work/$name"
  "$work/$name" || status=1
done
exit $status
