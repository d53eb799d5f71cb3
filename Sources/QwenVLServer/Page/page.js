const $ = id => document.getElementById(id);
const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

// ---- State

/** Pictures and clips in order of appearance: {kind, name, url, data, width, height, seen, original}. */
let media = [];
/** Turns: {role, text, media: [indices], node, marks, events, on}. */
let turns = [];
let pending = [];
let shown = -1;
let current = null;
let running = null;
let modelName = "";

const colours = ["#e5484d", "#3e8ed0", "#2f9e5b", "#d97706", "#8e4ec6", "#0d9488", "#d6409f", "#7c8a12", "#5b6ee1", "#a0522d"];
const colourOf = (() => {
  const known = new Map();
  return label => {
    if (!known.has(label)) known.set(label, colours[known.size % colours.length]);
    return known.get(label);
  };
})();

// ---- What an answer says about places and times

const number = text => (text === undefined || text === null || text === "" || Number.isNaN(Number(text)) ? null : Number(text));

/** "01:02:03.5", "00:23.90" or 12.5 as seconds. */
function seconds(value) {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !/^[\d:.]+$/.test(value.trim())) return null;
  return value.trim().split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** Reads an object of an answer, with the mistakes that models make: trailing commas, single quotes. */
function objectOf(text) {
  for (const candidate of [text, text.replace(/,\s*([}\]])/g, "$1"), text.replace(/'/g, '"').replace(/,\s*([}\]])/g, "$1")]) {
    try { return JSON.parse(candidate); } catch { /* the next form */ }
  }
  return null;
}

/** Boxes, points and events of an answer that may still be growing. */
export function findings(text) {
  const marks = [], events = [];
  const box = (a, label) => marks.push({
    kind: "box", label: label || "", x: Math.min(a[0], a[2]), y: Math.min(a[1], a[3]),
    w: Math.abs(a[2] - a[0]), h: Math.abs(a[3] - a[1]),
  });
  const point = (a, label) => marks.push({ kind: "point", label: label || "", x: a[0], y: a[1] });
  const numbers = (value, count) => Array.isArray(value) && value.length === count && value.every(Number.isFinite);
  for (const [source] of text.matchAll(/\{[^{}]*\}/g)) {
    const object = objectOf(source);
    if (!object) continue;
    const label = object.label ?? object.text_content ?? object.action ?? object.name ?? "";
    const area = object.bbox_2d ?? object.bbox;
    if (numbers(area, 4)) box(area, String(label));
    else if (numbers(area, 2)) point(area, String(label));
    const place = object.point_2d ?? object.point ?? object.coordinate;
    if (numbers(place, 2)) point(place, String(label));
    const start = seconds(object.start_time ?? object.start), end = seconds(object.end_time ?? object.end);
    if (start !== null && end !== null) {
      events.push({ start: Math.min(start, end), end: Math.max(start, end), label: String(object.description ?? object.event ?? label) });
    }
  }
  for (const [, attributes, inner] of text.matchAll(/<points?\s([^>]*)>([^<]*)/g)) {
    const values = Object.fromEntries([...attributes.matchAll(/(\w+)\s*=\s*"([^"]*)"/g)].map(m => [m[1], m[2]]));
    const label = values.alt || inner.trim();
    for (const [key, x] of Object.entries(values)) {
      const match = /^x(\d*)$/.exec(key);
      const y = match && values["y" + match[1]];
      if (match && number(x) !== null && number(y) !== null) point([Number(x), Number(y)], label);
    }
  }
  for (const [, name, area, rest] of text.matchAll(/<(\w+)[^>]*data-bbox="([^"]*)"[^>]*>([^<]*)/g)) {
    const values = area.trim().split(/[\s,]+/).map(Number);
    if (numbers(values, 4)) box(values, rest.trim().slice(0, 40) || name);
  }
  for (const [, x1, y1, x2, y2] of text.matchAll(/\((\d+(?:\.\d+)?),\s*(\d+(?:\.\d+)?)\)\s*,\s*\((\d+(?:\.\d+)?),\s*(\d+(?:\.\d+)?)\)/g)) {
    box([x1, y1, x2, y2].map(Number), "");
  }
  for (const [, from, to] of text.matchAll(/(?:happens in|from)\s+(\d+(?:\.\d+)?)\s*(?:s|seconds)?\s*(?:-|to|until)\s*(\d+(?:\.\d+)?)\s*(?:s\b|seconds)/g)) {
    events.push({ start: Number(from), end: Number(to), label: "" });
  }
  return { marks, events };
}

