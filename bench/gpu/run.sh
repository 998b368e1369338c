#!/bin/sh
# On a machine with an NVIDIA GPU: unpack what pack.sh has packed, write a model, measure.
# Arguments go to bench.serving. WORK: a folder with 10 GB; SHAPE: 8b or 1b; PYTHON.
set -eu

cd "$(dirname "$0")/../.."
kit=var/bench/gpu
work=${WORK:-/tmp/llmsite-bench}
python=${PYTHON:-python3}
model=$work/synthetic-${SHAPE:-8b}.gguf

for name in cudalibs.txz site.txz make_model.py tokenizer.json.gz; do
	[ -f "$kit/$name" ] || { echo "missing: $kit/$name (bench/gpu/pack.sh)" >&2; exit 2; }
done
if [ ! -d "$work/libs" ]; then
	mkdir -p "$work/libs.new"
	tar xJf "$kit/cudalibs.txz" -C "$work/libs.new"
	for library in "$work"/libs.new/*.so; do ln -sf "${library##*/}" "$library.0"; done
	cp "$kit/libmtmd.so.0" "$work/libs.new"
	tar xJf "$kit/site.txz" -C "$work"
	mv "$work/libs.new" "$work/libs"
fi
export PYTHONPATH="$work/site:$PWD${PYTHONPATH:+:$PYTHONPATH}"
export LLAMA_CPP_LIB_PATH="$work/libs"
export LD_LIBRARY_PATH="$work/libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

missing=$("$python" - <<'PYTHON'
from importlib.util import find_spec
needed = "numpy msgspec jinja2 llguidance gguf psutil llama_cpp diskcache yaml tqdm typing_extensions"
needed = needed.split()
print(*(name for name in needed if find_spec(name) is None))
PYTHON
)
[ -z "$missing" ] || { echo "missing Python packages: $missing" >&2; exit 2; }
if [ ! -f "$model" ]; then
	"$python" "$kit/make_model.py" "$model.new" "${SHAPE:-8b}" "$kit/tokenizer.json.gz"
	mv "$model.new" "$model"
fi
server=""
if [ -f "$kit/llama-server" ]; then
	cp "$kit/llama-server" "$work/llama-server"
	chmod +x "$work/llama-server"
	server="--llama-server $work/llama-server"
fi
# shellcheck disable=SC2086  # an option and its value, or nothing
exec "$python" -m bench.serving --gpu --model "$model" $server "$@"
