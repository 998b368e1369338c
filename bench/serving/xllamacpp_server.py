"""Runs the server of xllamacpp, whose wheel has no binary, with llama-server's flags.

Run by the rivals' own Python; it knows the flags that the comparison gives.
"""

import argparse
import signal

import xllamacpp


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--model", "--host", "--flash-attn"):
        parser.add_argument(name)
    for name in ("--port", "--ctx-size", "--parallel", "--threads", "--threads-batch"):
        parser.add_argument(name, type=int)
    for name in ("--batch-size", "--ubatch-size", "--cache-ram"):
        parser.add_argument(name, type=int)
    parser.add_argument("--n-gpu-layers", type=int, default=0)
    parser.add_argument("--cache-reuse", type=int, default=0)
    parser.add_argument("--kv-unified", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--no-repack", action="store_true")
    parser.add_argument("-bs", "--backend-sampling", action="store_true")
    return parser.parse_args()


def params_of(asked: argparse.Namespace) -> "xllamacpp.CommonParams":
    params = xllamacpp.CommonParams()
    params.model.path = asked.model
    params.hostnames, params.port = [asked.host], asked.port
    params.n_ctx, params.n_parallel = asked.ctx_size, asked.parallel
    params.cpuparams.n_threads = asked.threads
    params.cpuparams_batch.n_threads = asked.threads_batch
    params.n_batch, params.n_ubatch = asked.batch_size, asked.ubatch_size
    params.kv_unified, params.cache_ram_mib = asked.kv_unified, asked.cache_ram
    params.n_cache_reuse = asked.cache_reuse
    params.no_extra_bufts = asked.no_repack
    params.n_gpu_layers = asked.n_gpu_layers
    params.sampling.backend_sampling = asked.backend_sampling
    params.ui = False
    return params


if __name__ == "__main__":
    server = xllamacpp.Server(params_of(options()))
    print(server.listening_address, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
