"""`scripts/install-chromium.sh`: a browser where there is none, or plain words."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAYS_HOW_IT_WAS_CALLED = '#!/bin/sh\necho "$(basename "$0") $@" >&2\n'
FAILS = "#!/bin/sh\nexit 1\n"
SUDO = '#!/bin/sh\nif [ "$1" = -n ]; then exit 0; fi\necho "sudo $@" >&2\n'


@pytest.fixture
def install(tmp_path):
    """Run the script as that user, with nothing on the PATH but these."""

    def run(user_id, **commands):
        for name, text in {"id": f"#!/bin/sh\necho {user_id}\n", **commands}.items():
            path = tmp_path / name.replace("_", "-")
            path.write_text(text)
            path.chmod(0o755)
        (tmp_path / "basename").symlink_to("/usr/bin/basename")
        return subprocess.run(
            ["/bin/sh", "scripts/install-chromium.sh"],
            cwd=ROOT,
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    return run


def test_one_that_is_there_is_left_alone(install):
    done = install(0, chromium=SAYS_HOW_IT_WAS_CALLED, apt_get=SAYS_HOW_IT_WAS_CALLED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_root_installs_it(install):
    done = install(0, apt_get=SAYS_HOW_IT_WAS_CALLED)
    assert done.stderr.splitlines() == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends chromium fonts-dejavu",
    ]


def test_others_install_it_by_sudo(install):
    done = install(1000, apt_get=SAYS_HOW_IT_WAS_CALLED, sudo=SUDO)
    assert "sudo apt-get install -y -qq" in done.stderr


@pytest.mark.parametrize(
    ("user_id", "commands", "why"),
    [
        (0, {}, "no apt-get"),
        (1000, {"apt_get": SAYS_HOW_IT_WAS_CALLED}, "needs root, or sudo"),
        (1000, {"apt_get": SAYS_HOW_IT_WAS_CALLED, "sudo": FAILS}, "needs root, or sudo"),
        (0, {"apt_get": FAILS}, "could not install it"),
    ],
)
def test_where_it_cannot_be_installed_that_is_said_and_the_other_tests_run(
    install, user_id, commands, why
):
    done = install(user_id, **commands)
    assert done.returncode == 0
    assert "NO CHROMIUM" in done.stderr
    assert why in done.stderr
