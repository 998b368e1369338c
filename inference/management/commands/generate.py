"""`manage.py generate ID "prompt"`: an answer on the terminal, without a server."""

import asyncio
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference import runtime


class Command(BaseCommand):
    help = "Ask a model on the command line. It is loaded for this one answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="id or alias")
        parser.add_argument("prompt", help="'-' reads it from standard input")
        parser.add_argument("--raw", action="store_true", help="complete the text; no chat")
        parser.add_argument("--system", default="", help="system message of the chat")
        parser.add_argument("--max-tokens", type=int)
        parser.add_argument("--temperature", type=float, default=0.8)
        parser.add_argument("--seed", type=int)
        parser.add_argument(
            "--stats", action="store_true", help="print tokens and times at the end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            params = runtime.SamplingParams(
                temperature=options["temperature"],
                max_tokens=options["max_tokens"],
                seed=options["seed"],
            )
            asyncio.run(self._generate(options, params))
        except runtime.EngineError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stdout.write("")

    async def _generate(self, options: dict[str, Any], params: runtime.SamplingParams) -> None:
        try:
            model = await runtime.find_model(options["model"])
            generation = await runtime.generate(model, params, **_prompt(options))
            async for piece in generation:
                self.stdout.write(piece.text, ending="")
                self.stdout.flush()
            self.stdout.write("")
            if options["stats"]:
                self.stderr.write(_stats(generation.finish))
        finally:
            await runtime.shutdown()


def _prompt(options: dict[str, Any]) -> dict[str, Any]:
    text = sys.stdin.read() if options["prompt"] == "-" else options["prompt"]
    if options["raw"]:
        return {"text": text}
    system = [{"role": "system", "content": options["system"]}] if options["system"] else []
    return {"messages": [*system, {"role": "user", "content": text}]}


def _stats(finish: runtime.Finish) -> str:
    usage, timings = finish.usage, finish.timings
    speed = (usage.completion_tokens - 1) / timings.decode if timings.decode else 0.0
    return (
        f"{usage.prompt_tokens} prompt tokens in {timings.prefill:.2f} s,"
        f" {usage.completion_tokens} tokens in {timings.decode:.2f} s ({speed:.1f} a second),"
        f" finish reason {finish.reason}"
    )
