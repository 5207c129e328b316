// The list of persons: which are shown, and their names.

import { colourOf } from "./colours.js";
import { byId, element } from "./dom.js";
import { keepNames } from "./kept.js";
import { emit, nameOf, on, state, videoName } from "./state.js";
import { clockText } from "./times.js";

const FIRST_SHOWN = 6;

/** Shown at first: those with most faces. */
export function firstShown() {
  state.shown = new Set(state.tracks.slice(0, FIRST_SHOWN).map((each) => each.track));
}

export function toggle(track) {
  if (state.shown.has(track)) state.shown.delete(track);
  else state.shown.add(track);
  emit("tracks");
}

function personNode({ track, faces, seconds }) {
  const box = element("input", { type: "checkbox", "aria-label": `Show ${nameOf(track)}` });
  box.checked = state.shown.has(track);
  box.addEventListener("change", () => toggle(track));
  const name = element("input", { type: "text", placeholder: `Track ${track}`, "aria-label": `Name of track ${track}`, spellcheck: "false", maxlength: 80 });
  name.value = state.names.get(track) ?? "";
  name.addEventListener("change", () => {
    if (name.value.trim()) state.names.set(track, name.value.trim());
    else state.names.delete(track);
    keepNames(videoName(), state.names);
    emit("tracks");
  });
  const swatch = element("span", { class: "swatch" });
  swatch.style.background = colourOf(track);
  const when = seconds ? `${clockText(seconds[0], 0)} – ${clockText(seconds[1], 0)}` : "";
  return element(
    "div",
    { class: `person${state.shown.has(track) ? "" : " off"}`, "data-track": track },
    box,
    swatch,
    name,
    element("span", { class: "faint", title: when }, state.live ? "" : `${faces.toLocaleString("en")} faces`),
  );
}

/** The same persons as before: what may have changed of them, without taking the focus from a field. */
function refresh(nodes) {
  state.tracks.forEach(({ track }, place) => {
    const [box, name] = nodes[place].querySelectorAll("input");
    box.checked = state.shown.has(track);
    nodes[place].classList.toggle("off", !box.checked);
    box.setAttribute("aria-label", `Show ${nameOf(track)}`);
    if (name !== document.activeElement) name.value = state.names.get(track) ?? "";
    nodes[place].querySelector(".swatch").style.background = colourOf(track);
  });
}

let shownFor = null; // the video that the list is of

function show() {
  const panel = byId("persons");
  const nodes = [...panel.querySelectorAll(".person")];
  const same = nodes.length > 0 && nodes.map((node) => node.dataset.track).join() === state.tracks.map((each) => each.track).join();
  if (same && shownFor === state.about) {
    refresh(nodes);
    return;
  }
  shownFor = state.about;
  if (!state.tracks.length) {
    panel.replaceChildren(element("p", { class: "hint" }, state.live ? "Nobody has been seen yet." : "No face was found in this video."));
    return;
  }
  const all = element("button", { type: "button" }, "Show all");
  all.addEventListener("click", () => {
    state.shown = new Set(state.tracks.map((each) => each.track));
    emit("tracks");
  });
  const none = element("button", { type: "button" }, "Hide all");
  none.addEventListener("click", () => {
    state.shown.clear();
    emit("tracks");
  });
  const bar = state.tracks.length > 1 ? [element("div", { class: "toolbar" }, all, none)] : [];
  const hint = element("p", { class: "hint" }, state.live ? "Persons who were not seen for a minute leave the list." : "Names are written into the CSV of the marks.");
  panel.replaceChildren(...bar, ...state.tracks.map(personNode), hint);
}

export function startPersons() {
  on("video tracks theme", show);
}
