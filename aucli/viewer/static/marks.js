// Marked stretches of time: by dragging, or with the keys i and o; listed, labelled, written as CSV.

import { csvOf } from "./csv.js";
import { byId, element } from "./dom.js";
import { icon } from "./icons.js";
import { keepMarks, keptMarks, namesOf } from "./kept.js";
import { seek } from "./player.js";
import { showTab } from "./tabs.js";
import { emit, nameOf, on, setView, state, videoName } from "./state.js";
import { clockText } from "./times.js";

let begun = null; // where the key i was pressed
let unsaved = false;

function changed() {
  unsaved = true;
  keepMarks(state.marks);
  emit("marks");
}

export function addMark(start, end) {
  const mark = { video: videoName(), start, end, label: "", track: null };
  state.marks.push(mark);
  state.marks.sort((one, other) => (one.video === other.video ? one.start - other.start : one.video < other.video ? -1 : 1));
  begun = null;
  showTab("marks");
  changed();
  byId("marks").querySelector(`[data-place="${state.marks.indexOf(mark)}"] input`)?.focus();
}

export function markIn() {
  begun = state.time;
  showTab("marks");
  show();
}

export function markOut() {
  if (begun === null || begun === state.time) return;
  addMark(Math.min(begun, state.time), Math.max(begun, state.time));
}

function remove(mark) {
  state.marks.splice(state.marks.indexOf(mark), 1);
  changed();
}

function save() {
  const text = csvOf(state.marks, (video, track) => namesOf(video).get(track) ?? "");
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const name = state.run.name.replace(/\.parquet$/, "");
  element("a", { href: address, download: `${name}.marks.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  unsaved = false;
}

function markNode(mark, place) {
  const go = element("button", { type: "button", class: "link when", title: "Show this stretch" }, `${clockText(mark.start)} – ${clockText(mark.end)}`);
  go.addEventListener("click", () => {
    const room = (mark.end - mark.start) / 2;
    setView(mark.start - room, mark.end + room);
    seek(mark.start);
  });
  const bin = element("button", { type: "button", class: "icon", "aria-label": "Delete this mark", title: "Delete" }, icon("bin"));
  bin.addEventListener("click", () => remove(mark));
  const label = element("input", { type: "text", placeholder: "Label", "aria-label": "Label", maxlength: 200 });
  label.value = mark.label;
  label.addEventListener("input", () => {
    mark.label = label.value;
    unsaved = true;
    keepMarks(state.marks);
  });
  const who = element("select", { "aria-label": "Person" }, element("option", { value: "" }, "everyone"));
  for (const { track } of state.tracks) who.append(element("option", { value: track }, nameOf(track)));
  who.value = mark.track ?? "";
  who.addEventListener("change", () => {
    mark.track = who.value === "" ? null : Number(who.value);
    unsaved = true;
    keepMarks(state.marks);
  });
  return element("div", { class: "mark", "data-place": place }, go, bin, element("div", { class: "fields" }, label, who));
}

function show() {
  const panel = byId("marks");
  const mine = state.marks.filter((mark) => mark.video === videoName());
  const others = state.marks.length - mine.length;
  const start = element("button", { type: "button", title: "Begin a mark here (i)" }, "Begin");
  start.addEventListener("click", markIn);
  const end = element("button", { type: "button", title: "End it here (o)", disabled: begun === null }, "End");
  end.addEventListener("click", markOut);
  const csv = element("button", { type: "button", class: "main", id: "save-csv", disabled: !state.marks.length }, "Save CSV");
  csv.addEventListener("click", save);
  const nodes = [element("div", { class: "toolbar" }, start, end, element("span", { class: "spring" }), csv)];
  if (begun !== null) nodes.push(element("p", { class: "hint" }, `Begun at ${clockText(begun)}: go to its end and press o.`));
  if (!mine.length && begun === null) nodes.push(element("p", { class: "hint" }, "No marks in this video. Drag over the time lines, or press i where a stretch begins and o where it ends."));
  nodes.push(...mine.map((mark) => markNode(mark, state.marks.indexOf(mark))));
  if (others) nodes.push(element("p", { class: "hint" }, `${others} more in other videos; the CSV has them all.`));
  panel.replaceChildren(...nodes);
}

export function startMarks() {
  state.marks = state.live ? [] : keptMarks();
  on("video", () => (begun = null));
  on("video marks tracks", show);
  addEventListener("beforeunload", (event) => unsaved && state.marks.length && event.preventDefault());
}
