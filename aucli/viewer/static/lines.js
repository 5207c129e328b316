// The time lines: a row for each AU (or for each AU and person), drawn by uPlot; only rows in sight are drawn.

import { AXIS_PIXELS, makeAxis, makeChart, ROW_PIXELS } from "./chart.js";
import { colourOf } from "./colours.js";
import { byId, eachFrame, element, settled } from "./dom.js";
import { frameAt } from "./frames.js";
import { icon } from "./icons.js";
import { askPacked } from "./server.js";
import { emit, nameOf, on, shownTracks, state } from "./state.js";
import { clockText, digitsFor } from "./times.js";

const MARGIN = 0.5; // of the stretch, fetched on either side, so that moving shows something at once
const MOST_TRACKS = 12; // drawn; more cannot be told apart

let rows = []; // {au, tracks, node, plot, chart, visible, stale}
let data = null; // {times, column(track, au), exact}
let axis = null;
let filter = "";
let order = "facs";
let split = false;
let asked = null; // AbortController of the request under way

export const drawnTracks = () => (state.live ? shownTracks().slice(-MOST_TRACKS) : shownTracks().slice(0, MOST_TRACKS));

/** New points for the time lines. */
export function setData(points) {
  data = points;
  for (const row of rows) row.stale = true;
  drawSoon();
}

// -- fetching ----------------------------------------------------------------------------------

async function fetchLines() {
  if (state.live || !state.about) return;
  const tracks = drawnTracks();
  if (asked) asked.abort();
  asked = new AbortController();
  const [start, end] = state.view;
  const more = MARGIN * (end - start);
  const pixels = Math.max(200, byId("axis").clientWidth);
  const buckets = Math.min(8000, Math.round(pixels * (1 + 2 * MARGIN)));
  const { place } = state;
  const path = `videos/${place}/lines?from=${start - more}&to=${end + more}&buckets=${buckets}&tracks=${tracks.join(",")}`;
  try {
    const answer = await askPacked(path, asked.signal);
    if (place !== state.place) return;
    const { times, values } = answer.arrays;
    const [, aus, points] = values.shape;
    const columns = new Map();
    setData({
      times: times.data,
      exact: answer.exact,
      column(track, au) {
        const place = answer.tracks.indexOf(track);
        if (place < 0) return new Array(points).fill(null);
        const key = place * aus + au;
        if (!columns.has(key)) {
          const part = values.data.subarray(key * points, (key + 1) * points);
          columns.set(key, Array.from(part, (value) => (Number.isNaN(value) ? null : value)));
        }
        return columns.get(key);
      },
    });
    emit("lines");
  } catch (error) {
    if (error.name !== "AbortError") showMessage(error.message);
  }
}
const fetchSoon = settled(50, fetchLines);

// -- rows --------------------------------------------------------------------------------------

function chosenAus() {
  const words = filter.toLowerCase().split(/[\s,;]+/).filter(Boolean);
  const places = state.aus.map((_, place) => place);
  const chosen = words.length
    ? places.filter((place) => {
        const au = state.aus[place];
        return words.some((word) => {
          const number = word.replace(/^au/, "");
          if (/^\d+[lr]?$/.test(number)) return new RegExp(`^au0*${number}${/[lr]$/.test(number) ? "" : "[lr]?"}$`).test(au.name.toLowerCase());
          return `${au.title} ${au.region} ${au.weak ? "weak" : ""}`.toLowerCase().includes(word);
        });
      })
    : places;
  if (order !== "active" || !data) return chosen;
  const shares = new Map(chosen.map((place) => [place, activity(place)]));
  return chosen.sort((one, other) => shares.get(other) - shares.get(one));
}

/** Share of the points in sight at which an AU is active. */
function activity(au) {
  const [start, end] = state.view;
  let active = 0;
  let all = 0;
  for (const track of drawnTracks()) {
    const column = data.column(track, au);
    column.forEach((value, point) => {
      if (value === null || data.times[point] < start || data.times[point] > end) return;
      all++;
      active += value >= state.thresholds[au];
    });
  }
  return all ? active / all : 0;
}

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const row = rows.find((each) => each.node === entry.target);
      if (row) row.visible = entry.isIntersecting;
    }
    drawSoon();
  },
  { root: byId("rows"), rootMargin: "80px 0px" },
);

function makeRow(au, tracks) {
  const { name, title, weak, threshold } = state.aus[au];
  const person = split && tracks.length ? nameOf(tracks[0]) : "";
  const what = element("div", { class: "what", title: `${name} ${title}` }, element("b", {}, name), " ", person ? element("span", { class: "faint" }, `${person} · `) : "", title);
  if (weak) what.insertBefore(element("span", { class: "weak", title: "Its validation figures support no conclusions" }, "weak"), what.childNodes[1]);
  const slider = element("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": `Threshold of ${name}` });
  const back = element("button", { class: "back", type: "button", title: `Back to the card's ${threshold.toFixed(2)}`, "aria-label": `Threshold of ${name} back to the card's` }, icon("reset"));
  const output = element("output");
  slider.addEventListener("input", () => setThreshold(au, Number(slider.value)));
  back.addEventListener("click", () => setThreshold(au, threshold));
  slider.addEventListener("dblclick", () => setThreshold(au, threshold));
  const now = element("div", { class: "now" });
  const plot = element("div", { class: "plot" });
  const label = element("div", { class: "label" }, what, now, element("div", { class: "control" }, slider, output, back));
  const node = element("div", { class: "row", role: "group", "aria-label": `${name} ${title}${person ? `, ${person}` : ""}`, "data-au": name }, label, plot);
  const row = { au, tracks, node, plot, slider, output, now, chart: null, visible: false, stale: true };
  showThreshold(row);
  return row;
}

