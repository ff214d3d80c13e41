// The slider over the years, the card beside a sentence, and the reader's own copy of the text.
// Without it the page works by links and by the form of the slider.
import { knownInWords, sayYear, slide } from "./years.js";

const data = JSON.parse(document.getElementById("data").textContent);
const [firstYear, lastYear] = data.years;
const order = Object.keys(data.statuses);

function standingOn(claim, year) {
  const day = year >= lastYear ? "9999" : `${year}-12-31`;
  return data.runs[claim].filter(([starts]) => starts <= day).at(-1) ?? null;
}

function label(standing) {
  return standing ? data.statuses[standing[1]] : "not stated yet";
}

function each(selector, change) {
  for (const element of document.querySelectorAll(selector)) change(element);
}

function colour(element, standing) {
  const kept = [...element.classList].filter((name) => !name.startsWith("status-"));
  element.className = [...kept, `status-${standing ? standing[1] : "none"}`].join(" ");
}

function show(year) {
  const of = (element, name) => standingOn(element.dataset[name], year);
  sayYear(year, lastYear);
  each("mark", (mark) => {
    const standing = of(mark, "claim");
    colour(mark, standing);
    mark.querySelector(":scope > .tag").textContent = label(standing);
  });
  each("[data-chip]", (place) => {
    if (!data.runs[place.dataset.chip]) return;
    const standing = of(place, "chip");
    colour(place.firstElementChild, standing);
    place.firstElementChild.textContent = standing ? label(standing) : "no status";
  });
  each("[data-certainty]", (place) => {
    const certainty = of(place, "certainty")?.[3];
    place.textContent = certainty ? `${certainty.replaceAll("_", " ")} certainty` : "";
  });
  each("[data-since]", (place) => {
    const standing = of(place, "since");
    place.textContent = standing ? `since ${knownInWords(standing[0])}` : "";
  });
  each("[data-rule]", (place) => {
    const standing = of(place, "rule");
    place.textContent = standing ? data.rules[standing[2]] : "It had not been stated by then.";
  });
  count(year);
  each("[data-year]", (link) => {
    if (Number(link.dataset.year) === year) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
}

function count(year) {
  const tally = new Map();
  for (const [, , claim] of data.places) {
    const status = standingOn(claim, year)?.[1] ?? "none";
    tally.set(status, (tally.get(status) ?? 0) + 1);
  }
  const shown = [...order, "none"].filter((status) => tally.has(status));
  document.getElementById("counts").replaceChildren(
    ...shown.map((status) => {
      const chip = document.createElement("span");
      chip.className = `chip status-${status}`;
      chip.textContent = data.statuses[status] ?? "no status";
      const entry = document.createElement("span");
      entry.className = "count";
      entry.append(chip, ` ${tally.get(status)} `);
      return entry;
    }),
  );
}

function showAndName(year) {
  show(year);
  const address = new URL(location.href);
  if (year >= lastYear) address.searchParams.delete("as_of");
  else address.searchParams.set("as_of", year);
  history.replaceState(null, "", address);
}

if (data.places.length) {
  const goTo = slide(firstYear, lastYear, showAndName);
  each("[data-year]", (link) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(Number(link.dataset.year));
    }),
  );
  document.getElementById("text").addEventListener("click", (event) => {
    const mark = event.target.closest("mark");
    if (!mark || String(getSelection())) return;
    event.preventDefault();
    choose(mark.dataset.place, event.target.closest(".tag") !== null);
  });
}

function choose(place, withFocus) {
  each(".chosen", (element) => element.classList.remove("chosen"));
  each(`mark[data-place="${place}"]`, (mark) => mark.classList.add("chosen"));
  const card = document.getElementById(`s-${place}`);
  card.classList.add("chosen");
  card.scrollIntoView({ block: "nearest" });
  if (withFocus) card.focus({ preventScroll: true });
}

// The reader's own copy of the text: compared by its SHA-256, and kept in this browser alone.
const own = document.getElementById("own-text");
const state = document.getElementById("file-state");
const kept = own && `claimbase-text-${own.dataset.sha256}`;

