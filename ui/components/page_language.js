// Sets the document's language and translates Streamlit's own controls. Keeps the chosen language and migration in the links of the pages, and the
// page's parameters in the links of the switch.
export default function ({ data }) {
  document.documentElement.lang = data.language;
  const complete = (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || link.origin !== location.origin || link.getAttribute("href").startsWith("#")) return;
    const url = new URL(link.href);
    if (link.closest(".language")) {
      const language = url.searchParams.get("lang");
      url.search = location.search;
      url.searchParams.set("lang", language);
    } else {
      if (data.chosen) url.searchParams.set("lang", data.chosen);
      if (data.migration && !url.searchParams.has("migration")) url.searchParams.set("migration", data.migration);
    }
    if (url.href !== link.href) link.href = url.href;
  };
  // Before a link is followed, copied or opened elsewhere, by pointer or keyboard.
  const events = ["pointerdown", "focusin"];
  for (const event of events) document.addEventListener(event, complete, true);
  const observer = observeControls(data.streamlit);
  return () => {
    for (const event of events) document.removeEventListener(event, complete, true);
    observer?.disconnect();
  };
}

const ATTRIBUTES = ["aria-label", "placeholder", "title"];
const OURS = '[data-testid="stHtml"], [data-testid="stBidiComponentRegular"]';

function observeControls(texts) {
  const patterns = Object.entries(texts).map(([text, translation]) => [toPattern(text), translation]);
  if (!patterns.length) return undefined;
  const translate = (text) => {
    for (const [pattern, translation] of patterns) {
      const match = text.match(pattern);
      if (match) return translation.replace("{what}", () => match[1]);
    }
    return text;
  };
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = translate(node.data.trim());
      if (text !== node.data.trim() && !node.parentElement?.closest(OURS)) node.data = text;
    } else if (node.nodeType === Node.ELEMENT_NODE && !node.closest(OURS)) {
      for (const name of ATTRIBUTES) {
        const value = node.getAttribute(name);
        if (value && translate(value) !== value) node.setAttribute(name, translate(value));
      }
      node.childNodes.forEach(visit);
    }
  };
  const observer = new MutationObserver((mutations) => {
    for (const { target, addedNodes, type } of mutations) {
      if (type === "childList") addedNodes.forEach(visit);
      else visit(target);
    }
  });
  visit(document.body);
  observer.observe(document.body, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
    attributeFilter: ATTRIBUTES,
  });
  return observer;
}

function toPattern(text) {
  const [start, end] = text.split("{what}").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(end === undefined ? `^${start}$` : `^${start}(.*)${end}$`);
}
