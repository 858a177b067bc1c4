#!/usr/bin/env bash
# Builds docs/template out of tree against this checkout, then trains its network for an epoch on the
# embedded digits and uses what it learned; prints "N passed, M failed". The arguments are flags of
# `swift build`: with those, and the build folder, of another build of this checkout, only the
# template itself is compiled.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# check TEXT COMMAND...: the command succeeds and prints the text.
check() {
  local expected=$1 output
  shift
  if output=$("$@" 2>&1) && grep -qF -- "$expected" <<<"$output"; then
    passed=$((passed + 1))
  else
    printf '%s: expected "%s" in: %s\n' "$*" "$expected" "$output" >&2
    failed=$((failed + 1))
  fi
}

cp -r "$root/docs/template" "$work/mynet"
cd "$work/mynet"
sed -i "s|path: \"../clat\"|path: \"$root\"|" Package.swift
swift build "$@"
mynet=$(swift build "$@" --show-bin-path)/mynet
check mynet "$mynet" models
check "USAGE: mynet" "$mynet" --help
check "weights: run/weights.safetensors" "$mynet" train recipe.yaml --out run \
  --set base.epochs=1 --set clat.epochs=1 --set data.limit=300 --set evaluation.count=50
check "mynet:width=8 on digits test" "$mynet" evaluate --model mynet:width=8 --weights run \
  --data digits --attack pgd --eps 0.15 --steps 2
check layer1 "$mynet" criticality --model mynet:width=8 --weights run --data digits --batch 64
check layer1 "$mynet" inspect graph --model mynet
echo "template: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
