#!/bin/sh
# Run every fuzz target of the project for a while: test/fuzz.sh [time each]
set -eu
time=${1:-3s}
grep -rln --include='*_test.go' '^func Fuzz' internal examples | xargs -n1 dirname | sort -u | while read -r dir; do
	for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d' ' -f2); do
		echo "fuzz $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$dir"
	done
done
