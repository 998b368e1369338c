from bench.gpu.pins import pins

LOCK = """\
cbor2==5.9.0 ; python_full_version < '3.12' \\
    --hash=sha256:aa
cbor2==6.3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:bb
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:cc
llama-cpp-python==0.3.36 \\
    --hash=sha256:dd
msgspec==0.22.0 \\
    --hash=sha256:ee
"""


def test_pins_are_those_for_the_other_python():
    assert pins(LOCK, "3.12", None) == ["cbor2==6.3.0", "msgspec==0.22.0"]
    assert pins(LOCK, "3.11", None) == ["cbor2==5.9.0", "msgspec==0.22.0"]


def test_only_the_named_packages_are_wanted():
    assert pins(LOCK, "3.12", {"msgspec"}) == ["msgspec==0.22.0"]


def test_what_is_omitted_is_not_wanted():
    assert pins(LOCK, "3.12", None, frozenset({"cbor2"})) == ["msgspec==0.22.0"]
