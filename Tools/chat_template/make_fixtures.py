#!/usr/bin/env python3
"""Render templates with Jinja2 as Transformers configures it; the Swift interpreter must give the same bytes.

    make_fixtures.py OUT.json

Each case holds the template, its variables, and the text or the fact that rendering fails.
The environment is taken from Transformers itself, so that its filters and settings are the ones compared.
"""
import json
import sys

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

cases = []
# Variables under a name, so that the fixture holds each set once; a case names the sets it is rendered with.
sets = {}
# Likewise templates: a case's template may be the name of one.
templates = {}


def add(name, template, *names):
    case = {"name": name, "template": template, "variables": names}
    template = templates.get(template, template)
    variables = {key: value for set_name in names for key, value in sets[set_name].items()}
    try:
        case["output"] = _compile_jinja_template(template).render(**variables)
    except jinja2.exceptions.TemplateError as error:
        case["fails"] = type(error).__name__
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, KeyError, SyntaxError) as error:
        case["fails"] = type(error).__name__
    cases.append(case)


# ------------------------------------------------------------------------------------------- conversations

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Wetter für <Ort> & \"Zeit\" 天气",
     "parameters": {"type": "object", "properties": {"place": {"type": "string", "description": "a\nb\tc\\d"},
      "days": {"type": "integer", "minimum": 1, "maximum": 18446744073709551615, "default": 1e-5},
      "flags": {"type": "array", "items": {}, "enum": [True, False, None, 1.5, 1e16, -0.0]}}, "required": ["place"]}}},
    {"type": "function", "function": {"name": "z", "parameters": {"b": {}, "a": []}}},
]

CONVERSATIONS = {
    "plain": [{"role": "user", "content": "Hello, 世界! \U0001f600 e\u0301 vs \u00e9"}],
    "system": [{"role": "system", "content": "  Be brief.  "}, {"role": "user", "content": "Hi\r\nthere\n"}],
    "turns": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b <think>c</think>\n\nd"},
              {"role": "user", "content": "e"}],
    "image": [{"role": "user", "content": [{"type": "image", "image": "a.jpg"}, {"type": "text", "text": "Describe."}]}],
    "image_url": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                                               {"image": "b.png"}, {"type": "text", "text": "Compare {{ x }} {% y %}"}]}],
    "video": [{"role": "system", "content": [{"type": "text", "text": "S"}]},
              {"role": "user", "content": [{"type": "video", "video": ["1.jpg", "2.jpg"], "fps": 2.0},
                                           {"type": "image", "image": "c"}, {"type": "video", "video": "v.mp4"},
                                           {"type": "text", "text": ""}, {"type": "audio", "audio": "x"}]}],
    "empty_parts": [{"role": "user", "content": []}, {"role": "assistant", "content": ""}],
    "calls": [{"role": "system", "content": "sys"}, {"role": "user", "content": "Weather?"},
              {"role": "assistant", "content": "", "tool_calls": [
                  {"type": "function", "function": {"name": "get_weather", "arguments": {"place": "Köln", "days": 2}}},
                  {"name": "z", "arguments": {"q": [1, {"r": None}]}}]},
              {"role": "tool", "content": "{\"t\": 21}"}, {"role": "tool", "content": "sunny"},
              {"role": "assistant", "content": "21 °C", "tool_calls": [{"function": {"name": "z", "arguments": {}}}]},
              {"role": "tool", "content": "x"}, {"role": "user", "content": "Thanks"}],
    "null_content": [{"role": "user", "content": "a"},
                     {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}],
}

# The official vision template, as the checkpoints carry it.
VISION = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")

# The same constructs as the text models' templates for tools, in words of our own.
TOOL_USE = r"""
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'Default instructions.' }}
    {%- endif %}
    {{- "\n\n# Functions\n\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools>\n\nAnswer as <tool_call>\n{\"name\": <name>, \"arguments\": <object>}\n</tool_call><|im_end|>\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{#- find the last question -#}
{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not (message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + (message.content if message.content is string else '[parts]') + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\n' + message.content.split('</think>')[-1].lstrip('\n') }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\n<tool_call>\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' }}
        {{- message.content }}
        {{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}
last={{ ns.last }}
"""

