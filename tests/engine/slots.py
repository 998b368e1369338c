"""Drives a LlamaBackend without an engine, in a process of its own:
`python -m tests.engine.slots MODEL STATE_DIR STORY [CONFIG...]`.

Prints what the story returns, as JSON. Loading llama.cpp is for child processes.
"""

import json
import random
import subprocess
import sys
from pathlib import Path

from inference.engine.config import EngineConfig
from inference.engine.grammar import Grammar
from inference.engine.request import Request, Sequence
from inference.engine.sampling import SamplingParams
from inference.engine.scheduler import Work
from inference.engine.text import TextStream

ROOT = Path(__file__).resolve().parent.parent.parent
PROMPT, OTHER = list(range(40, 140)), list(range(60, 120, 2))


def tell(path, state_dir, story, **config):
    """What the story returned there."""
    command = [sys.executable, "-m", "tests.engine.slots", str(path), str(state_dir), story]
    done = subprocess.run(
        [*command, json.dumps(config)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Slots:
    """A backend, and the sequences in its slots."""

    def __init__(self, path, state_dir, **config):
        from inference.engine.llama import LlamaBackend

        config = {"model_id": "m", "threads": 1, "max_sequences": 4, "device": "cpu", **config}
        config = EngineConfig(path=path, state_dir=state_dir, **config)
        self.backend = LlamaBackend(config, lambda progress: None)

    def make(self, slot, prompt, num_computed=0, **params):
        params = SamplingParams(**{"temperature": 0.0, "ignore_eos": True, **params})
        sequence = Sequence(
            request=Request(id=slot, tokens=prompt, params=params),
            prompt_tokens=prompt,
            max_tokens=100,
            text=TextStream(()),
            submitted_at=0.0,
            slot=slot,
            num_computed=num_computed,
        )
        self.backend.begin(sequence)
        return sequence

    def step(self, *sequences):
        works = [Work(s, s.pending(64), s.num_computed, s.num_pending <= 64) for s in sequences]
        tokens = (token for [token] in self.backend.forward(works))
        for work in works:
            work.sequence.num_computed += len(work.tokens)
            if work.samples:
                work.sequence.output_tokens.append(next(tokens))

    def write(self, *sequences, num_tokens=12):
        while any(len(s.output_tokens) < num_tokens for s in sequences):
            self.step(*(s for s in sequences if len(s.output_tokens) < num_tokens))
        return [s.output_tokens for s in sequences]

    def leave(self, sequence):
        self.backend.cut(sequence.slot, 0, None)
        self.backend.end(sequence)


# Each writes on from a state: with the undisturbed text first


def resumed(slots):
    """In another slot, after others have used the cache, with one of them at work."""
    whole = slots.make(0, PROMPT)
    [told] = slots.write(whole, num_tokens=30)
    half = told[:10]
    slots.leave(whole)
    first = slots.make(0, PROMPT)
    slots.write(first, num_tokens=10)
    saved = bytes(slots.backend.save(0))
    slots.leave(first)
    others = [slots.make(slot, OTHER) for slot in (0, 1)]
    slots.write(*others)
    slots.leave(others[0])
    # The last token was sampled, and not computed.
    num_saved = len(PROMPT) + 9
    is_there = slots.backend.restore(3, saved, num_saved)
    again = slots.make(3, PROMPT + half, num_computed=num_saved)
    [rest] = slots.write(again, num_tokens=20)
    return told, [*half, *rest], is_there


def cut(slots):
    """A part of what was saved, and something else after it."""
    question = [*PROMPT[:50], *OTHER]
    whole = slots.make(0, question)
    [told] = slots.write(whole)
    slots.leave(whole)
    slots.write(slots.make(1, PROMPT))
    saved = slots.backend.save(1)
    is_there = slots.backend.restore(2, saved, 50)
    [rest] = slots.write(slots.make(2, question, num_computed=50))
    return told, rest, is_there


def refused(slots):
    """Damaged, too long, of too few tokens; and then the slot is empty."""
    whole = slots.make(0, PROMPT)
    [told] = slots.write(whole)
    saved = bytes(slots.backend.save(0))
    answers = [
        slots.backend.restore(1, saved[:-100], 50),
        slots.backend.restore(1, b"", 1),
        slots.backend.restore(1, b"\0" * 100, 1),
        slots.backend.restore(1, saved, len(PROMPT) + 50),
    ]
    slots.leave(whole)
    [again] = slots.write(slots.make(1, PROMPT))
    return told, again, answers


def full(slots):
    """The cache has no cells for it, and later it has."""
    first, second = slots.make(0, PROMPT), slots.make(1, PROMPT)
    slots.write(first)
    saved = slots.backend.save(0)
    told, _ = slots.write(second, first, num_tokens=20)
    num_kept = len(PROMPT) - 1
    before = slots.backend.restore(2, saved, num_kept)
    slots.leave(first)
    after = slots.backend.restore(2, saved, num_kept)
    [rest] = slots.write(slots.make(2, PROMPT, num_computed=num_kept), num_tokens=20)
    return told, rest, [before, after]


def sizes(slots):
    slots.write(slots.make(0, PROMPT), num_tokens=1)
    return len(slots.backend.save(0)), len(slots.backend.save(1))


# What the model thinks of a prompt


def judged(slots):
    """A prompt's scores in chunks, beside one that writes; by the softmax of the same logits;
    and of those that come when each token is the next one of a prompt.
    """
    other = slots.make(1, OTHER)
    slots.write(other, num_tokens=2)
    sequence = slots.make(0, PROMPT, num_logprobs=3)
    same = []
    while sequence.num_pending:
        tokens, start = sequence.pending(7), sequence.num_computed
        is_last = len(tokens) == sequence.num_pending
        scored = range(min(len(tokens), len(PROMPT) - 1 - start))
        beside = Work(other, other.pending(1), other.num_computed, True)
        work = Work(sequence, tokens, start, is_last, scored=scored)
        chosen = slots.backend.forward([beside, work])
        same += [by_softmax(slots, 1 + index, start + index + 1) for index in scored]
        other.num_computed += 1
        other.output_tokens.append(chosen[0][0])
        sequence.num_computed += len(tokens)
    told = [[one.logprob, one.top] for one in sequence.scores]
    anew = []
    for place in range(1, len(PROMPT)):
        alone = slots.make(2, PROMPT[:place], num_logprobs=0)
        slots.backend.forward([Work(alone, PROMPT[:place], 0, True)])
        anew.append(by_softmax(slots, place - 1, place))
        slots.leave(alone)
    return told, same, anew


def by_softmax(slots, index, place):
    """Of the prompt's token there, by the logits of that token of the batch."""
    import numpy as np

    logits = slots.backend._logits(index).astype(np.float64)
    logprobs = logits - np.log(np.exp(logits).sum())
    likeliest = [int(token) for token in np.argsort(-logprobs, kind="stable")[:3]]
    return [logprobs[PROMPT[place]], [[token, logprobs[token]] for token in likeliest]]


# Who samples where


def spread(slots, **params):
    """Texts of several at once, some of which come later, in slots that others have left."""
    first = [slots.make(slot, OTHER[slot:], seed=slot, **params) for slot in range(3)]
    texts = slots.write(*first, num_tokens=8)
    slots.leave(first[1])
    later = slots.make(1, PROMPT, seed=9, **params)
    slots.write(later, first[0], num_tokens=20)
    return [*texts, later.output_tokens, first[0].output_tokens]


def likeliest(slots):
    return spread(slots)


def dice(slots):
    return spread(slots, temperature=1.5, top_k=200, top_p=0.99, min_p=0.0)


def biased(slots):
    return spread(slots, temperature=1.0, logit_bias={90: 8.0, 91: 7.0})


def mixed(slots):
    """Those that can be attached beside those that cannot, and one that becomes able to."""
    sampled = {"temperature": 1.0, "seed": 3}
    every = [
        slots.make(0, PROMPT, **sampled),
        slots.make(1, OTHER, num_logprobs=2, **sampled),
        slots.make(2, PROMPT, repeat_penalty=1.3, **sampled),
        slots.make(3, OTHER, ignore_eos=False, min_tokens=6, **sampled),
    ]
    texts = slots.write(*every, num_tokens=12)
    for sequence in every:
        slots.leave(sequence)
    again = slots.make(0, OTHER, repeat_penalty=1.3, **sampled)
    return [*texts, *slots.write(again)]


def moved(slots):
    """One loses its slot to another with other wishes, and goes on elsewhere."""
    first = slots.make(0, OTHER, temperature=1.5, seed=5)
    slots.write(first, num_tokens=6)
    slots.backend.cut(0, 0, None)
    other = slots.make(0, PROMPT, temperature=1.0, seed=6)
    slots.write(other, num_tokens=6)
    first.slot, first.num_computed = 2, 0
    slots.backend.begin(first)
    return slots.write(first, other, num_tokens=16)


def crowd(slots, number_of_steps=60):
    """Whoever may come, in whichever slot, with what wishes: come, write, lose the slot, go on,
    leave."""
    dice = random.Random(3)
    free, running, paused, told = [0, 1, 2, 3], [], [], []
    wishes = [{}, {"temperature": 1.5}, {"temperature": 1.5, "min_tokens": 5}]
    wishes += [{"temperature": 1.0, "num_logprobs": 1}, {"temperature": 1.0, "top_k": 5}]
    for number in range(number_of_steps):
        dice.shuffle(free)
        if free and dice.random() < 0.5:
            slot = free.pop()
            if paused and dice.random() < 0.6:
                sequence = paused.pop()
                sequence.slot, sequence.num_computed = slot, 0
                slots.backend.begin(sequence)
            else:
                prompt = dice.choices(range(40, 200), k=20)
                sequence = slots.make(slot, prompt, seed=number, **dice.choice(wishes))
                told.append(sequence.output_tokens)
            running.append(sequence)
        if running:
            slots.step(*dice.sample(running, k=dice.randint(1, len(running))))
        if running and dice.random() < 0.3:
            sequence = running.pop(dice.randrange(len(running)))
            free.append(sequence.slot)
            if dice.random() < 0.5:
                slots.backend.cut(sequence.slot, 0, None)
                sequence.slot = None
                paused.append(sequence)
            else:
                slots.leave(sequence)
    return told


def alone(slots):
    """The text of the one that was moved, if it never was."""
    return slots.write(slots.make(0, OTHER, temperature=1.5, seed=5), num_tokens=16)


def used(slots):
    """Whether the graph chose, whether the slot's chain was kept, and how many are left then."""
    from inference.engine.llama.library import llama

    attached, same = slots.backend._attached, {"temperature": 1.0}
    first = slots.make(0, OTHER, seed=1, **same)
    slots.write(first, num_tokens=2)
    chosen = llama.llama_get_sampled_token_ith(slots.backend._context, 0)
    handle = attached._chains[0].handle
    slots.leave(first)
    second = slots.make(0, PROMPT, seed=2, **same)
    slots.write(second, num_tokens=2)
    is_kept = attached._chains[0].handle == handle
    slots.leave(second)
    slots.write(slots.make(0, PROMPT, seed=2, num_logprobs=1, **same), num_tokens=2)
    return chosen == first.output_tokens[-1], is_kept, len(attached._chains)


def able(slots):
    """Which of these could be attached."""
    from inference.engine.llama.attached import can_attach

    every = [
        *({}, {"temperature": 0.0, "top_k": 0}, {"logit_bias": {1: 2.0}, "ignore_eos": True}),
        *({"top_k": 0}, {"repeat_penalty": 1.1}, {"presence_penalty": 1}, {"num_logprobs": 0}),
        *({"frequency_penalty": 1}, {"dry_multiplier": 1}, {"mirostat": 2}, {"typical_p": 0.5}),
        *({"xtc_probability": 0.5}, {"grammar": Grammar("regex", "a", "p")}),
    ]
    return [can_attach(SamplingParams(**params)) for params in every]


def quick(slots):
    """What is chosen among the likeliest and among all, for how many of these wishes at all, and
    how many tokens are looked at at most for one that is wanted.
    """
    import numpy as np

    from inference.engine.llama.candidates import likeliest, num_in_question, sample
    from inference.engine.llama.library import llama

    vocab, ends = llama.llama_model_get_vocab(slots.backend._model), [7, 9_999]
    noise, chosen, nums_left = np.random.default_rng(4), [], []
    for number, wishes in enumerate([*QUICK, *QUICK, *SLOW]):
        params = SamplingParams(seed=number, **wishes)
        banned = ends if params.ignore_eos else ()
        few, all_of_them = (make_chain(params, vocab, banned) for _ in range(2))
        count = num_in_question(params, len(ends))
        for _ in range(20):
            logits = (noise.normal(size=10_007) * noise.uniform(0.5, 4)).astype(np.float32)
            logits[noise.integers(10_007, size=9_000)] = -np.inf
            logits[list(banned)] = 30.0
            ids = likeliest(logits, count)
            if ids is not None:
                nums_left.append(len(ids) / count)
                among_all = sample(all_of_them, logits, np.flatnonzero(np.isfinite(logits)))
                chosen.append([sample(few, logits, ids), among_all])
    return {"chosen": chosen, "most_left": max(nums_left)}


QUICK = [
    *({}, {"temperature": 0.0}, {"top_k": 100, "top_p": 1.0, "min_p": 0.0, "temperature": 1.9}),
    *({"ignore_eos": True}, {"temperature": 0.0, "ignore_eos": True}, {"typical_p": 0.5}),
    {"xtc_probability": 0.5, "xtc_threshold": 0.05},
]
SLOW = [
    *({"top_k": 0}, {"top_k": 5000}, {"mirostat": 2}, {"repeat_penalty": 1.1}),
    *({"presence_penalty": 1}, {"frequency_penalty": 1}, {"dry_multiplier": 1}),
    {"logit_bias": {3: -1.0}},
]


def make_chain(params, vocab, banned):
    from inference.engine.llama.sampler import make_sampler

    return make_sampler(params, vocab, 100, banned)


def doubtful(slots):
    """What is found in logits that are all the same, all impossible, no numbers, and few."""
    import numpy as np

    from inference.engine.llama.candidates import likeliest

    every = [np.full(10_000, value, np.float32) for value in (1.0, -np.inf, np.nan)]
    return [likeliest(logits, 40) is None for logits in [*every, np.arange(300, dtype=np.float32)]]


def as_on_a_gpu(slots):
    from inference.engine.llama.attached import Attached

    attached = slots.backend._attached = Attached(slots.backend._context, "auto", uses_gpu=True)
    return attached


def counted(slots):
    """With how many sequences how many are attached, more and more and then fewer."""
    attached = as_on_a_gpu(slots)
    every = [slots.make(slot, OTHER, seed=slot, temperature=1.0) for slot in range(5)]
    up, down = [], []
    for number in range(1, 6):
        for _ in range(20):
            slots.step(*every[:number])
        up.append(len(attached._slots))
    while len(every) > 1:
        slots.leave(every.pop())
        for _ in range(40):
            slots.step(*every)
        down.append(len(attached._slots))
    return {"up": up, "down": down}


def patient(slots):
    """How many chains there are after each step of a crowd, and what is left when it goes."""
    attached = as_on_a_gpu(slots)
    every = [slots.make(slot, OTHER, seed=slot, temperature=1.0) for slot in range(5)]
    chains = []
    for _ in range(8):
        slots.step(*every)
        chains.append(len(attached._chains))
    while len(every) > 3:
        slots.leave(every.pop())
    for _ in range(10):
        slots.step(*every)
        chains.append(len(attached._chains))
    newcomer = slots.make(3, PROMPT, seed=9, temperature=1.0)
    for _ in range(2):  # its prompt takes one step
        slots.step(*every, newcomer)
    is_used = newcomer in attached._slots
    slots.leave(newcomer)
    while len(every) > 1:
        slots.leave(every.pop())
    for _ in range(100):
        slots.step(*every)
    return {"chains": chains, "newcomer": is_used, "left": len(attached._chains)}


if __name__ == "__main__":
    model, state_dir, story, config = sys.argv[1:]
    slots = Slots(model, state_dir, **json.loads(config))
    print(json.dumps(globals()[story](slots)))
