"""One form for every log line, ours and the libraries', on standard error."""

import logging.config
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "console"]

# Chatty, or they write down addresses with tokens in them, frames, or SQL with prompts.
QUIET = (
    "autobahn",
    "daphne",
    "django.channels.server",
    "django.db.backends",
    "httpcore",
    "httpx",
    "twisted",
    "txaio",
    "urllib3",
)
# Its warnings repeat what `request_id` says of each request.
ERRORS_ONLY = ("django.request",)


def logging_config(level: str, log_format: LogFormat) -> None:
    """Send the standard library's loggers and structlog's to standard error.

    Args:
        level: the least severe lines to write: `debug`, `info`, `warning` or `error`.
        log_format: JSON lines, coloured ones, or by whether a terminal is there.
    """
    lines = _shared_processors()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": lines,
                    "processors": _renderers(log_format),
                }
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stderr",
                    "formatter": "lines",
                }
            },
            "root": {"level": level.upper(), "handlers": ["stderr"]},
            "loggers": {
                **{name: {"level": _at_least("WARNING", level)} for name in QUIET},
                **{name: {"level": "ERROR"} for name in ERRORS_ONLY},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *lines,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _at_least(floor: str, level: str) -> str:
    return max(floor, level.upper(), key=lambda name: logging.getLevelNamesMapping()[name])


def _shared_processors() -> list[Processor]:
    return [
        structlog.stdlib.ExtraAdder(),
        _drop_request,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(log_format: LogFormat) -> list[Processor]:
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    is_terminal = sys.stderr.isatty()
    if log_format == "console" or (log_format == "auto" and is_terminal):
        # Not the default, which shows local variables, prompts among them, if `rich` is there.
        plain = structlog.dev.plain_traceback
        return [remove_meta, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    as_text = structlog.processors.format_exc_info
    return [remove_meta, as_text, structlog.processors.JSONRenderer()]


def _drop_request(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Django's loggers attach the request; its text would show the query string."""
    line.pop("request", None)
    return line
