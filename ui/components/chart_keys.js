// The keys of a focused chart: ← → Home End move the crosshair, with Shift they extend a range from it. Enter zooms into the range; without one, it
// asks for a note on the time of the crosshair. Escape ends both. A click chooses a time for a note, too.
const CLICK_PX = 4;
const FOCUS_FORM_WITHIN_MS = 5000;
const NOTE_FIELD = ".st-key-chart_note input";

function onKey(box, event, send) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape") send(null);
  if (event.key === "Enter") onEnter(box, event);
  const times = visibleTimes(box);
  const time = times[nextIndex(event.key, times, box.time)];
  if (time === undefined) return;
  event.preventDefault();
  const anchor = event.shiftKey ? (box.anchor ?? box.time ?? time) : null;
  send(time);
  selectFrom(box, anchor);
  chooseTime(box, time);
}

// The periods inside the axis: the data has a lead-in.
function visibleTimes(box) {
  const axis = box._fullLayout?.xaxis;
  if (axis?.type !== "date" || !box.series?.length) return [];
  const [from, to] = axis.range.map(wallClock);
  return box.series[0].x.filter((time) => time >= from && time < to);
}

function nextIndex(key, times, time) {
  const index = time == null ? times.length : indexAt(times, time);
  const last = times.length - 1;
  const next = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last }[key];
  return next === undefined ? -1 : Math.min(last, Math.max(0, next));
}

function onEnter(box, event) {
  if (box.time == null) return;
  event.preventDefault();
  if (box.anchor == null) {
    if (box.texts.note) addNote(box, box.time);
    return;
  }
  const [from, to] = selectedRange(box).map(axisText);
  selectFrom(box, null);
  window.Plotly.relayout(box, { "xaxis.range[0]": from, "xaxis.range[1]": to }); // as a drag does
}

// From the earlier end to the end of the later one's period.
function selectedRange(box) {
  const times = box.series[0].x;
  const [from, to] = [box.anchor, box.time].sort((a, b) => a - b);
  const index = Math.min(indexAt(times, to), times.length - 2);
  return [from, to + (index < 0 ? 60_000 : times[index + 1] - times[index])];
}

const axisText = (time) => new Date(time).toISOString().slice(0, 19).replace("T", " ");

function selectFrom(box, anchor) {
  box.anchor = anchor;
  showValues(box, box.time ?? null);
}

function moveSelection(box) {
  const band = box.parentElement.querySelector(".selection");
  const axis = box._fullLayout?.xaxis;
  band.hidden = box.anchor == null || box.time == null || axis?.type !== "date";
  if (band.hidden) return;
  const [from, to] = selectedRange(box).map((time) => Math.min(axis._length, Math.max(0, axis.l2p(time))));
  const { t, h } = box._fullLayout._size;
  const place = { left: axis._offset + from, width: to - from, top: t, height: h };
  for (const [name, px] of Object.entries(place)) band.style[name] = `${px}px`;
}

// A press that is not released elsewhere, which would be a drag. Its end may be on an element that plotly lays over the page, which takes the
// crosshair away.
function chooseOnClick(box, { clientX, clientY }, time, send) {
  const ended = new AbortController();
  const onUp = (event) => {
    ended.abort();
    if (Math.hypot(event.clientX - clientX, event.clientY - clientY) >= CLICK_PX) return;
    send(time);
    chooseTime(box, time);
  };
  document.addEventListener("pointerup", onUp, { signal: ended.signal });
  document.addEventListener("pointercancel", () => ended.abort(), { signal: ended.signal });
}

// Offers a note on `time`, on this chart alone.
function chooseTime(box, time) {
  const own = box.closest(".chart").querySelector(".chart-note");
  for (const button of document.querySelectorAll(".chart-note")) button.hidden = true;
  if (time == null || !box.texts.note) return;
  own.hidden = false;
  own.textContent = box.texts.note.replace("{time}", formatClock(box, time));
  own.onclick = () => addNote(box, time);
}

// Has the form shown, and moves the focus to it.
function addNote(box, time) {
  box.setTriggerValue("note", axisText(time));
  const focus = () => document.querySelector(NOTE_FIELD)?.focus();
  focus();
  const observer = new MutationObserver(() => document.querySelector(NOTE_FIELD) && (observer.disconnect(), focus()));
  observer.observe(document.body, { childList: true, subtree: true });
  setTimeout(() => observer.disconnect(), FOCUS_FORM_WITHIN_MS);
}
