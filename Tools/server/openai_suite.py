"""The official `openai` client's ordinary calls against a server that runs the demo model.

    pip install -r Tools/server/requirements.txt
    qwenvl serve --model Models/demo --port 8080 --media-private-addresses &
    python Tools/server/openai_suite.py --url http://127.0.0.1:8080

Each check says what it does; the exit status is the number of those that failed.
"""

import argparse
import base64
import http.server
import json
import threading
from pathlib import Path

import openai

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "Examples"
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def data_uri(name):
    kind = "png" if name.endswith("png") else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode((EXAMPLES / name).read_bytes()).decode()


def asks(url, text="What is in the picture?", **image):
    return [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": url, **image}}, {"type": "text", "text": text}]}]


def expect(condition, message="not so"):
    if not condition:
        raise AssertionError(message)


def fails(kind, call, **attributes):
    try:
        call()
    except kind as error:
        for name, value in attributes.items():
            expect(getattr(error, name) == value, f"{name}: expected {value!r}, found {getattr(error, name)!r}")
        return error
    raise AssertionError(f"expected {kind.__name__}")


@check
def models(client, context):
    names = [model.id for model in client.models.list()]
    expect(names, "no model")
    expect(client.models.retrieve(names[0]).id == names[0])
    context["model"] = names[0]


@check
def chat_with_a_picture_in_base64(client, context):
    reply = client.chat.completions.create(model=context["model"], messages=asks(data_uri("red-circle.png")))
    text = reply.choices[0].message.content
    expect("red" in text.lower() and "circle" in text.lower(), text)
    expect(reply.choices[0].finish_reason == "stop")
    expect(reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens)
    context["answer"] = text


@check
def chat_with_a_picture_by_url(client, context):
    reply = client.chat.completions.create(
        model=context["model"], messages=asks(context["files"] + "/red-circle.png"))
    expect(reply.choices[0].message.content == context["answer"], reply.choices[0].message.content)


@check
def the_second_question_reads_nothing_twice(client, context):
    reply = client.chat.completions.create(model=context["model"], messages=asks(data_uri("red-circle.png")))
    details = reply.usage.prompt_tokens_details
    expect(details.cached_tokens > reply.usage.prompt_tokens / 2, details)
    media = details.model_extra["media"][0]
    expect(media["processed"]["width"] % 28 == 0 and media["tokens"] > 0, media)


@check
def streaming_gives_the_same_words(client, context):
    stream = client.chat.completions.create(
        model=context["model"], messages=asks(data_uri("red-circle.png")), stream=True,
        stream_options={"include_usage": True})
    text, usage, reasons = "", None, []
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    expect(text == context["answer"], text)
    expect(reasons == ["stop"] and usage.completion_tokens > 0, (reasons, usage))


@check
def the_stream_helper(client, context):
    with client.chat.completions.stream(
            model=context["model"], messages=asks(data_uri("red-circle.png"))) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    expect("".join(deltas) == final.choices[0].message.content == context["answer"])


@check
def detail_and_pixels(client, context):
    def tokens(**fields):
        messages = asks(data_uri("green-heart-orange-square.jpg"))
        messages[0]["content"][0].update(fields)
        reply = client.chat.completions.create(model=context["model"], messages=messages, max_tokens=1)
        return reply.usage.prompt_tokens_details.model_extra["media"][0]["tokens"]
    expect(tokens(max_pixels=12544) <= 16 < tokens(min_pixels=100352))


@check
def several_choices_with_seeds(client, context):
    def ask(seed):
        reply = client.chat.completions.create(
            model=context["model"], messages=[{"role": "user", "content": "Tell me something."}], n=4,
            temperature=1.5, top_p=0.95, seed=seed, max_tokens=12)
        expect([choice.index for choice in reply.choices] == [0, 1, 2, 3])
        return [choice.message.content for choice in reply.choices]
    expect(ask(7) == ask(7), "a seed did not repeat")


@check
def logprobs(client, context):
    reply = client.chat.completions.create(
        model=context["model"], messages=asks(data_uri("red-circle.png")), logprobs=True, top_logprobs=5, max_tokens=4)
    entries = reply.choices[0].logprobs.content
    expect(len(entries) == reply.usage.completion_tokens)
    for entry in entries:
        expect(len(entry.top_logprobs) == 5 and entry.logprob <= 0)
        expect(bytes(entry.bytes).decode() == entry.token)
        expect(entry.top_logprobs[0].logprob >= entry.top_logprobs[4].logprob)
    expect("".join(entry.token for entry in entries).startswith(reply.choices[0].message.content[:2]))


@check
def stop_texts_and_lengths(client, context):
    whole = context["answer"]
    middle = whole.split()[1]
    reply = client.chat.completions.create(
        model=context["model"], messages=asks(data_uri("red-circle.png")), stop=[middle, "never"])
    expect(middle not in reply.choices[0].message.content and reply.choices[0].finish_reason == "stop")
    reply = client.chat.completions.create(
        model=context["model"], messages=asks(data_uri("red-circle.png")), max_completion_tokens=2)
    expect(reply.choices[0].finish_reason == "length" and reply.usage.completion_tokens == 2)


@check
def bias_and_penalties(client, context):
    first = client.chat.completions.create(
        model=context["model"], messages=asks(data_uri("red-circle.png")), logprobs=True, max_tokens=1)
    banned = first.choices[0].logprobs.content[0].model_extra["id"]
    reply = client.chat.completions.create(
        model=context["model"], messages=asks(data_uri("red-circle.png")), logit_bias={str(banned): -100},
        presence_penalty=0.5, frequency_penalty=0.5, logprobs=True, max_tokens=3,
        extra_body={"top_k": 20, "min_p": 0.05, "repetition_penalty": 1.1})
    expect(reply.choices[0].logprobs.content[0].model_extra["id"] != banned)


@check
def json_answers(client, context):
    reply = client.chat.completions.create(
        model=context["model"], messages=asks(data_uri("red-circle.png")), max_tokens=800,
        response_format={"type": "json_schema", "json_schema": {"name": "shape", "strict": True, "schema": {
            "type": "object", "additionalProperties": False, "required": ["colour", "count", "sure"],
            "properties": {"colour": {"enum": ["red", "green", "blue"]}, "count": {"type": "integer"},
                           "sure": {"type": "boolean"}}}}})
    value = json.loads(reply.choices[0].message.content)
    expect(list(value) == ["colour", "count", "sure"] and value["colour"] in ("red", "green", "blue"), value)


@check
def tools_are_called_when_required(client, context):
    tool = {"type": "function", "function": {"name": "note", "description": "Notes a shape.", "parameters": {
        "type": "object", "properties": {"shape": {"type": "string"}}, "required": ["shape"]}}}
    reply = client.chat.completions.create(
        model=context["model"], messages=[{"role": "user", "content": "Hello."}], tools=[tool], tool_choice="auto",
        max_tokens=8)
    expect(reply.choices[0].finish_reason in ("stop", "length", "tool_calls"))
    reply = client.chat.completions.create(
        model=context["model"], tools=[tool], max_tokens=4, messages=[
            {"role": "user", "content": "Hello."},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "note", "arguments": '{"shape": "star"}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "noted"}])
    expect(reply.usage.prompt_tokens > 40)


@check
def plain_completions(client, context):
    reply = client.completions.create(
        model=context["model"], prompt=["A red", "A green"], max_tokens=3, logprobs=2, echo=True)
    expect([choice.index for choice in reply.choices] == [0, 1])
    expect(reply.choices[0].text.startswith("A red") and reply.choices[1].text.startswith("A green"))
    text = "".join(
        chunk.choices[0].text for chunk in client.completions.create(
            model=context["model"], prompt="A red", max_tokens=3, stream=True))
    expect("A red" + text == reply.choices[0].text, text)


@check
def responses(client, context):
    items = [{"role": "user", "content": [
        {"type": "input_image", "image_url": data_uri("red-circle.png"), "detail": "auto"},
        {"type": "input_text", "text": "What is in the picture?"}]}]
    reply = client.responses.create(model=context["model"], input=items)
    expect(reply.output_text == context["answer"] and reply.status == "completed", reply.output_text)
    expect(reply.usage.input_tokens > 0 and reply.usage.input_tokens_details.cached_tokens >= 0)
    kinds, text = [], ""
    for event in client.responses.create(model=context["model"], input=items, stream=True):
        kinds.append(event.type)
        if event.type == "response.output_text.delta":
            text += event.delta
    expect(kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds)
    expect(text == context["answer"], text)
    short = client.responses.create(model=context["model"], input="Hello", max_output_tokens=1, instructions="Be brief.")
    expect(short.status == "incomplete" and short.incomplete_details.reason == "max_output_tokens")


@check
def errors(client, context):
    hello = [{"role": "user", "content": "Hello"}]
    create = client.chat.completions.create
    fails(openai.NotFoundError, lambda: create(model="no-such-model", messages=hello), code="model_not_found")
    fails(openai.BadRequestError, lambda: create(model=context["model"], messages=[]), param="messages")
    fails(openai.BadRequestError, lambda: create(model=context["model"], messages=hello, temperature=-1),
          param="temperature")
    fails(openai.BadRequestError, lambda: create(model=context["model"], messages=hello, n=0), param="n")
    fails(openai.BadRequestError, lambda: create(model=context["model"], messages=asks("data:image/png;base64,AAAA")),
          code="invalid_image")
    fails(openai.BadRequestError, lambda: create(model=context["model"], messages=asks("file:///etc/passwd")))
    fails(openai.BadRequestError, lambda: create(
        model=context["model"], messages=[{"role": "user", "content": "word " * 40_000}]),
        code="context_length_exceeded")
    fails(openai.BadRequestError, lambda: client.responses.create(
        model=context["model"], input="x", previous_response_id="resp_1"), param="previous_response_id")


@check
def a_client_with_little_time(client, context):
    hasty = client.with_options(timeout=0.05, max_retries=0)
    fails(openai.APITimeoutError, lambda: hasty.chat.completions.create(
        model=context["model"], messages=[{"role": "user", "content": "Hello"}], max_tokens=20_000,
        extra_body={"ignore_eos": True}))
    # The one that gave up has freed its place: this one is answered at once.
    reply = client.with_options(timeout=20).chat.completions.create(
        model=context["model"], messages=[{"role": "user", "content": "Hello"}], max_tokens=2)
    expect(reply.choices[0].message.content)


def serve_files():
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, directory=str(EXAMPLES), **named)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key", default="none")
    arguments = parser.parse_args()
    client = openai.OpenAI(base_url=arguments.url + "/v1", api_key=arguments.key, max_retries=0, timeout=120)
    context = {"files": serve_files()}
    failed = 0
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            function(client, context)
            print(f"ok      {name}")
        except Exception as error:  # each check stands for itself
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__}: {error}")
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed with openai {openai.__version__}")
    raise SystemExit(failed)


main()
