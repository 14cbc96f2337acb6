// Runs over each other.
import { $, axisOf, chart, el, fill, follow, path, show, trouble } from "/static/common.js";

let last = null;

function curves() {
  const runs = last.runs.filter((r) => r.best_curve.fitness.length);
  if (!runs.length) return;
  const wanted = $("axis").value;
  const axis = runs.every((r) => axisOf(r.best_curve, wanted) === wanted) ? wanted : axisOf(runs[0].best_curve, wanted);
  chart($("chart"), runs.map((r) => ({ name: r.id, x: r.best_curve[axis], y: r.best_curve.fitness, steps: true })), {}, axis);
}

function table(id, head, rows) {
  const node = $(id);
  fill(node.tHead, el("tr", {}, el("th", {}), ...head.map((h) => el("th", { class: "figure" }, h))));
  fill(node.tBodies[0], ...rows.map(([key, values]) => el("tr", {}, el("th", {}, key), ...values.map((v) => el("td", { class: "figure" }, v)))));
}

follow("/api/compare" + window.location.search, (value) => {
  last = value;
  if (value.missing.length) trouble(`Not here any more: ${value.missing.join(", ")}`);
  const links = () => value.runs.map((r) => el("a", { href: `/run/${path(r.id)}` }, r.id));
  const keys = [...new Set(value.runs.flatMap((r) => r.figures.map(([k]) => k)))];
  const of = (run, key) => (run.figures.find(([k]) => k === key) || ["", "-"])[1];
  table("figures", links(), [["state", value.runs.map((r) => r.state)], ...keys.map((k) => [k, value.runs.map((r) => of(r, k))])]);
  table("settings", links(), value.settings);
  show($("settings"), value.settings.length > 0);
  show($("same"), value.settings.length === 0);
  curves();
});
$("axis").addEventListener("input", () => last && curves());
