#!/bin/sh
# Builds and runs every *_test.c of this folder with clang, as many at a time as there are CPUs:
# run.sh [FLAG...], for example run.sh -fsanitize=address,undefined. ONLY=name limits it to
# name_test.c.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernels=$(dirname "$here")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
link="-l:libomp.so.5 -lm -lpthread"
level=-O3
case "$*" in
*-fsanitize=*) level=-O1 ;; # checks at every access take a compiler minutes at -O3
esac
case "$*" in
*-fsanitize=thread*) # the Swift toolchain's runtime of ThreadSanitizer refers to libdispatch
  swift=$(dirname "$(readlink -f "$(command -v swift)")")/../lib/swift/linux
  link="$link -L$swift -Wl,-rpath,$swift -ldispatch -lBlocksRuntime"
  ;;
esac
command -v ld.lld >/dev/null && link="$link -fuse-ld=lld" # gold warns at length about AddressSanitizer
export link work level sanitize="$*"
export flags="-g -fopenmp -Wall -Wextra -fno-sanitize-recover=all $* -I$kernels/include"

# in_parallel SCRIPT: runs it for every line of standard input.
in_parallel() { xargs -P "$(nproc)" -I{} sh -euc "$1" sh {}; }

# The objects' names tell apart files of one name.
find "$kernels" -name '*.c' ! -path "$here/*" | sort | in_parallel '
  ${CC:-clang} $flags $level -c "$1" -o "$work/$(echo "$1" | tr / _).o"'
# The largest first, lest one of them is left for the end.
ls -S "$here"/${ONLY:-*}_test.c | in_parallel '
  test=$work/$(basename "$1" .c)
  if ${CC:-clang} $flags -O2 -c "$1" -o "$test.test" &&
    ${CC:-clang} $sanitize "$test.test" "$work"/*.o $link -o "$test" && "$test"; then
    touch "$test.passed"
  fi >"$test.log" 2>&1'
status=0
for source in "$here"/${ONLY:-*}_test.c; do
  test=$work/$(basename "$source" .c)
  cat "$test.log"
  [ -e "$test.passed" ] || status=1
done
exit $status