async function digestOf(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function take(text) {
  const candidates = [text, text.replaceAll("\r\n", "\n"), text.trimEnd()];
  for (const candidate of candidates) {
    const digest = await digestOf(new TextEncoder().encode(candidate));
    if (digest === own.dataset.sha256) return candidate;
  }
  return null;
}

function layOut(text) {
  // Places count code points, as Python does; strings here count UTF-16 units.
  const letters = Array.from(text);
  const marks = new Map();
  each("#text mark", (mark) => marks.has(mark.dataset.place) || marks.set(mark.dataset.place, mark));
  const places = data.places
    .map(([begin, end], place) => ({ begin, end, place: String(place) }))
    .filter(({ begin, place }) => begin !== null && marks.has(place))
    .sort((one, other) => one.begin - other.begin || other.end - one.end);
  const fill = (parent, begin, end, inside) => {
    let at = begin;
    while (inside.length) {
      const [outer, ...rest] = inside;
      parent.append(letters.slice(at, outer.begin).join(""));
      const inner = rest.filter((other) => other.begin < outer.end);
      inside = rest.slice(inner.length);
      for (const other of inner.filter((each) => each.end > outer.end)) {
        inside.unshift({ ...other, begin: outer.end });
        other.end = outer.end;
      }
      const first = marks.get(outer.place);
      const mark = first.cloneNode(false);
      const tag = first.querySelector(":scope > .tag").cloneNode(true);
      fill(mark, outer.begin, outer.end, inner);
      mark.append(tag);
      parent.append(mark);
      at = outer.end;
    }
    parent.append(letters.slice(at, end).join(""));
  };
  const whole = document.createElement("div");
  whole.className = "whole";
  fill(whole, 0, letters.length, places);
  document.getElementById("text").replaceChildren(whole);
}

if (own?.dataset.sha256 && window.isSecureContext) {
  own.hidden = false;
  const stored = localStorage.getItem(kept);
  if (stored !== null) {
    layOut(stored);
    state.textContent = "The whole text is shown from the copy in this browser.";
    own.open = true;
  }
  document.getElementById("file").addEventListener("change", async (event) => {
    const text = await take(await event.target.files[0].text());
    if (text === null) {
      state.textContent = "This is not the text from which the quotes were taken, or not all of it.";
      return;
    }
    layOut(text);
    try {
      localStorage.setItem(kept, text);
      state.textContent = "The whole text is shown; a copy of it is kept in this browser.";
    } catch {
      state.textContent = "The whole text is shown; this browser has no room to keep it.";
    }
  });
}

// A selected sentence goes along to the form of a claim; its place only where the whole text is shown.
function textBefore(node, offset, root) {
  const range = document.createRange();
  range.selectNodeContents(root);
  range.setEnd(node, offset);
  return withoutTags(range);
}

function withoutTags(range) {
  const copy = range.cloneContents();
  for (const tag of copy.querySelectorAll(".tag")) tag.remove();
  return copy.textContent;
}

const propose = document.getElementById("propose");
let selected = null;
document.addEventListener("selectionchange", () => {
  const selection = getSelection();
  const text = document.getElementById("text");
  if (!propose || !selection.rangeCount || selection.isCollapsed) return;
  const range = selection.getRangeAt(0);
  if (text.contains(range.commonAncestorContainer)) selected = range.cloneRange();
});
propose?.addEventListener("click", () => {
  if (!selected) return;
  const whole = document.querySelector("#text > .whole");
  const root = whole ?? document.getElementById("text");
  const quote = withoutTags(selected);
  const before = Array.from(textBefore(selected.startContainer, selected.startOffset, root));
  const lead = Array.from(quote).length - Array.from(quote.trimStart()).length;
  const letters = Array.from(quote.trim());
  const rest = document.createRange();
  rest.selectNodeContents(root);
  rest.setStart(selected.endContainer, selected.endOffset);
  const begin = before.length + lead;
  const picked = { document: propose.dataset.document, quote: letters.join("") };
  if (whole) {
    Object.assign(picked, {
      start: begin,
      end: begin + letters.length,
      prefix: before.slice(-40).join(""),
      suffix: Array.from(withoutTags(rest)).slice(0, 40).join(""),
    });
  }
  sessionStorage.setItem("claimbase-selection", JSON.stringify(picked));
});
