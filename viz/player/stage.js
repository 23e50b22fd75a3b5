// The pictures: which is shown, how large, what is lit, what is collapsed.
class Sheet {
  constructor(section) {
    this.section = section;
    this.level = section.dataset.level;
    this.place = record.stages[this.level];
    this.svg = section.querySelector("svg");
    this.svg.setAttribute("role", "group");
    this.folds = new Map(); // what is collapsed, by name
    this.boxes = this.place.boxes.map((id) => byId(`${this.level}-${id}`));
    this.inside = this.boxes.map(() => []); // of each box its nodes
    this.place.nodes.forEach((places, k) => places.forEach((at) => at >= 0 && this.inside[at].push(k)));
    this.number = new Map(this.boxes.map((box, at) => [box, at]));
    this.boxes.forEach((box) => {
      box.setAttribute("role", "button");
      box.setAttribute("tabindex", "-1");
    });
    this.lines = [...this.svg.querySelectorAll("path:not(.head):not(.badge)")];
    this.into = this.boxes.map(() => []);
    this.from = this.boxes.map(() => []);
    this.reach = [];
    this.place.ends.forEach(([a, b], n) => {
      if (a >= 0) this.from[a].push(n);
      if (b >= 0) this.into[b].push(n);
      const later = b >= 0 ? b : a; // whose turn shows that the line is reached
      if (later >= 0) (this.reach[later] ??= []).push(n);
    });
    this.badges = [];
    this.svg.querySelectorAll("path.badge").forEach((badge, n) => {
      const at = this.place.badges[n];
      if (at >= 0) (this.badges[at] ??= []).push(badge);
    });
    this.columns = this.place.columns.map((id) => byId(`${this.level}-${id}`));
    this.columns.forEach((column, c) => {
      const label = column?.querySelector(".step");
      if (label) label.dataset.column = c;
    });
    this.lit = [];
    this.seen = [];
  }

  // Elements of a node: its boxes, or its badges; the cover of what is collapsed over it.
  marks(k) {
    const fold = this.foldOf(k);
    if (fold) return [fold.cover];
    return this.place.nodes[k].flatMap((at) => (at >= 0 ? [this.boxes[at]] : this.badges[-1 - at] ?? []));
  }

  // What nodes share that are one stop of the player; "" for what is not drawn.
  spot(event) {
    if (typeof event !== "number") return event.gap ? `${event.gap} ${event.piece}` : "";
    const fold = this.foldOf(event);
    return fold ? `fold ${fold.name}` : this.place.nodes[event].join(",");
  }

  // The stops of a walk in this picture: runs of events in one spot, each from its first to its last.
  stops(way) {
    const found = [];
    let last = null;
    record.events[way].forEach((event, e) => {
      const spot = this.spot(event);
      if (found.length && (spot === "" || spot === last)) found[found.length - 1][1] = e;
      else found.push([e, e]);
      last = spot || last;
    });
    return found;
  }

  // Forget what was lit, and note in which order a walk lights the boxes.
  begin(way) {
    for (const mark of this.svg.querySelectorAll(".seen, .now, .sends, .came")) {
      mark.classList.remove("seen", "now", "sends", "came");
    }
    this.way = way;
    this.lit = [];
    this.reached = -1;
    this.seen = record.events[way].map((event) => {
      if (typeof event !== "number") return [byId(`${this.level}-${event.gap}`)].filter(Boolean);
      return [...this.marks(event), ...this.place.nodes[event].filter((at) => at >= 0).map((at) => this.boxes[at])];
    });
    this.first = new Map();
    this.seen.forEach((marks, e) => marks.forEach((mark) => this.first.has(mark) || this.first.set(mark, e)));
    this.lines.forEach((line, n) => {
      const [a, b] = this.place.ends[n] ?? [-1, -1];
      if (a < 0 && b < 0) line.classList.add("seen");
    });
  }

  // Light the events from e to f, and all before them a little.
  light(e, f) {
    const [low, high] = f > this.reached ? [this.reached + 1, f] : [f + 1, this.reached];
    for (let n = low; n <= high; n++) {
      for (const mark of this.seen[n]) {
        const on = this.first.get(mark) <= f;
        mark.classList.toggle("seen", on);
        const at = this.number.get(mark);
        if (at !== undefined) for (const line of this.reach[at] ?? []) this.mark(line, "seen", on);
      }
    }
    this.reached = f;
    for (const [mark, kind] of this.lit) mark.classList.remove(kind);
    this.lit = [];
    for (let n = e; n <= f; n++) this.lightOne(n);
    return this.lit.find(([, kind]) => kind === "now")?.[0];
  }

