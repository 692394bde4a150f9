// Fetches the page again every two seconds and swaps in the regions that changed. The form, what is folded open and
// where the focus is stay as they are. Without this script the page is the same; one reloads it by hand.
"use strict";

const EVERY_MS = 2000;
const live = document.getElementById("live");
const news = document.getElementById("news");
const words = document.body.dataset;
const parser = new DOMParser();
let last = "";

function keepFolds(old, fresh) {
  for (const details of fresh.querySelectorAll("details[id]")) {
    const before = old.querySelector("#" + CSS.escape(details.id));
    if (before) details.open = before.open;
  }
}

function swap(old, fresh) {
  keepFolds(old, fresh);
  if (old.innerHTML === fresh.innerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceChildren(...fresh.childNodes);
  if (focused) document.getElementById(focused)?.focus();
}

function announce(fresh) {
  for (const box of fresh.querySelectorAll("[data-count]")) {
    const before = document.getElementById(box.id);
    if (before && Number(box.dataset.count) > Number(before.dataset.count)) {
      news.textContent = words.news.replace("{name}", box.dataset.name);
    }
  }
}

function show(text) {
  if (text === last) return;
  last = text;
  const fresh = parser.parseFromString(text, "text/html");
  announce(fresh);
  for (const old of document.querySelectorAll("[data-live]")) {
    const region = fresh.getElementById(old.id);
    if (region) swap(old, region);
  }
}

async function refresh() {
  try {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store" });
    if (answer.ok) show(await answer.text());
    live.classList.remove("stopped");
    live.hidden = false;
  } catch {
    live.textContent = words.stopped;
    live.classList.add("stopped");
    return;
  }
  setTimeout(refresh, EVERY_MS);
}

if (location.hash === "#write") {
  const write = document.getElementById("write");
  if (write) {
    write.open = true;
    document.getElementById("text").focus({ preventScroll: true });
  }
}
if (location.pathname === "/") refresh();
