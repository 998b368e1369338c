"""Pydantic's models as components of the schema, all of them at once, so that names fit."""

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

REF = "#/components/schemas/"
Schema = dict[str, Any]

# What a reference has for a name until all models are known.
_models: dict[str, type[BaseModel]] = {}
_bodies: set[type[BaseModel]] = set()


def reference(model: type[BaseModel], *, is_body: bool = False) -> Schema:
    """To the component that `with_components` will make of it."""
    key = f"{model.__module__}:{model.__qualname__}"
    _models[key] = model
    if is_body:
        _bodies.add(model)
    return {"$ref": REF + key}


def with_components(result: Schema, **_: Any) -> Schema:
    """A hook of drf-spectacular: the models that have been referred to, and all they need."""
    wanted = sorted(_models.items())
    inputs: Any = [(model, "validation") for _, model in wanted]
    refs, schemas = models_json_schema(inputs, ref_template=REF + "{model}")
    parts = schemas.get("$defs", {})
    names = {name: short_name(name) for name in parts}
    for key, model in wanted:
        name = refs[model, "validation"]["$ref"].removeprefix(REF)
        names[key] = names[name]
        if model in _bodies:
            parts[name] = _nullable(parts[name])
    result["components"]["schemas"] = {
        names[name]: _renamed(_untitled(parts[name]), names)
        for name in sorted(parts, key=lambda part: names[part])
    }
    return {**result, "paths": _renamed(result["paths"], names)}


def short_name(name: str) -> str:
    """Models of one name have their modules before it, of which the last part will do."""
    *_, module, own = ["", *name.split("__")]
    return f"{module.title().replace('_', '')}{own}"


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    """With every reference led to what the component is called in the end."""
    if isinstance(schema, list):
        return [_renamed(one, names) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: REF + names[value.removeprefix(REF)] if key == "$ref" else _renamed(value, names)
        for key, value in schema.items()
    }


def _untitled(schema: Any) -> Any:
    """Without the titles that repeat the fields' names."""
    if isinstance(schema, list):
        return [_untitled(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _untitled(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def _nullable(schema: Schema) -> Schema:
    """Null means absent in the fields of a request (`inference.api.body.checked`)."""
    required = schema.get("required", [])
    properties = {
        name: field if name in required or _takes_null(field) else _or_null(field)
        for name, field in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def _takes_null(field: Schema) -> bool:
    return field.get("type") == "null" or any(map(_takes_null, field.get("anyOf", [])))


def _or_null(field: Schema) -> Schema:
    about = {key: value for key, value in field.items() if key in ("default", "description")}
    kind = {key: value for key, value in field.items() if key not in about}
    kinds = kind.pop("anyOf", [])
    return {"anyOf": [*kinds, *([kind] if kind else []), {"type": "null"}], **about}


def operation_id(method: str, path: str) -> str:
    """Such as `get_v1_models_by_name`."""
    named = re.sub(r"{(\w+)}", r"by_\1", path)
    return "_".join([method.lower(), *re.findall(r"\w+", named)])
