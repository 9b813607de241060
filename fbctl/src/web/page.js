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

const rateOf = (idp) => (current() === live && rates.get(idp)) || { text: "", loss: "", rate: 0 };
const figures = (group) => {
  const rate = rateOf(group.box.idp), [packets, loss] = group.figures;
  const most = Math.floor((group.box.width - 20) / 6.7);
  packets.textContent = figure(rate.text, most);
  loss.textContent = figure(rate.loss, most);
  loss.setAttribute("class", rate.bad ? "figures bad" : "figures usual");
  group.classList.toggle("losing", Boolean(rate.bad));
  if (document.body.classList.contains("compact")) brief(group);
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
  const middle = { x: box.width / 2, "text-anchor": "middle" }, full = make("g", { class: "full" }, group);
  make("text", { class: "name", y: 18, ...middle }, full, box.name);
  make("text", { class: "detail", y: 33, ...middle }, full, box.detail);
  group.figures = [48, 63].map((y) => make("text", { class: "figures", y, ...middle }, full));
  group.small = make("g", { class: "small", "text-anchor": "middle" }, group);
  for (let line = 0; line < 3; ++line) make("text", {}, group.small);
  make("title", {}, group, `${box.name}: ${box.detail}`);
  group.box = box;
  figures(group);
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
    const box = boxes.get(name);
    return box ? rateOf(box.idp).rate : 0;
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
  shortNames = null;
  if (fitted) fit(); else look();
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
  if (boxes.length) tell("span", "N/s: packets, ▼N/s: drops", byId("legend"));
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

// --- Details --------------------------------------------------------------------------------

const select = (what) => {
  selected = what;
  byId("side").classList.toggle("hidden", !what);
  byId("look").classList.toggle("hidden", !looks || !what || !what.box);
  mark();
  if (fitted) fit(); else reveal();
  if (!what) return;
  if (what.line) return showLine(what.line);
  if (byId("side-title").textContent !== what.box) byId("side-kind").textContent = byId("side-body").textContent = "";
  byId("side-title").textContent = what.box;
  details();
};

// A table. A value may be the name of another block, which a click goes to.
const rows = (title, pairs, parent) => {
  if (pairs.length === 0) return;
  tell("h3", title, parent);
  const table = tell("table", "", parent);
  for (const [key, value, block] of pairs) {
    const row = tell("tr", "", table);
    tell("th", key, row);
    if (block) tell("button", value, tell("td", "", row), "link").addEventListener("click", () => select({ box: block }));
    else tell("td", value, row);
  }
};

const details = async () => {
  const name = selected && selected.box;
  if (!name) return;
  let block, failure = "";
  try { block = await ask("block", { name }); } catch (error) { failure = error.message; }
  if (!selected || selected.box !== name) return;
  const body = document.createElement("div");
  if (!block) tell("p", failure, body, "error");
  else {
    const stats = block.stats || {}, number = (n) => (n || 0).toLocaleString("en"), box = current().boxes.get(name);
    byId("side-kind").textContent = box ? box.detail : `${block.type} #${block.idp}`;
    const rate = box ? rateOf(box.idp) : { text: "", loss: "" };
    const counters = [["packets", number(stats.packets) + (rate.text ? ` · ${rate.text}` : "")], ["bytes", number(stats.bytes)]];
    if (block.ifname) counters.splice(1, 0, ["received", number(stats.entered)], ["sent", number(stats.packets - (stats.entered || 0))]);
    if (stats.skbs) counters.push(["skbs", number(stats.skbs)]);
    for (const drop of stats.drop || []) if (drop.packets) counters.push([`dropped: ${drop.reason}`, number(drop.packets)]);
    if (rate.loss) counters.push(["drops now", rate.loss]);
    rows("Counters", counters, body);
    const options = block.option || [];
    rows("Counters of its type", options.filter((option) => !option.config).map((option) => [option.key, option.value]), body);
    const ports = (block.port || []).filter((port) => port["peer-name"]);
    const side = (direction) => ports.filter((port) => port.direction === direction)
      .map((port) => [`port ${port.index}`, port["peer-name"], port["peer-name"]]);
    rows("Bound on top of it", side("ingress"), body);
    rows("It is on top of", side("egress"), body);
    rows("Options", options.filter((option) => option.config).map((option) => [option.key, option.value]), body);
    if (block.withheld) tell("p", "Only a user with CAP_NET_ADMIN sees the rest.", body, "soft");
    if (!looks) tell("p", "Start fbctl web with --packets to trace and capture its packets here.", body, "soft");
  }
  // What is the same stays: somebody may be about to click it.
  if (byId("side-body").innerText !== "" && byId("side-body").dataset.told === `${name} ${body.textContent}`) return;
  byId("side-body").dataset.told = `${name} ${body.textContent}`;
  byId("side-body").replaceChildren(...body.children);
};
setInterval(() => { if (selected && selected.box && !document.hidden) details(); }, 1000);

const showLine = (id) => {
  const line = current().lines.get(id);
  if (!line) return select(null);
  byId("side-title").textContent = line.loose ? "Subscription" : "Binding";
  byId("side-kind").textContent = "";
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
    for (const box of live.boxes.values()) if (changed.has(box.idp)) { figures(drawn.boxes.get(box.name)); names.add(box.name); }
    for (const line of live.lines.values()) if (names.has(line.upper) || names.has(line.lower)) weigh(line);
    beyond();
  });
  stream.addEventListener("error", () => state("bad", "no connection"));
};
// Who does not look costs nothing.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  if (stream) stream.close();
  stream = null;
});

byId("close").addEventListener("click", () => select(null));
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

// When the other scripts are there, too.
document.addEventListener("DOMContentLoaded", () => {
  ask("about").then((about) => {
    writes = about.write;
    looks = about.packets;
    document.body.classList.toggle("writes", writes);
    select(selected);
  }, (error) => state("bad", error.message));
  listen();
});