// ---- The stage

function show(index) {
  shown = index;
  const item = media[index];
  $("empty").hidden = Boolean(item);
  $("view").hidden = !item;
  $("strip").replaceChildren(...media.map(thumb));
  if (!item) return;
  const canvas = make("div", "canvas");
  const content = make(item.kind === "video" ? "video" : "img");
  content.src = item.url;
  if (item.kind === "video") Object.assign(content, { controls: true, muted: true, playsInline: true });
  else content.alt = item.name;
  content.addEventListener(item.kind === "video" ? "loadedmetadata" : "load", () => {
    item.width = content.videoWidth || content.naturalWidth;
    item.height = content.videoHeight || content.naturalHeight;
    item.duration = content.duration;
    fit();
    draw();
  });
  content.addEventListener("timeupdate", moveNow);
  canvas.append(content, svg("svg", { class: "overlay", preserveAspectRatio: "none" }), make("div", "labels"));
  $("frame").replaceChildren(canvas);
  draw();
}

/** The picture as large as the frame allows, in whole: overlays lie on it exactly. */
function fit() {
  const item = media[shown], content = $("frame").querySelector("img, video");
  if (!item || !content || !item.width) return;
  const style = getComputedStyle($("frame"));
  const width = $("frame").clientWidth - parseFloat(style.paddingLeft) * 2;
  const available = Math.max(120, $("frame").clientHeight - parseFloat(style.paddingTop) * 2);
  const scale = Math.min(width / item.width, available / item.height, 3);
  content.style.width = `${item.width * scale}px`;
  content.style.height = `${item.height * scale}px`;
}
new ResizeObserver(fit).observe($("frame"));

function thumb(item, index) {
  const button = make("button", "thumb" + (index === shown ? " chosen" : ""));
  button.setAttribute("role", "tab");
  button.setAttribute("aria-selected", index === shown);
  button.title = item.name;
  const small = make(item.kind === "video" ? "video" : "img");
  small.src = item.url;
  small.muted = true;
  button.append(small);
  if (item.kind === "video") button.append(make("span", "kind", "clip"));
  button.onclick = () => {
    if (current) current.on = index;
    show(index);
  };
  return button;
}

/** Draws what the chosen answer says. Its coordinates are in pixels of the picture as the model saw it. */
function draw() {
  const item = media[shown], overlay = $("frame").querySelector(".overlay"), labels = $("frame").querySelector(".labels");
  if (!item || !overlay) return;
  const seen = item.seen ?? { width: item.width || 1, height: item.height || 1 };
  overlay.setAttribute("viewBox", `0 0 ${seen.width} ${seen.height}`);
  overlay.replaceChildren();
  labels.replaceChildren();
  const mine = current && current.on === shown;
  const clamp = (value, limit) => Math.max(0, Math.min(limit, value));
  for (const [index, mark] of (mine ? current.marks : []).entries()) {
    const colour = colourOf(mark.label);
    const [x, y] = [clamp(mark.x, seen.width), clamp(mark.y, seen.height)];
    if (mark.kind === "box") {
      overlay.append(svg("rect", {
        class: "mark", x, y, width: clamp(mark.x + mark.w, seen.width) - x, height: clamp(mark.y + mark.h, seen.height) - y,
        stroke: colour, fill: colour, "data-mark": index,
      }));
    } else {
      // Circles whatever the picture's proportions: radii follow the scale of each axis.
      const scale = (item.width || seen.width) / seen.width, r = 7;
      const shownWidth = overlay.clientWidth || seen.width, shownHeight = overlay.clientHeight || seen.height;
      overlay.append(svg("ellipse", {
        class: "mark dot", cx: x, cy: y, rx: r * seen.width / shownWidth, ry: r * seen.height / shownHeight,
        stroke: "#fff", fill: colour, "fill-opacity": 1, "data-mark": index, "data-scale": scale,
      }));
    }
    if (mark.label) {
      const label = make("span", "label", mark.label);
      label.style.background = colour;
      label.style.left = `${100 * x / seen.width}%`;
      label.style.top = `${100 * y / seen.height}%`;
      if (y / seen.height < .06) label.classList.add("inside");
      label.dataset.mark = index;
      labels.append(label);
    }
  }
  for (const element of [...overlay.children, ...labels.children]) {
    element.addEventListener("pointerenter", () => light(element.dataset.mark, true));
    element.addEventListener("pointerleave", () => light(element.dataset.mark, false));
  }
  timeline(item, mine ? current.events : []);
  const original = item.original ?? { width: item.width, height: item.height };
  $("facts").textContent = !original.width ? item.name
    : item.seen ? `${item.name} · ${original.width}×${original.height}, seen as ${seen.width}×${seen.height} · ${item.tokens} tokens`
    : `${item.name} · ${original.width}×${original.height}`;
}

