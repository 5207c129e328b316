// Starts the page: reads what there is to see, wires the parts, opens the first video.

import { byId, element } from "./dom.js";
import { startHands } from "./hands.js";
import { setIcon } from "./icons.js";
import { namesOf } from "./kept.js";
import { startKeys } from "./keys.js";
import { startLayout } from "./layout.js";
import { startLines } from "./lines.js";
import { freeze, startLive } from "./live.js";
import { startMarks } from "./marks.js";
import { startOverlay } from "./overlay.js";
import { startOverview } from "./overview.js";
import { firstShown, startPersons } from "./persons.js";
import { seek, startPlayer } from "./player.js";
import { startRelations } from "./relations.js";
import { askJson } from "./server.js";
import { emit, state } from "./state.js";
import { startTabs } from "./tabs.js";
import { startVideos } from "./videos.js";

function notice(text) {
  const close = element("button", { type: "button", class: "link" }, "close");
  const line = element("p", {}, element("span", {}, text), close);
  close.addEventListener("click", () => line.remove());
  byId("notices").append(line);
  return line;
}

function setLegend(legend) {
  state.aus = legend.aus;
  state.thresholds = Float32Array.from(legend.aus, (au) => au.threshold);
  state.measure = legend.measure;
  const ofIntensity = legend.measure === "intensity";
  const what = ofIntensity ? ", intensity: 1.00 is 5 (FACS E)" : "";
  byId("model").textContent = `${legend.model}, ${legend.aus.length} AUs${what}`;
  if (ofIntensity) byId("help-measure").textContent = "Curves are fifths of the intensity: 1.00 is 5 (FACS E).";
}

let aboutVideo = null; // the notice of the video that is open
let asked = 0; // videos asked for: an earlier one may be answered later

async function openVideo(place) {
  const mine = ++asked;
  let about;
  try {
    about = await askJson(`videos/${place}/about.json`);
  } catch (error) {
    notice(error.message);
    return;
  }
  if (mine !== asked) return;
  const sameModel = state.about && state.about.legend.model === about.legend.model;
  state.place = place;
  state.about = about;
  if (!sameModel) setLegend(about.legend); // thresholds stay from video to video
  state.tracks = about.tracks;
  state.names = namesOf(state.run.videos[place].name);
  firstShown();
  state.range = [about.start, Math.max(about.end, about.start + 0.04)];
  state.view = [...state.range];
  state.time = about.start;
  byId("title").textContent = `${state.run.name} · ${state.run.videos[place].name}`;
  document.title = `${state.run.videos[place].name} – aucli view`;
  aboutVideo?.remove();
  aboutVideo = null;
  if (about.source.state === "changed") {
    aboutVideo = notice(`${about.source.file} has changed since the analysis: boxes and time lines belong to what it was then. Run aucli extract again.`);
  }
  emit("video");
  seek(about.start);
}

async function start() {
  for (const button of document.querySelectorAll("[data-icon]")) setIcon(button, button.dataset.icon);
  state.run = await askJson("run.json");
  state.live = state.run.mode === "live";
  for (const start of [startTabs, startPlayer, startOverlay, startLines, startHands, startOverview, startPersons, startMarks, startRelations, startKeys]) start();
  for (const text of state.run.notes) notice(text);
  byId("title").textContent = state.run.name;
  if (state.live) {
    startLayout(true);
    for (const id of ["videos-button", "overview-row", "back", "forward", "sound"]) byId(id).hidden = true;
    byId("speed").parentElement.hidden = true;
    byId("tab-marks").hidden = true;
    byId("video").hidden = true;
    byId("picture").hidden = false;
    byId("play").disabled = false;
    byId("play").title = "Stop the picture, or go on (space)";
    setIcon(byId("play"), "pause");
    byId("play").addEventListener("click", freeze);
    setLegend(state.run.legend);
    emit("video");
    notice(await startLive());
    return;
  }
  startLayout(false);
  startVideos(openVideo);
  const first = state.run.videos.findIndex((video) => video.has_rows);
  await openVideo(first);
}

start().catch((error) => {
  notice(error.message);
  throw error;
});
