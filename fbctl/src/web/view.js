// SPDX-License-Identifier: GPL-2.0
// What part of the graph the page of `fbctl web` shows, and how large. Comes behind page.js, which knows the graph.
"use strict";

// A box whose small text has less than 11 px says only its name and its rates, in letters of this size, and no less is
// shown of a graph that is too large: there are buttons to what is outside.
const FULL = 1;
const narrow = matchMedia("(max-width: 700px)");
const smallest = () => (narrow.matches ? 0.46 : 0.42);
const LETTER = 7; // how wide one is, in px
const BUTTONS = 44; // how much of the height they take at an edge

const look = () => {
  world.setAttribute("transform", `translate(${view.x},${view.y}) scale(${view.scale})`);
  const compact = view.scale < FULL - 0.001;
  document.body.classList.toggle("compact", compact);
  if (compact) for (const group of drawn.boxes.values()) brief(group);
  beyond();
  byId("fit").textContent = fitted && compact ? "1:1" : "Fit";
};

// So many letters a small box has room for.
const letters = (box) => Math.max(2, Math.floor((box.width * view.scale - 10) / LETTER));
// The names of boxes, in as many letters as `room` gives each. The middle of a long one is left out, as names differ at
// their ends; where two would read alike, another part of it.
const shortened = (boxes, room) => {
  const short = new Map(), used = new Set(), long = [];
  for (const box of boxes) {
    if (box.name.length > room(box)) long.push(box);
    else { short.set(box.name, box.name); used.add(box.name); }
  }
  for (const box of long) {
    const { name } = box, left = room(box) - 1, parts = [];
    for (let more = 0; more <= left; ++more) {
      const tail = (Math.ceil(left / 2) + more) % (left + 1);
      parts.push(`${name.slice(0, left - tail)}…${tail ? name.slice(-tail) : ""}`);
    }
    for (let at = 1; left > 2 && at + left < name.length; ++at) parts.push(`…${name.slice(at, at + left - 1)}…`);
    const text = parts.find((part) => !used.has(part)) || parts[0];
    short.set(name, text);
    used.add(text);
  }
  return short;
};
// Those of this scale; none after the scene has changed.
let shortNames = null;
const shortName = (box) => {
  if (!shortNames || shortNames.scale !== view.scale) shortNames = { scale: view.scale, names: shortened(current().boxes.values(), letters) };
  return shortNames.names.get(box.name) || box.name;
};
// A figure such as 77.8k/s in so many letters: without what is behind the point, then without its unit of time. Never a
// part of its digits: rather nothing.
const figure = (text, most) => {
  const parts = /^(▼?<?)([\d.]+)([kMGTP]?)(\/s)?(.*)$/.exec(text);
  if (text.length <= most || !parts) return text.length <= most ? text : "";
  const [, sign, digits, unit, time = "", why] = parts, units = " kMGTP";
  let number = Math.round(Number(digits)), of = unit;
  if (number > 999 && unit !== "P") [number, of] = [1, units[units.indexOf(unit || " ") + 1]];
  const ways = [`${sign}${number}${of}${time}${why}`, ...(why ? [`${sign}${number}${of}${time} dropped`] : []), `${sign}${number}${of}${time}`, `${sign}${number}${of}`];
  return ways.find((way) => way.length <= most) || "";
};

// What a small box says: as many lines of its name, its packets and its drops as it has room for.
const brief = (group) => {
  const box = group.box, rate = rateOf(box.idp), { scale } = view;
  const most = letters(box), height = box.height * scale;
  const loss = [figure(rate.loss ? `▼${rate.loss.split(" ")[0]}` : "", most), rate.bad ? "figures bad" : "figures usual"];
  const all = [[shortName(box), "name"], [figure(rate.text, most), "figures"], loss].filter(([text]) => text);
  // Drops are never left out: beside the packets, in their place, or as a mark behind the name.
  const beside = `${figure(rate.text, most)} ${loss[0]}`, marked = `${shortName(box)} ▼`;
  const two = all.length > 2 ? [all[0], [beside.length <= most ? beside : loss[0], loss[1]]] : all;
  const one = [[loss[0] && marked.length <= most ? marked : all[0][0], "name"]];
  const lines = height >= 46 ? all : height >= 28 ? two : one;
  const top = (height - 13 * lines.length) / 2 + 10;
  group.small.setAttribute("transform", `translate(${box.width / 2 + 3},0) scale(${1 / scale})`);
  [...group.small.children].forEach((text, at) => {
    const [words, kind] = lines[at] || ["", ""];
    text.textContent = words;
    text.setAttribute("class", kind);
    text.setAttribute("y", top + 13 * at);
  });
};

// Blocks that drop what they should not, and devices that are down.
const inTrouble = (box) => Boolean(rateOf(box.idp).bad) || / down$/.test(box.class);
// Says how many there are, wherever they are; a press goes from one to the next.
const warn = () => {
  const button = byId("trouble"), count = [...current().boxes.values()].filter(inTrouble).length;
  const text = `⚠ ${count} in trouble`;
  button.classList.toggle("hidden", count === 0);
  if (button.textContent !== text) button.textContent = text;
};
let warned = "";
byId("trouble").addEventListener("click", () => {
  const all = [...current().boxes.values()].filter(inTrouble).map((box) => box.name);
  if (all.length === 0) return;
  warned = all[(all.indexOf(warned) + 1) % all.length];
  select({ box: warned });
  show(warned);
});

