// What is told of a node: what it computes, its value, its gradient, who sent that, what it sends on, and its source.
const details = byId("details");

// A node to go to; some have only a name, as they are not drawn.
function link(k) {
  if (typeof k !== "number") return sign(k);
  return el("button", { type: "button", class: "link", "data-node": k }, sign(nodes[k].name));
}

function line(...children) {
  return el("div", { class: "line" }, ...children);
}

function block(title, ...children) {
  return el("section", {}, el("h3", {}, title), ...children);
}

// ∂L/∂h_3
function partial(name) {
  return el("span", { class: "partial" }, "∂", sign(record.loss), "/∂", sign(name));
}

// `at`: the event that the walk has come to.
function tellNode(k, way, at) {
  const node = nodes[k], rule = opOf(node);
  const where = [
    "column" in node ? moment(node.column) : "outside of time",
    node.scope ? `in ${node.scope}` : null,
  ].filter(Boolean);
  const kind = rule ? rule.op : node.constant ? "a constant" : "a leaf";
  const said = [
    el("h2", { "data-name": node.name }, sign(node.name), kind === node.name ? null : el("small", {}, kind)),
    el("p", { class: "where" }, where.join(" · ")),
  ];
  if (rule) said.push(formula(node, rule));
  if ("source" in node) said.push(sourceOf(record.sources[node.source]));
  said.push(block("Value", line(array(node.value))));
  if (way === "backward") said.push(...gradient(k, node, rule, at));
  return said;
}

function letters(node, rule) {
  return node.letters ?? rule.inputs;
}

function formula(node, rule) {
  const named = letters(node, rule);
  return block("Formula",
    line(sign(node.name), " = ", el("b", {}, rule.forward || `${rule.op}(${named.join(", ")})`),
      node.fixed ? el("small", {}, ` ${node.fixed}`) : null),
    ...node.inputs.map((x, i) =>
      line(el("i", {}, named[i]), " = ", link(x), " ", typeof x === "number" ? array(nodes[x].value, 6) : "")));
}

function gradient(k, node, rule, at) {
  const own = turn.backward?.get(k);
  if (own === undefined) {
    const why = node.constant ? "It requires no gradient." : `No gradient of ${record.loss} comes here.`;
    return [block("Gradient", line(why))];
  }
  const came = arrivals[k], hidden = node.unseen;
  const all = came.length + (hidden?.count ?? 0);
  const done = own <= at;
  const arrived = came.filter(({ from }) => turn.backward.get(from) <= at);
  const there = el("button", { type: "button", class: "link", "data-turn": k }, `visit ${numbered.backward[own]}`);
  const total = done
    ? line(partial(node.name), " = ", array(node.grad))
    : line("Not complete yet: its turn is at ", there, `. So far ${arrived.length} of ${all} parts have come.`);
  total.id = "gradient";
  const parts = came.map(({ from, i, sent }) => {
    const by = opOf(nodes[from]);
    const late = turn.backward.get(from) > at;
    return el("div", { class: late ? "line late" : "line" }, link(from), ` through ${by.op}`,
      by.vjp?.[i] ? `: ${by.vjp[i]}` : "", " = ", late ? "not yet" : array(sent.part));
  });
  if (hidden) parts.push(line(`${hidden.count} that are not drawn, together = `, array(hidden.part)));
  if (!parts.length) parts.push(line("It is the loss itself: backprop begins here, with 1."));
  const title = parts.length > 1 ? `Came from, a sum of ${parts.length}` : "Came from";
  const found = [block("Gradient", total), block(title, ...few(parts, 40))];
  if (node.sends && done) found.push(block("Sends", ...node.inputs.map((x, i) => sent(node, rule, x, i))));
  if (rule?.code && node.sends) {
    found.push(el("details", {}, el("summary", {}, "The derivative"), el("pre", {}, rule.code.join("\n"))));
  }
  return found;
}

function sent(node, rule, x, i) {
  const letter = el("i", {}, letters(node, rule)[i]), part = node.sends[i];
  if (!part) return line(letter, ": nothing, as ", link(x), " requires no gradient");
  const by = rule.vjp?.[i] ? ` = ${rule.vjp[i]}` : "";
  const soFar = part.of > 1 ? el("small", {}, ` so far ‖·‖ ${number(part.total)} from ${part.of}`) : null;
  return line(letter, ": to ", link(x), by, " = ", array(part.part), soFar);
}

function sourceOf({ file, line: at, first, lines }) {
  const shown = lines.map((text, n) =>
    first + n === at
      ? el("mark", {}, `→ ${String(at).padStart(4)}  ${text}\n`)
      : el("span", {}, `  ${String(first + n).padStart(4)}  ${text}\n`));
  return block(`Source: ${file}:${at}`, lines.length ? el("pre", {}, ...shown) : line("The file is not there."));
}

// What is told of a stop at which there is more than one node.
function tellSeveral(title, members, way, at) {
  const list = members.map((k) => line(link(k), ` ${opOf(nodes[k])?.op ?? ""} `,
    way === "backward" && nodes[k].grad && turn.backward.get(k) <= at ? array(nodes[k].grad) : array(nodes[k].value)));
  return block(title, ...few(list, 60));
}

function few(lines, most) {
  return lines.length > most ? [...lines.slice(0, most), line(`and ${lines.length - most} more`)] : lines;
}

function tellGap(event, way) {
  return [
    el("h2", {}, event.gap ? span(event.columns) : "Not drawn"),
    el("p", { class: "where" }, `${event.visits} visits of nodes that this picture passes over`),
    block("Sizes", ...record.series.flatMap((one) => {
      const there = (c, n) => event.gap && one[way][n] && c >= event.columns[0] && c <= event.columns[1];
      const sizes = one.columns.flatMap((c, n) => (there(c, n) ? [one[way][n][1]] : []));
      const [first, last] = [sizes[0], sizes[sizes.length - 1]];
      return sizes.length ? [line(sign(one.path), `: ‖·‖ from ${number(first)} to ${number(last)}`)] : [];
    })),
  ];
}