function light(index, on) {
  for (const element of document.querySelectorAll(`[data-mark="${index}"]`)) {
    if (!element.closest(".message") || element.closest(".message") === current?.node) element.classList.toggle("lit", on);
  }
}

function timeline(item, events) {
  const holder = $("timeline"), video = $("frame").querySelector("video");
  holder.hidden = item.kind !== "video" || !events.length;
  holder.replaceChildren();
  const length = item.duration || Math.max(0, ...events.map(event => event.end)) || 1;
  // Events that overlap get a track each.
  const tracks = [];
  for (const event of [...events].sort((a, b) => a.start - b.start)) {
    let place = tracks.find(track => track.end <= event.start);
    if (!place) {
      place = { end: 0, node: make("div", "track") };
      tracks.push(place);
      holder.append(place.node);
    }
    place.end = event.end;
    const bar = make("div", "event", event.label || `${event.start}–${event.end} s`);
    bar.title = `${event.start.toFixed(1)}–${event.end.toFixed(1)} s ${event.label}`;
    bar.style.left = `${100 * Math.min(event.start, length) / length}%`;
    bar.style.width = `${100 * Math.max(0, Math.min(event.end, length) - event.start) / length}%`;
    bar.style.background = colourOf(event.label);
    place.node.append(bar);
  }
  holder.onclick = click => {
    const box = holder.getBoundingClientRect();
    if (video) video.currentTime = Math.max(0, length * (click.clientX - box.left) / box.width);
  };
  const now = make("div", "now");
  holder.append(now);
  moveNow();
}

function moveNow() {
  const video = $("frame").querySelector("video"), now = $("timeline").querySelector(".now");
  if (video && now && video.duration) now.style.left = `${100 * video.currentTime / video.duration}%`;
}

// ---- Bringing pictures and clips

const dataURI = file => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

async function take(files) {
  for (const file of files) {
    const kind = file.type.startsWith("video/") ? "video" : file.type.startsWith("image/") || file.type === "application/pdf" ? "image" : null;
    if (!kind) continue;
    media.push({ kind, name: file.name || "pasted picture", url: URL.createObjectURL(file), data: await dataURI(file) });
    pending.push(media.length - 1);
  }
  if (pending.length) { current = null; mark(null); show(media.length - 1); hints(); }
  $("question").focus();
}

let depth = 0;
const carriesFiles = event => [...(event.dataTransfer?.types ?? [])].includes("Files");
addEventListener("dragenter", event => { if (carriesFiles(event)) { depth += 1; $("veil").hidden = false; } });
addEventListener("dragleave", event => { if (carriesFiles(event) && --depth <= 0) { depth = 0; $("veil").hidden = true; } });
addEventListener("dragover", event => { if (carriesFiles(event)) event.preventDefault(); });
addEventListener("drop", event => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  $("veil").hidden = true;
  take(event.dataTransfer.files);
});
addEventListener("paste", event => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) { event.preventDefault(); take(files); }
});
$("choose").onclick = $("attach").onclick = () => $("files").click();
$("files").onchange = event => { take(event.target.files); event.target.value = ""; };

// ---- Settings

const defaults = { temperature: "0", top_p: "1", top_k: "", min_p: "", max_tokens: "1024", seed: "", repetition_penalty: "", max_pixels: "", system: "", key: "" };
let settings = { ...defaults };
try { Object.assign(settings, JSON.parse(localStorage.getItem("qwenvl") || "{}")); } catch { /* a private window */ }

