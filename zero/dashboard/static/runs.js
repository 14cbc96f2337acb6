// All runs: a table with filters and checkboxes to compare.
import { $, count, el, figure, fill, follow, path, show } from "/static/common.js";

const picked = new Set(JSON.parse(sessionStorage.getItem("picked") || "[]"));
let rows = [];

const time = (stamp) => (stamp ? stamp.slice(0, 16).replace("T", " ") : "");

function row(run) {
  const box = el("input", { type: "checkbox", "aria-label": `compare ${run.id}`, onchange: (e) => pick(run.id, e.target.checked) });
  box.checked = picked.has(run.id);
  const best = run.final_fitness ?? run.fitness;
  const state = el("span", { class: `state ${run.state}`, title: run.told || "" }, run.state);
  const detail = (label, text) => el("td", { class: "figure detail", "data-label": text ? label : "" }, text);
  return el("tr", {},
    el("td", { class: "pick" }, box),
    el("td", { class: "name" }, el("a", { href: `/run/${path(run.id)}` }, run.id),
      run.state === "damaged" || run.state === "newer" ? el("small", {}, run.told) : null),
    el("td", { class: "kind" }, run.kind ? run.kind + (run.training ? ", training" : "") : ""),
    el("td", { class: "status" }, state),
    detail("best fitness", figure(run.fitness ?? best)),
    detail("individuals", count(run.individuals)),
    detail("time", run.duration),
    el("td", { class: "detail", "data-label": "started" }, time(run.started)));
}

function pick(id, on) {
  if (on) picked.add(id); else picked.delete(id);
  sessionStorage.setItem("picked", JSON.stringify([...picked]));
  toCompare();
}

function toCompare() {
  const there = rows.map((r) => r.id).filter((id) => picked.has(id));
  const link = $("compare");
  link.textContent = there.length ? `Compare (${there.length})` : "Compare";
  link.setAttribute("aria-disabled", there.length < 2);
  link.href = "/compare?" + there.map((id) => `run=${encodeURIComponent(id)}`).join("&");
}

function options(node, values) {
  const now = node.value;
  fill(node, el("option", { value: "" }, "all"), ...values.map((v) => el("option", { value: v }, v)));
  node.value = values.includes(now) ? now : "";
}

function draw() {
  const words = $("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const kind = $("kind").value, state = $("state").value;
  const shown = rows.filter((r) =>
    (!kind || r.kind === kind) && (!state || r.state === state) &&
    words.every((w) => `${r.id} ${r.name} seed ${r.seed} ${r.kind}`.toLowerCase().includes(w)));
  fill($("runs").tBodies[0], ...shown.map(row));
  $("count").textContent = shown.length === rows.length ? `${count(rows.length)} runs` : `${shown.length} of ${count(rows.length)} runs`;
  show($("runs"), rows.length > 0);
  show($("none"), shown.length === 0);
  $("none").textContent = rows.length ? "No run matches this." : "No runs in this folder yet: zero run, zero fit and zero train make some.";
  toCompare();
}

for (const id of ["text", "kind", "state"]) $(id).addEventListener("input", draw);
$("filters").addEventListener("submit", (event) => event.preventDefault());

follow("/api/runs", (value) => {
  rows = value.runs.sort((a, b) => (b.state === "running") - (a.state === "running") || (b.started || "").localeCompare(a.started || "") || a.id.localeCompare(b.id));
  options($("kind"), [...new Set(rows.map((r) => r.kind).filter(Boolean))].sort());
  options($("state"), [...new Set(rows.map((r) => r.state))].sort());
  draw();
});
