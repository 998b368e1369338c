#!/bin/sh
# Install Debian's chromium for the tests in tests/browser, unless it is there; it brings fonts.
set -eu

if command -v chromium >/dev/null; then exit 0; fi

give_up() {
	echo "NO CHROMIUM: $1. Pages are not tried in a browser; install chromium yourself, and run this again." >&2
	exit 0
}

command -v apt-get >/dev/null || give_up "this system has no apt-get"
if [ "$(id -u)" = 0 ]; then as_root=""
elif sudo -n true 2>/dev/null; then as_root="sudo"
else give_up "installing it needs root, or sudo without a password"; fi

echo "Installing chromium and its fonts."
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu >/dev/null ||
	give_up "apt-get could not install it"
