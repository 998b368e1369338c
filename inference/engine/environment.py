"""What an engine's process inherits.

Not our own variables, those whose name speaks of a secret, and addresses with a password
in them: its native code reads files that strangers made.
"""

import re
from collections.abc import Mapping

OURS = re.compile(r"LLMSITE_|(DATABASE|REDIS)_URL\Z")
SECRET = re.compile(r"key|secret|token|passw|credential", re.IGNORECASE)
WITH_PASSWORD = re.compile(r"://[^/\s]*:[^/\s]*@")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not (OURS.match(name) or SECRET.search(name) or WITH_PASSWORD.search(value))
    }
