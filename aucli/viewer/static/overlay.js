// Boxes over the picture, with names and the AUs that occur.

import { colourOf, inkOn } from "./colours.js";
import { byId, eachFrame } from "./dom.js";
import { frameAt } from "./frames.js";
import { nameOf, on, state } from "./state.js";

const canvas = byId("overlay");
const MOST_AUS = 8;

let visible = true;

/** Where the picture lies in its frame, whole and centred: [left, top, width, height] in CSS pixels. */
function pictureArea(width, height) {
  const shown = state.live ? byId("picture") : byId("video");
  const [w, h] = state.live ? [shown.width, shown.height] : [shown.videoWidth, shown.videoHeight];
  if (!w || !h) return null;
  const scale = Math.min(width / w, height / h);
  return [(width - w * scale) / 2, (height - h * scale) / 2, w * scale, h * scale];
}

function draw() {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const size = state.live ? state.liveSize : state.about && state.about.source.picture;
  const frame = visible && byId("screen-message").hidden && size ? frameAt(state.time) : null;
  const area = frame && pictureArea(width, height);
  if (!area) return;
  for (const face of frame.faces) {
    if (state.shown.has(face.track)) drawFace(context, face, area, size);
  }
}

function drawFace(context, face, [left, top, width, height], size) {
  const [x, y, w, h] = [
    left + (face.box[0] / size.width) * width,
    top + (face.box[1] / size.height) * height,
    (face.box[2] / size.width) * width,
    (face.box[3] / size.height) * height,
  ].map(Math.round);
  const colour = colourOf(face.track);
  context.setLineDash(face.valid ? [] : [7, 6]);
  for (const [line, paint] of [[4, "rgba(0, 0, 0, 0.65)"], [2, colour]]) {
    context.lineWidth = line;
    context.strokeStyle = paint;
    context.strokeRect(x, y, w, h);
  }
  context.setLineDash([]);
  const active = state.aus.flatMap((au, place) => (face.values[place] >= state.thresholds[place] ? [[au, face.values[place]]] : []));
  active.sort((one, other) => other[1] - one[1]);
  const names = active.slice(0, MOST_AUS).map(([au]) => au.name.slice(2) + (au.weak ? "*" : ""));
  if (active.length > MOST_AUS) names.push("…");
  tag(context, nameOf(face.track), "600 12px system-ui, sans-serif", colour, inkOn(face.track), x - 2, y - 20, left, left + width, top);
  if (names.length) {
    tag(context, `AU ${names.join(" ")}`, "600 12px system-ui, sans-serif", "rgba(0, 0, 0, 0.72)", "#fff", x - 2, y + h + 2, left, left + width, top, top + height);
  }
}

function tag(context, text, font, paper, ink, x, y, leftmost, rightmost, topmost, lowest = Infinity) {
  context.font = font;
  const width = context.measureText(text).width + 10;
  const at = Math.max(leftmost, Math.min(x, rightmost - width));
  const from = Math.min(Math.max(y, topmost), lowest - 18);
  context.fillStyle = paper;
  context.fillRect(at, from, width, 18);
  context.fillStyle = ink;
  context.textBaseline = "middle";
  context.fillText(text, at + 5, from + 9.5);
}

export const drawOverlay = eachFrame(draw);

export function toggleBoxes() {
  visible = !visible;
  byId("boxes").setAttribute("aria-pressed", String(visible));
  drawOverlay();
}

export function startOverlay() {
  on("time frames tracks thresholds video theme", drawOverlay);
  new ResizeObserver(drawOverlay).observe(canvas);
  byId("video").addEventListener("loadeddata", drawOverlay);
  byId("boxes").addEventListener("click", toggleBoxes);
}
