#!/bin/sh
# Put into var/bench/gpu what a machine with an NVIDIA GPU and no network needs for run.sh.
# KIT has cudalibs.txz (llama.cpp's libraries for that GPU), make_model.py, tokenizer.json.gz.
# PYTHON_VERSION: of that machine. FULL=1: the wheels of the whole
# service, but for OMIT: what that machine has, or the service does not need there.
set -eu

kit=${1:?"usage: pack.sh KIT"}
cd "$(dirname "$0")/../.."
out=var/bench/gpu
packages="msgspec llguidance gguf diskcache"

for name in cudalibs.txz make_model.py tokenizer.json.gz; do
	[ -f "$kit/$name" ] || { echo "KIT: there is no $kit/$name" >&2; exit 2; }
done
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$kit/cudalibs.txz" "$kit/make_model.py" "$kit/tokenizer.json.gz" "$out"

site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp -L "$site/llama_cpp/lib/libmtmd.so.0" "$out"
if [ -f var/bench/llama-server/llama-server ]; then
	cp var/bench/llama-server/llama-server "$out"
else
	echo "There is no llama-server to take along (make bench-llama-server)." >&2
fi

export FULL="${FULL:-}" PACKAGES="$packages" OMIT="${OMIT:-numpy hf-xet psycopg psycopg-binary}"
export PYTHON_VERSION="${PYTHON_VERSION:-3.12}"
pins=$(.venv/bin/python bench/gpu/pins.py)
platforms=$(for tag in 2_17 2_24 2_26 2_27 2_28 2_31 2_34; do echo "--platform manylinux_${tag}_x86_64"; done)
# shellcheck disable=SC2086  # lists
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-compile --ignore-requires-python \
	--only-binary=:all: --python-version "$PYTHON_VERSION" --implementation cp $platforms \
	--platform manylinux2014_x86_64 --platform manylinux1_x86_64 --target "$work/site" $pins
cp -r "$site"/llama_cpp "$site"/llama_cpp_python-*.dist-info "$work/site"
rm -rf "$work/site/llama_cpp/lib"
tar cJf "$out/site.txz" -C "$work" --exclude=__pycache__ --exclude="*.po" site
du -sh "$out"
