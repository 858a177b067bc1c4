#!/usr/bin/env bash
# Checks that no expression or function body of the DSL and its networks takes the type checker over 200 ms;
# prints "N passed, M failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
flags=()
for limit in -warn-long-expression-type-checking=200 -warn-long-function-bodies=200; do
  flags+=(-Xswiftc -Xfrontend -Xswiftc "$limit")
done
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The compiler only reports what it compiles.
rm -rf .build/typecheck
swift build --target Models --scratch-path .build/typecheck "${flags[@]}" >"$log" 2>&1 ||
  { cat "$log"; exit 1; }
slow=$(grep -E 'Sources/Models/.*warning: .* took [0-9]+ms to type-check' "$log" | sort -u || true)
if [ -n "$slow" ]; then
  printf '%s\n' "$slow"
  echo "type-checking: 0 passed, $(wc -l <<<"$slow") failed"
  exit 1
fi
echo "type-checking: 1 passed, 0 failed"
