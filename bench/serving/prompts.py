"""Prompts of a wanted length, the same ones in every run.

The words are common ones, a token each for most vocabularies, so lengths are about right;
what a server has really read is in its usage.
"""

import random

WORDS = """
time year people way day man thing woman life child world school state family student group
country problem hand part place case week company system program question work government
number night point home water room mother area money story fact month lot right study book
eye job word business issue side kind head house service friend father power hour game line
end member law car city community name president team minute idea body information back
parent face level office door health person art war history party result change morning
reason research girl guy moment air teacher force education
""".split()  # noqa: SIM905


def words(rng: random.Random, num_tokens: int) -> str:
    """Sentences of about so many tokens."""
    text: list[str] = []
    while num_tokens > 0:
        length = min(num_tokens, rng.randint(7, 14))
        sentence = " ".join(rng.choice(WORDS) for _ in range(max(1, length - 1)))
        text.append(sentence.capitalize() + ".")
        num_tokens -= length
    return " ".join(text)


def system(text: str) -> dict[str, str]:
    return {"role": "system", "content": text}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def independent(rng: random.Random, num_tokens: int) -> tuple[dict[str, str], ...]:
    """Messages that share no beginning with others', but for the template's own."""
    half = num_tokens // 2
    return system(words(rng, half)), user(words(rng, num_tokens - half) + " What is this about?")
