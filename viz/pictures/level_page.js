"use strict";
// Levels of detail by click: a box of a step opens the next level at the same step.
const sheets = [...document.querySelectorAll(".sheet")];
const names = sheets.map((sheet) => sheet.dataset.level);
const came = []; // the levels that Escape goes back through
let zoom = 1;

function current() {
  return sheets.find((sheet) => !sheet.hidden);
}

function resize(sheet) {
  const svg = sheet.querySelector("svg");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const fit = Math.min(1, (sheet.clientWidth - 24) / width);
  const scale = zoom === 0 ? fit : zoom;
  svg.setAttribute("width", width * scale);
  svg.setAttribute("height", height * scale);
}

function show(level, column) {
  const there = sheets.find((sheet) => sheet.dataset.level === level);
  if (!there) return;
  for (const sheet of sheets) sheet.hidden = sheet !== there;
  for (const button of document.querySelectorAll("[data-level][aria-pressed]")) {
    button.setAttribute("aria-pressed", button.dataset.level === level);
  }
  resize(there);
  const place = column && document.getElementById(`${level}-${column}`);
  if (place) {
    place.scrollIntoView({ block: "center", inline: "center" });
    place.classList.add("found");
    setTimeout(() => place.classList.remove("found"), 1600);
  }
  there.focus({ preventScroll: true });
}

function finer(sheet) {
  return names[names.indexOf(sheet.dataset.level) + 1];
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && button.dataset.zoom !== undefined) {
    const factor = Number(button.dataset.zoom);
    zoom = factor === 0 ? 0 : Math.min(8, Math.max(0.1, (zoom || 1) * factor));
    resize(current());
  } else if (button && button.dataset.level) {
    came.push(current().dataset.level);
    show(button.dataset.level);
  } else {
    const box = event.target.closest(".node");
    const sheet = current();
    const next = finer(sheet);
    if (!box || !next) return;
    const column = box.closest(".column");
    came.push(sheet.dataset.level);
    show(next, column ? column.id.slice(sheet.dataset.level.length + 1) : null);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && came.length) show(came.pop());
  else if (names[Number(event.key) - 1]) show(names[Number(event.key) - 1]);
  else if (event.key === "+" || event.key === "-") {
    document.querySelector(`[data-zoom="${event.key === "+" ? "1.25" : "0.8"}"]`).click();
  }
});

window.addEventListener("resize", () => resize(current()));
show(current().dataset.level);
