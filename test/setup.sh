#!/bin/sh
# Install what the tests need: a PostgreSQL server, an LDAP server, Chromium, clients of S3, and a C compiler for the race
# detector. On Debian or Ubuntu as root it installs them; elsewhere it says what is missing. The AWS CLI, boto3, Terraform and
# Node.js 20 with npm are used when they are there; the tests that want them say so when they are not (and fail when CI=true).
set -eu

missing=""
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1 || missing="$missing postgresql"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
test -x /usr/sbin/slapd || command -v slapd >/dev/null 2>&1 || missing="$missing slapd"
for client in rclone s3cmd restic; do
	command -v $client >/dev/null 2>&1 || missing="$missing $client"
done
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"

# Two S3 servers of somebody else's, as peers of the tests of backends. They are built as programs of their own, so that
# nothing of theirs joins this module; CI keeps the build cache.
peer() {
	test -x "$(go env GOPATH)/bin/$(basename "$1")" && return
	echo "building: $1@$2"
	CGO_ENABLED=0 GOFLAGS=-trimpath go install "$1@$2" || {
		echo "The tests of backends need $1@$2, which could not be built."
		[ "${CI:-}" != true ] || exit 1
	}
}
peer github.com/versity/versitygw/cmd/versitygw v1.8.0
peer github.com/rclone/rclone v1.75.1

[ -n "$missing" ] || exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of packages
	apt-get install -y -qq --no-install-recommends $missing >/dev/null
	exit 0
fi
echo "The tests need these Debian packages or their like:$missing"
echo "Install them and run make test again."
[ "${CI:-}" != true ] || exit 1
