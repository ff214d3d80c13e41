// What the forms of curating share: their fields, which keep a draft in this browser, each error at
// its field, and names that are suggested while somebody types.
import {
  ask, deleteDraft, element, faultInWords, keepDraft, make, randomName, readDraft, refusal, start,
} from "./curate.js";

export const form = element("record");
const address = location.pathname + location.search;
export const fields = [...form.querySelectorAll("[data-field]")];
export const byName = Object.fromEntries(fields.map((field) => [field.dataset.field, field]));
// What of the form is kept as its draft, and how that is shown again.
let kept = { read, write };
// Parts of a read record that have no column here, such as the particle of a name.
const rests = new WeakMap();

export function control(field) {
  return element(`f-${field.dataset.field}`);
}

function numberOf(text) {
  const value = text.trim();
  return value === "" || Number.isNaN(Number(value)) ? value : Number(value);
}

function lines(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

// Reading and writing by type.
const READ = {
  text: (field) => control(field).value.trim(),
  area: (field) => control(field).value.trim(),
  select: (field) => control(field).value,
  number: (field) => numberOf(control(field).value),
  flag: (field) => control(field).checked || "",
  lines: (field) => lines(control(field).value),
  json: (field) => control(field).value.trim(),
  checks: (field) => [...field.querySelectorAll("[data-term]:checked")].map((box) => box.dataset.term),
  grades: (field) => [...field.querySelectorAll("[data-term]")].flatMap((each) =>
    Array(Number(each.value)).fill(each.dataset.term)),
  rows: (field) => rowsOf(field).map(readRow).filter((row) => Object.keys(row).length),
};
const WRITE = {
  flag: (field, value) => { control(field).checked = Boolean(value); },
  lines: (field, value) => { control(field).value = (value ?? []).join("\n"); },
  checks: (field, value) => {
    for (const box of field.querySelectorAll("[data-term]")) box.checked = (value ?? []).includes(box.dataset.term);
  },
  grades: (field, value) => {
    for (const each of field.querySelectorAll("[data-term]")) {
      each.value = String((value ?? []).filter((term) => term === each.dataset.term).length);
    }
  },
  rows: (field, value) => {
    field.querySelector("[data-rows]").replaceChildren();
    for (const row of value ?? []) addRow(field, row);
  },
};

function rowsOf(field) {
  return [...field.querySelectorAll(".row-of")];
}

function readRow(row) {
  const read = { ...rests.get(row) };
  for (const cell of row.querySelectorAll("[data-column]")) {
    const value = cell.dataset.type === "number" ? numberOf(cell.value) : cell.value.trim();
    if (value !== "") read[cell.dataset.column] = value;
  }
  return read;
}

function addRow(field, values = {}) {
  const copy = field.querySelector("template").content.cloneNode(true);
  const row = copy.querySelector(".row-of");
  const rest = { ...values };
  for (const cell of row.querySelectorAll("[data-column]")) {
    cell.value = values[cell.dataset.column] ?? "";
    delete rest[cell.dataset.column];
  }
  rests.set(row, rest);
  row.querySelector("[data-remove]").addEventListener("click", () => {
    row.remove();
    field.querySelector("[data-add]").focus();
    changed();
  });
  field.querySelector("[data-rows]").append(row);
  return row;
}

export function read() {
  const values = {};
  for (const field of fields) {
    const value = READ[field.dataset.type](field);
    if (value !== "" && !(Array.isArray(value) && !value.length)) values[field.dataset.field] = value;
  }
  return values;
}

export function write(values) {
  for (const field of fields) {
    const value = values[field.dataset.field];
    const set = WRITE[field.dataset.type];
    if (set) set(field, value);
    else control(field).value = value ?? "";
    define(field);
  }
}

// What the chosen term means stands below a select.
export function define(field) {
  if (field.dataset.type !== "select") return;
  const chosen = control(field).selectedOptions[0];
  element(`h-${field.dataset.field}`).textContent = chosen?.dataset.definition ?? "";
}

// Drafts.
export function tellDraft(text) {
  element("draft").textContent = text;
  form.querySelector("[data-delete-draft]").hidden = text === "";
}

let timer = null;
export function changed() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    tellDraft(keepDraft(address, kept.read()) ? "Kept as a draft in this browser." : "This browser has no room for a draft.");
  }, 300);
}

export function forget() {
  clearTimeout(timer);
  timer = null;
  deleteDraft(address);
  tellDraft("");
}

