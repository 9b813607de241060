// SPDX-License-Identifier: GPL-2.0
// The page of `fbctl web`: draws what it is told, shows a block's options and counters, goes back and forth between
// versions, and with --write collects changes for one transaction. Where boxes stand and lines run, the server says.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const token = new URLSearchParams(location.search).get("token") || "";
const byId = (id) => document.getElementById(id);
const stage = byId("stage"), picture = byId("picture"), world = byId("world");

const ask = async (path, values = {}, body) => {
  const query = new URLSearchParams({ ...values, token });
  const options = body === undefined ? {} :
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`${path}?${query}`, options);
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
};

const make = (name, attributes = {}, parent = null, text = null) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};
const tell = (name, text, parent, kind = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  parent.append(element);
  return element;
};

// --- What is known --------------------------------------------------------------------------

// The live picture, kept up to date while another one is shown.
const live = { width: 0, height: 0, boxes: new Map(), lines: new Map() };
const rates = new Map(); // by IDP
const drawn = { boxes: new Map(), lines: new Map() };
let versions = [], shown = null; // nothing: live
let writes = false, looks = false, selected = null, wishes = [], preview = null, netns = null;
let view = { x: 0, y: 0, scale: 1 }, fitted = true;

const current = () => preview || shown || live;

// --- Drawing --------------------------------------------------------------------------------

const figures = (group, idp) => {
  const [packets, loss] = group.querySelectorAll(".figures");
  const rate = (current() === live && rates.get(idp)) || { text: "", loss: "" };
  packets.textContent = rate.text;
  loss.textContent = rate.loss;
  loss.setAttribute("class", rate.bad ? "figures bad" : "figures usual");
};

const drawBox = (box, fresh) => {
  let group = drawn.boxes.get(box.name);
  if (group) group.textContent = "";
  else {
    group = make("g", { tabindex: 0, role: "button" }, byId("boxes"));
    drawn.boxes.set(box.name, group);
    if (fresh) {
      group.classList.add("fresh");
      setTimeout(() => group.classList.remove("fresh"), 1300);
    }
  }
  const keep = ["fresh", "selected", "dim", "target"].filter((name) => group.classList.contains(name));
  group.setAttribute("class", [box.class, ...keep].join(" "));
  group.setAttribute("transform", `translate(${box.x},${box.y})`);
  group.setAttribute("aria-label", `${box.name}, ${box.detail}`);
  group.dataset.name = box.name;
  const round = box.class === "block" ? 6 : box.class === "socket" ? box.height / 2 : 0;
  make("rect", { class: "shape", width: box.width, height: box.height, rx: round }, group);
  if (box.class === "block") make("rect", { class: `hue${box.hue}`, x: 3, y: 6, width: 4, height: box.height - 12, rx: 2 }, group);
  const middle = { x: box.width / 2, "text-anchor": "middle" };
  make("text", { class: "name", y: 18, ...middle }, group, box.name);
  make("text", { class: "detail", y: 33, ...middle }, group, box.detail);
  make("text", { class: "figures", y: 48, ...middle }, group);
  make("text", { class: "figures usual", y: 63, ...middle }, group);
  figures(group, box.idp);
};

const drawLine = (line) => {
  let group = drawn.lines.get(line.id);
  if (group) group.textContent = "";
  else {
    group = make("g", {}, byId("lines"));
    drawn.lines.set(line.id, group);
  }
  group.dataset.id = line.id;
  group.ports = line.ports;
  const what = line.loose ? `${line.upper} gets the events of ${line.lower}` : `${line.upper} on ${line.lower}`;
  make("path", { class: line.loose ? "line loose" : "line", d: line.path }, group);
  const hit = make("path", { class: "hit", d: line.path }, group);
  make("title", {}, hit, what);
  weigh(line);
};

// No more can have gone this way than either end had.
const weigh = (line) => {
  const group = drawn.lines.get(line.id);
  if (!group || line.loose) return;
  const boxes = current().boxes;
  const rate = (name) => {
    const box = boxes.get(name), known = box && current() === live && rates.get(box.idp);
    return known ? known.rate : 0;
  };
  const least = Math.min(rate(line.lower), rate(line.upper));
  const path = group.firstChild;
  path.setAttribute("class", least > 0 ? "line active" : "line");
  path.style.strokeWidth = least > 0 ? `${Math.min(6, 1.4 + 0.6 * Math.log10(1 + least)).toFixed(1)}px` : "";
};

