// The button: give data, see what was understood, choose, press Learn.
import { $, ask, count, el, fill, figure, path, post, show, trouble } from "/static/common.js";

const AT_ONCE = 4; // files of a folder that are sent at a time
let upload = null, what = null;

function busy(text, share = null) {
  show($("busy"), Boolean(text));
  $("busy").textContent = text || "";
  show($("bar"), share !== null);
  if (share !== null) $("bar").firstElementChild.style.width = `${100 * share}%`;
}

async function send(file, name, to) {
  const more = to ? `&to=${to}` : "";
  const { value } = await ask(`/api/upload?name=${encodeURIComponent(name)}${more}`, { method: "POST", body: file });
  return value.upload;
}

// files: [File, its path in the folder that was given]
async function give(files) {
  trouble("");
  show($("understood"), false);
  show($("form"), false);
  try {
    const images = files.filter(([, name]) => name.includes("/"));
    if (images.length) await giveImages(images);
    else if (files.length > 1) throw new Error("Give one table, or one folder of images.");
    else if (files.length) {
      busy(`reading ${files[0][1]} …`);
      upload = await send(files[0][0], files[0][1]);
      await look();
    }
  } catch (error) {
    trouble(error.message);
  }
  busy("");
}

async function giveImages(images) {
  const good = images.filter(([, name]) => /\.(png|jpe?g|jfif|bmp|gif|webp|tiff?|ppm|pgm)$/i.test(name) && !/(^|\/)[._]/.test(name));
  if (!good.length) throw new Error("There are no images in this folder.");
  let done = 0, into = await send(good[0][0], good[0][1]);
  const rest = good.slice(1);
  async function work() {
    while (rest.length) {
      const [file, name] = rest.shift();
      await send(file, name, into);
      done += 1;
      busy(`${count(done)} of ${count(good.length)} images`, done / good.length);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  upload = into;
  await look();
}

async function look() {
  busy("looking at it …");
  const found = await post("/api/look", { upload });
  what = found.what;
  const table = what === "table";
  show($("columns-box"), table);
  show($("classes"), !table);
  for (const id of ["target-label", "metric-label", "options"]) show($(id), table);
  show($("images-told"), !table);
  $("minutes").value = table ? 1 : 5;
  if (table) ofTable(found); else ofImages(found);
  show($("understood"));
  show($("form"));
  $("wrong").textContent = "";
}

function ofTable(found) {
  const gaps = found.columns.filter((c) => c.empty).length;
  $("summary").textContent = `${found.file}: ${count(found.rows)} rows, ${count(found.columns.length + found.more)} columns` +
    (gaps ? `, ${gaps} of them with empty cells` : ", no empty cells");
  fill($("notes"), ...found.notes.map((n) => el("li", {}, n)));
  fill($("columns").tBodies[0], ...found.columns.map((c) => el("tr", {}, el("td", {}, c.name), el("td", {}, c.kind),
    el("td", { class: "figure" }, c.empty ? count(c.empty) : ""), el("td", { class: "figure" }, count(c.different)), el("td", { class: "words" }, c.example || ""))));
  fill($("target"), el("option", { value: "" }, "choose …"), ...found.columns.map((c) => el("option", { value: c.name }, c.name)));
  $("columns-box").open = found.columns.length <= 15;
  $("target").required = true;
  chosen();
}

function ofImages(found) {
  const sizes = found.sizes.map(([s]) => s).slice(0, 3).join(", ");
  $("summary").textContent = `${count(found.images)} images in ${count(found.count)} classes, ${sizes}` + (found.parts.length ? `; split as given: ${found.parts.join(", ")}` : "");
  fill($("notes"));
  fill($("classes").tBodies[0], ...found.classes.map(([name, n]) => el("tr", {}, el("td", {}, name), el("td", { class: "figure" }, count(n)))));
  $("target").required = false;
}

async function chosen() {
  const target = $("target").value;
  fill($("metric"), el("option", { value: "" }, target ? "…" : "choose a column first"));
  $("metric").disabled = true;
  $("learn").disabled = true;
  show($("target-told"), false);
  fill($("target-notes"));
  $("wrong").textContent = "";
  if (what !== "table") { $("learn").disabled = false; return; }
  if (!target) return;
  try {
    const found = await post("/api/look", { upload, target });
    if ($("target").value !== target) return;
    const kinds = { binary: "two classes", multiclass: `${count(found.count)} classes`, regression: "a number" };
    const detail = found.classes.length ? found.classes.slice(0, 8).map(([c, n]) => `${c} (${count(n)})`).join(", ") + (found.count > 8 ? ", …" : "")
      : `${figure(found.range[0])} to ${figure(found.range[1])}`;
    const from = Object.entries(found.kinds).map(([kind, n]) => `${n} ${kind}${n > 1 ? (kind === "category" ? "" : "s") : ""}`.replace("category", n > 1 ? "categories" : "category")).join(", ");
    $("target-told").textContent = `${kinds[found.problem]}: ${detail}; predicted from ${from} in ${count(found.rows)} rows`;
    show($("target-told"));
    fill($("target-notes"), ...found.notes.slice(0, 12).map((n) => el("li", {}, n)));
    const words = (m) => m.replace(/^neg_/, "").replaceAll("_", " ");
    fill($("metric"), ...found.metrics.map((m) => el("option", { value: m, selected: m === found.usual }, words(m) + (m === found.usual ? " (usual)" : ""))));
    $("metric").disabled = false;
    $("learn").disabled = false;
  } catch (error) {
    if ($("target").value === target) { $("wrong").textContent = error.message; fill($("metric"), el("option", { value: "" }, "")); }
  }
}

$("target").addEventListener("input", chosen);
$("choose-table").addEventListener("click", () => $("table").click());
$("choose-images").addEventListener("click", () => $("images").click());
$("table").addEventListener("change", (e) => { give([...e.target.files].map((f) => [f, f.name])); e.target.value = ""; });
// The first folder is the one that was chosen.
$("images").addEventListener("change", (e) => { give([...e.target.files].map((f) => [f, f.webkitRelativePath.split("/").slice(1).join("/")])); e.target.value = ""; });

async function entries(entry, above = "") {
  if (entry.isFile) return [[await new Promise((good, bad) => entry.file(good, bad)), above + entry.name]];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!some.length) return found;
    for (const inner of some) found.push(...await entries(inner, `${above}${entry.name}/`));
  }
}

const drop = $("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (e) => { e.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  const items = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry && i.webkitGetAsEntry()).filter(Boolean);
  const files = (await Promise.all(items.map((i) => entries(i)))).flat();
  const one = items.length === 1 && items[0].isDirectory;
  give(files.map(([f, name]) => [f, one ? name.split("/").slice(1).join("/") : name]));
});

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("wrong").textContent = "";
  $("learn").disabled = true;
  const asked = { upload, minutes: Number($("minutes").value), what: what === "table" ? document.querySelector("input[name=what]:checked").value : "images" };
  if (what === "table") Object.assign(asked, { target: $("target").value, metric: $("metric").value });
  try {
    const { run } = await post("/api/begin", asked);
    window.location.href = `/run/${path(run)}`;
  } catch (error) {
    $("wrong").textContent = error.message;
    $("learn").disabled = false;
  }
});
for (const radio of document.querySelectorAll("input[name=what]")) {
  radio.addEventListener("input", () => show($("metric-label"), radio.value === "table"));
}
