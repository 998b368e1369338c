#!/bin/sh
# Compile llama-server (some 8 minutes of CPU time) into var/bench/llama-server.
# BIN has the Python whose llama_cpp it is linked to, PIN names the sources' package.
# LIBS=folder links to other libraries of the same version, such as those for a GPU.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../var/bench/llama-server
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

libs=${LIBS:-$("$BIN/python" -c 'import importlib.util as u; print(u.find_spec("llama_cpp").submodule_search_locations[0])')/lib}
echo "Fetching the sources of $PIN."
if [ -z "${SDIST:-}" ]; then
	"$BIN/pip" download --quiet --disable-pip-version-check --no-deps \
		--no-binary llama-cpp-python -d "$work" "$PIN"
	SDIST=$(echo "$work"/llama_cpp_python-*.tar.gz)
fi
tar xzf "$SDIST" -C "$work"
sources=$(echo "$work"/llama_cpp_python-*/vendor/llama.cpp)

mkdir -p "$out"
cmake -S "$here" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DSOURCES="$sources" -DLIBS="$libs"
cmake --build "$work/build" -j "${JOBS:-$(nproc)}"
cp "$work/build/llama-server" "$out/llama-server"
echo "Made $out/llama-server."
