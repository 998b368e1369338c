import pytest

from inference.engine.config import EngineConfig
from inference.engine.errors import InvalidParameter, TemplateError, Unsupported
from inference.engine.fake import PIXELS, FakeBackend
from inference.engine.image import Image
from inference.engine.prompt import PromptMaker
from inference.engine.request import ContextPolicy, Request
from inference.engine.span import placeholders
from inference.engine.wire import Count
from tests.tiny_projector import make_png

RED, BLUE = make_png(), make_png(colour=(0, 0, 255))


class Backend(FakeBackend):
    def __init__(self, projector="p.gguf", **config):
        config |= {"model_id": "m", "path": "", "backend": "fake", "projector": projector}
        super().__init__(EngineConfig(**config))
        self.num_looks = 0
        if self.eyes:
            self.eyes.look = self._counted(self.eyes.look)

    def _counted(self, look):
        def looked(image):
            self.num_looks += 1
            return look(image)

        return looked


def image(data=RED, number=0):
    return Image(f"<image-{number}>", data, f"messages[0].content[{number}].image_url")


def request(content, *images, **fields):
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return Request(id=1, messages=messages, images=list(images), **fields)


def made(backend, content, *images, **fields):
    return PromptMaker(backend).make(request(content, *images, **fields))


def test_an_image_stands_where_its_marker_is():
    backend = Backend()
    prompt = made(backend, "a b <image-0> c", image())

    (span,) = prompt.spans
    assert (span.start, span.end) == (2, 2 + PIXELS)
    assert prompt.tokens[:2] + prompt.tokens[span.end :] == backend.tokenize("a b c")
    assert all(token < 0 for token in prompt.tokens[span.start : span.end])


def test_images_of_other_bytes_have_other_tokens():
    first, second, again = (image(data, n) for n, data in enumerate([RED, BLUE, RED]))
    prompt = made(Backend(), "<image-0> <image-1> <image-2>", first, second, again)
    one, two, three = (prompt.tokens[span.start : span.end] for span in prompt.spans)
    assert one == three
    assert not {*one} & {*two}


def test_parts_of_an_image_and_other_projectors_have_other_tokens():
    made = [placeholders(*named, 8) for named in [("a", b"d", 0), ("b", b"d", 0), ("a", b"d", 1)]]
    assert len({token for tokens in made for token in tokens}) == 24
    assert all(-(2**31) <= token < 0 for tokens in made for token in tokens)


def test_an_image_is_looked_at_once():
    backend = Backend()
    maker = PromptMaker(backend)
    assert maker.make(request("a <image-0>", image())) == maker.make(
        request("a <image-0>", image())
    )
    assert backend.num_looks == 1


def test_nobody_can_tell_what_images_others_have_sent():
    backend = Backend()
    maker = PromptMaker(backend)
    for owner in ("alice", "bob", "alice"):
        maker.make(request("a <image-0>", image(), owner=owner))
    assert backend.num_looks == 2


def test_a_model_without_a_projector_refuses_images():
    with pytest.raises(Unsupported, match="needs a model with a projector") as caught:
        made(Backend(projector=""), "<image-0>", image())
    assert caught.value.param == "messages[0].content[0].image_url"


def test_an_image_that_cannot_be_decoded_is_named():
    with pytest.raises(InvalidParameter, match="cannot be decoded") as caught:
        made(Backend(), "<image-0> <image-1>", image(), image(RED.replace(b"IEND", b"iend"), 1))
    assert caught.value.param == "messages[0].content[1].image_url"


def test_an_image_whose_turn_is_left_out_is_left_out():
    backend = Backend(context_length=10)
    said = ["<image-0> a b", "c", "<image-1> d"]
    messages = [
        {"role": role, "content": c}
        for role, c in zip(["user", "assistant", "user"], said, strict=True)
    ]
    policy = ContextPolicy.DROP_OLDEST
    prompt = made(backend, messages, image(), image(BLUE, 1), context_policy=policy)
    assert prompt.dropped == [0, 1]
    assert [span.image.data for span in prompt.spans] == [BLUE]


@pytest.mark.parametrize("rendered", ["a", "<image-0> a <image-0>"])
def test_a_template_that_loses_or_repeats_an_image_is_an_error(rendered):
    backend = Backend()
    backend.render = lambda messages, options: rendered
    with pytest.raises(TemplateError, match="does not keep the messages' images"):
        made(backend, "<image-0> a", image())


def test_a_prompt_of_nothing_but_an_image_is_one():
    assert len(made(Backend(), "<image-0>", image()).tokens) == PIXELS


def test_images_are_counted():
    messages = [{"role": "user", "content": "a <image-0> b"}]
    told = PromptMaker(Backend()).tell(Count(1, messages=messages, images=[image()]))
    assert told.tokens == [2 + PIXELS]
