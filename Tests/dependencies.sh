#!/usr/bin/env bash
# Checks that modules import only what stands below them; prints "N passed, M failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
passed=0 failed=0

# allow FOLDER MODULE...: the sources of FOLDER import nothing but these.
allow() {
  local folder=$1 wrong line module
  shift
  wrong=
  while IFS= read -r line; do
    [ -n "$line" ] || continue
    module=$(sed -E \
      's/^.*import +((struct|class|enum|func|protocol|typealias) +)?([A-Za-z_]+).*/\3/' \
      <<<"${line#*:*:}")
    case " $* " in *" $module "*) ;; *) wrong+="$line"$'\n' ;; esac
  done < <(grep -rnE '^ *(@[a-z_A-Z]+ +)*((public|internal|private|package) +)?import +' \
    --include='*.swift' "$folder" || true)
  if [ -n "$wrong" ]; then
    printf 'wrong import (allowed: %s): %s' "${*:-none}" "$wrong" >&2
    failed=$((failed + 1))
  else
    passed=$((passed + 1))
  fi
}

allow IR Foundation
allow Sources/Models Foundation IR
allow Sources/ONNX Foundation FoundationEssentials SwiftProtobuf IR Models
allow Sources/Datasets Foundation IR CImages Storage
allow Sources/Storage Foundation IR CZlib
allow Sources/Engine Foundation Synchronization IR Kernels CLLVM
allow Sources/Eager Foundation IR Engine Kernels
allow Sources/Adversarial Foundation IR Models Engine Eager Datasets Storage Yams
allow Sources/clat Runner
allow Sources/Runner Foundation Synchronization IR Models ONNX Engine Eager Adversarial Datasets \
  Storage ArgumentParser
for tests in Tests/*Tests; do
  case $tests in
  Tests/KernelTests) allow "$tests" Foundation Testing Kernels ;;
  *) allow "$tests" Foundation Glibc Synchronization Testing TestSupport IR Models ONNX Engine \
    Eager Adversarial Datasets Storage CImages COpenBLAS clat ;;
  esac
done
# No C header but kernels.h is seen from Swift, and only team/ knows OpenMP.
if wrong=$(grep -rln 'omp_\|pragma omp\|kmp_' --include='*.c' --include='*.h' Kernels |
  grep -v '^Kernels/team/'); then
  printf 'OpenMP outside Kernels/team: %s\n' "$wrong" >&2
  failed=$((failed + 1))
else
  passed=$((passed + 1))
fi
echo "dependencies: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
