// The line that says how old the page is. It counts by itself between refreshes, by the server's clock, and says so when refreshes stop coming.
export default function ({ data, parentElement }) {
  const line = parentElement.querySelector(".top-line");
  const ahead = data.now - Date.now() / 1000; // the reader's clock may be wrong; the server's counts
  const tick = () => {
    const now = Date.now() / 1000 + ahead;
    const since = now - data.now;
    const parts = [data.data_until ? `${data.until}` : data.nothing];
    if (data.data_until && !data.past) parts.push(data.old.replace("{age}", age(now - data.data_until)));
    if (!data.refresh) parts.push(data.paused);
    else if (since > 3 * data.refresh) parts.push(data.late.replace("{age}", age(since)));
    else parts.push(data.next.replace("{s}", String(Math.max(0, Math.ceil(data.refresh - since)))));
    line.textContent = parts.join(" · ");
    line.classList.toggle("late", Boolean(data.stale) || (data.refresh && since > 3 * data.refresh));
  };
  const age = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 120) return `${whole} s`;
    if (whole < 7200) return `${Math.floor(whole / 60)} min`;
    return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  };
  clearInterval(line.ticking);
  line.ticking = setInterval(tick, 1000);
  tick();
  return () => clearInterval(line.ticking);
}
