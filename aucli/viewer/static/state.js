// What is shown, in one place. Whoever changes it says so with `emit`; whoever shows it listens with `on`.
//
// Events: video (another one), view (stretch of time), time (playing position), frames (rows came),
// tracks (shown, hidden, renamed), thresholds, lines (time lines came or are laid out anew), marks, theme.

export const state = {
  run: null, // as in run.json
  place: null, // of the video in the list
  about: null, // as in about.json
  aus: [], // {name, title, threshold, weak, region} in the order of the values
  measure: "probability", // or "intensity": then values and thresholds are fifths of it
  tracks: [], // {track, faces, ...}, most faces first
  shown: new Set(), // tracks
  names: new Map(), // track -> name that was given
  thresholds: new Float32Array(0), // of the AUs, as set now
  range: [0, 1], // seconds of the whole video
  view: [0, 1], // seconds shown
  time: 0, // seconds, playing position in the time of the stream
  marks: [], // {video, start, end, label, track}, of all videos
  live: false,
};

const listeners = new Map();

export function on(names, call) {
  for (const name of names.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(call);
  }
}

export function emit(name) {
  for (const call of listeners.get(name) || []) call();
}

export const videoName = () => (state.live ? state.run.name : state.run.videos[state.place].name);

/** The name that was given to a track, or its number. */
export const nameOf = (track) => state.names.get(track) || `Track ${track}`;

export const shownTracks = () => state.tracks.map((each) => each.track).filter((track) => state.shown.has(track));

/** Show another stretch, kept inside the video and not shorter than a few frames. */
export function setView(start, end) {
  const [first, last] = state.range;
  const whole = Math.max(last - first, 1e-3);
  const length = Math.min(Math.max(end - start, Math.min(0.1, whole)), whole);
  const from = Math.min(Math.max(start, first), last - length);
  if (from === state.view[0] && from + length === state.view[1]) return;
  state.view = [from, from + length];
  emit("view");
}

export function zoom(factor, around = state.time) {
  const [start, end] = state.view;
  const at = around >= start && around <= end ? around : (start + end) / 2;
  setView(at - (at - start) * factor, at + (end - at) * factor);
}

export const showAll = () => setView(...state.range);
