"""What `make` hands to the service."""

import os
import subprocess

import pytest

from tests.conftest import ROOT

SHOW = "show: ; @echo $$LLMSITE_SERVER__HOST $$LLMSITE_SERVER__PORT"


def told(*arguments, **environment):
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LLMSITE_", "MAKE"))}
    command = ["make", "--no-print-directory", "--eval", SHOW, "show", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**plain, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("arguments", "environment", "hosts"),
    [
        (["HOST=0.0.0.0", "PORT=9000"], {}, ["0.0.0.0", "9000"]),
        ([], {}, []),
        ([], {"HOST": "my-laptop", "PORT": "1"}, []),
    ],
)
def test_an_address_is_given_on_the_command_line_only(arguments, environment, hosts):
    assert told(*arguments, **environment) == hosts