MACROS = r"""
{%- macro kind(schema, level=0) -%}
  {%- if schema.type == "object" -%}
    {{- "{\n" }}
    {%- for name, property in schema.properties.items() %}
      {{- "  " * (level + 1) ~ name ~ ("" if name in schema.get("required", []) else "?") ~ ": " ~ kind(property, level=level + 1) }}
      {%- if not loop.last %}{{ ",\n" }}{% else %}{{ "\n" }}{% endif %}
    {%- endfor %}
    {{- "  " * level ~ "}" }}
  {%- elif schema.type == "array" -%}
    {{- kind(schema["items"], level) ~ "[]" }}
  {%- elif schema.enum is defined -%}
    {{- schema.enum | map("tojson") | join(" | ") }}
  {%- else -%}
    {{- schema.type | default("any", true) }}
  {%- endif -%}
{%- endmacro -%}
{% for tool in tools or [] %}{% with f = tool.function %}{{ loop.index }}. {{ f.name }}({{ kind(f.parameters) }})
{% endwith %}{% endfor %}
{% for message in messages if message.role != 'system' %}
  {% if loop.previtem is defined and loop.previtem.role == message.role %}(again) {% endif %}
  [{{ loop.index }}/{{ loop.length }}] {{ message.role|upper }}{{ ' last' if loop.last }}
  {% if message.role == 'tool' %}{% continue %}{% endif %}
  {% set text %}{{ message.content if message.content is string else message.content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join(' ') }}{% endset %}
  {{ text | trim | replace('a', 'A') }}
  {% if loop.index > 6 %}{% break %}{% endif %}
{% else %}
nothing
{% endfor %}
"""

for prompt in (False, True):
    sets[f"prompt {prompt}"] = dict(documents=None, add_generation_prompt=prompt, add_vision_id=prompt,
                                    enable_thinking=not prompt)
sets["tools"] = dict(tools=TOOLS)
sets["no tools"] = dict(tools=None)
for name, messages in CONVERSATIONS.items():
    sets[name] = dict(messages=messages)

templates.update({"vision": VISION, "tool use": TOOL_USE, "macros": MACROS})
for label in templates:
    for name in CONVERSATIONS:
        for prompt in (False, True):
            for tools in ("no tools", "tools"):
                add(f"{label}/{name}/{prompt}/{tools}", label, name, f"prompt {prompt}", tools)

# ------------------------------------------------------------------------------------------ constructs

sets["values"] = dict(
    s="Hello World", u="ßtraße ΑΣ ǆ 1a", e="", blank=" \t\n x \u00a0\u3000", n=7, neg=-3, f=2.5, big=12345678901234567890123,
    t=True, no=False, nil=None, l=[3, 1, 2], ll=[[1, "a"], [2, "b"]], d={"b": 1, "a": {"x": [1, 2]}, "items": 5, "get": 6},
    objs=[{"n": "x", "v": 2, "o": {"k": 1}}, {"n": "Y", "v": 1}, {"n": "x", "v": 3, "o": {"k": 2}}],
    text="line one\n  line two\n\nline four\n", quotes="it's \"q\" \\ \x00\x7f\u2028", html="<a href='x'>&\"</a>",
)

