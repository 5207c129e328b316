// The keyboard, and the help that lists it.

import { byId, element } from "./dom.js";
import { freeze } from "./live.js";
import { markIn, markOut } from "./marks.js";
import { toggleBoxes } from "./overlay.js";
import { toggle } from "./persons.js";
import { changeSpeed, playPause, seek, skip, step, toggleSound } from "./player.js";
import { setView, showAll, state, zoom } from "./state.js";
import { neighbour } from "./videos.js";

const pan = (part) => {
  const shift = part * (state.view[1] - state.view[0]);
  setView(state.view[0] + shift, state.view[1] + shift);
};

const KEYS = [
  [["Space", "k"], "play or pause", () => (state.live ? freeze() : playPause())],
  [["ArrowLeft"], "one analysed frame back", () => step(-1)],
  [["ArrowRight"], "one analysed frame on", () => step(1)],
  [["Shift+ArrowLeft"], "10 frames back", () => step(-10)],
  [["Shift+ArrowRight"], "10 frames on", () => step(10)],
  [["j"], "1 second back", () => skip(-1)],
  [["l"], "1 second on", () => skip(1)],
  [["Home"], "to the beginning", () => seek(state.range[0])],
  [["End"], "to the end", () => seek(state.range[1])],
  [["<"], "slower", () => changeSpeed(-1)],
  [[">"], "faster", () => changeSpeed(1)],
  [["i"], "begin a mark here", markIn],
  [["o"], "end the mark here", markOut],
  [["+", "="], "zoom in", () => zoom(0.5)],
  [["-"], "zoom out", () => zoom(2)],
  [["0"], "show all", showAll],
  [["["], "move the time lines back", () => pan(-0.5)],
  [["]"], "move the time lines on", () => pan(0.5)],
  [["b"], "boxes on the picture", toggleBoxes],
  [["m"], "sound", toggleSound],
  [["n"], "next video", () => state.live || neighbour(1)],
  [["p"], "video before", () => state.live || neighbour(-1)],
  [["?"], "this help", () => openHelp()],
];

const MOUSE = [
  ["click", "go to that time"],
  ["drag", "mark a stretch"],
  ["drag axis", "move"],
  ["Ctrl wheel", "zoom (on axis and strip without Ctrl)"],
  ["Shift wheel", "move"],
  ["1 to 9", "show or hide a person"],
];

const SHOWN = { ArrowLeft: "←", ArrowRight: "→", "Shift+ArrowLeft": "Shift ←", "Shift+ArrowRight": "Shift →" };

const actions = new Map(KEYS.flatMap(([keys, , action]) => keys.map((key) => [key, action])));

function openHelp() {
  if (!byId("help").open) byId("help").showModal();
}

function nameOfKey(event) {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.shiftKey && key.startsWith("Arrow") ? `Shift+${key}` : key;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const { target } = event;
  const typing = target.matches('input:not([type="checkbox"]), select, textarea');
  if (event.key === "Escape" && typing) target.blur();
  if (typing) return;
  if (event.key === " " && target.matches("button, input, [role='tab']")) return; // presses it
  if (target.id === "splitter" && event.key.startsWith("Arrow")) return;
  const person = /^[1-9]$/.test(event.key) && state.tracks[Number(event.key) - 1];
  const action = person ? () => toggle(person.track) : actions.get(nameOfKey(event));
  if (!action) return;
  event.preventDefault();
  action();
}

export function startKeys() {
  const line = (keys, text) => element("div", {}, element("span", { class: "keys" }, ...keys.flatMap((key) => [element("kbd", {}, SHOWN[key] ?? key), " "])), element("span", {}, text));
  byId("help-keys").replaceChildren(...KEYS.map(([keys, text]) => line(keys, text)), ...MOUSE.map(([what, text]) => line([what], text)));
  byId("help-kept").textContent = state.live
    ? "Frames that cannot be analysed in time are dropped and counted."
    : "Names and marks are kept by this browser for this address only: save marks as CSV. With aucli view --port N the address stays the same.";
  byId("help-button").addEventListener("click", openHelp);
  addEventListener("keydown", pressed);
  // What was clicked with the mouse does not keep the keyboard: space is to play, arrows are to step.
  addEventListener("click", (event) => {
    const control = event.target.closest?.("main button, main input[type='checkbox']");
    if (control && event.detail > 0 && document.activeElement === control) control.blur();
  });
  addEventListener("pointerup", (event) => event.target.matches?.("input[type='range']") && event.target.blur());
  addEventListener("change", (event) => event.target.matches?.("#transport select, #lines-toolbar select") && event.target.blur());
}
