// The video and its clock. Times are those of the rows: the stream's own time stamps.

import { byId, eachFrame } from "./dom.js";
import { frameAt, frameTime } from "./frames.js";
import { setIcon } from "./icons.js";
import { emit, on, setView, state, videoName } from "./state.js";
import { clockText } from "./times.js";

const video = byId("video");
const message = byId("screen-message");

let offset = 0; // time stamp of the stream = player's time + offset
let playable = false;
let wanted = null; // where to seek once the player can

/** Some players let every video begin at 0, whatever its first time stamp. */
export function clockOffset(firstMediaTime, startSeconds) {
  return firstMediaTime < 0.001 && startSeconds > 0.001 ? startSeconds : 0;
}

export const isPlayable = () => playable;
export const isPlaying = () => playable && !video.paused;

on("video", () => {
  if (state.live) return;
  playable = false;
  offset = 0;
  wanted = null;
  video.pause();
  message.hidden = true;
  video.hidden = false;
  const { source } = state.about;
  if (source.state === "missing") {
    say("The video is not where it was.", "Its time lines are complete. To see it, start again with --videos FOLDER, the folder it lies in now. Looked at:", ...source.looked_at.slice(0, 4));
  } else if (source.state === "not_a_video") {
    say("This is no video file.", "Pictures and folders of pictures have time lines only.");
  } else {
    video.src = `videos/${state.place}/file`;
    video.load();
    return;
  }
  video.removeAttribute("src");
  video.load();
});

function say(headline, ...lines) {
  message.replaceChildren();
  const strong = document.createElement("b");
  strong.textContent = headline;
  message.append(strong);
  for (const line of lines) {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    message.append(paragraph);
  }
  message.hidden = false;
  video.hidden = true;
  setButtons();
}

video.addEventListener("error", () => {
  if (!video.getAttribute("src")) return;
  playable = false;
  const { source } = state.about;
  const kind = source.picture ? `${source.picture.codec.toUpperCase()} in ${source.picture.container.split(",")[0]}` : source.problem;
  say("This browser cannot play this video.", `${source.file}${kind ? `: ${kind}` : ""}. Its time lines are complete.`, "To see it here, make an MP4 of it: aucli annotate writes one that every browser plays.");
});

video.addEventListener("loadeddata", () => {
  playable = true;
  setButtons();
  const { picture } = state.about.source;
  const begins = picture !== null && Math.abs(wanted - picture.start_seconds) < 0.001;
  if (wanted !== null && !begins) seek(wanted); // a seek would hide the player's first time, see clockOffset
});
for (const name of ["play", "pause", "ended", "ratechange"]) video.addEventListener(name, () => setButtons());

function moved(mediaTime) {
  state.time = mediaTime + offset;
  if (isPlaying()) follow();
  emit("time");
}

let seenFirst = false;
on("video", () => (seenFirst = false));

if ("requestVideoFrameCallback" in HTMLVideoElement.prototype) {
  const each = (_, metadata) => {
    if (!seenFirst && state.about && state.about.source.picture) {
      seenFirst = true;
      if (video.currentTime < 0.001) offset = clockOffset(metadata.mediaTime, state.about.source.picture.start_seconds);
    }
    moved(metadata.mediaTime);
    video.requestVideoFrameCallback(each);
  };
  video.requestVideoFrameCallback(each);
} else {
  // Without it the picture shown may be one frame away from the time that is told.
  const tick = eachFrame(() => {
    moved(video.currentTime);
    if (!video.paused) tick();
  });
  for (const name of ["timeupdate", "seeked", "play"]) video.addEventListener(name, tick);
}

/** Keep the position in sight while it plays. */
function follow() {
  const [start, end] = state.view;
  if (state.time > end || state.time < start) setView(state.time, state.time + end - start);
}

/** Go to a time; with a frame's exact time, to that frame. */
export function seek(seconds) {
  if (state.live) return;
  const at = Math.min(Math.max(seconds, state.range[0]), state.range[1]);
  state.time = at;
  if (playable) {
    wanted = null;
    // A little into the frame: a time rounded down would show the one before.
    video.currentTime = Math.max(0, at - offset + 0.0006);
  } else {
    wanted = at;
  }
  emit("time");
}

export function reveal() {
  const [start, end] = state.view;
  if (state.time < start || state.time > end) setView(state.time - (end - start) / 2, state.time + (end - start) / 2);
}

export async function step(frames) {
  if (state.live) return;
  video.pause();
  const seconds = await frameTime(state.time, frames);
  if (seconds === null) return;
  seek(seconds);
  reveal();
}

export function skip(seconds) {
  seek(state.time + seconds);
  reveal();
}

export function playPause() {
  if (!playable) return;
  if (!video.paused) video.pause();
  else video.play().catch((error) => error.name === "AbortError" || say("The browser does not play it.", error.message));
}

export function setSpeed(rate) {
  video.playbackRate = rate;
  byId("speed").value = String(rate);
}

export function changeSpeed(direction) {
  const options = [...byId("speed").options].map((option) => Number(option.value));
  const place = options.indexOf(video.playbackRate) + direction;
  if (place >= 0 && place < options.length) setSpeed(options[place]);
}

export function toggleSound() {
  video.muted = !video.muted;
  setButtons();
}

function setButtons() {
  const play = byId("play");
  setIcon(play, isPlaying() ? "pause" : "play");
  play.setAttribute("aria-label", isPlaying() ? "Pause" : "Play");
  play.disabled = !playable;
  byId("speed").disabled = !playable;
  byId("sound").disabled = !playable;
  setIcon(byId("sound"), video.muted ? "muted" : "sound");
  byId("sound").setAttribute("aria-pressed", String(!video.muted));
}

const clock = eachFrame(() => {
  if (state.live || !state.about) return;
  const frame = frameAt(state.time);
  byId("clock").textContent = `${clockText(state.time)} / ${clockText(state.range[1], 0)}${frame ? ` · frame ${frame.index.toLocaleString("en")}` : ""}`;
});
on("time frames video", clock);

export function startPlayer() {
  byId("play").addEventListener("click", playPause);
  byId("back").addEventListener("click", () => step(-1));
  byId("forward").addEventListener("click", () => step(1));
  byId("sound").addEventListener("click", toggleSound);
  byId("speed").addEventListener("change", (event) => setSpeed(Number(event.target.value)));
  video.addEventListener("click", playPause);
  video.addEventListener("loadstart", () => (video.playbackRate = Number(byId("speed").value)));
  on("video", () => video.setAttribute("aria-label", videoName()));
  setButtons();
}
