// The player: where the walk is, what moves it, and what shows it.
const sheets = [...document.querySelectorAll(".sheet")];
const levels = sheets.map((section) => section.dataset.level);
const ways = Object.keys(record.events);
const made = new Map(); // level → Sheet, when it is first shown
const bars = new Bars(byId("bars"), byId("series"));
const scrub = byId("scrub");
let zoom = null; // null: as it was drawn, or smaller where it does not fit; 0: the whole
let way = ways.includes("backward") ? "backward" : "forward";
let level = sheets.find((section) => !section.hidden).dataset.level;
let stops = [];
let stop = 0;
let playing = null; // the frame that was asked for
let chosen = null; // a node that was clicked

function sheet() {
  if (!made.has(level)) made.set(level, new Sheet(sheets.find((section) => section.dataset.level === level)));
  return made.get(level);
}

const eventAt = () => (stops.length ? stops[stop][1] : -1);
const columnOf = (event) =>
  typeof event === "number" ? nodes[event].column : event.columns[way === "forward" ? 1 : 0];

// The nodes of a stop, and the one of them that is told of: the newest with a name, or else the one visited last.
function leading([e, f]) {
  const members = record.events[way].slice(e, f + 1).filter((event) => typeof event === "number");
  const own = members.filter((k) => sheet().spot(k) !== "");
  const named = own.filter(hasName);
  const newest = way === "backward" ? named[0] : named[named.length - 1];
  return { members, k: newest ?? own[own.length - 1] ?? members[members.length - 1] };
}

const hasName = (k) => "op" in nodes[k] && nodes[k].name !== opOf(nodes[k]).op;

// ---- showing ---------------------------------------------------------------------------

// Draw all anew: after a change of picture, of direction, of what is collapsed.  The walk stays where it is.
function restart(at = eventAt()) {
  const now = sheet();
  stops = now.stops(way);
  now.begin(way);
  scrub.max = Math.max(0, stops.length - 1);
  stop = Math.max(0, stops.findIndex(([, f]) => f >= at));
  if (at < 0) stop = 0;
  for (const button of document.querySelectorAll("[data-way]")) {
    button.setAttribute("aria-pressed", button.dataset.way === way);
    button.disabled = !ways.includes(button.dataset.way);
  }
  for (const button of document.querySelectorAll("[data-level][aria-pressed]")) {
    button.setAttribute("aria-pressed", button.dataset.level === level);
  }
  for (const section of sheets) section.hidden = section.dataset.level !== level;
  document.body.dataset.walk = way;
  now.resize(zoom);
  show();
}

let tabbed = null; // the box that Tab comes to

function show() {
  const [e, f] = stops[stop];
  const mark = sheet().light(e, f);
  if (mark) {
    sheet().reveal(mark);
    tabbed?.setAttribute("tabindex", "-1");
    tabbed = mark.closest("[role=button]");
    tabbed?.setAttribute("tabindex", "0");
  }
  bars.fill(f);
  scrub.value = stop;
  const count = numbered[way], begin = e ? count[e - 1] + 1 : 1;
  const said = `${begin < count[f] ? `${begin}–` : ""}${count[f]} of ${count[count.length - 1]}`;
  byId("position").textContent = said;
  scrub.setAttribute("aria-valuetext", `visit ${said}`);
  chosen = null;
  if (playing && performance.now() - toldAt < 100) return; // ten times a second is more than anybody reads
  tell();
  if (!playing) announce();
}

let toldAt = 0;

// What stands beside the picture: the node of this stop, or the one that was clicked.
function tell() {
  toldAt = performance.now();
  const at = eventAt(), event = record.events[way][stops[stop][0]];
  let told;
  if (chosen !== null) {
    told = tellNode(chosen, way, at);
    const [box] = sheet().place.nodes[chosen].filter((one) => one >= 0);
    const inside = sheet().inside[box] ?? [];
    if (inside.length > 1) told.push(tellSeveral(`All ${inside.length} in this box`, inside, way, at));
  } else {
    const { members, k } = leading(stops[stop]);
    if (k === undefined) told = tellGap(event, way);
    else {
      told = tellNode(k, way, at);
      if (members.length > 1) told.push(tellSeveral(`All ${members.length} at this stop`, members, way, at));
    }
  }
  const k = chosen ?? leading(stops[stop]).k;
  details.replaceChildren(...told, ...(k === undefined ? [] : [acts(k)]));
}

// What can be done with a node.
function acts(k) {
  const now = sheet(), node = nodes[k], buttons = [];
  const inside = levels[levels.indexOf(level) + 1];
  const act = (name, run) => buttons.push(el("button", { type: "button", onclick: run }, name));
  const e = turn[way].get(k);
  if (chosen !== null && e !== undefined) act("Go to its turn", () => jump(e));
  if (inside) act(`Look inside (${inside})`, () => open(inside, k));
  const folded = (name) => (now.isFolded(name) ? "Open" : "Collapse");
  if ("column" in node) act(`${folded(columnName(k))} the time step`, () => foldColumn(node.column));
  if ("column" in node && node.scope) act(`${folded(moduleName(k))} the module`, () => foldModule(k));
  return el("div", { class: "acts" }, ...buttons);
}