function layOut() {
  for (const row of rows) row.chart?.destroy();
  observer.disconnect();
  const tracks = drawnTracks();
  const shown = shownTracks().length;
  byId("rows-label").textContent = shown > tracks.length ? `${tracks.length} of ${shown} persons are drawn` : state.measure === "intensity" ? "AU, threshold, intensity / 5 now" : "AU, threshold, probability now";
  const groups = split ? tracks.map((track) => [track]) : [tracks];
  rows = chosenAus().flatMap((au) => groups.map((group) => makeRow(au, group)));
  byId("rows").replaceChildren(...rows.map((row) => row.node));
  for (const row of rows) observer.observe(row.node);
  if (!state.aus.length) showMessage("");
  else if (!state.tracks.length) showMessage(state.live ? "Waiting for a face." : "No face was found in this video: there is nothing to draw.");
  else if (!tracks.length) showMessage("All persons are hidden: show one in the list of persons.");
  else if (!rows.length) showMessage(`No AU of this model fits "${filter}".`);
  else showMessage("");
  showValues();
}

function showMessage(text) {
  const message = byId("rows-message");
  message.textContent = text;
  message.hidden = !text;
}

// -- thresholds --------------------------------------------------------------------------------

function setThreshold(au, value) {
  state.thresholds[au] = value;
  emit("thresholds");
}

export function resetThresholds() {
  state.aus.forEach((au, place) => (state.thresholds[place] = au.threshold));
  emit("thresholds");
}

const isChanged = (au) => Math.abs(state.thresholds[au] - state.aus[au].threshold) > 1e-6;

function showThreshold(row) {
  const value = state.thresholds[row.au];
  row.slider.value = value;
  row.output.textContent = value.toFixed(2);
  row.node.classList.toggle("changed", isChanged(row.au));
}

on("thresholds", () => {
  for (const row of rows) {
    showThreshold(row);
    row.stale = true;
  }
  const changed = state.aus.filter((_, au) => isChanged(au)).length;
  byId("changed").hidden = !changed;
  byId("changed-text").textContent = changed === 1 ? "1 threshold moved" : `${changed} thresholds moved`;
  drawSoon();
  showValuesSoon();
});

// -- drawing -----------------------------------------------------------------------------------

const columnsOf = (row) => [data.times, ...row.tracks.map((track) => data.column(track, row.au))];

function draw() {
  if (!data) return;
  for (const row of rows) {
    if (!row.visible || !row.stale || !row.plot.clientWidth) continue;
    row.stale = false;
    if (!row.chart) row.chart = makeChart(row.plot, row.tracks, columnsOf(row), () => state.thresholds[row.au], () => data.exact);
    else row.chart.setData(columnsOf(row));
  }
}
const drawSoon = eachFrame(draw);

function renewAxis() {
  axis?.destroy();
  axis = makeAxis(byId("axis"));
}

function redraw() {
  axis?.setData([state.view, [0, 1]]);
  for (const row of rows) row.stale = true;
  drawSoon();
}

/** Values at the playing position, beside the names. */
function showValues() {
  const frame = frameAt(state.time);
  const byTrack = new Map((frame ? frame.faces : []).map((face) => [face.track, face.values]));
  for (const row of rows) {
    if (!row.visible && row.now.firstChild) continue;
    const parts = row.tracks.slice(0, 3).map((track) => {
      const values = byTrack.get(track);
      const value = values ? values[row.au] : NaN;
      const part = element("span", { title: nameOf(track) }, Number.isNaN(value) ? "–" : value.toFixed(2));
      part.style.borderLeftColor = colourOf(track);
      if (value >= state.thresholds[row.au]) part.classList.add("on");
      return part;
    });
    row.now.replaceChildren(...parts);
  }
}
const showValuesSoon = eachFrame(showValues);

function showStretch() {
  const [start, end] = state.view;
  const digits = digitsFor((end - start) / 100);
  byId("shown").textContent = state.live ? `last ${Math.round(end - start)} seconds` : `${clockText(start, digits)} – ${clockText(end, digits)}`;
}

function resized() {
  const bar = byId("rows").offsetWidth - byId("rows").clientWidth;
  byId("lines").style.setProperty("--bar", `${bar}px`);
  requestAnimationFrame(() => {
    if (axis) axis.setSize({ width: byId("axis").clientWidth, height: AXIS_PIXELS });
    for (const row of rows) row.chart?.setSize({ width: row.plot.clientWidth, height: ROW_PIXELS });
    fetchSoon();
  });
}

export function startLines() {
  on("video", () => {
    data = null;
    layOut();
    renewAxis();
    fetchLines();
    showStretch();
  });
  on("tracks", () => {
    layOut();
    fetchSoon();
  });
  on("view", () => {
    redraw();
    showStretch();
    fetchSoon();
  });
  on("lines", () => order === "active" && layOut());
  on("theme", () => {
    renewAxis();
    redraw();
  });
  on("time frames", showValuesSoon);
  byId("rows").addEventListener("scroll", showValuesSoon, { passive: true });
  new ResizeObserver(resized).observe(byId("rows"));
  byId("au-filter").addEventListener("input", (event) => {
    filter = event.target.value.trim();
    layOut();
  });
  byId("au-order").addEventListener("change", (event) => {
    order = event.target.value;
    layOut();
  });
  byId("split").addEventListener("change", (event) => {
    split = event.target.checked;
    layOut();
  });
  byId("reset-thresholds").addEventListener("click", resetThresholds);
}
