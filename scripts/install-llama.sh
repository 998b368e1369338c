#!/bin/sh
# Compile and install llama-cpp-python for $DEVICE (auto, cuda, metal, cpu) with $BIN/pip.
# The pin and its hash are those of requirements.lock.
set -eu

case "$DEVICE" in
auto)
	# llama.cpp turns Metal on by itself on a Mac.
	if command -v nvcc >/dev/null && nvidia-smi >/dev/null 2>&1; then flags="-DGGML_CUDA=on"; else flags=""; fi ;;
cuda) flags="-DGGML_CUDA=on" ;;
metal) flags="-DGGML_METAL=on" ;;
cpu) flags="-DGGML_METAL=off" ;;
*)
	echo "DEVICE: '$DEVICE' is none of auto, cuda, metal, cpu" >&2
	exit 2 ;;
esac

if [ "$DEVICE" = cuda ] && ! command -v nvcc >/dev/null; then
	echo "DEVICE: cuda needs the CUDA toolkit, and nvcc is not on the PATH" >&2
	exit 2
fi

pin=$(mktemp)
trap 'rm -f "$pin"' EXIT
sed -n '/^llama-cpp-python==/,/[^\\]$/p' requirements.lock >"$pin"
if [ -n "${LLAMA_CMAKE_ARGS:-}" ]; then flags="$flags $LLAMA_CMAKE_ARGS"; fi
# pip's cache does not know flags: with any, neither take a wheel from it nor put one in.
if [ -n "$flags" ]; then cache="--no-cache-dir"; else cache=""; fi

echo "Installing llama.cpp${flags:+ with $flags}. The first time it is compiled, for some 5 to 15 minutes."
CMAKE_ARGS="$flags" "$BIN/pip" install --disable-pip-version-check --quiet --no-deps --force-reinstall $cache --require-hashes -r "$pin"
