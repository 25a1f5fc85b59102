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

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".overlay-chart");
  const text = new TextDecoder().decode(data);
  box.tell = setTriggerValue;
  if (box.drawn !== text) {
    box.drawn = text;
    draw(box, JSON.parse(text));
  }
  return () => {
    box.watch?.disconnect();
    window.Plotly?.purge(box);
    box.drawn = undefined;
  };
}

async function draw(box, { figure, alt, library: address }) {
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
  // On a touch screen a finger scrolls the page; the window is chosen with the buttons.
  if (window.matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false;
  const first = !box.watch;
  await Plotly.react(box, figure.data, figure.layout, { displayModeBar: false, doubleClick: false, responsive: false });
  box.dataset.drawn = String(Number(box.dataset.drawn ?? 0) + 1);
  if (!first) return;
  box.watch = new ResizeObserver(() => Plotly.Plots.resize(box));
  box.watch.observe(box);
  box.on("plotly_relayout", (change) => {
    const from = change["xaxis.range[0]"];
    const to = change["xaxis.range[1]"];
    if (from && to) box.tell("range", [String(from), String(to)]);
  });
  box.on("plotly_doubleclick", () => box.tell("range", []));
}
