import json
from datetime import datetime

import pytest

from inference.engine.errors import TemplateError
from inference.engine.template import CHATML, MAX_PROMPT_CHARS, ChatTemplate

# As the models bring them. Gemma's and Mistral's are whole, from gemma-2-2b-it and
# Mistral-7B-Instruct-v0.2; Llama's and Qwen's are without what only tools use.
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] +"
    " '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA31 = r"""{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ """ + (
    r"""message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""
)
QWEN25 = r"""{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
{%- else %}
    {{- '<|im_start|>system\nYou are Qwen.<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) """ + (
    r"""or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {{- '\n<tool_call>\n{"name": "' + tool_call.name + '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""
)
GEMMA2 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' +"
    " message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}"
    "{% endfor %}"
)

SYSTEM = {"role": "system", "content": "Be brief."}
HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello!"}
BYE = {"role": "user", "content": "Bye"}


def template(source, now=lambda: datetime(2025, 3, 9)):
    return ChatTemplate(source, bos="<s>", eos="</s>", now=now)


def rendered(source, messages=(HI,), **options):
    return template(source).render(messages, **options)


def test_chatml_writes_every_turn_and_opens_the_next():
    assert rendered(CHATML, [SYSTEM, HI, HELLO, BYE]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_without_generation_prompt_the_text_ends_with_the_last_turn():
    assert rendered(CHATML, add_generation_prompt=False) == "<|im_start|>user\nHi<|im_end|>\n"


def test_smollm2_brings_its_own_system_message():
    assert rendered(SMOLLM2) == (
        "<|im_start|>system\n"
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_smollm2_lets_its_system_message_be_replaced():
    assert rendered(SMOLLM2, [SYSTEM, HI]) == rendered(CHATML, [SYSTEM, HI])


def test_llama3_writes_headers_and_trims():
    assert rendered(LLAMA3, [SYSTEM, {"role": "user", "content": " Hi\n"}]) == (
        "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_llama31_knows_the_date_and_keeps_its_blocks_out_of_the_text():
    assert rendered(LLAMA31, [SYSTEM, HI]) == (
        "<s><|start_header_id|>system<|end_header_id|>\n\n"
        "Cutting Knowledge Date: December 2023\nToday Date: 09 Mar 2025\n\n"
        "Be brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_llama31_shows_tools_as_indented_json():
    tools = [{"name": "weather", "about": "<Köln> & more"}]

    prompt = rendered(LLAMA31, extra={"tools": tools, "date_string": "today"})

    assert "Environment: ipython\nCutting" in prompt
    assert "Today Date: today\n\n" + json.dumps(tools[0], indent=4, ensure_ascii=False) in prompt


def test_qwen_writes_tool_calls_as_json():
    call = {"name": "weather", "arguments": {"city": "Köln <3"}}

    prompt = rendered(QWEN25, [HI, {"role": "assistant", "content": None, "tool_calls": [call]}])

    assert prompt == (
        "<|im_start|>system\nYou are Qwen.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "weather", "arguments": {"city": "Köln <3"}}'
        "\n</tool_call><|im_end|>\n<|im_start|>assistant\n"
    )


def test_mistral_closes_answers_with_its_end_token():
    assert rendered(MISTRAL, [HI, HELLO, BYE]) == "<s>[INST] Hi [/INST]Hello!</s>[INST] Bye [/INST]"


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        (GEMMA2, "<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n"),
        (MISTRAL, "<s>[INST] Be brief.\n\nHi [/INST]"),
    ],
)
def test_a_model_without_system_role_reads_it_from_the_user(source, prompt):
    assert rendered(source, [SYSTEM, HI]) == prompt


def test_all_system_messages_go_to_the_first_user():
    late = {"role": "system", "content": "Be kind."}

    prompt = rendered(MISTRAL, [SYSTEM, HI, HELLO, late, BYE])

    assert prompt == "<s>[INST] Be brief.\n\nBe kind.\n\nHi [/INST]Hello!</s>[INST] Bye [/INST]"


def test_system_messages_alone_become_the_users():
    assert rendered(MISTRAL, [SYSTEM]) == "<s>[INST] Be brief. [/INST]"


def test_an_empty_system_message_leaves_no_blank_lines():
    assert rendered(MISTRAL, [{"role": "system", "content": ""}, HI]) == "<s>[INST] Hi [/INST]"


def test_a_refusal_that_has_another_reason_is_told():
    with pytest.raises(TemplateError, match="refuses the messages: Conversation roles must alt"):
        rendered(GEMMA2, [SYSTEM, HI, BYE])


def test_a_refusal_without_system_messages_is_told():
    with pytest.raises(TemplateError, match="roles must alternate"):
        rendered(MISTRAL, [HELLO])


def test_developer_is_another_name_for_system():
    developer = {**SYSTEM, "role": "developer"}

    assert rendered(CHATML, [developer, HI]) == rendered(CHATML, [SYSTEM, HI])


def test_text_parts_become_one_string():
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]

    prompt = rendered(CHATML, [{"role": "user", "content": parts}], add_generation_prompt=False)

    assert prompt == "<|im_start|>user\nHi\nthere<|im_end|>\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([{"type": "image_url", "image_url": {"url": "data:"}}], "type 'image_url'"),
        ([{"type": "text", "text": 1}], "type 'text'"),
        (["Hi"], "part without a type"),
        (1, "content is int"),
    ],
)
def test_what_is_not_text_is_refused(content, why):
    with pytest.raises(TemplateError, match=why):
        rendered(CHATML, [{"role": "user", "content": content}])


@pytest.mark.parametrize("message", [{"role": "user"}, {"role": "user", "content": None}])
def test_no_content_is_empty_content(message):
    prompt = rendered(CHATML, [message], add_generation_prompt=False)

    assert prompt == "<|im_start|>user\n<|im_end|>\n"


def test_beside_tool_calls_no_content_stays_none():
    message = {"role": "assistant", "tool_calls": [{}]}

    assert rendered("{{ messages[0].content is none }}", [message]) == "True"


def test_messages_are_left_as_they_were():
    messages = [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, HI]
    before = json.dumps(messages)

    rendered(MISTRAL, messages)

    assert json.dumps(messages) == before


def test_extra_variables_reach_the_template():
    assert rendered("{{ enable_thinking }}", extra={"enable_thinking": False}) == "False"


def test_extra_variables_replace_none_of_the_templates_own():
    extra = {"messages": [BYE], "bos_token": "x", "eos_token": "x", "add_generation_prompt": False}

    assert rendered(LLAMA3, extra=extra) == rendered(LLAMA3)


def test_tools_and_documents_are_none_when_there_are_none():
    assert rendered("{{ tools is none and documents is none }}") == "True"


def test_json_is_not_escaped_for_html():
    assert rendered("""{{ {"b": "é<'&", "a": 1} | tojson }}""") == """{"b": "é<'&", "a": 1}"""


def test_json_takes_the_options_that_transformers_offers():
    source = "{{ {'b': 1, 'é': 2} | tojson(true, none, (',', ':'), sort_keys=true) }}"

    assert rendered(source) == r'{"b":1,"\u00e9":2}'


def test_lines_and_indents_of_blocks_leave_no_trace():
    source = "{% if true %}\n  {% if true %}\nHi\n  {% endif %}\n{% endif %}\n"

    assert rendered(source) == "Hi\n"


def test_loops_may_break_and_continue():
    source = (
        "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}"
        "{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}"
    )

    assert rendered(source) == "02"


def test_the_generation_tag_only_groups():
    source = (
        "{% for m in messages %}\n"
        "{% generation %}\n{{ m.content }}\n{% endgeneration %}\n"
        "{% endfor %}"
    )

    assert rendered(source, [HI, BYE]) == "Hi\nBye\n"


@pytest.mark.parametrize(
    "source",
    [
        "{% for message in messages %}",
        "{{ 'x' | no_such_filter }}",
        "{% no_such_tag %}",
        "{% for a in b %}" * 30 + "{% endfor %}" * 30,
        "{{ " + "(" * 5000 + ")" * 5000 + " }}",
    ],
    ids=["unclosed", "filter", "tag", "nested loops", "nested brackets"],
)
def test_a_template_that_cannot_be_compiled_is_called_broken(source):
    with pytest.raises(TemplateError, match="template is broken"):
        template(source)


@pytest.mark.parametrize(
    "source",
    ["{{ messages[9].role.x }}", "{{ 1 / 0 }}", "{{ messages[0].content + 1 }}", "{{ none() }}"],
)
def test_a_template_that_fails_is_called_failed(source):
    with pytest.raises(TemplateError, match="template failed"):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__']['__mro__'] }}",
        "{{ ('' | attr('__class__')).__mro__ }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ strftime_now.__closure__[0] }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update(role='system') }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
    ],
)
def test_no_way_leads_out_of_the_sandbox(source):
    with pytest.raises(TemplateError):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 10 ** 10 }}",
        "{{ 10 ** 10 * [1] }}",
        "{{ 10 ** (10 ** 10) }}",
        "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x+n.x %}{% endfor %}",
        "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    ],
    ids=["text", "list", "power", "doubling", "squaring"],
)
def test_an_operation_with_a_huge_result_is_not_begun(source):
    with pytest.raises(TemplateError, match=r"SecurityError: the result of .* is too large"):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}aaaaaaaa{% endfor %}{% endfor %}",
        "{{ range(10 ** 9) | list }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
    ],
    ids=["loops", "range", "recursion"],
)
def test_a_template_that_writes_without_end_is_stopped(source):
    with pytest.raises(TemplateError):
        rendered(source)


def test_the_longest_prompt_is_rendered_and_a_longer_one_is_not():
    source = "{{ messages[0].content }}"
    longest = {"role": "user", "content": "a" * MAX_PROMPT_CHARS}

    assert len(rendered(source, [longest])) == MAX_PROMPT_CHARS
    with pytest.raises(TemplateError, match=f"more than {MAX_PROMPT_CHARS} characters"):
        rendered(source + ".", [longest])


def test_small_sums_and_products_still_work():
    assert rendered("{{ 'ab' * 2 + 2 * 'c' }}{{ 7 * 6 }}{{ 2 ** 10 }}{{ 1.5 * 2 }}") == (
        "ababcc4210243.0"
    )


def test_a_long_refusal_is_shortened():
    with pytest.raises(TemplateError) as caught:
        rendered("{{ raise_exception('a' * 9999) }}")

    assert len(caught.value.message) < 600


def test_the_date_is_todays_unless_told_otherwise():
    prompt = ChatTemplate("{{ strftime_now('%Y') }}", bos="", eos="").render([HI])

    assert int(prompt) >= 2025


# As SmolVLM has it, without what belongs to images.
PARTS_ONLY = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: "
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def test_a_template_that_reads_nothing_but_parts_gets_parts():
    messages = [
        {"role": "user", "content": "a <image> b"},
        {"role": "assistant", "content": [{"type": "text", "text": "c"}]},
        {"role": "user", "content": ""},
    ]
    prompt = ChatTemplate(PARTS_ONLY, "", "").render(messages)
    assert prompt == "User: a <image> b<end>\nAssistant: c<end>\nUser: <end>\nAssistant:"