  lightOne(e) {
    const event = record.events[this.way][e];
    const set = (mark, kind) => {
      mark.classList.add(kind);
      this.lit.push([mark, kind]);
    };
    const marks = typeof event === "number" ? this.marks(event) : this.seen[e];
    marks.forEach((mark) => set(mark, "now"));
    if (typeof event !== "number") return;
    const [input, output] = this.way === "forward" ? ["came", null] : ["sends", "came"];
    for (const at of this.place.nodes[event]) {
      if (at < 0) continue;
      for (const n of this.into[at]) this.withHead(n, (part) => set(part, input));
      if (output) for (const n of this.from[at]) this.withHead(n, (part) => set(part, output));
    }
  }

  withHead(n, act) {
    act(this.lines[n]);
    const next = this.lines[n].nextElementSibling;
    if (next?.classList.contains("head")) act(next);
  }

  mark(n, kind, on) {
    this.withHead(n, (part) => part.classList.toggle(kind, on));
  }

  // ---- collapsing ----

  foldOf(k) {
    for (const fold of this.folds.values()) if (fold.nodes.has(k)) return fold;
    return null;
  }

  isFolded(name) {
    return this.folds.has(name);
  }

  // Cover the nodes that belong together, or uncover them.
  fold(name, label, members) {
    if (this.folds.has(name)) {
      this.folds.get(name).cover.remove();
      this.folds.delete(name);
      return;
    }
    const boxes = new Set(members.flatMap((k) => this.place.nodes[k].filter((at) => at >= 0)));
    if (!boxes.size) return;
    const frames = [...boxes].map((at) => this.boxes[at].getBBox());
    const left = Math.min(...frames.map(({ x }) => x)) - 6;
    const top = Math.min(...frames.map(({ y }) => y)) - 6;
    const right = Math.max(...frames.map(({ x, width }) => x + width)) + 6;
    const bottom = Math.max(...frames.map(({ y, height }) => y + height)) + 6;
    const title = drawn("title", {}, `${label}: ${members.length} nodes, collapsed`);
    const middle = { x: (left + right) / 2, "text-anchor": "middle" };
    const words = (dy, size, text) => drawn("text", { ...middle, y: (top + bottom) / 2 + dy, "font-size": size }, text);
    const cover = drawn("g", { class: "cover", role: "button", tabindex: "-1", "data-fold": name }, title,
      drawn("rect", { x: left, y: top, width: right - left, height: bottom - top, rx: 10 }),
      words(-2, 15, label), words(16, 11, `${members.length} nodes`));
    this.svg.append(cover);
    this.folds.set(name, { name, cover, nodes: new Set(members) });
  }

  // ---- size and place ----

  get size() {
    return this.svg.getAttribute("viewBox").split(" ").slice(2).map(Number);
  }

  // zoom: 0 shows the whole; null as large as it was drawn, or down to `least` of that where it does not fit.
  resize(zoom, least = 0.7) {
    const [width, height] = this.size;
    const fit = Math.min(1, (this.section.clientWidth - 24) / width, (this.section.clientHeight - 24) / height);
    this.scale = zoom === null ? Math.max(fit, least) : zoom === 0 ? Math.max(0.02, fit) : zoom;
    this.svg.setAttribute("width", width * this.scale);
    this.svg.setAttribute("height", height * this.scale);
    this.svg.classList.add("placed"); // before it has its size it is not laid out: that takes long
  }

  // Bring an element into view, if it is not.
  reveal(mark) {
    const one = mark.getBoundingClientRect(), pane = this.section.getBoundingClientRect();
    if (one.left < pane.left + 12 || one.right > pane.right - 12) {
      this.section.scrollLeft += (one.left + one.right - pane.left - pane.right) / 2;
    }
    if (one.top < pane.top + 12 || one.bottom > pane.bottom - 12) {
      this.section.scrollTop += (one.top + one.bottom - pane.top - pane.bottom) / 2;
    }
  }
}
