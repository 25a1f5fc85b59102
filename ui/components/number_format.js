// Formats numbers as messages/numbers.py does. Values are in the chart's units: %, pp, ms, per minute.
const NONE = "–";
const MINUS = "−";

const fixed = (value, digits) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// 1 to 3 decimals: the more, the smaller the distance from 0 or 100.
function adaptive(value, distance) {
  if (distance >= 9.995) return fixed(value, 1);
  if (distance >= 0.0995) return fixed(value, 2);
  return String(Number(value.toFixed(3)));
}

function percent(value) {
  if (value === 0 || value === 100) return `${value}%`;
  if (value > 100) return `${fixed(value, 1)}%`;
  if (value > 99.999) return "> 99.999%";
  if (value > 0 && value < 0.001) return "< 0.001%";
  return `${adaptive(value, Math.min(Math.abs(value), 100 - value))}%`;
}

function share(value) {
  if (value > 0 && value < 0.1) return "< 0.1%";
  if (value > 99.9 && value < 100) return "> 99.9%";
  return `${fixed(value, 1)}%`;
}

function time(ms) {
  if (ms < 9.95) return [fixed(ms, 1).replace(/\.0$/, ""), "ms"];
  if (ms < 999.5) return [fixed(ms, 0), "ms"];
  return [fixed(ms / 1000, ms < 9995 ? 2 : 1), "s"];
}

function signed(value, digits) {
  return /[1-9]/.test(digits) ? `${value < 0 ? MINUS : "+"}${digits}` : "±0";
}

function count(value) {
  if (value < 999_999.5) return fixed(value, 0);
  return value < 999.95e6 ? `${fixed(value / 1e6, 1)}M` : `${fixed(value / 1e9, 1)}B`;
}

function threeDigits(value) {
  if (value >= 99.95) return count(value);
  const limits = [99.95, 9.995, 0.9995, 0.09995, 0.009995];
  const found = limits.findIndex((limit) => value >= limit);
  return String(Number(value.toFixed(found < 0 ? 5 : found)));
}

const FORMATS = {
  plain_value: (value) => `${value < 0 ? MINUS : ""}${threeDigits(Math.abs(value))}`,
  signed_value: (value) => signed(value, threeDigits(Math.abs(value))),
  percent,
  share,
  points: (value) => `${signed(value, adaptive(Math.abs(value), Math.abs(value)))} pp`,
  milliseconds: (value) => `${value < 0 ? MINUS : ""}${time(Math.abs(value)).join(" ")}`,
  signed_milliseconds: (value) => {
    const [digits, unit] = time(Math.abs(value));
    return `${signed(value, digits)} ${unit}`;
  },
  count,
  per_minute: (value) => `${value > 0 && value < 9.95 ? fixed(value, 1) : count(value)}/min`,
};

function formatNumber(value, unit) {
  return Number.isFinite(value) ? FORMATS[unit](value) : NONE;
}
