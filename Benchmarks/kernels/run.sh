#!/bin/sh
# Builds and runs one kernel benchmark: run.sh NAME [ARGUMENT...], NAME.c being in this folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernels=$here/../../Kernels
name=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sources=$(find "$kernels" -name '*.c' ! -path '*/tests/*')
index=0
for source in "$here/$name.c" $sources; do
  ${CC:-clang} -O3 -fopenmp -Wall -Wextra -I"$kernels/include" -c "$source" -o "$work/$index.o"
  index=$((index + 1))
done
${CC:-clang} "$work"/*.o -l:libomp.so.5 -lm -lpthread -o "$work/benchmark"
OMP_PROC_BIND=true KMP_BLOCKTIME=0 "$work/benchmark" "$@"