const drawPorts = () => {
  byId("ports").textContent = "";
  for (const line of current().lines.values())
    for (const port of line.ports) make("text", { class: "port", x: port.x, y: port.y }, byId("ports"), port.number);
};

const redraw = (fresh = false) => {
  const scene = current();
  for (const [name, group] of drawn.boxes) if (!scene.boxes.has(name)) { group.remove(); drawn.boxes.delete(name); }
  for (const [id, group] of drawn.lines) if (!scene.lines.has(id)) { group.remove(); drawn.lines.delete(id); }
  for (const line of scene.lines.values()) drawLine(line);
  for (const box of scene.boxes.values()) drawBox(box, fresh);
  finish();
};

const finish = () => {
  drawPorts();
  mark();
  const scene = current();
  byId("empty").classList.toggle("hidden", scene.boxes.size > 0);
  const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const bindings = [...scene.lines.values()].filter((line) => !line.loose).length;
  byId("counts").textContent = `${count(scene.boxes.size, "block")} · ${count(bindings, "binding")}`;
  legend(scene);
  if (fitted) fit();
};

const legend = (scene) => {
  const boxes = [...scene.boxes.values()], entries = [];
  const sign = (kind, shape) => { const svg = make("svg", { width: 20, height: 14 }), group = make("g", { class: kind }, svg); make(shape[0], shape[1], group); return svg; };
  const rect = { class: "shape", x: 1, y: 1, width: 18, height: 12 };
  for (const [kind, text] of [["device up", "device, up"], ["device no-carrier", "no carrier"], ["device down", "down"]])
    if (boxes.some((box) => box.class.endsWith(kind))) entries.push([sign(kind, ["rect", rect]), text]);
  if (boxes.some((box) => box.class.startsWith("virtual"))) entries.push([sign("virtual device", ["rect", rect]), "virtual device"]);
  if (boxes.some((box) => box.class === "socket")) entries.push([sign("socket", ["rect", { ...rect, rx: 6 }]), "socket"]);
  const kinds = new Map(boxes.filter((box) => box.class === "block").map((box) => [box.type, box.hue]));
  for (const [kind, hue] of [...kinds].sort()) entries.push([sign("", ["rect", { class: `hue${hue}`, x: 8, width: 4, height: 14, rx: 2 }]), kind]);
  if ([...scene.lines.values()].some((line) => line.loose)) entries.push([sign("", ["path", { class: "line loose", d: "M0,7L20,7" }]), "subscription"]);
  byId("legend").textContent = "";
  for (const [svg, text] of entries) { const entry = tell("span", "", byId("legend")); entry.append(svg, text); }
};

// Who is selected, what is looked for, and what is wished for.
const mark = () => {
  const wanted = byId("find").value.trim().toLowerCase();
  for (const [name, group] of drawn.boxes) {
    group.classList.toggle("selected", selected !== null && selected.box === name);
    group.classList.toggle("dim", wanted !== "" && !group.getAttribute("aria-label").toLowerCase().includes(wanted));
  }
  for (const group of drawn.lines.values()) group.classList.toggle("dim", wanted !== "");
  const ids = new Set(wishes.map((wish) => `${wish.upper} - ${wish.lower}`));
  for (const [id, group] of drawn.lines) group.classList.toggle("wanted", ids.has(id));
};

// --- Looking around -------------------------------------------------------------------------

const look = () => world.setAttribute("transform", `translate(${view.x},${view.y}) scale(${view.scale})`);
// At this scale the smaller text of a box has 11 px. A narrow page shows no less unless it is asked for the whole graph.
const READABLE = 1;
const narrow = matchMedia("(max-width: 900px)");
let whole = false;

