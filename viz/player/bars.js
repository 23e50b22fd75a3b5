// Bars of magnitude, one for each time step, which fill as the walk comes to it.  The scale is logarithmic.
const MOST = 160; // bars
const DECADES = 12; // below the largest

class Bars {
  constructor(box, select) {
    this.box = box;
    record.series.forEach(({ path, columns }, n) =>
      select.append(el("option", { value: n }, `${path}  (${columns.length})`)));
    select.closest("label").hidden = record.series.length < 2;
    select.addEventListener("change", () => this.show(Number(select.value), this.way));
  }

  // Draw the bars of a series, all empty.
  show(n, way) {
    this.way = way;
    this.series = record.series[n];
    this.box.hidden = !this.series;
    if (!this.series) return;
    const count = Math.min(MOST, steps.length);
    const found = Array.from({ length: count }, () => []);
    this.series.columns.forEach((c, at) => {
      if (!this.series[way][at]) return; // the walk does not come there
      const [turn, size] = this.series[way][at];
      found[Math.floor((c * count) / steps.length)].push({ c, turn, size });
    });
    const sizes = found.flat().map(({ size }) => size).filter((size) => typeof size === "number" && size > 0);
    const high = sizes.length ? Math.ceil(Math.log10(Math.max(...sizes)) + 1e-9) : 0;
    const least = sizes.length ? Math.floor(Math.log10(Math.min(...sizes))) : -1;
    const low = Math.max(high - DECADES, Math.min(high - 1, least));
    const height = (size) => {
      if (typeof size !== "number") return 100;
      return size === 0 ? 3 : Math.max(4, (100 * (Math.log10(size) - low)) / (high - low));
    };
    const plot = drawn("svg", { viewBox: `0 0 ${count * 10} 100`, preserveAspectRatio: "none", role: "img" });
    this.bars = found.map((members, at) => {
      const larger = (a, b) => (typeof b.size === "number" && !(b.size <= a.size) ? b : a);
      const largest = members.length ? members.reduce(larger) : null;
      if (!largest) return null;
      const tall = height(largest.size);
      const kind = typeof largest.size !== "number" ? "bar broken" : largest.size === 0 ? "bar zero" : "bar";
      const title = drawn("title", {}, `${timeOf(largest.c)}: ${number(largest.size)}`);
      const room = drawn("rect", { class: "room", x: at * 10, y: 0, width: 10, height: 100 });
      const bar = drawn("rect", { class: kind, x: at * 10 + 1, y: 100 - tall, width: 8, height: tall });
      const group = drawn("g", { "data-turn": largest.turn }, title, room, bar);
      plot.append(group);
      return { bar, group, members, on: false };
    });
    const below = el("sub", {}, "t");
    const before = way === "backward" ? ["∂", sign(record.loss), "/∂"] : [];
    const what = ["‖", ...before, this.series.name, below, "‖"];
    const power = (p) => (p >= -3 && p <= 3 ? String(10 ** p) : `1e${p}`);
    this.now = el("span", { class: "now" });
    this.plot = plot;
    this.box.style.maxWidth = `${Math.max(320, 60 + count * 48)}px`;
    this.box.replaceChildren(
      el("div", { class: "what" }, el("span", {}, ...what), this.now),
      el("div", { class: "scale" }, el("span", {}, power(high)), el("span", {}, power(low))),
      el("div", { class: "plot" }, plot, el("div", { class: "ends" },
        el("span", {}, `t = ${steps[0]}`), el("span", {}, `t = ${steps[steps.length - 1]}`))));
    this.fill(this.at ?? 0);
  }

  // Fill the bars that the walk has come to by event `at`.
  fill(at) {
    this.at = at;
    if (!this.series) return;
    let last = null, filled = 0, count = 0;
    for (const bar of this.bars) {
      if (!bar) continue;
      const there = bar.members.filter(({ turn: own }) => own <= at);
      const on = there.length > 0;
      count += bar.members.length;
      filled += there.length;
      if (on !== bar.on) bar.group.classList.toggle("filled", on);
      bar.on = on;
      for (const one of there) if (!last || one.turn > last.turn) last = one;
    }
    this.now.textContent = last ? `${timeOf(last.c)}: ${number(last.size)}` : "";
    const lately = last ? `, last ${this.now.textContent}` : "";
    this.plot.setAttribute("aria-label", `Magnitude at each time step: ${filled} of ${count} filled${lately}`);
  }
}
