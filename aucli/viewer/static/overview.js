// The strip above the time lines: the whole video, who is in it when, and which part is shown below.

import { colourOf, themeColour } from "./colours.js";
import { byId, eachFrame } from "./dom.js";
import { on, setView, showAll, shownTracks, state, videoName } from "./state.js";

const canvas = byId("overview");
const MOST_TRACKS = 6;

function draw() {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || state.live) return;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const [first, last] = state.range;
  const x = (seconds) => ((seconds - first) / Math.max(last - first, 1e-9)) * width;

  const tracks = state.tracks.filter((each) => shownTracks().includes(each.track)).slice(0, MOST_TRACKS);
  const bar = Math.min(6, (height - 6) / Math.max(1, tracks.length) - 1);
  tracks.forEach(({ track, presence }, place) => {
    context.fillStyle = colourOf(track);
    for (const [from, to] of presence) context.fillRect(from * width, 3 + place * (bar + 1.5), Math.max(1, (to - from) * width), bar);
  });
  context.fillStyle = themeColour("band");
  for (const mark of state.marks) {
    if (mark.video === videoName()) context.fillRect(x(mark.start), 0, Math.max(1, x(mark.end) - x(mark.start)), height);
  }
  const [from, to] = [x(state.view[0]), x(state.view[1])];
  context.fillStyle = themeColour("faint");
  context.globalAlpha = 0.22;
  context.fillRect(0, 0, from, height);
  context.fillRect(to, 0, width - to, height);
  context.globalAlpha = 1;
  context.strokeStyle = themeColour("accent");
  context.lineWidth = 1.5;
  context.strokeRect(Math.min(from, width - 3) + 0.75, 0.75, Math.max(2, to - from - 1.5), height - 1.5);
  context.fillStyle = themeColour("playhead");
  context.fillRect(x(state.time) - 0.75, 0, 1.5, height);
}

export function startOverview() {
  on("video view time tracks marks theme", eachFrame(draw));
  new ResizeObserver(eachFrame(draw)).observe(canvas);
  const centre = (event) => {
    const box = canvas.getBoundingClientRect();
    const seconds = state.range[0] + ((event.clientX - box.left) / box.width) * (state.range[1] - state.range[0]);
    const half = (state.view[1] - state.view[0]) / 2;
    setView(seconds - half, seconds + half);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    centre(event);
  });
  canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && centre(event));
  canvas.addEventListener("dblclick", showAll);
}
