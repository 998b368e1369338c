"""The import rules of the README's "Architecture" section, enforced."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400

# A package or module: the first-party ones it may import, besides itself. The longest
# name that fits a file or an import is its owner; what is not named here is forbidden.
FILES = {"inference.gguf_file", "inference.sources"}
RULES: dict[str, set[str]] = {
    "accounts": set(),
    "inference.engine": set(),
    "inference.models": set(),
    "inference.metrics": set(),
    "inference.thinking": set(),
    "inference.tools": set(),
    "inference.gguf_header": set(),
    "inference.gguf_file": {"inference.gguf_header"},
    "inference.sources": {"inference.gguf_file"},
    "inference.registry": {"inference.models", *FILES},
    "inference.auditing": {"accounts", "inference.models", "inference.sources"},
    "inference.fetching": {"inference.models", "inference.registry", *FILES},
    "inference.operating": {
        *("accounts", "inference.models", "inference.runtime", "inference.registry"),
        *("inference.auditing", "inference.fetching", *FILES),
    },
    "inference.questions": {
        *("inference.models", "inference.runtime", "inference.engine", "inference.specs"),
    },
    "inference.tasks": {"inference.models", "inference.engine"},
    "inference.specs": {"inference.models", "inference.engine"},
    "inference.shelf": {"inference.models", "inference.engine", "inference.specs"},
    "inference.runtime": {
        *("inference.models", "inference.engine", "inference.metrics", "inference.tasks"),
        *("inference.specs", "inference.shelf"),
    },
    "inference.embedding": {
        *("inference.models", "inference.engine", "inference.metrics", "inference.tasks"),
        *("inference.shelf", "inference.runtime"),
    },
    "inference.receipts": {
        *("inference.models", "inference.engine", "inference.specs", "inference.runtime"),
    },
    "inference.forgetting": {"accounts", "inference.engine"},
    "inference.guards": {"accounts"},
    "inference.failures": {"accounts", "inference.runtime"},
    "inference.recording": {"inference.metrics", "inference.runtime"},
    "inference.validation": {"inference.runtime"},
    "inference.admission": {
        *("accounts", "inference.models", "inference.runtime", "inference.embedding"),
        *("inference.guards", "inference.validation", "inference.receipts"),
    },
    "inference.server": {"accounts", "inference.runtime", "inference.admission"},
    "inference.api": {
        *("accounts", "inference.models", "inference.runtime", "inference.admission"),
        *("inference.questions", "inference.thinking", "inference.tools"),
        *("inference.metrics", "inference.failures"),
        *("inference.recording", "inference.operating"),
    },
    "inference": {
        *("accounts", "inference.models", "inference.runtime", "inference.metrics"),
        *("inference.registry", "inference.server", "inference.validation", *FILES),
        *("inference.auditing", "inference.fetching", "inference.operating"),
        *("inference.receipts", "inference.forgetting"),
    },
    "chat.markdown": set(),
    "chat": {
        *("chat.markdown", "inference.thinking", "inference.tools"),
        *("accounts", "inference.runtime", "inference.admission"),
        *("inference.failures", "inference.recording"),
    },
    "chat.api": {
        *("chat", "accounts", "inference.api", "inference.runtime", "inference.admission"),
        *("inference.metrics", "inference.recording", "inference.models", "inference.failures"),
    },
}
RULES["llmsite"] = {*RULES}  # the wiring
PACKAGES = sorted({name.split(".")[0] for name in RULES})

# Inside the engine a module imports only from names to its left.
ENGINE_LAYERS = [
    *("errors", "native", "machine", "config", "grammar", "sampling", "template", "text"),
    *("logprobs", "scores", "stats", "image", "span"),
    *("progress", "probe_model", "probe", "lookup", "guesses", "radix", "thoughts", "request"),
    *("kvcache", "fairness", "tempo", "waiting", "lanes", "speculation", "scheduler", "pace"),
    "reporter",
    *(
        "turns",
        "embedding",
        "rota",
        "seats",
        "lines",
        "upkeep",
        "snapshot_file",
        "snapshot_disk",
        "snapshots",
    ),
    *("compiler", "backend", "bytewise", "fake_draft", "fake", "fake_embed", "archive"),
    *("llama", "wire", "album", "pieces", "preamble", "prompt"),
    *(
        "inputs",
        "intake",
        "speech",
        "engine",
        "embedder",
        "child",
        "bell",
        "stream",
        "vectors",
        "counts",
    ),
    *("environment", "frame", "host", "managed", "pool", "__init__"),
]
LLAMA_LAYERS = [
    *(
        "library",
        "adapters",
        "batch",
        "candidates",
        "ranking",
        "sampler",
        "attached",
        "state",
        "seams",
        "vocabulary",
        "loading",
        "eyes",
        "drafting",
        "backend",
        "embedding",
        "__init__",
    ),
]

# What the engine's two processes share; beyond these, each knows only its own half.
SHARED = {
    *("errors", "machine", "config", "grammar", "sampling", "text", "logprobs", "scores"),
    *("stats", "image", "span", "progress", "radix", "thoughts", "request", "embedding"),
    *("upkeep", "wire"),
}
WEB_HALF = {
    *("bell", "stream", "vectors", "counts", "environment", "frame", "host", "managed", "pool"),
    "__init__",
}
CHILD_HALF = {*ENGINE_LAYERS} - SHARED - WEB_HALF

ENGINE_LIBRARIES = {"gguf", "jinja2", "llama_cpp", "llguidance", "msgspec", "numpy", "psutil"}
# All that policy needs: no clock, no thread, no log.
PURE = {"collections", "dataclasses", "heapq", "itertools", "math", "operator", "types", "typing"}
LLAMA_CPP_USERS = ("inference.engine.llama.", "inference.engine.probe")


def path_of(module):
    return ROOT / f"{module.replace('.', '/')}.py"


def is_module(name):
    return path_of(name).is_file() or path_of(f"{name}.__init__").is_file()


def file_of(name):
    """The module's name as a file's: packages are their `__init__`."""
    return name if path_of(name).is_file() else f"{name}.__init__"


def modules_in(*packages):
    files = sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files
        if "migrations" not in path.parts
    ]


def imports(module):
    """Everything the file imports, wherever in it, as full dotted names."""
    for node in ast.walk(ast.parse(path_of(module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            base += [node.module] if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def imported_files(module):
    """The first-party files that it imports from."""
    names = (name for name in imports(module) if inside_any(name, PACKAGES))
    return {file_of(name if is_module(name) else name.rpartition(".")[0]) for name in names}


def libraries(module):
    """Top-level names of what it imports that is not ours."""
    return {name.split(".")[0] for name in imports(module)} - {*PACKAGES}


def inside(name, package):
    return name == package or name.startswith(package + ".")


def inside_any(name, packages):
    return any(inside(name, package) for package in packages)


def owner(name):
    return max((rule for rule in RULES if inside(name, rule)), key=len, default=None)


def layers(module, package):
    """The modules of that package, or its packages, that it imports."""
    depth = package.count(".") + 1
    files = (file for file in imported_files(module) if inside(file, package))
    return {file.split(".")[depth] for file in files}


MODULES = modules_in(*PACKAGES)
ENGINE = modules_in("inference/engine")
LLAMA = modules_in("inference/engine/llama")


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_the_allowed_way(module):
    mine = owner(module)

    for target in imports(module):
        assert owner(target) in {None, mine, *RULES[mine]}, f"{module} imports {target}"


@pytest.mark.parametrize("package", ["inference.engine", "inference.registry", "inference.tools"])
def test_packages_with_a_face_are_used_through_it(package):
    outside = [module for module in MODULES if not inside(module, package)]
    used = {file for module in outside for file in imported_files(module) if inside(file, package)}

    assert used == {f"{package}.__init__"}


def test_nothing_imports_what_imports_it():
    order = TopologicalSorter({module: imported_files(module) - {module} for module in MODULES})

    order.prepare()  # raises a CycleError that names the modules


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_too_long_to_be_one_thing(module):
    assert len(path_of(module).read_text().splitlines()) <= MAX_LINES


# The engine


@pytest.mark.parametrize("module", ENGINE)
def test_engine_modules_import_only_lower_layers(module):
    layer = module.split(".")[2]
    lower = ENGINE_LAYERS[: ENGINE_LAYERS.index(layer)]

    assert layers(module, "inference.engine") - {layer} <= {*lower}


@pytest.mark.parametrize("module", LLAMA)
def test_llama_modules_import_only_lower_layers(module):
    lower = LLAMA_LAYERS[: LLAMA_LAYERS.index(module.split(".")[3])]

    assert layers(module, "inference.engine.llama") <= {*lower}


@pytest.mark.parametrize("module", ENGINE)
def test_the_engines_two_processes_know_each_other_by_messages_only(module):
    layer, known = module.split(".")[2], layers(module, "inference.engine")

    assert layer not in WEB_HALF or not known & CHILD_HALF
    assert layer not in CHILD_HALF or not known & WEB_HALF


@pytest.mark.parametrize("module", ENGINE)
def test_the_engine_needs_few_libraries(module):
    assert libraries(module) <= sys.stdlib_module_names | ENGINE_LIBRARIES


@pytest.mark.parametrize(
    "module",
    [
        *("scheduler", "kvcache", "radix", "fairness", "tempo", "waiting", "lanes"),
        *("pace", "reporter", "turns", "rota", "lookup", "guesses", "speculation"),
    ],
)
def test_policy_is_pure(module):
    assert libraries(f"inference.engine.{module}") <= PURE


@pytest.mark.parametrize("module", MODULES)
def test_only_the_llama_backend_imports_llama_cpp(module):
    assert "llama_cpp" not in libraries(module) or module.startswith(LLAMA_CPP_USERS)


def run(code):
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_the_engine_runs_without_django():
    done = run("import sys; sys.modules['django'] = None; import inference.engine.child")

    assert done.returncode == 0, done.stderr


def test_the_web_process_does_not_load_llama_cpp():
    done = run("import sys, inference.engine.child; sys.exit('llama_cpp' in sys.modules)")

    assert done.returncode == 0, done.stderr


# The rules themselves


def test_every_module_has_a_rule():
    assert {owner(module) for module in MODULES} == {*RULES}


def test_rules_and_layers_name_what_there_is():
    named = {*RULES, *(target for targets in RULES.values() for target in targets)}

    assert all(is_module(name) for name in named)
    assert {module.split(".")[2] for module in ENGINE} == {*ENGINE_LAYERS}
    assert {module.split(".")[3] for module in LLAMA} == {*LLAMA_LAYERS}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("inference.runtime", "inference.engine.EnginePool"),
        ("inference.engine.pool", "inference.engine.host.EngineHost"),
        ("inference.engine.llama.backend", "inference.engine.request.Sequence"),
        ("inference.engine.child", "inference.engine.llama.LlamaBackend"),  # in a function
        ("inference.engine.probe", "llama_cpp"),
    ],
)
def test_imports_of_every_kind_are_seen(module, name):
    assert name in imports(module)


def test_the_readme_lists_the_engines_layers():
    layers = " ".join(layer for layer in ENGINE_LAYERS if layer != "__init__")
    assert f"`{layers}`" in (ROOT / "README.md").read_text()
