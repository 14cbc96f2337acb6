// What the pages share: elements, asking again and again, charts. Texts are set as texts, never as HTML.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const $ = (id) => document.getElementById(id);
export const path = (name) => name.split("/").map(encodeURIComponent).join("/");
export const show = (node, shown = true) => { if (node) node.hidden = !shown; };

export function fill(node, ...children) { node.replaceChildren(...children); }

export function figure(value, digits = 5) {
  return typeof value === "number" ? Number(value.toPrecision(digits)).toString() : "";
}

export function count(value) { return typeof value === "number" ? value.toLocaleString("en") : ""; }

export function trouble(text) {
  const node = $("trouble");
  node.textContent = text || "";
  node.hidden = !text;
}

// Asks for JSON; an answer that is no good becomes an Error with the line that the server gave.
export async function ask(address, options = {}) {
  const headers = { ...(options.headers || {}) };
  if (options.method === "POST") headers["X-Zero"] = "1";
  let answer;
  try {
    answer = await fetch(address, { ...options, headers });
  } catch {
    const error = new Error("The dashboard does not answer: it was stopped, or the connection is gone.");
    error.gone = true;
    throw error;
  }
  const text = await answer.text();
  let value = null;
  try { value = JSON.parse(text); } catch { /* a line of text */ }
  if (!answer.ok) {
    const error = new Error((value && value.error) || text.trim() || `HTTP ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return { value, tag: answer.headers.get("etag") };
}

export const post = async (address, body) =>
  (await ask(address, { method: "POST", body: JSON.stringify(body) })).value;

// Calls `use` with an address's JSON whenever it has changed, every two seconds; `use` may return false to end.
export function follow(address, use) {
  let last = null;
  async function again() {
    let wait = 2000;
    if (document.visibilityState === "visible") {
      try {
        const { value, tag } = await ask(address);
        trouble("");
        if (tag === null || tag !== last) {
          last = tag;
          if (use(value) === false) return;
        }
      } catch (error) {
        trouble(error.status === 404 ? "This run is not here any more: it was moved or deleted." : error.message);
        wait = 5000;
      }
    } else wait = 500;
    setTimeout(again, wait);
  }
  again();
}

// --- charts -----------------------------------------------------------------------------------

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const TURN = ["own", "other", "third", "fourth", "soft", "bad"];
const drawn = new Map();

export const colours = () => TURN.map(colour);

export function axisOf(curve, axis) {
  const other = axis === "individuals" ? "seconds" : "individuals";
  return curve[axis].some((x) => x !== null) ? axis : other;
}

// lines: {name, x, y, color (a place in TURN), dash, steps}; levels: {name: y}
export function chart(node, lines, levels, axisTitle) {
  if (!window.Plotly) {  // it is still loading
    window.addEventListener("load", () => chart(node, lines, levels, axisTitle), { once: true });
    return;
  }
  drawn.set(node, [lines, levels, axisTitle]);
  const palette = colours();
  const soft = colour("soft"), line = colour("line"), ink = colour("ink");
  const traces = lines.map((l, k) => ({
    type: "scatter", mode: l.x.length > 1 ? "lines" : "markers", name: l.name, x: l.x, y: l.y,
    line: { color: palette[(l.color ?? k) % palette.length], width: 2, dash: l.dash || "solid", shape: l.steps ? "hv" : "linear" },
    hovertemplate: "%{y:.5g}<extra>%{fullData.name}</extra>",
  }));
  const ends = Object.entries(levels || {});
  const labels = spread(ends, lines.flatMap((l) => l.y));
  const layout = {
    autosize: true, margin: { l: 56, r: 12, t: 8, b: 44 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    font: { family: "system-ui, sans-serif", size: 12, color: ink }, hovermode: "x unified",
    hoverlabel: { bgcolor: colour("wash"), bordercolor: line, font: { color: ink } },
    xaxis: { title: { text: axisTitle, font: { color: soft } }, gridcolor: line, zeroline: false, linecolor: line, tickfont: { color: soft }, rangemode: "tozero" },
    yaxis: { title: { text: "fitness", font: { color: soft } }, gridcolor: line, zeroline: false, linecolor: line, tickfont: { color: soft } },
    showlegend: traces.length > 1, legend: { orientation: "h", y: 1.12, x: 0, font: { color: ink } },
    shapes: ends.map(([, y]) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color: soft, width: 1, dash: "dot" } })),
    annotations: labels.map(([name, y]) => ({ xref: "paper", x: 1, y, xanchor: "right", yanchor: "top", text: escaped(name), showarrow: false, bgcolor: colour("paper"), opacity: 0.9, font: { size: 11, color: soft } })),
  };
  window.Plotly.react(node, traces, layout, { displayModeBar: false, responsive: true });
}

// Names of levels that lie so close that they would be written over each other become one.
function spread(levels, values) {
  const all = [...values, ...levels.map(([, y]) => y)];
  const least = 0.07 * (all.reduce((a, b) => Math.max(a, b), -Infinity) - all.reduce((a, b) => Math.min(a, b), Infinity));
  const found = [];
  for (const [name, y] of [...levels].sort((a, b) => b[1] - a[1])) {
    const above = found[found.length - 1];
    if (above && above[1] - y < least) above[0] += `, ${name}`;
    else found.push([name, y]);
  }
  return found;
}

// Plotly reads some HTML in texts.
export const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [node, given] of drawn) chart(node, ...given);
});
