// Times as people write them, and places in sorted times.

/** 3725.5 -> "1:02:05.500"; digits: of the fraction. */
export function clockText(seconds, digits = 3) {
  const sign = seconds < 0 ? "-" : "";
  const scale = 10 ** digits;
  const whole = Math.round(Math.abs(seconds) * scale);
  const fraction = digits ? "." + String(whole % scale).padStart(digits, "0") : "";
  const total = Math.floor(whole / scale);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (value) => String(value).padStart(2, "0");
  return sign + (h ? `${h}:${two(m)}` : m) + ":" + two(s) + fraction;
}

/** How many digits after the point tell moments of this distance apart. */
export function digitsFor(step) {
  return step >= 1 ? 0 : Math.min(3, Math.ceil(-Math.log10(step) - 1e-9));
}

/** Place of the last of the sorted times that is not after `seconds`; -1 where all are. */
export function lastNotAfter(times, seconds) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