// The part of the stage that the legend leaves free.
const free = () => {
  const room = stage.getBoundingClientRect(), low = byId("legend").getBoundingClientRect().height;
  return { width: room.width, height: room.height - (low > 0 ? low + 8 : 0), border: Math.min(20, room.width / 40) };
};
const fit = () => {
  const scene = current(), { width, height, border } = free();
  const across = width - 2 * border, down = height - 2 * border;
  const all = Math.min(across / Math.max(scene.width, 1), down / Math.max(scene.height, 1), 1.6);
  const scale = narrow.matches && !whole ? Math.max(all, READABLE) : Math.max(all, 0.02);
  // A graph that is too large begins where packets come in: with the device that is nearest to the middle.
  const boxes = [...scene.boxes.values()], devices = boxes.filter((box) => box.class.includes("device"));
  const off = (box) => Math.abs(box.x + box.width / 2 - scene.width / 2) - box.y;
  const first = (devices.length ? devices : boxes).sort((a, b) => off(a) - off(b))[0] || { x: 0, y: 0, width: 0, height: 0 };
  // Where one side of the graph begins, so that `point` of it is at `wanted`, and no more room than the border is left free.
  const begin = (room, length, point, wanted) => (length * scale <= room - 2 * border ? (room - length * scale) / 2 :
    Math.max(room - border - length * scale, Math.min(border, wanted - point * scale)));
  view = {
    scale,
    x: begin(width, scene.width, first.x + first.width / 2, width / 2),
    y: begin(height, scene.height, first.y + first.height, height - border),
  };
  fitted = true;
  reveal();
};
// Moves the view as little as it takes to show the block that is selected.
const reveal = () => {
  const box = selected && selected.box ? current().boxes.get(selected.box) : null;
  if (box) {
    const { width, height, border } = free();
    const shift = (at, length, room) => Math.min(0, room - border - at - length) || Math.max(0, border - at);
    view.x += shift(view.x + box.x * view.scale, box.width * view.scale, width);
    view.y += shift(view.y + box.y * view.scale, box.height * view.scale, height);
  }
  look();
};
const toggleFit = () => {
  whole = narrow.matches && fitted && !whole;
  fit();
};
const zoom = (factor, at) => {
  const room = stage.getBoundingClientRect();
  const x = at ? at.clientX - room.left : room.width / 2, y = at ? at.clientY - room.top : room.height / 2;
  const scale = Math.min(4, Math.max(0.02, view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  fitted = false;
  look();
};
const show = (name) => {
  const box = current().boxes.get(name), room = stage.getBoundingClientRect();
  if (!box) return;
  view.scale = Math.max(view.scale, 0.9);
  view.x = room.width / 2 - (box.x + box.width / 2) * view.scale;
  view.y = room.height / 2 - (box.y + box.height / 2) * view.scale;
  fitted = false;
  look();
};
const inWorld = (event) => {
  const room = stage.getBoundingClientRect();
  return { x: (event.clientX - room.left - view.x) / view.scale, y: (event.clientY - room.top - view.y) / view.scale };
};
const boxAt = (element) => { const group = element && element.closest("#boxes > g"); return group ? group.dataset.name : null; };
const lineAt = (element) => { const group = element && element.closest("#lines > g"); return group ? group.dataset.id : null; };

picture.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event);
}, { passive: false });

