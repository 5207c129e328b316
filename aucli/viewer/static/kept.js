// What the browser keeps for this run at this address: names of people, and marks.

import { state } from "./state.js";

const keyOf = (what) => `aucli view ${state.run.key} ${what}`;

function read(what, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(what))) ?? otherwise;
  } catch {
    return otherwise; // not kept, or not ours
  }
}

function write(what, value) {
  try {
    localStorage.setItem(keyOf(what), JSON.stringify(value));
  } catch {
    // Private windows keep nothing; the page works without.
  }
}

let names = null;

const allNames = () => (names ??= read("names", {}));

/** The names given to the tracks of a video: Map of track to name. */
export function namesOf(video) {
  return new Map(Object.entries(allNames()[video] ?? {}).map(([track, name]) => [Number(track), name]));
}

export function keepNames(video, given) {
  allNames()[video] = Object.fromEntries(given);
  write("names", allNames());
}

export const keptMarks = () => read("marks", []);
export const keepMarks = (marks) => write("marks", marks);
