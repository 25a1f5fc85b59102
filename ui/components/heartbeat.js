// Asks the page for a refresh, `every` so many seconds after the one before; 0 is never.
export default function ({ data, parentElement, setTriggerValue }) {
  clearInterval(parentElement.beating);
  if (data.every) parentElement.beating = setInterval(() => setTriggerValue("beat", true), data.every * 1000);
  return () => clearInterval(parentElement.beating);
}