// Errors, each at its field.
export function clearErrors() {
  element("problem").hidden = true;
  for (const field of fields) {
    const place = element(`e-${field.dataset.field}`);
    place.hidden = true;
    place.textContent = "";
    for (const each of field.querySelectorAll("[aria-invalid]")) {
      each.removeAttribute("aria-invalid");
      const told = (each.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id !== place.id);
      each.setAttribute("aria-describedby", told.join(" ").trim());
    }
  }
}

function controlOf(field, rest) {
  const row = rowsOf(field)[Number(rest[0])];
  return row?.querySelector(`[data-column="${rest[1]}"]`) ?? row?.querySelector("[data-column]")
    ?? field.querySelector("input, select, textarea, button");
}

// `places` turns a pointer into the names and numbers that lead to a field.
export function showErrors(answer, places = (parts) => parts) {
  clearErrors();
  const left = [];
  let first = null;
  for (const error of answer.data.errors ?? []) {
    const [name, ...rest] = places((error.pointer ?? `/${error.parameter ?? ""}`).split("/").slice(1));
    const field = byName[name] ?? null;
    const words = faultInWords(error);
    if (!field) {
      left.push(words);
      continue;
    }
    const place = element(`e-${name}`);
    const row = rest.length && rowsOf(field).length ? `Row ${Number(rest[0]) + 1}: ` : "";
    place.append(make("span", {}, `${row}${words} `));
    place.hidden = false;
    const faulty = controlOf(field, rest);
    faulty.setAttribute("aria-invalid", "true");
    const described = faulty.getAttribute("aria-describedby") ?? "";
    if (!described.split(" ").includes(place.id)) {
      faulty.setAttribute("aria-describedby", `${described} ${place.id}`.trim());
    }
    const folded = field.closest("details");
    if (folded) folded.open = true;
    if (!first || faulty.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) first = faulty;
  }
  if (!first || left.length) {
    const problem = element("problem");
    problem.replaceChildren(make("p", {}, left.length ? left.join(" ") : refusal(answer)));
    problem.hidden = false;
    first ??= problem;
  }
  first.focus();
}

// One name for each content, so that a request that is sent twice is carried out once.
let sentLast = { content: "", name: "" };
export function once(content) {
  const text = JSON.stringify(content);
  if (sentLast.content !== text) sentLast = { content: text, name: randomName() };
  return { "Idempotency-Key": sentLast.name };
}

// Suggestions while somebody types.
let asked = 0;
async function suggest(input) {
  const turn = ++asked;
  const query = new URLSearchParams({ q: input.value.slice(0, 100), kind: input.dataset.suggest });
  const answer = input.value.trim() ? await ask("GET", `/v1/suggest?${query}`) : null;
  if (turn !== asked || !answer?.ok) return;
  input.list.replaceChildren(...answer.data.data.map((each) =>
    make("option", { value: each.id, label: each.citation ? `${each.citation}: ${each.label}` : each.label })));
}

form.addEventListener("input", (event) => {
  const field = event.target.closest("[data-field]");
  if (field) define(field);
  if (event.target.dataset.suggest) suggest(event.target);
  changed();
});
form.addEventListener("click", (event) => {
  if (!event.target.matches("[data-add]")) return;
  addRow(event.target.closest("[data-field]")).querySelector("[data-column]").focus();
});

// All fields as the page had them.
function clear() {
  form.reset();
  for (const field of fields) if (field.dataset.type === "rows") WRITE.rows(field, []);
}

// Begin a form once somebody has signed in: `setUp` runs first where it has to fill the form in, and
// `propose` sends it. `draft` says what is kept of it, if not all of its fields.
export function startForm({ propose, setUp, draft = { read, write }, reset = clear }) {
  kept = draft;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    await propose();
    if (button) button.disabled = false;
  });
  form.querySelector("[data-delete-draft]").addEventListener("click", () => {
    forget();
    reset();
    for (const field of fields) define(field);
    clearErrors();
  });
  let isSetUp = false;
  start(() => {
    if (isSetUp) return;
    isSetUp = true;
    setUp();
  });
}

// Show the draft of this form again, if there is one.
export function resume() {
  const found = readDraft(address);
  if (!found) return;
  kept.write(found.values);
  form.hidden = false;
  tellDraft(`Your draft of ${new Date(found.at).toLocaleString("en-GB")} is here again.`);
}