function showSettings() {
  for (const field of $("settings").querySelectorAll("[name]")) field.value = settings[field.name];
  for (const output of $("settings").querySelectorAll("output")) output.textContent = settings[output.dataset.for];
}
$("settings").addEventListener("input", event => {
  if (!(event.target.name in defaults)) return;
  settings[event.target.name] = event.target.value;
  showSettings();
  try { localStorage.setItem("qwenvl", JSON.stringify(settings)); } catch { /* kept for this visit */ }
});
$("reset").onclick = () => {
  settings = { ...defaults, key: settings.key };
  try { localStorage.setItem("qwenvl", JSON.stringify(settings)); } catch { /* kept for this visit */ }
  showSettings();
};
$("open-settings").onclick = () => { showSettings(); $("settings").showModal(); };

// ---- Asking

const headers = () => ({ "Content-Type": "application/json", ...(settings.key ? { Authorization: `Bearer ${settings.key}` } : {}) });

function requestBody() {
  const messages = settings.system ? [{ role: "system", content: settings.system }] : [];
  for (const turn of turns) {
    if (turn.role === "assistant") {
      if (!turn.failed) messages.push({ role: "assistant", content: turn.text });
      continue;
    }
    const parts = turn.media.map(index => {
      const { kind, data } = media[index];
      const part = { type: `${kind}_url`, [`${kind}_url`]: { url: data } };
      if (settings.max_pixels) part.max_pixels = Number(settings.max_pixels);
      return part;
    });
    messages.push({ role: "user", content: [...parts, { type: "text", text: turn.text }] });
  }
  const body = { model: modelName, messages, stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } };
  for (const key of ["temperature", "top_p", "top_k", "min_p", "max_tokens", "seed", "repetition_penalty"]) {
    const value = number(settings[key]);
    if (value !== null && !(key === "top_p" && value === 1)) body[key] = value;
  }
  return body;
}

/** The JSON of server-sent events, one after another. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter(line => line.startsWith("data: ")).map(line => line.slice(6)).join("\n");
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

async function ask(text) {
  turns.push(addTurn({ role: "user", text, media: pending }));
  const target = pending.length ? pending.at(-1) : shown;
  pending = [];
  const answer = addTurn({ role: "assistant", text: "", media: [], marks: [], events: [], on: target });
  const body = requestBody();
  turns.push(answer);
  mark(answer);
  running = new AbortController();
  $("send").classList.add("busy");
  const begun = performance.now();
  let first = null, usage = null;
  try {
    const response = await fetch("v1/chat/completions", { method: "POST", headers: headers(), body: JSON.stringify(body), signal: running.signal });
    if (!response.ok) throw new Error((await response.json().catch(() => null))?.error?.message ?? `HTTP ${response.status}`);
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      if (event.usage) { usage = event.usage; learnSizes(usage); }
      const delta = event.choices?.[0]?.delta;
      if (delta?.content) {
        first ??= performance.now();
        answer.text += delta.content;
        update(answer);
      }
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      answer.failed = true;
      answer.text = answer.text || error.message;
      if (/key/i.test(error.message)) $("open-settings").click();
    }
  }
  running = null;
  $("send").classList.remove("busy");
  answer.facts = facts(begun, first, usage);
  answer.done = true;
  hints();
  update(answer);
}

function learnSizes(usage) {
  const order = turns.flatMap(turn => turn.media);
  (usage.prompt_tokens_details?.media ?? []).forEach((report, place) => {
    const item = media[order[place]];
    if (!item || item.tokens === report.tokens) return;
    Object.assign(item, { seen: report.processed, original: report.original, tokens: report.tokens });
    draw();
  });
}

function facts(begun, first, usage) {
  if (!usage || first === null) return "";
  const { prompt_tokens: prompt, completion_tokens: count } = usage, cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  const spent = (performance.now() - first) / 1000;
  const rate = count > 1 && spent > 0 ? ` · ${((count - 1) / spent).toFixed(0)} tokens/s` : "";
  return `first word after ${((first - begun) / 1000).toFixed(2)} s · ${prompt} tokens read${cached ? `, ${cached} known` : ""} · ${count} written${rate}`;
}

// ---- The conversation

function addTurn(turn) {
  turn.node = make("div", `message ${turn.role}`);
  if (turn.role === "user") {
    if (turn.media.length) {
      const row = make("div", "inline");
      for (const index of turn.media) {
        const small = make(media[index].kind === "video" ? "video" : "img");
        small.src = media[index].url;
        small.muted = true;
        row.append(small);
      }
      turn.node.append(row);
    }
    turn.node.append(make("p", "", turn.text));
  } else {
    turn.node.append(make("p", "waiting"));
    turn.node.onclick = () => { mark(turn); if (turn.on >= 0) show(turn.on); };
  }
  $("messages").append(turn.node);
  turn.node.scrollIntoView({ block: "end" });
  return turn;
}

/** The answer whose places are drawn. */
function mark(turn) {
  current = turn;
  for (const node of $("messages").children) node.classList.toggle("current", node === turn?.node);
  draw();
}

