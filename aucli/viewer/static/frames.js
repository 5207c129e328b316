// The rows of single frames, fetched in pieces of some seconds around the playing position.

import { askPacked } from "./server.js";
import { emit, on, state } from "./state.js";
import { lastNotAfter } from "./times.js";

const PIECES_KEPT = 24;
const LONGEST_HOLD_SECONDS = 1; // a frame stands for those after it that were not analysed, as in annotate
const ROUNDING = 0.0005; // seconds: players round times

const pieces = new Map(); // number -> piece, or the promise of it
let pieceSeconds = 10;
let liveFrame = null;

on("video", () => {
  pieces.clear();
  liveFrame = null;
  if (!state.about) return;
  const rate = state.about.frames / Math.max(state.about.end - state.about.start, 0.04);
  pieceSeconds = Math.min(10, 2000 / rate); // the server sends 4096 frames at most
});

const pieceOf = (seconds) => Math.floor((seconds - state.range[0]) / pieceSeconds);

/** The piece if it is there; else it is fetched, and "frames" says when it came. */
function piece(number) {
  const there = pieces.get(number);
  if (there) return there instanceof Promise ? null : there;
  const last = pieceOf(state.range[1]);
  if (number < 0 || number > last) return null;
  fetchPiece(number);
  return null;
}

function fetchPiece(number) {
  if (pieces.has(number)) return Promise.resolve(pieces.get(number));
  const { place } = state;
  const from = state.range[0] + number * pieceSeconds;
  const promise = askPacked(`videos/${place}/frames?from=${from}&to=${from + pieceSeconds - 1e-7}`).then(
    (answer) => {
      if (place !== state.place) return null;
      pieces.set(number, answer.arrays);
      if (pieces.size > PIECES_KEPT) pieces.delete(pieces.keys().next().value);
      emit("frames");
      return answer.arrays;
    },
    () => {
      pieces.delete(number); // asked again when it is needed again
      return null;
    },
  );
  pieces.set(number, promise);
  return promise;
}

/** Faces of a frame: {track, box, valid, values}. */
function frameIn(arrays, place) {
  const faces = [];
  const count = arrays.values.shape[1];
  for (let face = arrays.first_face.data[place]; face < arrays.first_face.data[place + 1]; face++) {
    faces.push({
      track: arrays.tracks.data[face],
      box: arrays.boxes.data.subarray(4 * face, 4 * face + 4),
      valid: arrays.valid.data[face] === 1,
      values: arrays.values.data.subarray(count * face, count * (face + 1)),
    });
  }
  return { seconds: arrays.times.data[place], index: arrays.indices.data[place], faces };
}

/** In live mode the one frame there is. */
export function setLiveFrame(frame) {
  liveFrame = frame;
}

/** The frame that stands at this time; null where none does or its rows have not come yet. */
export function frameAt(seconds) {
  if (state.live) return liveFrame;
  if (!state.about) return null;
  const number = pieceOf(seconds + ROUNDING);
  piece(number + 1); // soon needed
  for (const each of [number, number - 1]) {
    const arrays = piece(each);
    if (!arrays) {
      if (each === number && number >= 0 && number <= pieceOf(state.range[1])) return null;
      continue;
    }
    const place = lastNotAfter(arrays.times.data, seconds + ROUNDING);
    if (place >= 0) return seconds - arrays.times.data[place] > LONGEST_HOLD_SECONDS ? null : frameIn(arrays, place);
  }
  return null;
}

/** Time of the frame so many analysed frames further on, from the one at `seconds`; waits for its rows. */
export async function frameTime(seconds, steps) {
  const direction = Math.sign(steps);
  let left = Math.abs(steps);
  let at = seconds;
  let number = pieceOf(seconds + ROUNDING);
  let best = null;
  while (left > 0 && number >= 0 && number <= pieceOf(state.range[1])) {
    const arrays = await fetchPiece(number);
    if (!arrays) return best;
    const times = arrays.times.data;
    const here = lastNotAfter(times, at + ROUNDING);
    const place = direction > 0 ? here + 1 : lastNotAfter(times, at - ROUNDING);
    // Moving back from between two frames: the one before is the one that stands there.
    if (place >= 0 && place < times.length) {
      at = best = times[place];
      left--;
    } else {
      number += direction;
    }
  }
  return best;
}
