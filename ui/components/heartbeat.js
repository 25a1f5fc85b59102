// Requests a refresh every `every` seconds; 0 means never.
export default function ({ data, parentElement, setTriggerValue }) {
  clearInterval(parentElement.beating);
  if (data.every) parentElement.beating = setInterval(() => setTriggerValue("beat", true), data.every * 1000);
  return () => clearInterval(parentElement.beating);
}
