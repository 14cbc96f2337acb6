// One run, live.
import { $, axisOf, chart, count, el, figure, fill, follow, path, show } from "/static/common.js";

const name = $("run").dataset.name;
const FEW = 12; // steps of a lineage that are shown at first
let last = null, allSteps = false;

function curves() {
  const { best_curve: best, mean_curve: mean, baselines } = last;
  const axis = axisOf(best.fitness.length ? best : mean, $("axis").value);
  const any = best.fitness.length + mean.fitness.length > 0;
  show($("chart"), any);
  show($("no-chart"), !any);
  if (!any) return;
  const lines = [], finer = last.curve;  // of the archive
  if (axis === "individuals" && finer && finer.individuals.length > mean.fitness.length) {
    lines.push({ name: "mean of the population", x: finer.individuals, y: finer.mean, color: 4, dash: "dot" });
    lines.push({ name: "best", x: finer.individuals, y: finer.best, color: 0, steps: true });
    chart($("chart"), lines, baselines, axis);
    return;
  }
  if (mean.fitness.length) lines.push({ name: last.training ? "on train images" : "mean of the population", x: mean[axis], y: mean.fitness, color: 4, dash: "dot" });
  if (best.fitness.length) lines.push({ name: last.training ? "on validation images" : "best", x: best[axis], y: best.fitness, color: 0, steps: !last.training });
  chart($("chart"), lines, baselines, axis === "seconds" ? "seconds" : last.training ? "train steps" : "individuals");
}

function section(id, shown, ...rows) {
  const node = $(id);
  show(node, shown);
  const body = node.querySelector("tbody");
  if (body) fill(body, ...rows);
  return node;
}

function genome(text) {
  const lines = text.split("\n");
  if (lines.length <= 3 && text.length < 300) return el("td", { class: "text" }, text);
  return el("td", { class: "text" }, el("details", {}, el("summary", {}, `${lines.length} lines`), text));
}

function board(found) {
  const node = section("board", Boolean(found));
  if (!found) return;
  fill(node.querySelector("thead"), el("tr", {}, el("th", {}, "pipeline"), el("th", { class: "figure" }, `validation ${found.score}`),
    el("th", { class: "figure" }, `test ${found.score}`), el("th", {}, "what it does")));
  fill(node.querySelector("tbody"), ...found.rows.map(([label, valid, test, words]) => el("tr", {}, el("td", {}, label),
    el("td", { class: "figure" }, valid), el("td", { class: "figure" }, test), el("td", { class: "words" }, words))));
  node.querySelector("p").textContent = `${found.better}; kept for predictions: ${found.kept}`;
}

function draw(run) {
  last = run;
  const state = $("state");
  const failed = run.state === "starting" && run.begun && run.begun.ended;
  state.className = `state ${failed ? "failed" : run.state}`;
  state.textContent = failed ? "failed" : run.state;
  $("told").textContent = run.told || (run.state === "starting" && !failed ? "It begins: libraries are loaded and the data are read." : "");
  const fault = run.fault || (failed ? run.begun.said || "it ended without a word" : "");
  $("fault").textContent = fault;
  show($("fault"), Boolean(fault));
  if ($("stop")) show($("stop"), Boolean(run.begun && !run.begun.ended));
  document.dispatchEvent(new CustomEvent("run", { detail: run }));
  if (!run.best_curve) return;
  show($("bar"), run.share !== null && run.share !== undefined);
  if (run.share !== null) $("bar").firstElementChild.style.width = `${100 * run.share}%`;
  $("now").textContent = run.now;
  show($("now"), Boolean(run.now));
  section("figures", true, ...run.figures.map(([k, v]) => el("tr", {}, el("th", {}, k), el("td", {}, v))));
  $("axis").options[0].textContent = run.training ? "train steps" : "individuals";
  curves();
  board(run.board);
  show($("best"), Boolean(run.best));
  $("best").querySelector("h2").textContent = run.state === "ended" ? "Best" : "Best so far";
  $("best").querySelector("pre").textContent = run.best.trimEnd();
  show($("drawing"), run.drawing.length > 0);
  if (run.drawing.length) {
    const source = `/drawing/${path(name)}?file=${run.drawing[0]}`;
    const image = $("drawing").querySelector("img");
    if (image.getAttribute("src") !== source) image.src = source;
  }
  section("improvements", run.improvements.length > 0 && !run.board, ...run.improvements.map((i) => el("tr", {},
    el("td", { class: "figure" }, count(i.individual)), el("td", { class: "figure" }, figure(i.fitness)), genome(i.text.trimEnd()))));
  section("candidates", run.candidates.length > 1 && run.state !== "ended", ...run.candidates.map(([id, fitness, text]) => el("tr", {},
    el("td", { class: "figure" }, `#${id}`), el("td", { class: "figure" }, figure(fitness)), el("td", { class: "text" }, text))));
  const steps = run.lineage;
  section("lineage", steps.length > 0, ...[...steps].reverse().slice(0, allSteps ? undefined : FEW).map((s) => el("tr", {}, el("td", { class: "figure" }, `#${s.id}`),
    el("td", { class: "figure" }, count(s.individuals)), el("td", {}, s.mutation + (s.steps > 1 ? ` (and ${s.steps - 1} before)` : "")),
    el("td", { class: "figure" }, figure(s.fitness)), genome(s.text.trimEnd()))));
  $("lineage").querySelector("p").textContent = "What it descends from, the newest first.";
  show($("more"), !allSteps && steps.length > FEW);
  $("more").textContent = `All ${steps.length} steps`;
  show($("messages"), run.messages.length > 0);
  fill($("messages").querySelector("ul"), ...run.messages.map((text) => el("li", {}, text)));
  section("files", run.files.length > 0, ...run.files.map((f) => el("tr", {},
    el("th", {}, el("a", { href: `/file/${path(name)}?file=${encodeURIComponent(f.name)}` }, f.name)), el("td", {}, f.about))));
  show($("report"), run.report);
  $("report").href = `/report/${path(name)}`;
  show($("settings"), Object.keys(run.settings).length > 0);
  $("settings").querySelector("pre").textContent = JSON.stringify(run.settings, null, 2);
}

$("axis").addEventListener("input", () => last && last.best_curve && curves());
$("more").addEventListener("click", () => { allSteps = true; draw(last); });
follow(`/api/run/${path(name)}`, draw);