EXPRESSIONS = r"""
1 + 2 * 3 - 4
7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 / 2, 2 ** 10, 2 ** -1, -2 ** 2, 2 ** 3 ** 2
7.5 // 2, -7.5 % 2, 1e16, 1e15, 1.5e-5, 0.0001, 0.00001, 1e22, 123456789.125, 100.0, 1_000
1 / 0
1 + 'a'
'a' + 1
'a' ~ 1 ~ none ~ true ~ 2.0
'ab' * 3, 3 * 'ab', [1] * 2, (1,) * 2
[1] + [2], (1,) + (2,)
[1] + (2,)
big, [big]
big|tojson, big == big
true + 1, true == 1, 1 == 1.0, '1' == 1, none == none, [1] == [1.0], (1,) == [1]
1 < 2 < 3, 1 < 3 < 2, 'a' < 'b', 'a' < 'B', [1, 2] < [1, 3], 1 <= 1.0
'a' < 1
none < 1
undefined_thing < 1
not n, not e, not (n and e), n and e, e or 'x', nil or no or 0, 1 and 2
'a' if n else 'b', 'a' if no else 'b', ('a' if no)
'x' if 'o' in s else 'y'
'ell' in s, 'z' not in s, 3 in l, 'b' in d, 'x' in d, 5 in d, 'x' in undefined_thing, '' in s
'x' in nil
3 in 'abc'
[] in d
l[0], l[-1], l[9], l[-9] is defined, l.0, ll[1][1], l['x'] is defined
l[1:], l[:-1], l[::-1], l[::2], l[-2:], l[5:], l[2:0:-1], l[:], l[1:2:1], l[-100:100]
l[::0]
s[0], s[-1], s[1:4], s[::-1], s[20] is defined, s[:5] ~ s[5:], u[::-1], u[1]
s[nil:3], s['a':]
d.b, d['b'], d.a.x[1], d['a']['x'], d.zz, d['zz'] is defined, d.zz is defined
d.zz.y
undefined_thing.y
undefined_thing['y']
nil.x is defined, n.x is defined, nil['x'] is defined
nil.x.y
d['items'], d['get']
d.items()|list, d.keys()|list, d.values()|list, d.get('b'), d.get('q'), d.get('q', 4)
d.items is defined, d['items'] is defined
d.update({'c': 1})
l.append(4)
l.count(3), l.index(1)
l.index(10)
undefined_thing, undefined_thing is defined, undefined_thing is undefined, undefined_thing|length, undefined_thing|list, undefined_thing|upper, undefined_thing ~ 'x'
undefined_thing + 1
undefined_thing()
n()
undefined_thing == other_undefined, undefined_thing == none, undefined_thing == ''
-n, +n, -f, - -n
-s
[1, 'two', 3.0, none, true, [4], {'k': 'v'}, (5,), (), (6, 7)]
{'a': 1, 'b': [2], 'a': 3}
{}, [], ()
['it\'s', "q\"", 'both\'"', 'new\nline', 'tab\t', 'é', '\u200b', '\x00', '\U0001f600', '\\']
[quotes]
s is string, n is string, n is number, t is number, f is number, s is number, f is float, n is integer, t is integer, t is boolean, n is boolean
l is sequence, s is sequence, d is sequence, d is mapping, l is mapping, n is sequence, (1,) is sequence, undefined_thing is sequence
l is iterable, n is iterable, s is iterable, nil is iterable, undefined_thing is iterable
nil is none, e is none, t is true, no is false, n is true, 1 is true, nil is not none, s is not string
n is odd, n is even, n is divisibleby 7, n is divisibleby(2), 8 is even
n is eq 7, n is equalto(7), n is ne 7, n is gt 3, n is ge 7, n is lt 3, n is le 7, n is in [7], 'H' is in s
'abc' is lower, 'ABC' is upper, 'aB' is lower, '1' is lower
undefined_thing is callable, range is callable, s is callable
n is sameas 7, nil is sameas none
'upper' is filter, 'zork' is filter, 'odd' is test
n is zork
n|zork
s|upper, s|lower, 'hELLO wORLD'|capitalize, 'hELLO wORLD-x (y)'|title, u|upper, u|lower, u|capitalize, u|title
blank|trim ~ '.', 'xxaxx'|trim('x'), n|trim
s|length, l|length, d|length, u|length, ''|length, 'e\u0301'|length
n|length
nil|length
l|first, l|last, s|first, s|last, d|first, d|last, []|first is defined, ''|last is defined
l|join, l|join('-'), l|join(', '), s|join('.'), objs|join(',', attribute='n'), [1, none, 'x']|join('+'), ll|join('/')
n|join
l|list, s|list, d|list, 'ab'|list
d|items|list
n|items|list
undefined_thing|items|list
undefined_thing|default('d'), e|default('d'), e|default('d', true), nil|default('d'), nil|d('x', boolean=true), n|default(1)
s|replace('l', 'L'), s|replace('l', 'L', 2), s|replace('', '-'), s|replace('', '-', 2), n|replace('7', 'x'), s|replace('zz', 'y')
'12'|int, '12.7'|int, 'x'|int, 'x'|int(5), 3.9|int, -3.9|int, true|int, ' 8 '|int, none|int, '0x1F'|int(base=16), '1_0'|int, '+5'|int
undefined_thing|int
'1.5'|float, 'x'|float, 3|float, '1e3'|float, none|float(2.0)
3.7|round, 2.5|round, 3.14159|round(2), 5|round, 3.2|round(method='ceil'), 3.9|round(0, 'floor'), 2.675|round(2), -0.4|round
-5|abs, (-5)|abs, (-2.5)|abs
l|sort, l|sort(reverse=true), ['b', 'A', 'c']|sort, ['b', 'A', 'c']|sort(case_sensitive=true), objs|sort(attribute='v')|map(attribute='v')|list
l|reverse|list, s|reverse, l|min, l|max, l|sum, objs|sum(attribute='v'), [1, 'a']|unique|list, ['a', 'A', 'b', 'a']|unique|list, []|max is defined
objs|map(attribute='n')|list, objs|map(attribute='o.k')|list, objs|map(attribute='q', default='-')|list, ll|map(attribute=1)|list, ['a', 'b']|map('upper')|join, [' a ', 'b']|map('trim')|list, ['a']|map('replace', 'a', 'b')|list
objs|selectattr('o')|map(attribute='v')|list, objs|selectattr('o', 'defined')|list|length, objs|rejectattr('n', 'equalto', 'x')|map(attribute='n')|list, objs|selectattr('v', '>', 1)|map(attribute='v')|list, objs|selectattr('o.k', 'eq', 2)|list|length
l|select('odd')|list, l|reject('odd')|list, [0, 1, '', 'x']|select|list, l|select('in', [1, 2])|list
'yes' if objs|selectattr('n', 'equalto', 'zzz') else 'no'
objs|selectattr('v')|length
nil|selectattr('v')|list, nil|map('upper')|list, nil|select|list, 0|reject('odd')|list
5|map('upper')|list
d|dictsort, {'b': 2, 'A': 1}|dictsort, {'b': 1, 'A': 2}|dictsort(by='value'), {'b': 2, 'A': 1}|dictsort(true), {'a': 1, 'b': 2}|dictsort(reverse=true)
text|indent, text|indent(2, true), text|indent(2, blank=true), text|indent('> ')
html|e ~ '+' ~ html|safe, n|string, nil|string, l|string, 1.0|string
d|tojson, l|tojson, s|tojson, quotes|tojson, u|tojson, nil|tojson, t|tojson, f|tojson, (1, 2)|tojson, html|tojson
d|tojson(indent=2), []|tojson(indent=2), {}|tojson(indent=4), [[], {}, [1]]|tojson(indent=1), d|tojson(indent=0), d|tojson(indent='--')
d|tojson(sort_keys=true), u|tojson(ensure_ascii=true), '\U0001f600\x7f'|tojson(ensure_ascii=true), d|tojson(separators=(',', ':')), [1, 2]|tojson(indent=2, separators=(';', '='))
undefined_thing|tojson
range(3)|list, range(1, 4)|list, range(5, 0, -2)|list, range(0)|list
range(1000000)|length
range('a')
dict(a=1, b=2)|tojson, dict({'x': 1}, y=2)|tojson
namespace(a=1).a, namespace({'q': 2}).q, namespace(a=1).b is defined
raise_exception('no good')
'  ab '.strip() ~ '|' ~ '  ab '.lstrip() ~ '|' ~ '  ab '.rstrip() ~ '|', 'xxabxx'.strip('x'), 'abcba'.strip('ab'), 'ab'.lstrip('a')
'a,b,,c'.split(','), ' a  b '.split(), 'a,b,c'.split(',', 1), 'a b  c'.split(none, 1), 'a,b,c'.rsplit(',', 1), ' a b c '.rsplit(none, 1), ''.split(), ''.split(','), ' a b c '.split(none, 0), ' a b c '.rsplit(none, 0), 'a<t>b<t>c'.split('<t>')[-1]
'a'.split('')
'a\nb\r\nc\n\nd'.splitlines(), 'a\nb'.splitlines(true), ''.splitlines()
'a=b=c'.partition('='), 'a=b=c'.rpartition('='), 'abc'.partition('='), 'abc'.rpartition('=')
s.startswith('He'), s.startswith('x'), s.endswith('ld'), s.startswith(('x', 'H')), s.endswith(''), s.startswith('Hello World!')
s.upper(), s.lower(), 'hello wORLD it\'s'.title(), 'hELLO'.capitalize(), u.upper(), u.lower(), u.title(), u.capitalize()
s.replace('o', '0'), s.replace('o', '0', 1), s.find('o'), s.rfind('o'), s.find('q'), s.count('l'), s.count(''), s.index('W'), u.find('1'), 'aaa'.count('aa'), 'aaa'.replace('aa', 'b')
s.index('q')
', '.join(['a', 'b']), ''.join('abc'), '-'.join([])
','.join([1])
'prefix-x'.removeprefix('prefix-'), 'x.txt'.removesuffix('.txt'), 'x'.removeprefix('y')
'12'.isdigit(), 'a1'.isdigit(), 'ab'.isalpha(), 'a1'.isalnum(), ' '.isspace(), ''.isspace(), 'AB'.isupper(), 'ab'.islower(), 'é'.isalpha(), '5'.zfill(3), '-5'.zfill(4)
s.nothing is defined, s['upper'] is defined
s.__class__
'a' 'b' "c"
"esc: \n\t\\\"\'\x41\u00e9\101\q"
'\N{DASH}'
007
(1, 2)[0], [1, 2][1], {'a': 1}['a'], 'abc'[1], {'a': {'b': 2}}.a.b
(n + 1) * 2, not (1 == 2), (1 if n else 2) + 1
n if n > 5 and n < 10 or no else 'z'
1 if no else 2 if no else 3
s|upper|lower|replace('h', 'J')|length + 1
-1|abs, -n|abs
n is number and s is string, n is not string or no
'a' is string == true
not n is string
l|length > 2 and l[0] == 3
l | length, s|upper ~ '!' , 'a' ~ 'b'|upper
{'a': 1}|length, {'a': 'b' if n else 'c'}|tojson
none, true, false, None, True, False
[1, 2,], (1,), {'a': 1,}
a b
1 +
(1
[1}
'open
'e\u0301' == '\u00e9', 'e\u0301' in 'e\u0301x', {'e\u0301': 1}['\u00e9'] is defined
'\r\n'|length, 'a\r\nb'.split('\n')
""".strip("\n").split("\n")

