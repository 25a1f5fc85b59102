// Values at the crosshair, in the line above each plot. All charts with a time axis share the crosshair.
// A trace takes part if its `meta` has a `unit`; each value is that of the period which the time lies in, so times are never mixed.
const CROSSHAIR = "chart-crosshair";
const ENTITIES = new DOMParser();

const plainText = (escaped) => ENTITIES.parseFromString(escaped, "text/html").documentElement.textContent;
const wallClock = (text) => (typeof text === "number" ? text : Date.parse(`${text.replace(" ", "T")}Z`));

// The traces as {name, panel, unit, note, line, fill, x: [ms], y, n, bounds}. Traces that are the bounds of a CI belong to the next one.
function readSeries(figure) {
  const bounds = figure.data.filter((trace) => trace.meta?.bound);
  const last = bounds.length && figure.data[figure.data.indexOf(bounds.at(-1)) + 1];
  return figure.data
    .filter((trace) => trace.meta?.unit)
    .map((trace) => ({
      ...trace.meta,
      name: plainText(trace.meta.name ?? trace.name),
      panel: trace.meta.panel ?? "",
      line: trace.line ?? {},
      opacity: trace.opacity ?? 1,
      fill: trace.fillcolor,
      x: readTimes(trace),
      y: readNumbers(trace.y),
      n: trace.customdata && readNumbers(trace.customdata),
      bounds: trace === last ? bounds.map(({ y }) => readNumbers(y)) : [],
    }));
}

function readTimes(trace) {
  if (trace.x) return trace.x.map(wallClock);
  const start = wallClock(trace.x0);
  return Array.from(readNumbers(trace.y), (_, index) => start + index * trace.dx);
}

const ARRAYS = { f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array, i4: Int32Array };

function readNumbers(values) {
  if (!values?.bdata) return values;
  const bytes = Uint8Array.from(atob(values.bdata), (char) => char.charCodeAt(0));
  return new ARRAYS[values.dtype](bytes.buffer);
}

// The index of the period that `time` lies in; −1 outside.
function indexAt(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  const last = times.length - 1;
  const step = last > 0 ? times[last] - times[last - 1] : 60_000;
  return low - 1 === last && time >= times[last] + step ? -1 : low - 1;
}

function nearest(times, time) {
  const index = Math.max(0, indexAt(times, time));
  return times[index + 1] - time < time - times[index] ? times[index + 1] : times[index];
}

// Shows the values at `time` (ms of the axis's wall clock), or only the names if it is null.
function showValues(box, time) {
  const frame = box.closest(".chart");
  const list = frame.querySelector(".chart-values");
  list.hidden = !box.series?.length;
  const groups = new Map();
  for (const series of box.series ?? []) {
    const index = time === null ? -1 : indexAt(series.x, time);
    const value = index < 0 ? NaN : series.y[index];
    const key = `${series.panel}\n${series.name}`;
    if (groups.has(key) && !Number.isFinite(value)) continue; // its faint or its firm part has the value
    const count = index < 0 || !Number.isFinite(value) ? undefined : series.n?.[index];
    groups.set(key, { series, value, count, bounds: series.bounds.map((bound) => bound[index]) });
  }
  const clock = document.createElement("time");
  const range = box.anchor != null && selectedRange(box).map((end) => formatClock(box, end));
  clock.textContent = time === null ? "" : range ? range.join(" – ") : formatTime(box, time);
  let panel = "";
  const items = [clock];
  for (const reading of groups.values()) {
    const { series } = reading;
    if (series.panel !== panel) {
      panel = series.panel;
      const head = document.createElement("b");
      head.textContent = panel;
      items.push(head);
    }
    items.push(valueItem(reading, time !== null, box.texts));
  }
  list.replaceChildren(...items);
  moveCrosshair(box, time);
}

function valueItem({ series, value, count, bounds }, withValue, texts) {
  const item = document.createElement("span");
  if (series.line.color || series.fill) item.append(swatch(series));
  item.append(series.name);
  if (!withValue) return item;
  const number = document.createElement("strong");
  number.textContent = formatNumber(value, series.unit);
  item.append(" ", number);
  if (bounds.length && Number.isFinite(value)) {
    const [lower, upper] = bounds.map((bound) => formatNumber(bound, series.unit));
    item.append(` ${texts.ci.replace("{lower}", lower).replace("{upper}", upper)}`);
  }
  if (count) item.append(` ${texts.n.replace("{n}", formatNumber(count, "count"))}`);
  if (series.note && Number.isFinite(value)) item.append(` · ${series.note}`);
  return item;
}

function swatch({ line, fill, opacity }) {
  const mark = document.createElement("i");
  mark.style.opacity = Math.max(opacity, 0.5);
  const style = { dash: "dashed", dot: "dotted", dashdot: "dashed" }[line.dash] ?? "solid";
  if (line.width) mark.style.borderTop = `${Math.max(line.width, 1)}px ${style} ${line.color}`;
  else mark.style.background = fill;
  mark.className = line.width ? "line" : "area";
  return mark;
}

function formatTime(box, time) {
  const { provisional_from: from, provisional } = box.meta;
  return formatClock(box, time) + (from && time >= wallClock(from) ? ` · ${provisional}` : "");
}

function formatClock(box, time) {
  const { zone, locale } = box.meta;
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" };
  if (box.isLong) Object.assign(options, { day: "numeric", month: "short" });
  return `${new Intl.DateTimeFormat(locale ?? "en-GB", options).format(time)} ${zone}`;
}

function moveCrosshair(box, time) {
  moveSelection(box);
  const line = box.parentElement.querySelector(".crosshair");
  const axis = box._fullLayout?.xaxis;
  const px = time === null || !axis ? -1 : axis.l2p(time);
  line.hidden = !(px >= 0 && px <= axis?._length);
  if (line.hidden) return;
  const { t, h } = box._fullLayout._size;
  line.style.transform = `translateX(${axis._offset + px}px)`;
  line.style.top = `${t}px`;
  line.style.height = `${h}px`;
}

// Listens once per chart, on a parent that a redraw does not replace.
function followCrosshair(box) {
  const plot = box.parentElement;
  const send = (time) => {
    box.anchor = null; // a range by keyboard ends with any other move
    document.dispatchEvent(new CustomEvent(CROSSHAIR, { detail: time }));
  };
  const timeAt = (event) => {
    const axis = box._fullLayout?.xaxis;
    if (axis?.type !== "date") return null;
    const px = event.clientX - box.getBoundingClientRect().left - axis._offset;
    if (px < 0 || px > axis._length) return null;
    return box.series.length ? nearest(box.series[0].x, axis.p2l(px)) : axis.p2l(px);
  };
  const onCrosshair = ({ detail }) => {
    if (box.time === detail) return;
    box.time = detail;
    if (box._fullLayout?.xaxis?.type === "date") showValues(box, detail);
  };
  plot.addEventListener("pointermove", (event) => send(timeAt(event)));
  plot.addEventListener("pointerdown", (event) => {
    const time = timeAt(event);
    send(time);
    chooseOnClick(box, event, time, send);
  });
  plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && send(null));
  plot.addEventListener("keydown", (event) => onKey(box, event, send));
  document.addEventListener(CROSSHAIR, onCrosshair);
  return () => document.removeEventListener(CROSSHAIR, onCrosshair);
}