function update(answer) {
  Object.assign(answer, findings(answer.text));
  const atEnd = $("messages").scrollHeight - $("messages").scrollTop - $("messages").clientHeight < 80;
  const nodes = [];
  answer.text.split("```").forEach((piece, index) => {
    const text = index % 2 ? piece.replace(/^\w*\n/, "").trimEnd() : piece.trim();
    if (text) nodes.push(make(index % 2 ? "pre" : "p", "", text));
  });
  if (!nodes.length) nodes.push(make("p", "", answer.done ? "(nothing)" : ""));
  if (!answer.done) nodes.at(-1).classList.add("waiting");
  const found = [...answer.marks.map((mark, index) => ({ label: mark.label || mark.kind, mark: index, key: mark.label })),
    ...answer.events.map(event => ({ label: `${event.start.toFixed(1)}–${event.end.toFixed(1)} s ${event.label}`, key: event.label }))];
  if (found.length) {
    const chips = make("div", "chips");
    for (const { label, mark: index, key } of found) {
      const chip = make("span", "chip"), spot = make("i");
      spot.style.background = colourOf(key);
      chip.append(spot, label);
      if (index !== undefined) {
        chip.dataset.mark = index;
        chip.onpointerenter = () => light(index, true);
        chip.onpointerleave = () => light(index, false);
      }
      chips.append(chip);
    }
    nodes.push(chips);
  }
  if (answer.facts) nodes.push(make("div", "facts", answer.facts));
  answer.node.classList.toggle("failed", Boolean(answer.failed));
  answer.node.replaceChildren(...nodes);
  if (atEnd) $("messages").scrollTop = $("messages").scrollHeight;
  if (answer === current) draw();
}

function hints() {
  const clip = media[shown]?.kind === "video";
  const texts = !media.length ? [] : clip
    ? ["Describe this clip.", "Name the events with their start and end times in JSON."]
    : ["Describe this picture.", "Outline every object with bbox_2d and label in JSON.", "Read all the text."];
  $("hints").replaceChildren(...(running ? [] : texts).map(text => {
    const button = make("button", "", text);
    button.type = "button";
    button.onclick = () => { $("question").value = text; $("ask").requestSubmit(); };
    return button;
  }));
}

$("ask").onsubmit = event => {
  event.preventDefault();
  if (running) return running.abort();
  const text = $("question").value.trim();
  if (!text) return;
  $("question").value = "";
  grow();
  $("hints").replaceChildren();
  ask(text);
};
$("question").onkeydown = event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); if (!running) $("ask").requestSubmit(); }
};
const grow = () => { $("question").style.height = "auto"; $("question").style.height = `${$("question").scrollHeight}px`; };
$("question").oninput = grow;

$("new").onclick = () => {
  running?.abort();
  for (const item of media) URL.revokeObjectURL(item.url);
  [media, turns, pending, shown, current] = [[], [], [], -1, null];
  $("messages").replaceChildren();
  show(-1);
  hints();
  $("question").focus();
};

// ---- Whether the server is ready

async function look() {
  let text = "not reachable", kind = "failed", again = 3000;
  try {
    const response = await fetch("health"), body = await response.json();
    if (response.ok) {
      [text, kind, again] = [body.running + body.waiting > 0 ? `${body.running + body.waiting} at work` : "ready", "ready", 5000];
      if (!modelName) {
        const models = await fetch("v1/models", { headers: headers() });
        if (models.ok) $("model").textContent = modelName = (await models.json()).data[0].id;
        else if (models.status === 401) text = "needs a key";
      }
    } else {
      [text, kind, again] = [body.error?.message ?? "not ready", "", 1000];
    }
  } catch { /* said so above */ }
  $("state").textContent = text;
  $("state").className = `state ${kind}`;
  setTimeout(look, again);
}
look();
hints();