const touches = new Map();
let press = null;
picture.addEventListener("pointerdown", (event) => {
  if (event.button > 0) return;
  touches.set(event.pointerId, event);
  if (touches.size > 1) { endDrag(); press = null; return; }
  press = { x: event.clientX, y: event.clientY, view: { ...view }, box: boxAt(event.target), line: lineAt(event.target), moved: false };
  picture.setPointerCapture(event.pointerId);
});
picture.addEventListener("pointermove", (event) => {
  const before = touches.get(event.pointerId);
  if (touches.size === 2 && before) {
    const other = [...touches.values()].find((touch) => touch.pointerId !== event.pointerId);
    const distance = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY);
    zoom(distance(event) / Math.max(1, distance(before)), { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
    touches.set(event.pointerId, event);
    return;
  }
  if (!press) return;
  if (!press.moved && Math.hypot(event.clientX - press.x, event.clientY - press.y) < 5) return;
  press.moved = true;
  if (writes && press.box && !shown) return drag(event);
  picture.classList.add("moving");
  view.x = press.view.x + event.clientX - press.x;
  view.y = press.view.y + event.clientY - press.y;
  fitted = false;
  look();
});
const release = (event) => {
  touches.delete(event.pointerId);
  picture.classList.remove("moving");
  const done = press;
  press = null;
  if (!done) return;
  const target = endDrag();
  if (event.type === "pointercancel") return;
  if (done.moved && done.box && target) wish({ change: "bind", upper: done.box, lower: target });
  else if (!done.moved && done.box) select({ box: done.box });
  else if (!done.moved && done.line) select({ line: done.line });
  else if (!done.moved) select(null);
};
picture.addEventListener("pointerup", release);
picture.addEventListener("pointercancel", release);

// --- Details --------------------------------------------------------------------------------

const select = (what) => {
  selected = what;
  byId("side").classList.toggle("hidden", !what);
  byId("look").classList.toggle("hidden", !looks || !what || !what.box);
  mark();
  if (fitted) fit(); else reveal();
  if (!what) return;
  if (what.line) return showLine(what.line);
  byId("side-title").textContent = what.box;
  byId("side-body").textContent = "";
  details();
};

const rows = (title, pairs, parent) => {
  if (pairs.length === 0) return;
  tell("h3", title, parent);
  const table = tell("table", "", parent);
  for (const [key, value] of pairs) {
    const row = tell("tr", "", table);
    tell("th", key, row);
    tell("td", value, row, typeof value === "number" ? "number" : "");
  }
};

const details = async () => {
  const name = selected && selected.box;
  if (!name) return;
  let block, failure = "";
  try { block = await ask("block", { name }); } catch (error) { failure = error.message; }
  if (!selected || selected.box !== name) return;
  const body = document.createDocumentFragment();
  if (!block) tell("p", failure, body, "error");
  else {
    const stats = block.stats || {}, number = (n) => (n || 0).toLocaleString("en");
    const general = [["type", block.type], ["IDP", String(block.idp)]];
    if (block.ifname) general.push(["device", block.ifname]);
    rows("Block", general, body);
    const counters = [["packets", number(stats.packets)], ["bytes", number(stats.bytes)]];
    if (stats.skbs) counters.push(["skbs", number(stats.skbs)]);
    for (const drop of stats.drop || []) if (drop.packets) counters.push([`dropped: ${drop.reason}`, number(drop.packets)]);
    rows("Counters", counters, body);
    const options = block.option || [];
    rows("Options", options.filter((option) => option.config).map((option) => [option.key, option.value]), body);
    rows("It counts", options.filter((option) => !option.config).map((option) => [option.key, option.value]), body);
    if (block.withheld) tell("p", "More is shown to who has CAP_NET_ADMIN.", body);
    const ports = (block.port || []).filter((port) => port["peer-name"]);
    const side = (direction, text) => ports.filter((port) => port.direction === direction).map((port) => [`${text} ${port.index}`, port["peer-name"]]);
    if (!looks) tell("p", "Its packets can be traced and captured here if fbctl web has --packets.", body, "soft");
    rows("Ports", [...side("ingress", "above"), ...side("egress", "below")], body);
  }
  byId("side-body").replaceChildren(body);
};
setInterval(() => { if (selected && selected.box && !document.hidden) details(); }, 1000);

const showLine = (id) => {
  const line = current().lines.get(id);
  if (!line) return select(null);
  byId("side-title").textContent = line.loose ? "Subscription" : "Binding";
  byId("side-body").textContent = "";
  const body = byId("side-body");
  tell("p", line.loose ? `${line.upper} gets the events of ${line.lower}.` : `${line.upper} is on top of ${line.lower}.`, body);
  if (!writes || line.loose || shown) return;
  tell("button", "Unbind…", tell("div", "", body, "row")).addEventListener("click", () => {
    select(null);
    wish({ change: "unbind", upper: line.upper, lower: line.lower });
  });
};

// --- Changes --------------------------------------------------------------------------------

const drag = (event) => {
  const from = current().boxes.get(press.box), to = inWorld(event);
  if (!from) return;
  const name = boxAt(document.elementFromPoint(event.clientX, event.clientY));
  const target = name && name !== press.box ? name : null;
  for (const [other, group] of drawn.boxes) group.classList.toggle("target", other === target);
  byId("drag").setAttribute("d", `M${from.x + from.width / 2},${from.y + from.height / 2}L${to.x},${to.y}`);
  byId("drag").classList.remove("hidden");
  hint(target ? `bind ${press.box} on top of ${target}` : `${press.box}: drop it on the block that it is to be on top of`);
  dragged = target;
};
let dragged = null;
const endDrag = () => {
  const target = dragged;
  dragged = null;
  byId("drag").classList.add("hidden");
  hint("");
  for (const group of drawn.boxes.values()) group.classList.remove("target");
  return target;
};
const hint = (text) => {
  byId("hint").textContent = text;
  byId("hint").classList.toggle("hidden", text === "");
};

const keyed = (scene) => ({
  width: scene.width, height: scene.height,
  boxes: new Map(scene.boxes.map((box) => [box.name, box])),
  lines: new Map(scene.lines.map((line) => {
    const upper = scene.boxes[line.upper].name, lower = scene.boxes[line.lower].name;
    const id = `${upper} ${line.loose ? "~" : "-"} ${lower}`;
    return [id, { ...line, id, upper, lower }];
  })),
});

const wish = async (change) => {
  wishes.push(change);
  if (!await previewed()) { wishes.pop(); await previewed(true); }
};
const previewed = async (quiet = false) => {
  const pending = byId("pending");
  if (wishes.length === 0) {
    preview = null;
    if (!quiet) pending.classList.add("hidden");
    else if (byId("commands").childElementCount === 0 || !byId("pending-error").textContent) pending.classList.add("hidden");
    byId("commands").textContent = "";
    byId("make").disabled = true;
    redraw();
    return true;
  }
  try {
    const answer = await ask("preview", {}, { changes: wishes });
    byId("commands").textContent = "";
    for (const command of answer.commands) tell("li", command, byId("commands"));
    if (!quiet) byId("pending-error").textContent = "";
    byId("make").disabled = false;
    preview = keyed(answer.scene);
    pending.classList.remove("hidden");
    redraw();
    return true;
  } catch (error) {
    byId("pending-error").textContent = error.message;
    pending.classList.remove("hidden");
    return false;
  }
};
const forget = () => {
  wishes = [];
  preview = null;
  byId("commands").textContent = "";
  byId("pending-error").textContent = "";
  byId("pending").classList.add("hidden");
  redraw();
};
byId("cancel").addEventListener("click", forget);
byId("drop-last").addEventListener("click", () => { wishes.pop(); if (wishes.length === 0) forget(); else previewed(); });
byId("make").addEventListener("click", async () => {
  byId("make").disabled = true;
  try {
    await ask("change", {}, { changes: wishes });
    forget();
  } catch (error) {
    byId("pending-error").textContent = error.message;
    byId("make").disabled = false;
  }
});

// --- Versions -------------------------------------------------------------------------------

const place = () => (shown ? versions.findIndex((version) => version.number === shown.number) : versions.length - 1);
const clock = () => {
  const at = place(), version = versions[at];
  byId("slider").max = Math.max(0, versions.length - 1);
  byId("slider").value = at;
  byId("back").disabled = at <= 0;
  byId("forward").disabled = at >= versions.length - 1;
  byId("live").disabled = !shown;
  if (!version) return;
  const time = new Date(version.time).toLocaleTimeString("en-GB"), why = version.events.join(", ");
  byId("when").textContent = `${at + 1} of ${versions.length} · ${time}${why ? " · " + why : ""}`;
  byId("when").title = version.events.join("\n");
};
let asked = 0;
const go = async (at) => {
  const version = versions[Math.min(Math.max(at, 0), versions.length - 1)];
  if (!version) return;
  if (wishes.length) forget();
  const number = ++asked;
  if (version === versions[versions.length - 1]) return backToLive();
  try {
    const scene = keyed(await ask("version", { number: version.number }));
    if (number !== asked) return; // somebody was faster
    shown = { ...scene, number: version.number };
  } catch (error) { return state("bad", error.message); }
  state("replay", "replay");
  redraw(true);
  clock();
};
const backToLive = () => {
  ++asked;
  shown = null;
  state("live", "live");
  redraw(true);
  clock();
};
byId("back").addEventListener("click", () => go(place() - 1));
byId("forward").addEventListener("click", () => go(place() + 1));
byId("slider").addEventListener("input", () => go(Number(byId("slider").value)));
byId("live").addEventListener("click", backToLive);

// --- What the server tells ------------------------------------------------------------------

const state = (kind, text) => { byId("state").className = kind; byId("state").textContent = text; };

const take = (change, begin) => {
  if (begin) { live.boxes.clear(); live.lines.clear(); }
  for (const name of change.gone_boxes) live.boxes.delete(name);
  for (const id of change.gone_lines) live.lines.delete(id);
  for (const box of change.boxes) live.boxes.set(box.name, box);
  for (const line of change.lines) live.lines.set(line.id, line);
  live.width = change.width;
  live.height = change.height;
  if (!versions.some((version) => version.number === change.version.number)) versions.push(change.version);
  if (current() === live) {
    for (const name of change.gone_boxes) { const group = drawn.boxes.get(name); if (group) group.remove(); drawn.boxes.delete(name); }
    for (const id of change.gone_lines) { const group = drawn.lines.get(id); if (group) group.remove(); drawn.lines.delete(id); }
    for (const line of change.lines) drawLine(line);
    for (const box of change.boxes) drawBox(box, !begin);
    finish();
  } else if (preview) previewed();
  clock();
};

let stream = null;
const listen = () => {
  if (stream) return;
  stream = new EventSource(`events?${new URLSearchParams({ token })}`);
  stream.addEventListener("graph", async (event) => {
    const whole = JSON.parse(event.data);
    netns = whole.head.netns;
    byId("title").textContent = netns ? `LANA · namespace ${netns}` : "LANA";
    document.title = byId("title").textContent;
    rates.clear();
    for (const rate of whole.rates) rates.set(rate.idp, rate);
    try { versions = await ask("versions"); } catch { versions = []; }
    take(whole, true);
    if (!shown) { state("live", "live"); redraw(); }
  });
  stream.addEventListener("change", (event) => take(JSON.parse(event.data), false));
  stream.addEventListener("rates", (event) => {
    const changed = new Set();
    for (const rate of JSON.parse(event.data)) { rates.set(rate.idp, rate); changed.add(rate.idp); }
    if (current() !== live) return;
    const names = new Set();
    for (const box of live.boxes.values()) if (changed.has(box.idp)) { figures(drawn.boxes.get(box.name), box.idp); names.add(box.name); }
    for (const line of live.lines.values()) if (names.has(line.upper) || names.has(line.lower)) weigh(line);
  });
  stream.addEventListener("error", () => state("bad", "no connection"));
};
// Who does not look costs nothing.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  if (stream) stream.close();
  stream = null;
});

byId("in").addEventListener("click", () => zoom(1.25));
byId("out").addEventListener("click", () => zoom(0.8));
byId("fit").addEventListener("click", toggleFit);
byId("close").addEventListener("click", () => select(null));
byId("find").addEventListener("input", mark);
byId("find").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const found = [...drawn.boxes].find(([, group]) => !group.classList.contains("dim"));
  if (found) { show(found[0]); select({ box: found[0] }); }
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select")) return;
  const box = boxAt(event.target);
  if (event.key === "Escape") { if (selected) select(null); else if (wishes.length) forget(); }
  else if (box && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); select({ box }); }
  else if (event.key === "ArrowLeft") go(place() - 1);
  else if (event.key === "ArrowRight") go(place() + 1);
  else if (event.key === "+") zoom(1.25);
  else if (event.key === "-") zoom(0.8);
  else if (event.key === "0") toggleFit();
});
new ResizeObserver(() => { if (fitted) fit(); else reveal(); }).observe(stage);

ask("about").then((about) => {
  writes = about.write;
  looks = about.packets;
  document.body.classList.toggle("writes", writes);
}, (error) => state("bad", error.message));
listen();
