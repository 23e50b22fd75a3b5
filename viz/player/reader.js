// What the reader does: drags, clicks, keys; and the beginning.
let dragged = false;
for (const section of sheets) {
  let from = null;
  section.addEventListener("pointerdown", (event) => {
    dragged = false;
    if (event.button !== 0 || event.pointerType !== "mouse") return; // fingers scroll by themselves
    from = [event.clientX, event.clientY, section.scrollLeft, section.scrollTop];
  });
  section.addEventListener("pointermove", (event) => {
    if (!from) return;
    const dx = event.clientX - from[0], dy = event.clientY - from[1];
    if (!dragged && Math.hypot(dx, dy) < 5) return;
    if (!dragged) section.setPointerCapture(event.pointerId);
    dragged = true;
    section.scrollLeft = from[2] - dx;
    section.scrollTop = from[3] - dy;
  });
  section.addEventListener("pointerup", () => (from = null));
  section.addEventListener("pointercancel", () => (from = null));
  section.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const pane = section.getBoundingClientRect();
    zoomBy(Math.exp(-event.deltaY / 300), event.clientX - pane.left, event.clientY - pane.top);
  }, { passive: false });
}

// What a click may be on, apart from boxes.
const ASKING = ["go", "way", "zoom", "node", "turn", "column"].map((name) => `[data-${name}]`).join() +
  ", [data-level][aria-pressed]";

// The node that a box of the picture stands for: of several the one that has a name.
function nodeOf(box) {
  const inside = sheet().inside[sheet().number.get(box)] ?? [];
  return inside.findLast(hasName) ?? inside[inside.length - 1];
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const asked = target.closest(ASKING)?.dataset ?? {};
  const { go: how, way: other, level: wanted, zoom: factor, node, turn: e, column } = asked;
  const cover = target.closest(".cover"), box = target.closest(".node");
  if (how) move(how);
  else if (other) turnTo(other);
  else if (factor !== undefined) zoomBy(Number(factor));
  else if (node !== undefined) choose(Number(node));
  else if (e !== undefined) jump(target.closest("#details") ? turn.backward.get(Number(e)) : Number(e));
  else if (column !== undefined) foldColumn(Number(column));
  else if (wanted) open(wanted);
  else if (cover && !dragged) fold(cover.dataset.fold);
  else if (box && !dragged && nodeOf(box) !== undefined) choose(nodeOf(box));
});
document.addEventListener("dblclick", (event) => {
  const box = event.target.closest(".node"), inside = levels[levels.indexOf(level) + 1];
  if (box && inside && nodeOf(box) !== undefined) open(inside, nodeOf(box));
});
scrub.addEventListener("input", () => {
  if (playing) pause();
  go(Number(scrub.value));
});
byId("theme").addEventListener("click", changeTheme);
byId("help").addEventListener("click", () => byId("keys").showModal());
addEventListener("resize", () => sheet().resize(zoom));

const pan = (dx, dy) => sheet().section.scrollBy(dx, dy);
const KEYS = {
  " ": () => move("play"), Home: () => move("start"), End: () => move("end"),
  ArrowRight: () => move("step"), ArrowLeft: () => move("back"),
  s: () => move("step"), b: () => move("back"), n: () => move("step-time"), p: () => move("back-time"),
  f: () => turnTo(way === "backward" ? "forward" : "backward"),
  c: () => withTime((k) => foldColumn(nodes[k].column)), m: () => withTime((k) => nodes[k].scope && foldModule(k)),
  "+": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: () => zoomBy(0), d: changeTheme,
  i: () => pan(0, -80), k: () => pan(0, 80), j: () => pan(-80, 0), l: () => pan(80, 0),
  "?": () => byId("keys").showModal(),
};

function withTime(act) {
  const k = chosen ?? leading(stops[stop]).k;
  if (k !== undefined && "column" in nodes[k]) act(k);
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open || target.closest("select")) return;
  const onBox = target.closest("svg [role=button]");
  if (onBox && (key === "Enter" || key === " ")) {
    event.preventDefault();
    onBox.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    return;
  }
  if (target === scrub && (key.startsWith("Arrow") || key === "Home" || key === "End")) return;
  if (key === " " && target.closest("button, summary")) return;
  if ([...key].length === 1 && key !== " " && !byId("shortcuts").checked) return;
  const act = KEYS[key] ?? KEYS[key.toLowerCase()];
  if (act) act();
  else if (levels[Number(key) - 1]) open(levels[Number(key) - 1]);
  else return;
  event.preventDefault();
});

bars.show(0, way);
restart(-1);
