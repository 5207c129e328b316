// Small pictures for buttons: paths on a grid of 16.

const PATHS = {
  list: "M2 4h12M2 8h12M2 12h12",
  play: "M4 2.5v11l9-5.5z",
  pause: "M4.5 3v10M11.5 3v10",
  back: "M10.5 3L5 8l5.5 5M3 3v10",
  forward: "M5.5 3L11 8l-5.5 5M13 3v10",
  sound: "M2 6v4h3l4 3V3L5 6zM11 5.5a3.5 3.5 0 0 1 0 5M12.7 3.5a6 6 0 0 1 0 9",
  muted: "M2 6v4h3l4 3V3L5 6zM11.5 6l3.5 4M15 6l-3.5 4",
  box: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3M6 8h4",
  minus: "M3 8h10",
  plus: "M3 8h10M8 3v10",
  all: "M2 3v10M14 3v10M5 8h6M6.5 5.5L4 8l2.500 2.500M9.500 5.500L12 8l-2.500 2.500",
  reset: "M3.500 6.500a5 5 0 1 1 -.3 3.300M3 2.500v4h4",
  bin: "M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.6 8.500h5.800l.6-8.500",
};

const FILLED = new Set(["play"]);

/** An SVG element. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  path.setAttribute("fill", FILLED.has(name) ? "currentColor" : "none");
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", name === "pause" ? "2.4" : "1.5");
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}

/** Put the icon into a button, in place of what is there. */
export function setIcon(button, name) {
  if (button.dataset.icon !== name || !button.firstChild) button.replaceChildren(icon(name));
  button.dataset.icon = name;
}
