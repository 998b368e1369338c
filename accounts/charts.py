"""Usage as bars: where they stand. `accounts/usage_chart.html` draws the chart by day."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date
from functools import cached_property
from typing import ClassVar, NamedTuple

from django.utils.formats import date_format, number_format
from django.utils.translation import pgettext

WIDTH, HEIGHT = 840, 210
LEFT, RIGHT, TOP, BOTTOM = 48, WIDTH - 20, 10, HEIGHT - 24  # of the bars; texts stand around them
GAP = 0.25  # of a day's width
MAX_DATES = 8
LOWEST_TOP = 10  # of the scale, so that its half is a whole number


@dataclass(frozen=True, slots=True)
class Sums:
    """Requests, those that failed, and their tokens. Cached tokens are some of the prompts'."""

    requests: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """Tokens by what they cost, in the order in which they are drawn."""
        cached = min(self.cached_tokens, self.prompt_tokens)
        return [
            ("computed", self.prompt_tokens - cached),
            ("cached", cached),
            ("completion", self.completion_tokens),
        ]


class Day(NamedTuple):
    date: date
    sums: Sums


class Part(NamedTuple):
    """One colour of a column, or of a bar."""

    kind: str
    start: float
    length: float


class Column(NamedTuple):
    day: Day
    x: float
    width: float
    parts: list[Part]

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 1)


class Bar(NamedTuple):
    """Sums of one model or one caller; the longest of all bars has `longest` tokens."""

    label: str
    sums: Sums
    longest: int

    @property
    def tokens_text(self) -> str:
        return humanised(self.sums.tokens)

    @property
    def parts(self) -> list[Part]:
        """From the left, in percent."""
        parts, start = [], 0.0
        for kind, tokens in self.sums.kinds:
            length = 100 * tokens / max(1, self.longest)
            parts.append(Part(kind, round(start, 2), round(length, 2)))
            start += length
        return [part for part in parts if part.length]


class Mark(NamedTuple):
    """A text at an axis."""

    at: float
    text: str


class Frame(NamedTuple):
    """The drawing, and the part of it that has bars."""

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM

    @property
    def depth(self) -> int:
        return self.bottom - self.top


@dataclass(frozen=True)
class Chart:
    """Every day of a stretch, idle ones too, the first first."""

    days: Sequence[Day]
    frame: ClassVar[Frame] = Frame()

    @cached_property
    def total(self) -> Sums:
        return sum((day.sums for day in self.days), Sums())

    @property
    def is_empty(self) -> bool:
        return self.total.requests == 0

    @property
    def columns(self) -> list[Column]:
        step = (RIGHT - LEFT) / len(self.days)
        return [
            Column(
                day,
                round(LEFT + (i + GAP / 2) * step, 1),
                round(step * (1 - GAP), 1),
                self._parts(day.sums),
            )
            for i, day in enumerate(self.days)
        ]

    def _parts(self, sums: Sums) -> list[Part]:
        """From the ground up."""
        parts, ground = [], 0
        for kind, tokens in sums.kinds:
            ground += tokens
            height = tokens / self._top * self.frame.depth
            parts.append(Part(kind, self._y(ground), round(height, 1)))
        return [part for part in parts if part.length]

    @property
    def scale(self) -> list[Mark]:
        """Tokens at the left edge."""
        return [Mark(self._y(n), humanised(n)) for n in (0, self._top // 2, self._top)]

    @property
    def dates(self) -> list[Mark]:
        """Under some columns, today's among them."""
        every = -(-len(self.days) // MAX_DATES)
        style = pgettext("a day below a chart, as Django's filter `date` writes it", "M j")
        return [
            Mark(column.middle, date_format(column.day.date, style))
            for column in self.columns[::-1][::every][::-1]
        ]

    def _y(self, tokens: int) -> float:
        return round(BOTTOM - tokens / self._top * self.frame.depth, 1)

    @cached_property
    def _top(self) -> int:
        """The smallest of 10, 20, 50, 100, 200 and so on that no day passes."""
        most = max(day.sums.tokens for day in self.days)
        power = LOWEST_TOP
        while power * 10 < most:
            power *= 10
        return next(power * n for n in (1, 2, 5, 10) if power * n >= most)


def humanised(number: int) -> str:
    """`999`, `12.3k`, `4.5M`: short enough for an axis."""
    size, unit = float(number), ""
    for larger in ("k", "M", "G", "T"):
        if round(size, 1) < 1000:
            break
        size, unit = size / 1000, larger
    decimals = 0 if f"{size:.1f}".endswith(".0") else 1
    return number_format(f"{size:.1f}", decimals) + unit
