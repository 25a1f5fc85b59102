// Shows the age of the data. Counts between refreshes by the server's clock, and warns if refreshes stop.
export default function ({ data, parentElement }) {
  const line = parentElement.querySelector(".top-line");
  const offset = data.now - Date.now() / 1000; // the browser's clock may be wrong
  const tick = () => {
    const now = Date.now() / 1000 + offset;
    const since = now - data.now;
    const isLate = data.refresh && since > 3 * data.refresh;
    const parts = [data.data_until ? data.until : data.nothing];
    if (data.data_until && !data.past) parts.push(data.old.replace("{age}", formatAge(now - data.data_until, data)));
    if (!data.refresh) parts.push(data.paused);
    else if (isLate) parts.push(data.late.replace("{age}", formatAge(since, data)));
    else parts.push(data.next.replace("{s}", String(Math.max(0, Math.ceil(data.refresh - since)))));
    line.textContent = parts.join(" · ");
    line.classList.toggle("late", Boolean(data.stale || isLate));
  };
  clearInterval(line.ticking);
  line.ticking = setInterval(tick, 1000);
  tick();
  return () => clearInterval(line.ticking);
}

function formatAge(seconds, { age_s, age_m, age_h }) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return age_s.replace("{s}", whole);
  if (whole < 3600) return age_m.replace("{m}", Math.floor(whole / 60));
  const minutes = String(Math.floor((whole % 3600) / 60)).padStart(2, "0");
  return age_h.replace("{h}", Math.floor(whole / 3600)).replace("{m}", minutes);
}
