// The slider over the years, and what would be without some of the evidence.
// Without it the page works by its two forms.
import { knownInWords, sayYear, slide } from "./years.js";

const data = JSON.parse(document.getElementById("data").textContent);
const slider = document.getElementById("year");
const firstYear = Number(slider.min);
const lastYear = Number(slider.max);

function chip(status) {
  const element = document.createElement("span");
  element.className = `chip status-${status ?? "none"}`;
  element.textContent = status ? data.statuses[status] : "not stated yet";
  return element;
}

function certain(certainty) {
  return certainty ? `${certainty.replaceAll("_", " ")} certainty` : "";
}

function show(year) {
  const day = year >= lastYear ? "9999" : `${year}-12-31`;
  const standing = data.run.filter(([starts]) => starts <= day).at(-1);
  const first = standing && data.run.slice(0, data.run.indexOf(standing) + 1).findLast(
    ([, status], place, run) => place === 0 || run[place - 1][1] !== status);
  sayYear(year, lastYear);
  document.getElementById("status").replaceChildren(chip(standing?.[1]));
  document.getElementById("since").textContent = standing ? `since ${knownInWords(first[0])}` : "";
  document.getElementById("certainty").textContent = standing?.[3] ? ` · ${certain(standing[3])}` : "";
  document.getElementById("day").textContent = year >= lastYear ? "" : `(as of the end of ${year})`;
  document.getElementById("rule").textContent = standing
    ? data.rules[standing[2]]
    : "It had not been stated by then.";
  const link = document.getElementById("rule-link");
  link.hidden = !standing;
  if (standing) link.hash = standing[2];
  for (const line of document.querySelectorAll("[data-published]")) {
    const later = line.dataset.published > day;
    line.classList.toggle("later", later);
    line.querySelector(".later-mark").hidden = !later;
  }
}

// A page of an earlier day does not hold what came later, so that its slider asks the server.
if (!new URLSearchParams(location.search).has("as_of")) slide(firstYear, lastYear, show);

const form = document.getElementById("what-if");
if (form) {
  const outcome = document.getElementById("outcome");
  let asked = 0;
  form.addEventListener("change", async () => {
    const turn = ++asked;
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
    if (!query.has("without") && query.get("level.lte") === "not_gradable") {
      outcome.textContent = "";
      return;
    }
    const address = `/v1/claims/${encodeURIComponent(data.claim)}/explanation?${query}`;
    let text = "The server did not answer; try again.";
    let found = null;
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      found = await response.json();
      if (!response.ok) text = found.detail;
    } catch {
      found = null;
    }
    if (turn !== asked) return;
    if (found?.status_rule === undefined) {
      outcome.textContent = text;
      return;
    }
    const change = found.compared_with?.changes_status ? "" : " That changes nothing.";
    const certainty = found.certainty ? ` (${certain(found.certainty)})` : "";
    outcome.replaceChildren("Without that it would be ", chip(found.status), `${certainty}: ${data.rules[found.status_rule]}${change}`);
  });
  document.getElementById("ask").hidden = true;
}
