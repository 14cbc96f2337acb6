// What a run that has ended is used for: single rows, whole files, the model itself. And Stop.
import { $, ask, el, fill, path, post, show } from "/static/common.js";

const name = $("run").dataset.name;
let asked = false;

document.addEventListener("run", ({ detail: run }) => {
  if (run.state === "ended" && run.usable && !asked) { asked = true; begin(); }
});

$("stop").addEventListener("click", async () => {
  $("stop").disabled = true;
  $("stop").textContent = "Stopping …";
  try { await post(`/api/stop/${path(name)}`, {}); } catch (error) { $("stop").textContent = error.message; }
});

async function begin() {
  const body = $("use-body");
  show($("use"));
  fill(body, el("p", { class: "soft" }, "loading the model …"));
  try {
    const { value } = await ask(`/api/fields/${path(name)}`);
    fill(body, ...(value.fields.length ? [rows(value.fields), el("hr")] : []), files(value.fields.length === 0), model());
  } catch (error) {
    fill(body, el("p", { class: "soft" }, error.message), model());
  }
}

function rows(fields) {
  const inputs = fields.map(([field, kind]) => [field, el("input", { name: field, placeholder: kind, inputmode: kind === "number" ? "decimal" : "text", autocomplete: "off" })]);
  const said = el("p", { class: "answer", id: "said", role: "status", hidden: true });
  const press = el("button", { type: "submit", id: "try" }, "Predict this row");
  const form = el("form", { id: "row" }, el("p", { class: "soft" }, "A single row; what you leave empty counts as not known."),
    el("div", { class: "fields" }, ...inputs.map(([field, input]) => el("label", {}, field, input))), el("div", { class: "row" }, press), said);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    press.disabled = true;
    said.hidden = false;
    said.textContent = "…";
    try {
      const found = await post(`/api/predict/${path(name)}`, Object.fromEntries(inputs.map(([field, input]) => [field, input.value])));
      const [first, ...rest] = found.said;
      const number = (text) => (Number.isFinite(Number(text)) && text !== "" ? String(Number(Number(text).toPrecision(5))) : text);
      fill(said, el("strong", {}, number(first[1])), rest.length ? el("span", { class: "soft" }, " — " + rest.map(([k, v]) => `${k} ${number(v)}`).join(", ")) : "");
    } catch (error) { said.textContent = error.message; }
    press.disabled = false;
  });
  return form;
}

function files(images) {
  const input = el("input", { type: "file", id: "predict-file", "aria-label": "a file to predict" });
  const told = el("span", { class: "soft", role: "status" });
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    told.textContent = "predicting …";
    try {
      const answer = await fetch(`/api/predict_file/${path(name)}?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file, headers: { "X-Zero": "1" } });
      const text = await answer.text();
      if (!answer.ok) throw new Error(JSON.parse(text).error);
      const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "predictions.csv", id: "predictions" }, "Download the predictions");
      fill(told, link, images ? el("pre", {}, text) : ` (${text.trim().split("\n").length - 1} rows)`);
    } catch (error) { told.textContent = error.message; }
    input.value = "";
  });
  return el("div", { class: "row" }, el("label", {}, images ? "Predict an image " : "Predict a table ", input), told);
}

const model = () => el("div", { class: "row" },
  el("a", { class: "button", id: "export", href: `/export/${path(name)}` }, "Export the model as Python"),
  el("a", { class: "button", href: `/file/${path(name)}?file=config.yaml` }, "The run's settings"));
