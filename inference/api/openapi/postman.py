"""The schema as a collection for Postman (format 2.1), which Bruno and others read, too."""

import json
import re
from collections import defaultdict
from typing import Any

from .components import Schema
from .operation import JSON

FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VARIABLES = {"url": "http://127.0.0.1:8000", "key": "unused"}
PARAMETER = re.compile(r"{(\w+)}")


def collection(schema: Schema) -> dict[str, Any]:
    """One folder for each tag, one request for each operation; `url` and `key` are variables."""
    folders: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            folders[operation["tags"][0]].append(_item(path, method, operation))
    return {
        "info": {"name": schema["info"]["title"], "schema": FORMAT},
        "auth": {"type": "bearer", "bearer": [_variable("token", "{{key}}", type="string")]},
        "variable": [_variable(name, value) for name, value in VARIABLES.items()],
        "item": [{"name": name, "item": folders[name]} for name in sorted(folders)],
    }


def _item(path: str, method: str, operation: Schema) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [_variable("Content-Type", JSON)] if "requestBody" in operation else [],
        "url": _url(path, operation.get("parameters", [])),
    }
    if "requestBody" in operation:
        example = operation["requestBody"]["content"][JSON]["example"]
        request["body"] = {"mode": "raw", "raw": json.dumps(example, indent=2)}
    if "security" not in operation:
        request["auth"] = {"type": "noauth"}
    return {"name": f"{method.upper()} {path}: {operation['summary']}", "request": request}


def _url(path: str, parameters: list[Schema]) -> dict[str, Any]:
    """With parameters of the path as Postman's own, and those of the query switched off."""
    shown = PARAMETER.sub(r":\1", path)
    query = [
        {**_variable(one["name"], str(one["schema"].get("default", ""))), "disabled": True}
        for one in parameters
        if one["in"] == "query"
    ]
    return {
        "raw": "{{url}}" + shown,
        "host": ["{{url}}"],
        "path": shown.strip("/").split("/"),
        "query": query,
        "variable": [_variable(name, "") for name in PARAMETER.findall(path)],
    }


def _variable(key: str, value: str, **more: str) -> dict[str, str]:
    return {"key": key, "value": value, **more}
