// What can be moved and folded: the list of videos, and the height of the video.

import { byId } from "./dom.js";

function setTop(pixels) {
  const whole = document.querySelector("main").clientHeight;
  const top = Math.round(Math.min(Math.max(pixels, 160), whole - 150));
  document.documentElement.style.setProperty("--top", `${top}px`);
}

export function startLayout(foldList) {
  const main = document.querySelector("main");
  const narrow = matchMedia("(max-width: 1100px)");
  const fold = (folded) => {
    main.classList.toggle("no-list", folded);
    byId("videos-button").setAttribute("aria-expanded", String(!folded));
  };
  fold(foldList || narrow.matches);
  narrow.addEventListener("change", () => fold(foldList || narrow.matches));
  byId("videos-button").addEventListener("click", () => fold(!main.classList.contains("no-list")));
  byId("video-list").addEventListener("click", (event) => narrow.matches && event.target.closest("button") && fold(true));

  const splitter = byId("splitter");
  const top = () => byId("stage").getBoundingClientRect().height;
  splitter.addEventListener("pointerdown", (event) => splitter.setPointerCapture(event.pointerId));
  splitter.addEventListener("pointermove", (event) => {
    if (splitter.hasPointerCapture(event.pointerId)) setTop(event.clientY - main.getBoundingClientRect().top);
  });
  splitter.addEventListener("keydown", (event) => {
    const shift = { ArrowUp: -24, ArrowDown: 24 }[event.key];
    if (shift) setTop(top() + shift);
  });
}