function announce() {
  const { k } = leading(stops[stop]);
  const event = record.events[way][stops[stop][0]];
  const name = k === undefined ? (event.gap ? span(event.columns) : "not drawn") : nodes[k].name;
  const size = k === undefined ? "" : sizeOf(way === "backward" ? nodes[k].grad : nodes[k].value);
  const what = way === "backward" ? "gradient" : "value";
  byId("status").textContent = `${byId("position").textContent}: ${name}${size === "" ? "" : `, ${what} ${size}`}`;
}

function sizeOf(said) {
  if (!said) return "";
  if ("all" in said) return [said.all].flat(Infinity).map(number).join(", ");
  return "norm" in said ? `of norm ${number(said.norm)}` : "";
}

// ---- moving ----------------------------------------------------------------------------

function go(to) {
  stop = Math.min(stops.length - 1, Math.max(0, to));
  show();
}

function jump(e) {
  go(Math.max(0, stops.findIndex(([, f]) => f >= e)));
}

// To the next stop at another time step, or back to where the one before begins.
function goTime(sense) {
  const at = (n) => columnOf(record.events[way][stops[n][0]]);
  let n = stop;
  const here = at(n);
  do n += sense;
  while (n > 0 && n < stops.length - 1 && (at(n) === undefined || at(n) === null || at(n) === here));
  if (sense < 0) while (n > 0 && at(n) !== undefined && at(n - 1) === at(n)) n--;
  go(n);
}

function play() {
  if (stop >= stops.length - 1) go(0);
  let before = performance.now(), due = 0;
  const frame = (now) => {
    due += ((now - before) / 1000) * Number(byId("speed").value);
    before = now;
    if (due >= 1) {
      go(stop + Math.floor(due));
      due %= 1;
    }
    if (stop >= stops.length - 1) pause();
    else playing = requestAnimationFrame(frame);
  };
  playing = requestAnimationFrame(frame);
  showPlaying();
}

function pause() {
  cancelAnimationFrame(playing);
  playing = null;
  showPlaying();
  tell();
  announce();
}

function showPlaying() {
  const button = document.querySelector("[data-go=play]");
  button.textContent = playing ? "❚❚ Pause" : "▶ Play";
  button.setAttribute("aria-label", playing ? "Pause" : "Play");
}

const moves = {
  start: () => go(0),
  "back-time": () => goTime(-1),
  back: () => go(stop - 1),
  play: () => (playing ? pause() : play()),
  step: () => go(stop + 1),
  "step-time": () => goTime(1),
  end: () => go(stops.length - 1),
};

function move(name) {
  if (name !== "play" && playing) pause();
  moves[name]();
}

function turnTo(other) {
  if (!ways.includes(other) || other === way) return;
  if (playing) pause();
  way = other;
  bars.show(Number(byId("series").value), way);
  restart(-1);
}

// ---- looking ---------------------------------------------------------------------------

// Another level of detail, with the same node in view.
function open(other, k = leading(stops[stop]).k) {
  if (!levels.includes(other)) return;
  const at = eventAt();
  level = other;
  restart(at);
  const mark = k === undefined ? null : sheet().marks(k)[0];
  if (!mark) return;
  sheet().reveal(mark);
  mark.classList.add("found");
  setTimeout(() => mark.classList.remove("found"), 1600);
  if (chosen === null && k !== leading(stops[stop]).k) choose(k);
}

function choose(k) {
  if (playing) pause();
  chosen = k;
  tell();
  details.scrollTop = 0;
  byId("status").textContent = `${nodes[k].name} shown`;
}

const columnName = (k) => `column ${nodes[k].column}`;
const moduleName = (k) => `module ${nodes[k].column} ${nodes[k].scope}`;

function fold(name, label, members) {
  sheet().fold(name, label, members);
  restart();
}

function foldColumn(c) {
  fold(`column ${c}`, timeOf(c), nodes.map((_, k) => k).filter((k) => nodes[k].column === c));
}

function foldModule(k) {
  const { column, scope } = nodes[k];
  const inside = (other) => other.column === column && other.scope && `${other.scope}/`.startsWith(`${scope}/`);
  fold(moduleName(k), scope, nodes.map((_, n) => n).filter((n) => inside(nodes[n])));
}

// Zoom, with the point (x, y) of the pane where it is.
function zoomBy(factor, x, y) {
  const now = sheet(), pane = now.section;
  const old = now.scale;
  zoom = factor === 0 ? 0 : Math.min(8, Math.max(0.03, old * factor));
  x ??= pane.clientWidth / 2;
  y ??= pane.clientHeight / 2;
  const [left, top] = [pane.scrollLeft + x, pane.scrollTop + y];
  now.resize(zoom);
  pane.scrollLeft = (left * now.scale) / old - x;
  pane.scrollTop = (top * now.scale) / old - y;
}

function changeTheme() {
  const root = document.documentElement;
  const dark = root.className ? root.className === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.className = dark ? "light" : "dark";
}
