// Below each plot: its values as a table, which is built when it is opened, and the plot as a PNG.
function updateTools(box, Plotly) {
  const frame = box.closest(".chart");
  const details = frame.querySelector(".chart-table");
  const button = frame.querySelector(".chart-png");
  const title = box.title;
  button.parentElement.hidden = Boolean(box.meta.no_tools);
  button.textContent = box.texts.png;
  button.setAttribute("aria-label", box.texts.download.replace("{chart}", title));
  button.onclick = () => download(box, Plotly);
  details.hidden = !box.series.length;
  details.firstElementChild.textContent = box.texts.table;
  details.firstElementChild.setAttribute("aria-label", box.texts.as_table.replace("{chart}", title));
  details.ontoggle = () => fillTable(box, details);
  fillTable(box, details);
}

const MAX_ROWS = 200; // at first: a day has 1,440 minutes

function fillTable(box, details) {
  const region = details.lastElementChild;
  region.setAttribute("aria-label", box.title);
  if (!details.open || !box.series.length) {
    delete details.dataset.all;
    return region.replaceChildren();
  }
  const from = wallClock(box._fullLayout.xaxis.range[0]); // the data has a lead-in
  const times = box.series[0].x.filter((time) => time >= from).reverse();
  const shown = "all" in details.dataset ? times : times.slice(0, MAX_ROWS);
  const parts = [valueTable(box, shown)];
  if (shown.length < times.length) parts.push(allButton(box, details, times.length));
  return region.replaceChildren(...parts);
}

function allButton(box, details, n) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chart-all";
  button.textContent = box.texts.all_rows.replace("{n}", formatNumber(n, "count"));
  button.onclick = () => {
    details.dataset.all = "";
    fillTable(box, details);
    details.lastElementChild.focus(); // the button is gone
  };
  return button;
}

// One row for each of `times`; one column for each name of a panel: faint and firm parts are one.
function valueTable(box, times) {
  const columns = [...Map.groupBy(box.series, ({ panel, name }) => `${panel} ${name}`.trim())];
  const table = document.createElement("table");
  table.createCaption().textContent = box.title;
  const head = table.createTHead().insertRow();
  for (const name of [box.texts.time, ...columns.map(([name]) => name)]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const time of times) {
    const row = body.insertRow();
    const clock = document.createElement("th");
    clock.scope = "row";
    clock.textContent = formatTime(box, time);
    row.append(clock);
    for (const [, parts] of columns) row.insertCell().textContent = cellText(parts, time);
  }
  return table;
}

function cellText(parts, time) {
  for (const { x, y, unit, bounds } of parts) {
    const index = indexAt(x, time);
    const value = index < 0 ? NaN : y[index];
    if (!Number.isFinite(value)) continue;
    const interval = bounds.map((bound) => formatNumber(bound[index], unit));
    return formatNumber(value, unit) + (interval.length ? ` (${interval.join(" … ")})` : "");
  }
  return NONE;
}

function download(box, Plotly) {
  const { width, height } = box._fullLayout;
  const background = getComputedStyle(document.querySelector("[data-testid='stApp']") ?? document.body).backgroundColor;
  // With its legend and title, which the page has around the plot.
  const margin = { ...box.layout.margin, t: 84 };
  const title = { text: box.title, font: { size: 15 }, x: 0.02, xanchor: "left", y: 0.98, yanchor: "top" };
  const data = box.data.map((trace) => ({ ...trace, name: trace.meta?.name ?? trace.name }));
  const layout = { ...box.layout, paper_bgcolor: background, margin, title, showlegend: true };
  Object.assign(layout, { legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, height: height + 76, width });
  const filename = box.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
  return Plotly.downloadImage({ data, layout }, { format: "png", scale: 2, width, height: height + 76, filename });
}
