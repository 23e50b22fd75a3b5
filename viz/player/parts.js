// What the page is built of.  Text goes in as text, never as markup: no name can act.
const record = JSON.parse(document.getElementById("record").textContent);
const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// An element; `looks` are attributes, and "on…" in it are functions.
function el(tag, looks = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(looks)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function drawn(tag, looks, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(looks)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A name as mathematics writes it: h_3 and W_x with a subscript.
function sign(name) {
  const [, stem, below] = /^(.*)_(\d+)$/su.exec(name) ?? /^(.{1,3})_([^_]{1,10})$/su.exec(name) ?? [];
  return stem ? el("span", { class: "sign" }, stem, el("sub", {}, below)) : el("span", { class: "sign" }, name);
}

function number(x) {
  if (typeof x === "string") return { NaN: "NaN", Infinity: "∞", "-Infinity": "−∞" }[x] ?? x;
  const size = Math.abs(x);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? Number(x.toPrecision(4)).toExponential() : String(x);
  return text.replace("-", "−").replace("e-", "e−").replace("e+", "e");
}

const LETTERS = "abcdefghijklmnopqrs"; // of heat: "j" is zero

function tinted(cell, share) { // share: from -1 to 1
  const hue = share < 0 ? "var(--minus)" : "var(--plus)", much = Math.round(Math.abs(share) * 70);
  if (!Number.isFinite(share)) cell.classList.add("broken");
  else cell.style.background = `color-mix(in srgb, ${hue} ${much}%, transparent)`;
  return cell;
}

// An array: small ones, of up to `whole` numbers, number by number; others as shape, length, range and a strip.
function array(said, whole = 16) {
  if ("all" in said) {
    if (!Array.isArray(said.all)) return el("span", { class: "array" }, number(said.all));
    const flat = said.all.flat(Infinity);
    const most = Math.max(...flat.map((x) => (typeof x === "number" ? Math.abs(x) : 0))) || 1;
    if (flat.length > whole) {
      const cells = flat.map((x) => tinted(el("i"), typeof x === "number" ? x / most : NaN));
      return el("span", { class: "array" }, `‖·‖ ${number(Number(Math.hypot(...flat).toPrecision(4)))}`,
        el("span", { class: "strip", "aria-hidden": "true" }, ...cells));
    }
    const row = (numbers) =>
      el("span", { class: "row" }, ...numbers.map((x) =>
        tinted(el("span", { class: "cell" }, number(x)), typeof x === "number" ? x / most : NaN)));
    const rows = (part) => (part.length && Array.isArray(part[0]) ? part.flatMap(rows) : [row(part)]);
    return el("span", { class: "array" }, ...(flat.length ? rows(said.all) : ["empty"]));
  }
  const shape = said.shape.join("×");
  if (said.kind) return el("span", { class: "array" }, `${shape} of ${said.kind}`);
  const strip = [...said.heat].map((letter) =>
    tinted(el("i"), letter === "!" ? NaN : (LETTERS.indexOf(letter) - 9) / 9));
  const range = "low" in said ? `, ${number(said.low)} … ${number(said.high)}` : "";
  const broken = said.broken ? `, ${said.broken} not finite` : "";
  return el("span", { class: "array" }, `${shape}, ‖·‖ ${number(said.norm)}${range}${broken}`,
    el("span", { class: "strip", "aria-hidden": "true" }, ...strip));
}

// ---- the record, as the page asks for it ----------------------------------------------

const nodes = record.nodes;
const steps = record.steps;
const turn = {}; // direction → node → its event
const numbered = {}; // direction → event → how many visits there were up to it
for (const [way, events] of Object.entries(record.events)) {
  turn[way] = new Map();
  let count = 0;
  numbered[way] = events.map((event, e) => {
    if (typeof event === "number") turn[way].set(event, e);
    return (count += typeof event === "number" ? 1 : event.visits);
  });
}
const arrivals = nodes.map(() => []); // of each node: who sent it what, in the order of backprop
for (const event of record.events.backward ?? []) {
  if (typeof event !== "number" || !nodes[event].sends) continue;
  nodes[event].inputs.forEach((to, i) => {
    const sent = nodes[event].sends[i];
    if (sent && typeof to === "number") arrivals[to].push({ from: event, i, sent });
  });
}

function timeOf(column) {
  const of = record.stretches[column];
  return `t = ${steps[column]}${of ? `, ${of}` : ""}`;
}

// The same with how many steps there are: t = 3 of 5.
function moment(column) {
  const of = record.stretches[column];
  const last = Math.max(...steps.filter((_, c) => record.stretches[c] === of));
  return `t = ${steps[column]} of ${last}${of ? `, ${of}` : ""}`;
}

function span([a, b]) {
  return a === b ? timeOf(a) : `t = ${steps[a]} … ${steps[b]}`;
}

function opOf(node) {
  return "op" in node ? record.rules[node.op] : null;
}
