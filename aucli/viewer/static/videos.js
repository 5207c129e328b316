// The list of videos of the run, with what became of each.

import { byId, element } from "./dom.js";
import { on, state } from "./state.js";
import { clockText } from "./times.js";

const WORDS = { ok: "", partial: "damaged", no_face: "no face found", failed: "failed", skipped: "skipped" };

let open = () => {};
let filter = "";

function videoNode(video, place) {
  const parts = [WORDS[video.status] ?? video.status, video.has_rows && video.seconds ? clockText(video.seconds, 0) : "", video.subject ? `subject ${video.subject}` : ""];
  const told = parts.filter(Boolean).join(" · ") + (video.reason ? `: ${video.reason}` : "");
  const button = element(
    "button",
    { type: "button", disabled: !video.has_rows, "aria-current": String(place === state.place), title: video.name },
    element("span", { class: "name" }, video.name),
    element("span", { class: `state ${video.status}` }, told || "ok"),
  );
  button.addEventListener("click", () => open(place));
  return element("li", {}, button);
}

function show() {
  const words = filter.toLowerCase();
  const found = state.run.videos.flatMap((video, place) => (video.name.toLowerCase().includes(words) ? [videoNode(video, place)] : []));
  byId("video-list").replaceChildren(...(found.length ? found : [element("li", { class: "empty" }, "No video has this in its name.")]));
  byId("video-list").querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
}

export function neighbour(direction) {
  const { videos } = state.run;
  for (let place = state.place + direction; place >= 0 && place < videos.length; place += direction) {
    if (videos[place].has_rows) return open(place);
  }
  return undefined;
}

export function startVideos(openVideo) {
  open = openVideo;
  byId("video-filter").hidden = state.run.videos.length < 6;
  byId("video-filter").addEventListener("input", (event) => {
    filter = event.target.value.trim();
    show();
  });
  on("video", show);
}
