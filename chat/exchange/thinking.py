"""What Open WebUI writes into an answer's text where the model thought."""

import html

OPENING = '<details type="reasoning"'
CLOSING = "</details>"
SUMMARY = "</summary>"


def split(text: str) -> tuple[str, str]:
    """The text without, and what was thought. Read once from left to right."""
    said, thought, at = [], [], 0
    while (start := text.find(OPENING, at)) >= 0:
        end = text.find(CLOSING, start)
        if end < 0:
            break
        said.append(text[at:start])
        thought.append(_plain(text[start:end]))
        at = end + len(CLOSING)
    if not thought:
        return text, ""
    return "".join([*said, text[at:]]).strip(), "\n\n".join(thought)


def _plain(block: str) -> str:
    """Its lines are quoted, and their signs are HTML's."""
    _, _, body = block.partition(SUMMARY) if SUMMARY in block else block.partition(">")
    lines = [line.removeprefix("&gt;").removeprefix(">").strip() for line in body.splitlines()]
    return html.unescape("\n".join(lines)).strip()
