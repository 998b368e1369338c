"""What `docker/` says fits the code, and leaves nothing open. No Docker is needed."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from django_prometheus.middleware import PrometheusBeforeMiddleware
from prometheus_client import REGISTRY

from inference import metrics
from llmsite.config import FILE_VARIABLE, PREFIX, Config, load_config
from llmsite.sections import Section

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
FILES = [p for p in DOCKER.rglob("*") if p.is_file() and not p.name.endswith(".env")]
FILES.append(ROOT / ".dockerignore")
DOCKERFILES = ["Dockerfile", "Dockerfile.cuda"]
COMPOSE_FILES = ["compose.yaml", "compose.cuda.yaml"]
DASHBOARD = json.loads((DOCKER / "grafana/llmsite.json").read_text())
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
}
PROMQL = {"histogram_quantile", "label_values", "__name__"}
SECRET = "a-secret-of-more-than-16-characters"


def filled(value: object) -> str:
    """What Compose makes of `${NAME:-default}` and `${NAME:?message}`."""
    text = re.sub(r"\$\{\w+:\?[^}]*\}", SECRET, str(value))
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def compose(name="compose.yaml"):
    return yaml.safe_load((DOCKER / name).read_text())


def services() -> list[tuple[str, dict]]:
    return [item for file in COMPOSE_FILES for item in compose(file)["services"].items()]


def last_stage(name: str) -> dict[str, str]:
    """The instructions of the image itself; of several of a kind, the last."""
    text = re.sub(r"^#.*\n", "", (DOCKER / name).read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").rpartition("\nFROM ")[2].splitlines()
    return dict(line.strip().partition(" ")[::2] for line in lines[1:] if line)


def panels() -> list[dict]:
    return [p for p in DASHBOARD["panels"] if p["type"] != "row"]


def queries() -> list[str]:
    variables = [v["query"]["query"] for v in DASHBOARD["templating"]["list"]]
    return variables + [t["expr"] for p in panels() for t in p["targets"]]


def exported() -> set[str]:
    """Names of everything that `/metrics` may show."""
    PrometheusBeforeMiddleware(lambda request: None)  # makes django-prometheus' metrics
    families = list(REGISTRY.collect())
    assert {name for name, _ in metrics.EngineCollector.FAMILIES} <= {f.name for f in families}
    return {f.name + suffix for f in families for suffix in SUFFIXES.get(f.type, ())}


def known_variables() -> set[str]:
    sections = {n: f.default for n, f in Config.model_fields.items()}
    inner = {
        f"{PREFIX}{n}__{key}".upper()
        for n, section in sections.items()
        if isinstance(section, Section)
        for key in type(section).model_fields
    }
    return inner | {f"{PREFIX}{n}".upper() for n in sections} | {FILE_VARIABLE}


# --- Compose


@pytest.mark.parametrize(("name", "service"), services())
def test_no_service_has_more_of_the_host_than_it_needs(name, service):
    forbidden = {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"}
    assert not forbidden & set(service)
    assert "docker.sock" not in str(service)


@pytest.mark.parametrize(("name", "service"), list(compose()["services"].items()))
def test_no_service_can_gain_privileges(name, service):
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize(("name", "service"), services())
def test_ports_are_published_on_loopback_unless_told_otherwise(name, service):
    assert all(filled(port).startswith("127.0.0.1:") for port in service.get("ports", []))


def test_only_llmsite_and_grafana_publish_ports():
    assert {name for name, service in services() if "ports" in service} == {"llmsite", "grafana"}


def test_the_other_services_are_on_a_network_without_a_way_out():
    inner = {n for n, s in compose()["services"].items() if s["networks"] == ["inside"]}
    assert inner == {"postgres", "redis", "prometheus"}
    assert compose()["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", ["postgres", "redis", "prometheus", "grafana"])
def test_every_service_of_another_image_has_a_healthcheck(name):
    assert compose()["services"][name]["healthcheck"]["test"]


def test_llmsite_waits_for_healthy_servers():
    needs = compose()["services"]["llmsite"]["depends_on"]
    assert needs == {n: {"condition": "service_healthy"} for n in ("postgres", "redis")}


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_secrets_have_no_default(name):
    used = re.findall(r"\$\{(\w+)(:.)?", (DOCKER / name).read_text())
    secrets = {(n, how) for n, how in used if re.search("KEY|PASSWORD|SECRET|TOKEN", n)}
    assert {how for _, how in secrets} <= {":?"}


def test_the_example_leaves_empty_exactly_what_is_required():
    text = (DOCKER / "compose.yaml").read_text()
    empty = re.findall(r"^(\w+)=$", (DOCKER / ".env.example").read_text(), re.MULTILINE)
    assert set(empty) == set(re.findall(r"\$\{(\w+):\?", text))


def test_the_example_shows_every_other_variable_with_its_default():
    shown = re.findall(r"^#(\w+)=(.*)$", (DOCKER / ".env.example").read_text(), re.MULTILINE)
    text = "".join((DOCKER / name).read_text() for name in COMPOSE_FILES)
    assert set(shown) == set(re.findall(r"\$\{(\w+):-([^}]*)\}", text))


def test_the_service_accepts_its_environment_and_asks_for_keys(monkeypatch):
    for name, value in compose()["services"]["llmsite"]["environment"].items():
        monkeypatch.setenv(name, filled(value))
    config = load_config()
    assert config.server.host == "0.0.0.0"
    assert config.security.enable_auth
    assert [k.get_secret_value() for k in config.security.api_keys] == [SECRET]
    assert config.security.metrics_token.get_secret_value() == SECRET
    assert not config.security.i_understand_anyone_can_use_this


def test_stopping_takes_no_longer_than_it_may():
    grace = compose()["services"]["llmsite"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > load_config().server.drain_seconds + 5


def test_every_mounted_file_exists():
    mounts = [m for _, s in services() for m in s.get("volumes", []) if m.startswith("./")]
    assert mounts
    assert all((DOCKER / mount.partition(":")[0]).is_file() for mount in mounts)


def test_every_named_volume_is_declared():
    mounts = [m.partition(":")[0] for _, s in services() for m in s.get("volumes", [])]
    assert {m for m in mounts if not m.startswith(".")} == set(compose()["volumes"])


# --- Prometheus and Grafana


def test_prometheus_sends_the_token_that_llmsite_wants():
    (job,) = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    (secret,) = compose()["services"]["prometheus"]["secrets"]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    variable = compose()["secrets"][secret]["environment"]
    environment = compose()["services"]["llmsite"]["environment"]
    assert environment["LLMSITE_SECURITY__METRICS_TOKEN"].startswith(f"${{{variable}:?")


def test_prometheus_scrapes_a_host_that_llmsite_answers_to():
    (job,) = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    environment = compose()["services"]["llmsite"]["environment"]
    host, port = job["static_configs"][0]["targets"][0].split(":")
    assert host in json.loads(filled(environment["LLMSITE_SERVER__ALLOWED_HOSTS"]))
    assert port == environment["LLMSITE_SERVER__PORT"]


@pytest.mark.parametrize("query", queries())
def test_every_metric_of_the_dashboard_exists(query):
    words = set(re.findall(r"\b\w*_\w+", re.sub(r"\$\w+", "", query))) - PROMQL
    assert words
    assert words <= exported()


@pytest.mark.parametrize("panel", panels(), ids=lambda p: p["title"])
def test_every_panel_has_a_unit_a_legend_and_the_provisioned_source(panel):
    (source,) = yaml.safe_load((DOCKER / "grafana/datasource.yaml").read_text())["datasources"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(target["legendFormat"] for target in panel["targets"])
    assert {t["datasource"]["uid"] for t in panel["targets"]} == {source["uid"]}


def test_grafana_finds_the_dashboard_where_it_is_mounted():
    (provider,) = yaml.safe_load((DOCKER / "grafana/dashboards.yaml").read_text())["providers"]
    mounts = compose()["services"]["grafana"]["volumes"]
    assert f"./grafana/llmsite.json:{provider['options']['path']}/llmsite.json:ro" in mounts


# --- images


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_as_a_numbered_user_other_than_root(name):
    user, group = last_stage(name)["USER"].split(":")
    assert int(user) > 0
    assert int(group) > 0


@pytest.mark.parametrize("name", DOCKERFILES)
def test_signals_reach_the_server_itself(name):
    image = last_stage(name)
    assert json.loads(image["ENTRYPOINT"]) == ["python", "manage.py"]
    assert json.loads(image["CMD"]) == ["serve"]
    assert image["STOPSIGNAL"] == "SIGTERM"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_state_is_kept_in_the_volume(name):
    image = last_stage(name)
    assert f"LLMSITE_DATA_DIR={image['VOLUME']}" in image["ENV"].split()


@pytest.mark.parametrize("name", DOCKERFILES)
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_healthcheck_asks_health(name, status, code):
    command = json.loads(last_stage(name)["HEALTHCHECK"].partition("CMD ")[2])
    with answering(status) as (port, paths):
        assert exit_code(command, port) == code
    assert paths == ["/health"]


def test_a_server_that_is_away_is_not_healthy():
    command = json.loads(last_stage("Dockerfile")["HEALTHCHECK"].partition("CMD ")[2])
    with answering(200) as (port, _):
        pass
    assert exit_code(command, port) == 1


def exit_code(command: list[str], port: int) -> int:
    environment = {"LLMSITE_SERVER__PORT": str(port)}
    return subprocess.run(
        [sys.executable, *command[1:]], env=environment, capture_output=True, check=False
    ).returncode


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server that answers everything with one status: its port, and the paths asked."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, paths
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_build_is_not_tied_to_the_machine_it_runs_on(name):
    (flags,) = re.findall(r'^ARG LLAMA_CMAKE_ARGS="(.*)"$', (DOCKER / name).read_text(), re.M)
    on = {f"-DGGML_{feature}=ON" for feature in ("AVX2", "FMA", "F16C")}
    assert {"-DGGML_NATIVE=OFF", *on} <= set(flags.split())


@pytest.mark.parametrize("name", DOCKERFILES)
def test_everything_installed_is_checked_against_the_lock(name):
    text = (DOCKER / name).read_text().replace("\\\n", "")
    installs = re.findall(r"pip install.*", text)
    assert installs
    assert all("--require-hashes -r requirements.lock" in line for line in installs)
    assert "sh scripts/install-llama.sh" in text


def test_only_what_runs_reaches_the_builder():
    first, *rules = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"
    ]
    apps = {"accounts", "chat", "inference", "llmsite", "locale", "static", "templates"}
    others = {"LICENSE", "manage.py", "requirements.lock", "scripts"}
    assert first == "*"
    assert {r[1:] for r in rules if r.startswith("!")} == apps | others
    assert {"**/.*", "**/__pycache__"} <= set(rules[len(apps | others) :])


# --- all files


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_setting_that_is_named_exists(path):
    assert set(re.findall(r"\bLLMSITE_\w+", path.read_text())) <= known_variables()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_no_file_names_a_package_index_or_a_path_of_one_machine(path):
    index = r"index-url|index_url|pythonhosted|pypi\.|registry\."
    assert not re.search(rf"{index}|/work/|/root/|/home/\w", path.read_text(), re.IGNORECASE)
