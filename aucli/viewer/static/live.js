// The same page, fed by a camera: pictures and rows come together, so boxes are always on their own picture.

import { byId } from "./dom.js";
import { setLiveFrame } from "./frames.js";
import { setData } from "./lines.js";
import { drawOverlay } from "./overlay.js";
import { askStream, unpack } from "./server.js";
import { emit, state } from "./state.js";

const SECONDS_KEPT = 60;
const LINES_EVERY = 100; // ms

const seen = []; // {seconds, values: Map of track to its values}, the last minute
let drawnAt = 0;
let frozen = false;

/** Counts as the server makes them for a finished run. */
export function liveTogether(tracks) {
  const count = state.aus.length;
  const both = Array.from({ length: count }, () => new Array(count).fill(0));
  let faces = 0;
  for (const { seconds, values } of seen) {
    if (seconds < state.view[0] || seconds > state.view[1]) continue;
    for (const track of tracks) {
      const mine = values.get(track);
      if (!mine) continue;
      faces++;
      const active = [];
      for (let au = 0; au < count; au++) if (mine[au] >= state.thresholds[au]) active.push(au);
      for (const one of active) for (const other of active) both[one][other]++;
    }
  }
  return { faces, both };
}

/** Messages of a stream: each has its length before it. */
async function* messages(reader) {
  let buffer = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(buffer.length + value.length);
    joined.set(buffer);
    joined.set(value, buffer.length);
    buffer = joined;
    for (;;) {
      if (buffer.length < 4) break;
      const length = new DataView(buffer.buffer, buffer.byteOffset).getUint32(0, true);
      if (buffer.length < 4 + length) break;
      yield unpack(buffer.slice(4, 4 + length).buffer);
      buffer = buffer.slice(4 + length);
    }
  }
}

async function show(message) {
  const { arrays, seconds, width, height } = message;
  const picture = byId("picture");
  const bitmap = await createImageBitmap(new Blob([arrays.jpeg.data], { type: "image/jpeg" }));
  if (picture.width !== bitmap.width || picture.height !== bitmap.height) {
    picture.width = bitmap.width;
    picture.height = bitmap.height;
  }
  picture.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  state.liveSize = { width, height };

  const count = arrays.values.shape[1];
  const faces = Array.from(arrays.tracks.data, (track, face) => ({
    track,
    box: arrays.boxes.data.subarray(4 * face, 4 * face + 4),
    valid: arrays.valid.data[face] === 1,
    values: arrays.values.data.subarray(count * face, count * (face + 1)),
  }));
  setLiveFrame({ seconds, index: message.index, faces });
  seen.push({ seconds, values: new Map(faces.map((face) => [face.track, face.values])) });
  while (seen.length && seconds - seen[0].seconds > SECONDS_KEPT) seen.shift();
  listPersons(faces);
  state.time = seconds;
  byId("clock").textContent = `${seconds.toFixed(1)} s · frame ${message.index.toLocaleString("en")}`;
  byId("live-numbers").textContent = `${message.frames_per_second.toFixed(1)} frames/s, ${message.dropped.toLocaleString("en")} dropped`;
  drawOverlay();
  if (performance.now() - drawnAt >= LINES_EVERY) {
    drawnAt = performance.now();
    showLines();
  }
}

/** The list of persons: those of the last minute, and those that were given a name. */
function listPersons(faces) {
  const known = new Set(state.tracks.map((each) => each.track));
  const fresh = faces.map((face) => face.track).filter((track) => !known.has(track));
  if (!fresh.length) return;
  const here = new Set(seen.flatMap((each) => [...each.values.keys()]));
  state.tracks = state.tracks.filter(({ track }) => here.has(track) || state.names.has(track));
  for (const track of fresh) {
    state.tracks.push({ track });
    state.shown.add(track);
  }
  emit("tracks");
}

function showLines() {
  const last = seen.length ? seen[seen.length - 1].seconds : 0;
  const span = state.view[1] - state.view[0];
  state.range = [last - SECONDS_KEPT, last];
  state.view = [last - span, last];
  setData({
    times: seen.map((each) => each.seconds),
    exact: true,
    column: (track, au) => seen.map((each) => each.values.get(track)?.[au] ?? null),
  });
  emit("view");
  emit("time");
}

/** Stop the picture to look at it; what goes on meanwhile is not shown. */
export function freeze() {
  frozen = !frozen;
  byId("play").setAttribute("aria-pressed", String(frozen));
}

export async function startLive() {
  const status = byId("live-status");
  status.hidden = false;
  state.range = [-SECONDS_KEPT, 0];
  state.view = [-20, 0];
  let ending = "The connection was lost: has aucli view ended?";
  try {
    for await (const message of messages(await askStream("stream"))) {
      if (message.ended) {
        ending = message.problem ? `Stopped: ${message.problem}` : "The video has ended.";
        break;
      }
      if (!frozen) await show(message);
    }
  } catch (error) {
    ending = error.message;
  }
  showLines();
  status.classList.add("ended");
  status.querySelector("b").textContent = "ended";
  return ending;
}
