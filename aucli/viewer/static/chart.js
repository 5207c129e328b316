// One chart, drawn by uPlot: of an AU, or the scale of time above all of them.

import { colourOf, faded, themeColour } from "./colours.js";
import { state } from "./state.js";
import { clockText, digitsFor } from "./times.js";

export const ROW_PIXELS = 45;
export const AXIS_PIXELS = 24;

/** Full colour from the threshold on, pale below: one gradient with a step in it. */
function paint(chart, track, threshold, above, below) {
  const { top, height } = chart.bbox;
  if (!(height > 0)) return "transparent"; // not laid out yet
  const gradient = chart.ctx.createLinearGradient(0, top, 0, top + height);
  const step = Math.min(1, Math.max(0, (chart.valToPos(threshold, "y", true) - top) / height));
  const colour = colourOf(track);
  gradient.addColorStop(0, faded(colour, above));
  gradient.addColorStop(step, faded(colour, above));
  gradient.addColorStop(step, faded(colour, below));
  gradient.addColorStop(1, faded(colour, below));
  return gradient;
}

const linear = window.uPlot.paths.linear();

/**
 * Where a point is an extreme of many frames: a bar from the least to the greatest value of each bucket. That is
 * what a line through all frames would cover. Plain rectangles on whole pixels, because without a GPU a browser
 * needs 15 times as long for the same thing as a path.
 */
function drawBars(chart, place, track, threshold) {
  const { ctx, bbox } = chart;
  const [times, values] = [chart.data[0], chart.data[place]];
  const colour = colourOf(track);
  const yOf = (value) => Math.round(bbox.top + (1 - value) * bbox.height);
  const step = yOf(threshold);
  const [start, end] = state.view;
  const xOf = (seconds) => Math.round(bbox.left + ((seconds - start) / (end - start)) * bbox.width);
  const bars = [];
  for (let point = 0; point < times.length; point += 2) {
    // The two points of a bucket lie at its first and third quarter.
    const quarter = (times[point + 1] - times[point]) / 2;
    const [from, to] = [times[point] - quarter, times[point + 1] + quarter];
    if (values[point] === null || to < start || from > end) continue;
    const [left, top] = [xOf(from), yOf(values[point + 1])];
    const bar = [left, Math.max(1, xOf(to) - left), top, Math.max(top + 1, yOf(values[point]))];
    const before = bars.at(-1);
    if (before && before[0] === left) {
      // Several buckets on one pixel are one bar: drawn over each other, pale colours would add up.
      bars[bars.length - 1] = [left, bar[1], Math.min(before[2], top), Math.max(before[3], bar[3])];
    } else {
      bars.push(bar);
    }
  }
  ctx.save();
  ctx.fillStyle = colour;
  for (const [x, width, top, bottom] of bars) if (top < step) ctx.fillRect(x, top, width, Math.min(bottom, step) - top);
  ctx.fillStyle = faded(colour, 0.4);
  for (const [x, width, top, bottom] of bars) if (bottom > step) ctx.fillRect(x, Math.max(top, step), width, bottom - Math.max(top, step));
  ctx.fillStyle = faded(colour, 0.3);
  for (const [x, width, , bottom] of bars) if (bottom < step) ctx.fillRect(x, bottom, width, step - bottom);
  ctx.restore();
}

/**
 * The chart of a row: a line for each track, and the threshold.
 *
 * threshold(): of its AU, as it is now. isExact(): whether a point is a frame, or two are the extremes of many.
 */
export function makeChart(node, tracks, columns, threshold, isExact) {
  const series = tracks.map((track) => ({
    width: 1.25,
    spanGaps: false,
    paths: (chart, place, first, last) =>
      isExact() ? linear(chart, place, first, last) : { stroke: null, fill: null },
    stroke: (chart) => paint(chart, track, threshold(), 1, 0.5),
    fill: (chart) => paint(chart, track, threshold(), 0.3, 0),
    points: {
      show: (chart, _, first, last) => isExact() && last - first < chart.bbox.width / devicePixelRatio / 9,
      size: 4,
      width: 0,
      fill: () => colourOf(track),
    },
  }));
  const options = {
    width: node.clientWidth,
    height: ROW_PIXELS,
    padding: [3, 0, 2, 0],
    legend: { show: false },
    cursor: { show: false },
    select: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: false, range: () => state.view }, y: { range: () => [0, 1] } },
    series: [{}, ...series],
    hooks: {
      drawSeries: [
        (chart, place) => {
          if (!isExact()) drawBars(chart, place, tracks[place - 1], threshold());
        },
      ],
      drawClear: [
        (chart) => {
          const y = Math.round(chart.valToPos(threshold(), "y", true)) + 0.5;
          chart.ctx.save();
          chart.ctx.strokeStyle = themeColour("line");
          chart.ctx.setLineDash([4, 4]);
          chart.ctx.beginPath();
          chart.ctx.moveTo(chart.bbox.left, y);
          chart.ctx.lineTo(chart.bbox.left + chart.bbox.width, y);
          chart.ctx.stroke();
          chart.ctx.restore();
        },
      ],
    },
  };
  return new window.uPlot(options, columns, node);
}

/** The scale of time above the rows. */
export function makeAxis(node) {
  const ink = themeColour("faint");
  return new window.uPlot(
    {
      width: node.clientWidth,
      height: AXIS_PIXELS,
      padding: [0, 0, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      select: { show: false },
      scales: { x: { time: false, range: () => state.view }, y: { range: () => [0, 1] } },
      axes: [
        {
          side: 0,
          size: AXIS_PIXELS,
          stroke: ink,
          font: "11px system-ui, sans-serif",
          gap: 2,
          space: 70,
          incrs: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200],
          // Text that would be cut off at an edge is left out.
          values: (chart, splits, _, __, step) =>
            splits.map((value) => {
              const x = chart.valToPos(value, "x");
              return x < 18 || x > chart.width - 22 || (state.live && value < 0) ? "" : clockText(value, digitsFor(step));
            }),
          grid: { show: false },
          ticks: { stroke: ink, size: 4, width: 1 },
        },
        { show: false },
      ],
      series: [{}, { show: false }],
    },
    [state.view, [0, 1]],
    node,
  );
}
