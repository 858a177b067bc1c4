#!/usr/bin/env bash
# Every test of the project: `./clat test`. Swift tests run optimised, with warnings as errors, from
# a build folder of their own; the last line sums up what really ran.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
flags=(-c release --scratch-path "$PWD/.build/test" -Xswiftc -enable-testing -Xswiftc -warnings-as-errors)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
passed=0 failed=0 skipped=0

# step NAME COMMAND...: runs and logs; its lines "N passed, M failed" are added up. A command that
# fails without a failed test counts as one.
step() {
  local name=$1 log=$work/log start=$SECONDS status=0 good bad
  shift
  printf '== %s\n' "$name"
  "$@" >"$log" 2>&1 || status=$?
  read -r good bad < <(sed -nE 's/^.*: ([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' "$log" |
    awk '{ good += $1; bad += $2 } END { print good + 0, bad + 0 }')
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  passed=$((passed + good)) failed=$((failed + bad))
  if [ "$bad" -gt 0 ]; then cat "$log"; fi
  printf '   %d passed, %d failed, %d s\n' "$good" "$bad" $((SECONDS - start))
  [ "$bad" -eq 0 ]
}

swift_tests() {
  local status=0 results=$work/results
  swift test "${flags[@]}" --skip-build --xunit-output "$results.xml" "$@" || status=$?
  # One row of attributes a file; XCTest's has none of our tests.
  sed -nE 's/.*<testsuite .*tests="([0-9]+)" failures="([0-9]+)" skipped="([0-9]+)".*/\1 \2 \3/p' \
    "$results-swift-testing.xml" >"$work/counts"
  read -r ran bad left <"$work/counts" || return 1
  echo "swift: $((ran - bad)) passed, $bad failed"
  echo "$left" >"$work/skipped"
  grep -E '^. Test .* skipped' "$work/log" >"$work/skips" || true
  return "$status"
}

# Alone in its process, whose memory it measures; CLAT_FUZZ_SECONDS is for each reader.
fuzz() { CLAT_FUZZ_SECONDS=${CLAT_FUZZ_SECONDS:-4} swift_tests --filter FuzzTests; }

step "dependencies point one way" Tests/dependencies.sh
if step "build, warnings are errors" swift build "${flags[@]}" --build-tests; then
  step "Swift tests" swift_tests --skip FuzzTests "$@"
  skipped=$(cat "$work/skipped" 2>/dev/null || echo 0)
  cat "$work/skips" 2>/dev/null
  if [ $# -eq 0 ]; then step "fuzzed readers" fuzz; fi
  step "a package of one's own" Tests/template.sh "${flags[@]}"
fi
step "the DSL type-checks quickly" Tests/typecheck.sh
step "kernels" Kernels/tests/run.sh
step "kernels, address and undefined behaviour sanitizers" \
  Kernels/tests/run.sh -fsanitize=address,undefined
if command -v python3 >/dev/null; then
  step "benchmarks' reports" python3 Benchmarks/test_report.py
fi
printf '%d passed, %d failed, %d skipped, %d s\n' "$passed" "$failed" "$skipped" "$SECONDS"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
