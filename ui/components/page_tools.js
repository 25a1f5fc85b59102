// Two buttons: copies the address of this page, and shows it as a kiosk. In a kiosk, which has no controls, Escape ends it.
export default function ({ data, parentElement }) {
  const [copy, kiosk] = parentElement.querySelectorAll("button");
  const url = new URL(location.href);
  const leave = (event) => {
    if (event.key !== "Escape") return;
    url.searchParams.delete("kiosk");
    location.assign(url);
  };
  copy.textContent = data.copy;
  kiosk.textContent = data.kiosk;
  kiosk.title = data.kiosk_help;
  copy.onclick = async () => {
    copy.textContent = (await copyText(location.href)) ? data.copied : data.not_copied;
    setTimeout(() => (copy.textContent = data.copy), 2000);
  };
  kiosk.onclick = () => {
    const address = new URL(location.href);
    address.searchParams.set("kiosk", "1");
    location.assign(address);
  };
  if (data.is_kiosk) document.addEventListener("keydown", leave);
  return () => document.removeEventListener("keydown", leave);
}

// The clipboard of a page exists only over https and on localhost.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}
