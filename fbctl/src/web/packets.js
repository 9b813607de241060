// SPDX-License-Identifier: GPL-2.0
// The packets of a block, in the page of `fbctl web --packets`: a trace, hop by hop, and a capture to be saved. Comes behind
// page.js, which knows what is selected.
"use strict";

// What is at work: `stop` ends it, and keeps what there is.
let looking = null;
const WHY = { limit: "all that were asked for", signal: "the time is over", removed: "the block has gone", closed: "ended" };
const packets = (n) => `${n.toLocaleString("en")} packet${n === 1 ? "" : "s"}`;
const told = (text) => { byId("packets-state").textContent = text; };

// Asks for packets of the block that is selected, and hands on what comes, in pieces. What became of it is the result:
// "whole", "stopped", or nothing where it failed or something else has taken its place.
const lookInto = async (path, title, values, take) => {
  if (looking) looking.drop();
  const control = new AbortController();
  const mine = { stopped: false, dropped: false };
  mine.stop = () => { mine.stopped = true; control.abort(); };
  mine.drop = () => { mine.dropped = true; control.abort(); };
  looking = mine;
  byId("packets").classList.remove("hidden");
  byId("packets-title").textContent = title;
  byId("packets-error").textContent = "";
  byId("packets-body").textContent = "";
  byId("packets-stop").classList.remove("hidden");
  told("waiting for packets…");
  try {
    const answer = await fetch(`${path}?${new URLSearchParams({ ...values, token })}`, { signal: control.signal });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (mine.dropped) return "";
      if (done) return "whole";
      take(value);
    }
  } catch (error) {
    if (mine.dropped) return "";
    if (mine.stopped) return "stopped";
    told("");
    byId("packets-error").textContent = error.message;
    return "";
  } finally {
    if (looking === mine) {
      looking = null;
      byId("packets-stop").classList.add("hidden");
    }
  }
};
const wantedPackets = () => ({
  name: selected ? selected.box : "", filter: byId("look-filter").value, count: byId("look-count").value, seconds: byId("look-seconds").value,
});
const titled = (what, values) => `${what} ${values.name}${values.filter.trim() ? `: ${values.filter.trim()}` : ""}`;

const tellPacket = (packet) => {
  const body = byId("packets-body"), panel = byId("packets");
  const below = panel.scrollHeight - panel.scrollTop - panel.clientHeight < 40;
  const article = tell("article", "", body);
  if (packet.lost) tell("p", `(${packet.lost} not traced)`, article, "soft");
  tell("p", packet.head, article);
  const table = tell("table", "", article);
  let makers = "";
  for (const hop of packet.hops) {
    const row = tell("tr", "", table, hop.bad ? "bad" : hop.dropped ? "usual" : "");
    tell("td", hop.time, row, "number");
    const block = tell("td", "", row);
    if (hop.depth) tell("span", "│ ".repeat(hop.depth - 1) + (hop.first ? "└ " : "  "), block, "twig");
    block.append(hop.block);
    // Who has made them is said once of packets that follow one another.
    const made = `${hop.depth} ${hop.maker || ""}`;
    if (hop.maker && made !== makers) tell("span", ` made by ${hop.maker}`, block, "twig");
    if (hop.first) makers = made;
    tell("td", hop.way, row);
    tell("td", hop.outcome, row, "outcome");
    tell("td", hop.took || "", row, "number").title = "how long the block had it";
    if (hop.changes.length) {
      const more = hop.more ? `, and ${hop.more} more` : "", changes = tell("tr", "", table);
      tell("td", "", changes);
      tell("td", hop.changes.join(", ") + more, changes, "changes").colSpan = 4;
    }
  }
  if (below) panel.scrollTop = panel.scrollHeight;
};
const trace = async () => {
  const values = wantedPackets(), decoder = new TextDecoder();
  let rest = "", count = 0, end = null;
  const line = (text) => {
    const said = JSON.parse(text);
    if (said.packet) { tellPacket(said.packet); told(packets(++count)); }
    else if (said.end) end = said.end;
    else byId("packets-error").textContent = said.error;
  };
  const done = await lookInto("trace", titled("Trace from", values), values, (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop();
    lines.forEach(line);
  });
  if (!done) return;
  const why = done === "stopped" ? "stopped" : end ? WHY[end.why] : "broken off";
  told(`${packets(count)}${end ? `, ${end.lost} not traced` : ""} · ${why}`);
};

// Counts packets of a pcapng file that comes in pieces, and where its last whole block ends.
const blocks = () => {
  const head = new Uint8Array(8);
  let have = 0, left = 0, kind = 0;
  const known = { packets: 0, bytes: 0, whole: 0, ended: false };
  known.take = (piece) => {
    for (let at = 0; at < piece.length;) {
      if (left === 0) {
        head[have++] = piece[at++];
        if (have < 8) continue;
        const numbers = new DataView(head.buffer);
        kind = numbers.getUint32(0, true);
        left = numbers.getUint32(4, true) - 8;
        have = 0;
        continue;
      }
      const step = Math.min(left, piece.length - at);
      left -= step;
      at += step;
      if (left > 0) continue;
      known.whole = known.bytes + at;
      if (kind === 6) known.packets++;
      if (kind === 5) known.ended = true;
    }
    known.bytes += piece.length;
  };
  return known;
};
const capture = async () => {
  const values = { ...wantedPackets(), points: byId("look-points").value };
  const pieces = [], file = blocks();
  const size = (bytes) => (bytes < 10000 ? `${bytes} bytes` : `${Math.round(bytes / 1000).toLocaleString("en")} kB`);
  const done = await lookInto("capture", titled("Capture at", values), values, (piece) => {
    pieces.push(piece);
    file.take(piece);
    told(`${packets(file.packets)}, ${size(file.bytes)}`);
  });
  if (!done) return;
  const why = done === "stopped" ? "stopped" : file.ended ? "complete" : "broken off";
  told(`${packets(file.packets)}, ${size(file.whole)} · ${why}`);
  if (file.packets === 0) return;
  const link = tell("a", `${values.name}.pcapng`, tell("article", "Saved as ", byId("packets-body")));
  link.download = link.textContent;
  link.href = URL.createObjectURL(new Blob(pieces).slice(0, file.whole, "application/x-pcapng"));
  link.click();
};
// What the form asks for, in words, so that it may be closed.
const summary = () => {
  const { filter, count, seconds } = wantedPackets(), points = byId("look-points");
  const what = filter.trim() ? `“${filter.trim()}”` : "all packets", kind = points.selectedOptions[0].textContent.replace(/ by .*/, "");
  byId("look-what").textContent = `${what} · at most ${count} in ${seconds} s · capture ${kind}`;
};
byId("look").addEventListener("input", summary);
summary();
byId("look").addEventListener("submit", (event) => { event.preventDefault(); trace(); });
byId("capture").addEventListener("click", () => { if (byId("look").reportValidity()) capture(); });
byId("packets-stop").addEventListener("click", () => { if (looking) looking.stop(); });
byId("packets-close").addEventListener("click", () => {
  if (looking) looking.drop();
  for (const link of byId("packets-body").querySelectorAll("a")) URL.revokeObjectURL(link.href);
  byId("packets").classList.add("hidden");
});
window.addEventListener("pagehide", () => { if (looking) looking.drop(); });
