// Draws a figure and redraws it in place, so that a refresh neither flickers nor loses the crosshair.
// PLOTLY_URL is defined by ui/assets.py.
let plotlyjs;

function load() {
  plotlyjs ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = PLOTLY_URL;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotlyjs = undefined; // the next redraw tries again
      reject(new Error(`${PLOTLY_URL} did not load`));
    };
    document.head.append(script);
  });
  return plotlyjs;
}

// The document imports this module, too: plotly.js is read while the browser waits for the page's first message. A draw reports failures.
(window.requestIdleCallback ?? setTimeout)(() => load().catch(() => undefined));

// The server places event labels for a wide chart. On a narrow one they would overlap: only the symbol stays, the text is in its tooltip.
const NARROW_PX = 480;
const MAX_LABEL_LENGTH = 9; // a weight, "◆ 50.0%", may stay

function shortenLabel(annotation) {
  if (annotation.name === "event" && annotation.text.length > MAX_LABEL_LENGTH) annotation.text = [...annotation.text][0];
}

// Runs steps one after the other: plotly.js is asynchronous, and an element that is emptied or measured between two steps breaks the next one.
function enqueue(box, step) {
  box.queue = (box.queue ?? Promise.resolve()).then(step).catch((error) => console.error(error));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".overlay-chart");
  const payload = new TextDecoder().decode(data);
  box.setTriggerValue = setTriggerValue;
  if (box.payload !== payload) {
    box.payload = payload;
    enqueue(box, () => draw(box, payload));
  }
  box.unfollow ??= followCrosshair(box);
  return () => {
    box.payload = undefined;
    box.unfollow();
    box.unfollow = undefined;
    box.observer?.disconnect();
    enqueue(box, () => {
      box.observer = undefined;
      window.Plotly?.purge(box);
    });
  };
}

async function draw(box, payload) {
  const { figure, alt, texts } = JSON.parse(payload);
  box.setAttribute("role", "img"); // only together with a label
  box.setAttribute("aria-label", alt);
  box.style.minHeight = `${figure.layout.height}px`;
  Object.assign(box, { texts, title: alt.split(". ")[0], meta: figure.layout.meta ?? {}, series: readSeries(figure) });
  box.isLong = box.series.some(({ x }) => x.at(-1) - x[0] > 86_400_000);
  showValues(box, box.time ?? null);
  let Plotly;
  try {
    Plotly = await load();
  } catch (error) {
    box.textContent = String(error.message);
    box.payload = undefined;
    return;
  }
  if (box.payload !== payload) return; // a newer one is queued, or the page was left
  // On a touch screen, a drag scrolls the page.
  if (window.matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false;
  if (box.clientWidth < NARROW_PX) figure.layout.annotations?.forEach(shortenLabel);
  await Plotly.react(box, figure.data, figure.layout, { displayModeBar: false, doubleClick: false, responsive: false });
  showValues(box, box.time ?? null);
  updateTools(box, Plotly);
  box.dataset.drawn = String(Number(box.dataset.drawn ?? 0) + 1);
  if (box.observer) return;
  box.observer = new ResizeObserver(() => enqueue(box, () => fit(box, Plotly)));
  box.observer.observe(box);
  box.on("plotly_relayout", (change) => {
    const from = change["xaxis.range[0]"];
    const to = change["xaxis.range[1]"];
    if (from && to) box.setTriggerValue("range", [String(from), String(to)]);
  });
  box.on("plotly_doubleclick", () => box.setTriggerValue("range", []));
}

// A removed or hidden element has a width of 0: nothing can be drawn into it.
function fit(box, Plotly) {
  if (box.payload === undefined || !box.clientWidth || box.clientWidth === box._fullLayout?.width) return undefined;
  return Plotly.relayout(box, { autosize: true });
}
