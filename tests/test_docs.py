"""The documentation says what the code does: no more, no less."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver
from prometheus_client import REGISTRY
from pydantic_core import PydanticUndefined

from inference import metrics
from inference.engine.errors import EngineError
from inference.failures import ENGINE_ERRORS
from llmsite.config import Config
from llmsite.sections import Section

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
API = (ROOT / "docs/api.md").read_text()
CHAT = (ROOT / "docs/chat.md").read_text()
TRACKED = [
    p for p in ROOT.glob("*") if p.suffix in {".lock", ".toml", ".md"} or p.name == "Makefile"
]


OUR_APPS = ("accounts", "inference", "chat")


def settings_rows() -> Iterator[str]:
    """The table's lines, from the code."""
    for name, field in Config.model_fields.items():
        if isinstance(field.default, Section):
            for key, inner in type(field.default).model_fields.items():
                yield row(f"{name}.{key}", inner)
        else:
            yield row(name, field)


def row(key, field):
    default = "" if field.default is PydanticUndefined else shown(field.default)
    return f"| `{key}` | {default} | {field.description} |"


def shown(value):
    if value is None or value == "":
        return "unset"
    return f"`{str(value).lower() if value in (True, False) else value}`"


def routes(resolver=None, prefix="") -> Iterator[str]:
    for pattern in (resolver or get_resolver()).url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver) and path not in ("admin/", "accounts/"):
            yield from routes(pattern, path)
        elif isinstance(pattern, URLPattern) and not path.startswith("^"):
            yield "/" + path.replace("<any:name>", "{model}").replace(
                "<str:session_id>", "{id}"
            ).replace("<str:slug>", "{id}").replace("<uuid:receipt>", "{id}").replace(
                "<str:response_id>", "{id}"
            )


def subclasses(cls):
    return {cls} | {c for sub in cls.__subclasses__() for c in subclasses(sub)}


@pytest.mark.parametrize("line", list(settings_rows()))
def test_every_setting_is_in_the_readme_as_the_code_has_it(line):
    assert line in README


def test_the_readme_names_no_setting_that_does_not_exist():
    documented = re.findall(r"^\| `([\w.]+)` \| .* \| .* \|$", README, re.MULTILINE)
    known = [line.split("`")[1] for line in settings_rows()]
    assert documented == known


def test_the_example_file_in_the_readme_is_a_valid_configuration():
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    Config.model_validate(tomllib.loads(example))


@pytest.mark.parametrize("route", sorted(set(routes())))
def test_every_endpoint_is_documented(route):
    assert re.search(rf"`((GET|POST) )?{re.escape(route)}`", API + OPERATIONS + CHAT)


def test_every_documented_endpoint_exists():
    documented = set(re.findall(r"`(?:GET|POST) (/[^`]*)`", API + OPERATIONS))
    assert documented <= set(routes())


@pytest.mark.parametrize("command", [c for c, app in get_commands().items() if app in OUR_APPS])
def test_every_command_is_documented(command):
    assert f"`manage.py {command}" in OPERATIONS


def test_exactly_our_metrics_are_documented():
    documented = set(re.findall(r"^\| `(\w+)` \|", OPERATIONS, re.MULTILINE))
    ours = {m.name for m in REGISTRY.collect() if m.name.startswith(OURS)}
    counters = {name for name, m in vars(metrics).items() if isinstance(m, metrics.Counter)}
    names = {getattr(metrics, c)._name + "_total" for c in counters}
    assert documented == {n for n in ours if n + "_total" not in names} | names


OURS = (
    *("llmsite_", "chat_", "completions_", "health_check_", "readiness_check_"),
    *("models_list_", "model_info_", "history_"),
)


@pytest.mark.parametrize(
    "code", sorted({e.code for e in subclasses(EngineError)} - {"engine_error", "decode_failed"})
)
def test_every_engine_error_has_its_line_in_the_table(code):
    assert code in ENGINE_ERRORS


@pytest.mark.parametrize("code", sorted({code for _, _, code in ENGINE_ERRORS.values()}))
def test_every_error_code_is_documented(code):
    assert f"`{code}`" in API


@pytest.mark.parametrize("path", TRACKED, ids=lambda p: p.name)
def test_no_file_names_a_package_index_or_a_path_of_one_machine(path):
    text = path.read_text()
    assert not re.search(
        r"--(extra-)?index-url|pythonhosted|pypi\.org|/work/|/root/|/home/\w", text
    )
