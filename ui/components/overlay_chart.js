// Draws a figure into its own element and redraws it in place, so that a refresh neither flickers nor loses the reader's hover.
let library;

function load(address) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = undefined; // the next redraw tries again
      reject(new Error(`${address} did not load`));
    };
    document.head.append(script);
  });
  return library;
}

// The server places the words of events for a wide chart. On a narrow one they would lie over each other: the mark stays, with the words behind it.
const NARROW_PX = 480;
const SHORT = 9; // a step's share, "◆ 50.0 %", may stay

function keepMarkAlone(words) {
  if (words.name === "event" && words.text.length > SHORT) words.text = [...words.text][0];
}

// One after the other: plotly.js works in steps, and an element that is emptied or measured between two of them breaks the next one.
function inTurn(box, step) {
  box.turn = (box.turn ?? Promise.resolve()).then(step).catch((error) => console.error(error));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".overlay-chart");
  const text = new TextDecoder().decode(data);
  box.tell = setTriggerValue;
  if (box.drawn !== text) {
    box.drawn = text;
    inTurn(box, () => draw(box, text));
  }
  return () => {
    box.drawn = undefined;
    box.watch?.disconnect();
    inTurn(box, () => {
      box.watch = undefined;
      window.Plotly?.purge(box);
    });
  };
}

async function draw(box, text) {
  const { figure, alt, library: address } = JSON.parse(text);
  box.setAttribute("role", "img"); // an image only once it has words
  box.setAttribute("aria-label", alt);
  box.style.minHeight = `${figure.layout.height}px`;
  let Plotly;
  try {
    Plotly = await load(address);
  } catch (error) {
    box.textContent = String(error.message);
    box.drawn = undefined;
    return;
  }
  if (box.drawn !== text) return; // a newer one waits, or the reader has left
  // On a touch screen a finger scrolls the page; the window is chosen with the buttons.
  if (window.matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false;
  if (box.clientWidth < NARROW_PX) figure.layout.annotations?.forEach(keepMarkAlone);
  await Plotly.react(box, figure.data, figure.layout, { displayModeBar: false, doubleClick: false, responsive: false });
  box.dataset.drawn = String(Number(box.dataset.drawn ?? 0) + 1);
  if (box.watch) return;
  box.watch = new ResizeObserver(() => inTurn(box, () => fit(box, Plotly)));
  box.watch.observe(box);
  box.on("plotly_relayout", (change) => {
    const from = change["xaxis.range[0]"];
    const to = change["xaxis.range[1]"];
    if (from && to) box.tell("range", [String(from), String(to)]);
  });
  box.on("plotly_doubleclick", () => box.tell("range", []));
}

// An element that leaves the page, or is hidden, is told a width of 0: nothing can be drawn into it.
function fit(box, Plotly) {
  if (box.drawn === undefined || !box.clientWidth || box.clientWidth === box._fullLayout?.width) return undefined;
  return Plotly.relayout(box, { autosize: true });
}
