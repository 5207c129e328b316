// Colours of people: those that annotate draws, for the theme of the system.

import { emit, state } from "./state.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => emit("theme"));

function entry(track) {
  const list = state.run.palette[dark.matches ? "dark" : "light"];
  return list[track % list.length];
}

export const colourOf = (track) => entry(track).colour;
export const inkOn = (track) => entry(track).ink;

/** "#0072b2" with an opacity. */
export function faded(colour, opacity) {
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}

/** A colour of the style sheet: themeColour("faint"). */
export const themeColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
