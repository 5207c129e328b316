// Marks as a table: RFC 4180, one line each, times in seconds of the stream.

const field = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

const seconds = (value) => String(Math.round(value * 1e6) / 1e6);

/** marks: {video, start, end, label, track (null: of nobody in particular)}; nameOf(video, track): the name given, or "". */
export function csvOf(marks, nameOf) {
  const lines = [["video", "start_s", "end_s", "duration_s", "label", "track", "name"]];
  for (const mark of marks) {
    lines.push([
      mark.video,
      seconds(mark.start),
      seconds(mark.end),
      seconds(mark.end - mark.start),
      mark.label,
      mark.track === null ? "" : String(mark.track),
      mark.track === null ? "" : nameOf(mark.video, mark.track),
    ]);
  }
  return lines.map((line) => line.map(field).join(",") + "\r\n").join("");
}
