// Follows links with data-soft, which lead to the page itself, without loading it again; and copies the text of buttons with data-copy.
const FOCUS_WITHIN_MS = 5000;

export default function ({ data, parentElement, setTriggerValue }) {
  parentElement.stopListening?.();
  const onClick = (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button, data.copied);
    const link = event.target.closest("a[data-soft]");
    const isPlain = !(event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!link || !isPlain || event.defaultPrevented) return;
    event.preventDefault();
    setTriggerValue("query", new URL(link.href).search);
    if (link.dataset.key) keepFocus(link.dataset.key);
    if ("top" in link.dataset) document.querySelector("[data-testid='stMain']")?.scrollTo(0, 0);
  };
  document.addEventListener("click", onClick);
  parentElement.stopListening = () => document.removeEventListener("click", onClick);
  return parentElement.stopListening;
}

// The link is replaced when the table is drawn again.
function keepFocus(key) {
  const observer = new MutationObserver(() => {
    if (document.activeElement === document.body) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  });
  observer.observe(document.body, { childList: true, subtree: true });
  setTimeout(() => observer.disconnect(), FOCUS_WITHIN_MS);
}

function copy(button, copied) {
  navigator.clipboard.writeText(button.dataset.copy).then(() => {
    const label = button.textContent;
    button.textContent = copied;
    setTimeout(() => (button.textContent = label), 1500);
  });
}
