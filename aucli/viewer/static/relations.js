// Which AUs are active in the same frames, in the stretch that is shown.

import { byId, element, paced } from "./dom.js";
import { drawnTracks } from "./lines.js";
import { liveTogether } from "./live.js";
import { askJson } from "./server.js";
import { on, state } from "./state.js";
import { clockText, digitsFor } from "./times.js";

const PAIRS_LISTED = 12;
const SMALLEST_SHARE = 0.05; // of frames with either, below which no line is drawn
const SPACE = "http://www.w3.org/2000/svg";

let asked = null;

async function counts() {
  if (state.live) return liveTogether(drawnTracks());
  if (asked) asked.abort();
  asked = new AbortController();
  const [start, end] = state.view;
  const query = `from=${start}&to=${end}&tracks=${drawnTracks().join(",")}&thresholds=${[...state.thresholds].join(",")}`;
  return askJson(`videos/${state.place}/together.json?${query}`, asked.signal);
}

async function update() {
  const panel = byId("relations");
  if (panel.hidden || !state.aus.length || (!state.live && !state.about)) return;
  if (!panel.firstChild) panel.replaceChildren(element("p", { class: "hint" }, "Counting …"));
  try {
    show(panel, await counts());
  } catch (error) {
    if (error.name !== "AbortError") panel.replaceChildren(element("p", { class: "hint" }, error.message));
  }
}

function show(panel, { faces, both }) {
  const [start, end] = state.view;
  const digits = digitsFor((end - start) / 100);
  const stretch = `${clockText(start, digits)} – ${clockText(end, digits)}`;
  const hint = element("p", { class: "hint" }, `AUs active in the same frames, ${stretch}, ${faces.toLocaleString("en")} faces of the persons shown, at the thresholds set. Counted from the rows; it is not the model's own graph.`);
  const active = both.map((row, au) => row[au]);
  const pairs = [];
  for (let one = 0; one < both.length; one++) {
    for (let other = one + 1; other < both.length; other++) {
      const common = both[one][other];
      if (common) pairs.push({ one, other, common, share: common / (active[one] + active[other] - common) });
    }
  }
  pairs.sort((a, b) => b.share - a.share || b.common - a.common);
  if (!pairs.length) {
    panel.replaceChildren(hint, element("p", { class: "hint" }, "No two AUs are active together here."));
    return;
  }
  const rows = pairs.slice(0, PAIRS_LISTED).map(({ one, other, common, share }) =>
    element(
      "tr",
      {},
      element("td", { title: `${state.aus[one].title}; ${state.aus[other].title}` }, `${state.aus[one].name} + ${state.aus[other].name}`),
      element("td", { class: "num" }, `${Math.round(100 * share)} %`),
      element("td", { class: "num" }, common.toLocaleString("en")),
    ),
  );
  const head = element("tr", {}, element("th", {}, "Pair"), element("th", { class: "num", title: "Frames with both, of those with either" }, "both of either"), element("th", { class: "num" }, "faces"));
  panel.replaceChildren(hint, graph(faces, active, pairs), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** AUs in a circle, lines between those that are active together: the wider, the more often. */
function graph(faces, active, pairs) {
  const aus = active.map((_, au) => au).filter((au) => active[au] > 0);
  const at = new Map(aus.map((au, place) => [au, (2 * Math.PI * place) / aus.length - Math.PI / 2]));
  const point = (au, radius) => [150 + radius * Math.cos(at.get(au)), 150 + radius * Math.sin(at.get(au))];
  const edges = pairs
    .filter((pair) => pair.share >= SMALLEST_SHARE)
    .reverse()
    .map(({ one, other, share }) => {
      const [x1, y1] = point(one, 112);
      const [x2, y2] = point(other, 112);
      const edge = svg("path", { class: "edge", d: `M${x1} ${y1}Q150 150 ${x2} ${y2}`, "stroke-width": 0.5 + 6 * share, "stroke-opacity": 0.25 + 0.65 * share, "data-aus": `${one} ${other}` });
      edge.append(svg("title", {}, `${state.aus[one].name} and ${state.aus[other].name}: ${Math.round(100 * share)} %`));
      return edge;
    });
  const drawing = svg("svg", { id: "graph", viewBox: "0 0 300 300", role: "img", "aria-label": "AUs active together; the table below has the numbers" }, ...edges);
  for (const au of aus) {
    const [x, y] = point(au, 124);
    const share = active[au] / Math.max(1, faces);
    const node = svg("g", {}, svg("circle", { class: "node on", cx: x, cy: y, r: 11, "stroke-width": 1 + 4 * share }), svg("text", { x, y }, state.aus[au].name.slice(2)));
    node.append(svg("title", {}, `${state.aus[au].name} ${state.aus[au].title}: active in ${Math.round(100 * share)} %`));
    const fade = (on) => edges.forEach((edge) => edge.classList.toggle("faded", on && !edge.dataset.aus.split(" ").includes(String(au))));
    node.addEventListener("pointerenter", () => fade(true));
    node.addEventListener("pointerleave", () => fade(false));
    drawing.append(node);
  }
  return drawing;
}

export function startRelations() {
  on("video view thresholds tracks tab", paced(250, update));
}