for index, expression in enumerate(EXPRESSIONS):
    add(f"expression {index}: {expression}", "{{ (" + expression + ") }}" if "," in expression else "{{ " + expression + " }}", "values")
    if "," in expression:
        add(f"tuple {index}: {expression}", "{{ " + expression + " }}", "values")

STATEMENTS = [
    # white space
    "a\n  {% if true %}\n  b\n  {% endif %}\n  c\n",
    "a\n  {%- if true -%}\n  b\n  {%- endif -%}\n  c\n",
    "a\n  {%+ if true +%}\n  b\n  {%+ endif %}\n  c\n",
    "  {{ 'x' }}  \n  {{- 'y' -}}  \n z",
    "  {# c #}\n  a {# c #} b {#- c -#} d\n{# x\ny #}\nz {#+ c +#}\nq",
    "{% if true %}a{% endif %}\n\nb\n\n",
    "x {% if true %} y {% endif %} z\n",
    "  x\n\t{% set a = 1 %}\t\n  y{% set b = 2 %}\n",
    "\r\na\r\n{% if true %}\r\nb\r{% endif %}\r\nc\r\n",
    "{% raw %}\n{{ x }} {% y %}\n{% endraw %}\nz",
    "a  {%- raw -%}  {{ x }}  {%- endraw -%}  z",
    "  {% raw %} {# n #} {% endraw %}  z",
    "{{ '}}' }} {{ \"%}\" }} {{ {'a': {'b': 1}}['a'] }} {%if true%}x{%endif%}",
    "{{+ 1 }}{{- 2 -}}\n 3",
    "{%- set x = 1 -%}\n\n  {{ x }}",
    # if
    "{% if n == 1 %}a{% elif n == 7 %}b{% elif n %}c{% else %}d{% endif %}",
    "{% if e %}a{% elif nil %}b{% else %}d{% endif %}",
    "{% if n: %}a{% endif %}",
    # for
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ x }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}{{ loop.last }}:{{ x }} {% else %}none{% endfor %}",
    "{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in [] %}{{ x }}{% else %}none{{ x }}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for (a, b) in ll %}{{ a }}{{ b }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a + b + c }}{% endfor %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% for c in 'aé' %}[{{ c }}]{% endfor %}{% for x in undefined_thing %}z{% endfor %}",
    "{% for x in nil %}{% endfor %}",
    "{% for x in 5 %}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}e{% endfor %}",
    "{% for x in l %}{% if x == 3 %}{% continue %}{% endif %}{{ loop.index }}{{ x }}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %};{% endfor %}",
    "{% for x in l %}{% for y in 'ab' %}{{ loop.index }}{{ y }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }} {% endfor %}",
    "{% for x in l %}{{ x }}{% endfor %}{{ x }}{{ loop }}",
    "{% for x in l|sort %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for x in l if x != loop.index %}{{ x }}{% endfor %}",
    "{% set ns = namespace(stop=3) %}{% for x in l if x != ns.stop %}{{ x }}{% set ns.stop = 2 %}{% endfor %}",
    "{% for m in objs if m.v > 1 %}{{ m.n }}{{ loop.nextitem is defined }}{{ loop.length }} {% endfor %}",
    "{% for x in l, 5 %}{{ x }} {% endfor %}",
    "{% break %}",
    "{% for x in range(3) %}{% for y in range(x) %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    # set and scopes
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% for i in [1, 2] %}{% if i == 1 %}{% set q = 'a' %}{% endif %}{{ q }}|{% endfor %}",
    "{% set ns = namespace(x=0, l=[]) %}{% for i in l %}{% set ns.x = ns.x + i %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.x }}{{ ns.l }}",
    "{% set a, b = 1, 'z' %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}",
    "{% set a, b = [1] %}",
    "{% set x %}a{{ n }}b{% endset %}[{{ x }}]{% set y | upper | replace('A', 'Q') %} a {% endset %}[{{ y }}]",
    "{% set x = 'o' %}{% set y %}{% set x = 'i' %}{{ x }}{% endset %}{{ x }}{{ y }}",
    "{% set ns = namespace(a=1) %}{% set ns.t %}block{% endset %}{{ ns.t }}{{ ns.zzz is defined }}{{ ns['a'] }}",
    "{% set d.x = 1 %}",
    "{% set true = 1 %}",
    "{% set x = y %}{{ x is defined }}{{ x }}",
    "{% with x = 1, y = 2 %}{{ x }}{{ y }}{% set x = 5 %}{{ x }}{% endwith %}{{ x }}",
    "{% set x = 1 %}{% with y = x %}{{ y }}{% endwith %}",
    "{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b') | upper %}aa{% endfilter %}",
    "{% generation %}gen {{ n }}{% endgeneration %}!",
    "{% set n = 8 %}{{ n }}{% for i in [1] %}{{ n }}{% endfor %}",
    # macros
    "{% macro m(a, b=2, c=a) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(a=4, c=5) }} {{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro m() %}{{ late }}{% endmacro %}{% set late = 'L' %}{{ m() }}",
    "{% macro m() %}{% set x = 2 %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{{ x }}",
    "{% macro m(x) %}{% for i in x %}{{ i }}{% endfor %}{% endmacro %}{{ m('ab') | upper ~ m([1]) }}",
    "{% macro m(x) -%}\n  {{ x }}\n{%- endmacro %}[{{ m('a') }}]{% set r = m('b') %}{{ r|length }}",
    "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% macro m(a=undefined_thing) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(1) }}",
    "{% macro m(a, b=1, c) %}{% endmacro %}",
    # errors
    "{% if true %}", "{% endif %}", "{% for x in l %}", "{{ 1", "{% set %}", "{# open", "{% zork %}", "{% raw %}x", "{{ }}",
    "{% for x l %}{% endfor %}", "{% if %}x{% endif %}", "{% macro %}{% endmacro %}", "{{ 'a' 1 }}", "{% else %}",
    "{{ a.b.c }}", "{{ raise_exception(s ~ n) }}", "{% if false %}{{ raise_exception('x') }}{% endif %}ok",
    "{{ undefined_thing }}ok{{ undefined_thing.x }}",
]
for index, template in enumerate(STATEMENTS):
    add(f"statement {index}", template, "values")

document = {"jinja2": jinja2.__version__, "transformers": transformers.__version__, "python": sys.version.split()[0], "sets": sets, "templates": templates,
            "cases": cases}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(document, file, ensure_ascii=False, separators=(",", ":"))
    file.write("\n")
print(len(cases), "cases,", sum("fails" in case for case in cases), "of them errors")
