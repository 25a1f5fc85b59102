// Sets the document's language. Keeps a chosen language in the links of the pages, and the page's parameters in the links of the switch.
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
    } else if (data.chosen) url.searchParams.set("lang", data.chosen);
    if (url.href !== link.href) link.href = url.href;
  };
  // Before a link is followed, copied or opened elsewhere, by pointer or keyboard.
  const events = ["pointerdown", "focusin"];
  for (const event of events) document.addEventListener(event, complete, true);
  return () => events.forEach((event) => document.removeEventListener(event, complete, true));
}
