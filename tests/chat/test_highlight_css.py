"""The colours of code can be read, and are those of classes that there are."""

import re
from pathlib import Path

import pytest

from chat.markdown.code import CLASSES

CSS = Path(__file__).resolve().parents[2] / "static/css"
HIGHLIGHT = (CSS / "highlight.css").read_text()
PAIR = r"--{}: light-dark\((#\w{{6}}), (#\w{{6}})\)"
GROUND = re.search(PAIR.format("code"), (CSS / "tokens.css").read_text()).groups()
COLOURS = re.findall(PAIR.format(r"(hl-\w+)"), HIGHLIGHT)


def luminance(colour):
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("name", "light", "dark"), COLOURS)
def test_every_colour_can_be_read_in_light_and_in_dark(name, light, dark):
    assert contrast(light, GROUND[0]) >= 4.5
    assert contrast(dark, GROUND[1]) >= 4.5


def test_the_colours_that_are_used_are_those_that_were_measured():
    used = set(re.findall(r"color: var\(--(hl-\w+)\)", HIGHLIGHT))
    assert used == {name for name, _, _ in COLOURS}


def test_only_classes_that_code_can_have_are_coloured():
    assert set(re.findall(r"\.(hl-\w+)", HIGHLIGHT)) <= CLASSES
