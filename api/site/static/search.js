// Suggestions below the search of every page while somebody types. Without it the form searches.
const input = document.getElementById("q");
const form = input.form;
const list = document.createElement("ul");
const told = document.createElement("span");
const kinds = { topic: ["Topic", "/topics/"], claim: ["Claim", "/claims/"], source: ["Source", "/sources/"] };
// Fewer letters begin too much, and a fast typist needs no answer to each.
const LEAST_LETTERS = 2;
const PAUSE_MILLISECONDS = 150;
let chosen = -1;
let waiting = 0;
let asking = new AbortController();

list.id = "suggestions";
list.className = "suggestions";
list.hidden = true;
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Suggestions");
told.className = "hidden";
told.setAttribute("role", "status");
form.append(list, told);
for (const [name, value] of Object.entries({
  role: "combobox",
  "aria-autocomplete": "list",
  "aria-controls": list.id,
  "aria-expanded": "false",
})) input.setAttribute(name, value);

function close() {
  clearTimeout(waiting);
  asking.abort();
  list.hidden = true;
  choose(-1);
  input.setAttribute("aria-expanded", "false");
}

function choose(place) {
  chosen = place;
  [...list.children].forEach((option, number) => {
    option.setAttribute("aria-selected", String(number === place));
  });
  const option = list.children[place];
  if (!option) return input.removeAttribute("aria-activedescendant");
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function optionOf({ kind, id, label, citation }, number) {
  const option = document.createElement("li");
  const small = document.createElement("span");
  const [name, path] = kinds[kind];
  small.className = "soft";
  small.textContent = ` ${citation && citation !== label ? `${name}: ${citation}` : name}`;
  option.id = `suggestion-${number}`;
  option.dataset.address = path + encodeURIComponent(id);
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", "false");
  option.append(label, small);
  return option;
}

function show(suggestions) {
  list.replaceChildren(...suggestions.map(optionOf));
  choose(-1);
  list.hidden = !suggestions.length;
  input.setAttribute("aria-expanded", String(!list.hidden));
  const number = suggestions.length;
  told.textContent = number ? `${number} suggestion${number > 1 ? "s" : ""}` : "No suggestions";
}

async function ask() {
  const typed = input.value.trim();
  asking.abort();
  if (typed.length < LEAST_LETTERS) return close();
  asking = new AbortController();
  const { signal } = asking;
  try {
    const query = new URLSearchParams({ q: typed });
    const headers = { Accept: "application/json" };
    const answer = await fetch(`/v1/suggest?${query}`, { headers, signal });
    const { data } = answer.ok ? await answer.json() : { data: [] };
    if (!signal.aborted) show(data);
  } catch (error) {
    // A newer question took its place, or the network is gone: the form tells of that when sent.
    if (error.name !== "AbortError") close();
  }
}

const moves = {
  ArrowDown: (last) => (chosen < last ? chosen + 1 : 0),
  ArrowUp: (last) => (chosen > 0 ? chosen - 1 : last),
};

input.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(ask, PAUSE_MILLISECONDS);
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !list.hidden) {
    event.preventDefault();
    return close();
  }
  if (list.hidden) return;
  if (event.key in moves) {
    event.preventDefault();
    choose(moves[event.key](list.children.length - 1));
  } else if (event.key === "Enter" && chosen >= 0) {
    event.preventDefault();
    location.assign(list.children[chosen].dataset.address);
  }
});
input.addEventListener("blur", close);
// Before the input loses the focus, which would close the list under the pointer.
list.addEventListener("pointerdown", (event) => event.preventDefault());
list.addEventListener("click", (event) => {
  const option = event.target.closest("li");
  if (option) location.assign(option.dataset.address);
});