// Buttons at the sides say how many blocks are beyond them, in whole or in part, and go there.
const SIDES = { left: ["‹ ", ""], right: ["", " ›"], up: ["▲ ", ""], down: ["▼ ", ""] };
const beyond = () => {
  const { width, height } = free(), count = { left: 0, right: 0, up: 0, down: 0 }, bad = { ...count };
  for (const box of current().boxes.values()) {
    const x = view.x + box.x * view.scale, y = view.y + box.y * view.scale;
    const side = x < -1 ? "left" : x + box.width * view.scale > width + 1 ? "right" :
      y < -1 ? "up" : y + box.height * view.scale > height + 1 ? "down" : null;
    if (!side) continue;
    ++count[side];
    if (inTrouble(box)) ++bad[side];
  }
  for (const [side, [before, behind]] of Object.entries(SIDES)) {
    const button = byId(`more-${side}`), blocks = `${count[side]} block${count[side] === 1 ? "" : "s"}`;
    // Three of them are to have room beside each other on a phone.
    const [all, trouble] = narrow.matches ? [count[side], `, ⚠ ${bad[side]}`] : [blocks, `, ⚠ ${bad[side]} in trouble`];
    const text = `${before}${bad[side] ? `${all}${trouble}` : blocks}${behind}`;
    button.classList.toggle("hidden", count[side] === 0);
    button.classList.toggle("bad", bad[side] > 0);
    if (button.textContent !== text) button.textContent = text;
    button.title = `Not in view: ${count[side]}${bad[side] ? `, ${bad[side]} in trouble` : ""}. Drag the picture, or press here`;
  }
  byId("more-down").style.bottom = `${stage.clientHeight - height + 8}px`;
  warn();
};
for (const [side, x, y] of [["left", 1, 0], ["right", -1, 0], ["up", 0, 1], ["down", 0, -1]])
  byId(`more-${side}`).addEventListener("click", () => {
    const { width, height, border } = free(), scene = current();
    // Not further than the end of the graph.
    const go = (at, step, room, length) => (step > 0 ? Math.max(at, Math.min(at + step, border)) :
      Math.min(at, Math.max(at + step, room - border - length * view.scale)));
    if (x) view.x = go(view.x, x * 0.7 * width, width, scene.width);
    if (y) view.y = go(view.y, y * 0.7 * height, height, scene.height);
    fitted = false;
    look();
  });

// How large the picture is.
const free = () => {
  const { width, height } = picture.getBoundingClientRect();
  return { width, height, border: Math.min(20, width / 40) };
};
// Shows all, or as much as is readable at this scale.
const fit = (least = smallest()) => {
  const scene = current(), { width, height, border } = free();
  const across = width - 2 * border, down = height - 2 * border;
  const all = Math.min(across / Math.max(scene.width, 1), down / Math.max(scene.height, 1), 1.6);
  const scale = Math.max(all, least);
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
    // The button at the lower edge is not to cover it, where blocks are below.
    y: begin(height, scene.height, first.y + first.height, height - BUTTONS),
  };
  fitted = least !== FULL;
  reveal();
};
// Moves the view as little as it takes to show the block that is selected.
const reveal = () => {
  const box = selected && selected.box ? current().boxes.get(selected.box) : null;
  if (box) {
    const { width, height, border } = free(), scene = current();
    const shift = (at, length, room, edge) => Math.min(0, room - edge - at - length) || Math.max(0, edge - at);
    // Where there are buttons at the edges, they are not to cover it.
    const whole = scene.width * view.scale <= width && scene.height * view.scale <= height;
    view.x += shift(view.x + box.x * view.scale, box.width * view.scale, width, border);
    view.y += shift(view.y + box.y * view.scale, box.height * view.scale, height, whole ? border : BUTTONS);
  }
  look();
};
// All, or what is readable of all; and again: with all texts.
const toggleFit = () => (fitted && view.scale < FULL ? fit(FULL) : fit());
const zoom = (factor, at) => {
  const room = picture.getBoundingClientRect();
  const x = at ? at.clientX - room.left : room.width / 2, y = at ? at.clientY - room.top : room.height / 2;
  const scale = Math.min(4, Math.max(0.02, view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  fitted = false;
  look();
};
const show = (name) => {
  const box = current().boxes.get(name), { width, height } = free();
  if (!box) return;
  view.scale = Math.max(view.scale, FULL);
  view.x = width / 2 - (box.x + box.width / 2) * view.scale;
  view.y = height / 2 - (box.y + box.height / 2) * view.scale;
  fitted = false;
  look();
};
const inWorld = (event) => {
  const room = picture.getBoundingClientRect();
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

byId("in").addEventListener("click", () => zoom(1.25));
byId("out").addEventListener("click", () => zoom(0.8));
byId("fit").addEventListener("click", toggleFit);
new ResizeObserver(() => { if (fitted) fit(); else reveal(); }).observe(picture);

// --- Finding a block ------------------------------------------------------------------------

let foundLast = "";
const matching = () => [...drawn.boxes].filter(([, group]) => !group.classList.contains("dim")).map(([name]) => name);
byId("find").addEventListener("input", () => {
  foundLast = "";
  mark();
  const wanted = byId("find").value.trim(), { length } = matching();
  hint(wanted ? (length ? `${length} of ${drawn.boxes.size} blocks · Enter shows one after the other` : `no block matches ${wanted}`) : "");
});
byId("find").addEventListener("blur", () => hint(""));
byId("find").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const names = matching(), at = (names.indexOf(foundLast) + 1) % Math.max(1, names.length);
  if (names.length === 0 || byId("find").value.trim() === "") return;
  foundLast = names[at];
  select({ box: foundLast });
  show(foundLast);
  hint(`${at + 1} of ${names.length}: ${foundLast}`);
});
