"""The page in headless Chromium: drop a picture, ask, see the answer's boxes where the model says they are.

    pip install -r Tools/server/requirements.txt       # and a Chromium, for example Debian's package
    qwenvl serve --model Models/demo --port 8080 &
    python Tools/server/page_test.py --url http://127.0.0.1:8080 --out /tmp/page

Screenshots go to --out: wide and as on a phone, light and dark.
"""

import argparse
import base64
import json
import re
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "Examples" / "green-heart-orange-square.jpg"
BOXES = {"type": "json_schema", "json_schema": {"name": "boxes", "schema": {
    "type": "array", "minItems": 2, "maxItems": 2, "items": {
        "type": "object", "required": ["bbox_2d", "label"], "properties": {
            "bbox_2d": {"type": "array", "minItems": 4, "maxItems": 4, "items": {"enum": [10, 20, 40, 60, 90, 120, 150]}},
            "label": {"enum": ["green heart", "orange square"]}}}}}}

DROP = """async ([data, name, type]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}"""


def drop(page, path, kind):
    page.evaluate(DROP, [base64.b64encode(path.read_bytes()).decode(), path.name, kind])


def ask(page, text):
    answers = page.locator(".message.assistant")
    count = answers.count()
    page.fill("#question", text)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "n => document.querySelectorAll('.message.assistant').length > n && !document.querySelector('#send.busy')",
        arg=count, timeout=60_000)
    return answers.nth(count)


def boxes_are_in_place(page):
    """Each rectangle on the screen lies where the answer says, counted in pixels of the picture that the model saw."""
    facts = page.inner_text("#facts")
    seen = [int(n) for n in re.search(r"seen as (\d+)×(\d+)", facts).groups()]
    answer = page.evaluate("document.querySelector('.message.assistant.current').innerText")
    objects = json.loads(re.search(r"\[.*\]", answer, re.S).group(0))
    picture = page.locator(".canvas img").bounding_box()
    drawn = [mark.bounding_box() for mark in page.locator(".overlay rect.mark").all()]
    assert len(drawn) == len(objects) > 0, (len(drawn), len(objects))
    for item, box in zip(objects, drawn):
        x1, x2 = sorted(min(v, seen[0]) for v in item["bbox_2d"][0::2])
        y1, y2 = sorted(min(v, seen[1]) for v in item["bbox_2d"][1::2])
        scale = picture["width"] / seen[0], picture["height"] / seen[1]
        expected = [picture["x"] + x1 * scale[0], picture["y"] + y1 * scale[1], (x2 - x1) * scale[0], (y2 - y1) * scale[1]]
        found = [box["x"], box["y"], box["width"], box["height"]]
        # The line itself is 2.5 pixels wide, and bounding boxes may count it in.
        assert all(abs(a - b) <= 4 for a, b in zip(expected, found)), (item, expected, found)
    return len(drawn)


def force_boxes(route):
    body = json.loads(route.request.post_data)
    if "bbox" in json.dumps(body["messages"][-1]):
        body["response_format"] = BOXES
        body["temperature"] = 1
        body["seed"] = 3
    route.continue_(post_data=json.dumps(body))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--out", default="page")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    parser.add_argument("--clip", help="a video to drop as well")
    arguments = parser.parse_args()
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        for scheme in ["light", "dark"]:
            for name, size in [("wide", (1280, 800)), ("phone", (390, 844))]:
                context = browser.new_context(
                    viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, device_scale_factor=2,
                    has_touch=name == "phone", is_mobile=name == "phone")
                page = context.new_page()
                problems = []
                page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
                page.on("pageerror", lambda e: problems.append(str(e)))
                page.on("request", lambda r: problems.append(r.url) if not r.url.startswith(
                    (arguments.url, "data:", "blob:")) else None)
                page.goto(arguments.url)
                page.wait_for_selector("#state.ready")
                page.screenshot(path=out / f"{name}-{scheme}-empty.png")
                drop(page, PICTURE, "image/jpeg")
                page.wait_for_selector(".canvas img")
                answer = ask(page, "What is in the picture?").inner_text()
                assert "heart" in answer and "square" in answer, answer
                page.route("**/v1/chat/completions", force_boxes)
                ask(page, "Outline the shapes with bbox_2d and label in JSON.")
                count = boxes_are_in_place(page)
                page.screenshot(path=out / f"{name}-{scheme}.png")
                if arguments.clip:
                    page.unroute("**/v1/chat/completions")
                    drop(page, Path(arguments.clip), "video/mp4")
                    page.wait_for_selector(".canvas video")
                    ask(page, "Name the events with their start and end times in JSON.")
                    page.screenshot(path=out / f"{name}-{scheme}-clip.png")
                page.click("#open-settings")
                page.screenshot(path=out / f"{name}-{scheme}-settings.png")
                overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert overflow <= 0, f"{name}: the page is {overflow} pixels too wide"
                assert not problems, problems
                print(f"ok  {name} {scheme}: answered, {count} boxes in place")
                context.close()
        browser.close()


main()
