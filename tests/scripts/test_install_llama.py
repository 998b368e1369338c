"""`scripts/install-llama.sh`: which build of llama.cpp a DEVICE asks for."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = """#!/bin/sh
echo "CMAKE_ARGS=$CMAKE_ARGS"
echo "$@"
for last; do :; done
cat "$last"
"""


@pytest.fixture
def install(tmp_path):
    """Run the script with a pip that only tells how it was called, and these on the PATH."""

    def make(name, text="#!/bin/sh\n"):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)

    def run(device, *commands, **environment):
        make("pip", PIP)
        for command in commands:
            make(command)
        path = f"{tmp_path}:/usr/bin:/bin"
        return subprocess.run(
            ["sh", "scripts/install-llama.sh"],
            cwd=ROOT,
            env={"PATH": path, "DEVICE": device, "BIN": str(tmp_path), **environment},
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize(
    ("device", "commands", "flags"),
    [
        ("auto", ["nvcc", "nvidia-smi"], "-DGGML_CUDA=on"),
        ("cuda", ["nvcc"], "-DGGML_CUDA=on"),
        ("metal", [], "-DGGML_METAL=on"),
        ("cpu", [], "-DGGML_METAL=off"),
    ],
)
def test_a_device_chooses_the_flags_and_passes_pips_cache_by(install, device, commands, flags):
    done = install(device, *commands)
    assert f"CMAKE_ARGS={flags}\n" in done.stdout
    assert "--no-cache-dir" in done.stdout


@pytest.mark.skipif(os.path.exists("/usr/bin/nvidia-smi"), reason="this machine has a GPU")
def test_without_a_gpu_the_plain_build_comes_from_pips_cache(install):
    done = install("auto")
    assert "CMAKE_ARGS=\n" in done.stdout
    assert "--no-cache-dir" not in done.stdout


def test_it_installs_the_pin_with_its_hash_and_nothing_else(install):
    done = install("cpu")
    assert "--require-hashes" in done.stdout
    assert "llama-cpp-python==" in done.stdout
    assert done.stdout.count("--hash=sha256:") == done.stdout.count("==")


def test_flags_of_ones_own_are_added(install):
    assert "-DGGML_NATIVE=off" in install("cpu", LLAMA_CMAKE_ARGS="-DGGML_NATIVE=off").stdout


def test_it_says_that_compiling_takes_minutes(install):
    assert "compiled" in install("cpu").stdout


def test_an_unknown_device_is_refused(install):
    done = install("tpu")
    assert done.returncode == 2
    assert "'tpu' is none of auto, cuda, metal, cpu" in done.stderr


@pytest.mark.skipif(os.path.exists("/usr/bin/nvcc"), reason="this machine has the CUDA toolkit")
def test_cuda_without_its_compiler_is_refused(install):
    done = install("cuda")
    assert done.returncode == 2
    assert "nvcc" in done.stderr
