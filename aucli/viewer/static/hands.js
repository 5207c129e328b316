// The mouse on the time lines: click to seek, drag to mark, drag the axis to move, wheel to zoom; and the lines
// and bands that lie over all rows.

import { byId, eachFrame } from "./dom.js";
import { addMark } from "./marks.js";
import { seek } from "./player.js";
import { emit, on, setView, showAll, state, videoName, zoom } from "./state.js";
import { clockText, digitsFor } from "./times.js";

const CLICK_PIXELS = 4;
const rows = byId("rows");
const over = byId("over");

const left = () => over.getBoundingClientRect().left;
const width = () => over.clientWidth;
const secondsAt = (x) => state.view[0] + ((x - left()) / width()) * (state.view[1] - state.view[0]);
const pixelsAt = (seconds) => ((seconds - state.view[0]) / (state.view[1] - state.view[0])) * width();

/** Follow the pointer from where it went down until it goes up. */
function drag(target, down, move, up) {
  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !down(event)) return;
    event.preventDefault();
    target.setPointerCapture(event.pointerId);
    const moved = (each) => move(each);
    const end = (each) => {
      target.removeEventListener("pointermove", moved);
      target.removeEventListener("pointerup", end);
      target.removeEventListener("pointercancel", end);
      up?.(each);
    };
    target.addEventListener("pointermove", moved);
    target.addEventListener("pointerup", end);
    target.addEventListener("pointercancel", end);
  });
}

function placeHover(event) {
  const hover = byId("hover");
  const x = event.clientX - left();
  hover.hidden = x < 0 || x > width() || !state.aus.length;
  if (hover.hidden) return;
  hover.style.left = `${x}px`;
  hover.classList.toggle("left", x > width() - 90);
  hover.firstElementChild.textContent = clockText(secondsAt(event.clientX), digitsFor((state.view[1] - state.view[0]) / width()));
}

function showBands() {
  const bands = state.marks.filter((mark) => mark.video === videoName()).map((mark) => {
    const band = document.createElement("div");
    const [from, to] = [pixelsAt(mark.start), pixelsAt(mark.end)];
    band.style.left = `${from}px`;
    band.style.width = `${Math.max(1, to - from)}px`;
    band.hidden = to < 0 || from > width();
    return band;
  });
  byId("bands").replaceChildren(...bands);
}

function showPlayhead() {
  const head = byId("playhead");
  const x = pixelsAt(state.time);
  head.hidden = !state.aus.length || x < -1 || x > width() + 1;
  head.style.left = `${x}px`;
  head.dataset.seconds = state.time;
}

export function startHands() {
  let from = 0;
  const selection = byId("selection");
  drag(
    rows,
    (event) => {
      if (!event.target.closest(".plot") || !state.aus.length) return false;
      from = event.clientX;
      return true;
    },
    (event) => {
      placeHover(event);
      const to = Math.min(Math.max(event.clientX, left()), left() + width());
      selection.hidden = Math.abs(to - from) < CLICK_PIXELS;
      selection.style.left = `${Math.min(from, to) - left()}px`;
      selection.style.width = `${Math.abs(to - from)}px`;
    },
    (event) => {
      if (selection.hidden) {
        if (event.type === "pointerup") seek(secondsAt(event.clientX));
        return;
      }
      selection.hidden = true;
      const to = Math.min(Math.max(event.clientX, left()), left() + width());
      addMark(secondsAt(Math.min(from, to)), secondsAt(Math.max(from, to)));
    },
  );
  rows.addEventListener("pointermove", (event) => event.target.closest(".plot") && placeHover(event));
  rows.addEventListener("pointerleave", () => (byId("hover").hidden = true));

  let last = 0;
  drag(
    byId("axis"),
    (event) => ((last = event.clientX), true),
    (event) => {
      const shift = ((last - event.clientX) / width()) * (state.view[1] - state.view[0]);
      last = event.clientX;
      setView(state.view[0] + shift, state.view[1] + shift);
    },
  );
  byId("axis").addEventListener("dblclick", showAll);

  byId("lines").addEventListener(
    "wheel",
    (event) => {
      const onRows = Boolean(event.target.closest("#rows"));
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey || (!onRows && !event.shiftKey && event.deltaY)) {
        event.preventDefault();
        zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.003))), secondsAt(event.clientX));
      } else if (sideways) {
        event.preventDefault();
        const shift = (sideways / width()) * (state.view[1] - state.view[0]);
        setView(state.view[0] + shift, state.view[1] + shift);
      }
    },
    { passive: false },
  );

  byId("zoom-in").addEventListener("click", () => zoom(0.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("zoom-all").addEventListener("click", showAll);

  const bandsSoon = eachFrame(showBands);
  on("view marks video", bandsSoon);
  on("view time video", eachFrame(showPlayhead));
  new ResizeObserver(() => {
    bandsSoon();
    emit("time");
  }).observe(over);
}
