"""Writes the API as a collection for Postman, Bruno and the like: `make collection`."""

import json
import os
import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "docs/postman.json"


def main() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmsite.settings")
    django.setup()
    from inference.api.openapi.postman import collection
    from inference.api.openapi.views import schema

    PATH.write_text(json.dumps(collection(schema()), indent=2) + "\n")


if __name__ == "__main__":
    main()
