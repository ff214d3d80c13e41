// The forms: a source, a line of evidence, a claim with its quote. Each keeps a draft in this browser,
// and says each error at its field.
import {
  ask, deleteDraft, effectOf, element, faultInWords, keepDraft, link, make, pageOf, randomName, readDraft, refusal,
  start, titleOf,
} from "./curate.js";

const form = element("record");
const kind = form.dataset.form;
const address = location.pathname + location.search;
// How many characters beside a quote are kept with it.
const BESIDE = 40;
const fields = [...form.querySelectorAll("[data-field]")];
const byName = Object.fromEntries(fields.map((field) => [field.dataset.field, field]));
// Parts of a read record that have no column here, such as the particle of a name.
const rests = new WeakMap();

function control(field) {
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

function read() {
  const values = {};
  for (const field of fields) {
    const value = READ[field.dataset.type](field);
    if (value !== "" && !(Array.isArray(value) && !value.length)) values[field.dataset.field] = value;
  }
  return values;
}

function write(values) {
  for (const field of fields) {
    const value = values[field.dataset.field];
    const set = WRITE[field.dataset.type];
    if (set) set(field, value);
    else control(field).value = value ?? "";
    define(field);
  }
}

// What the chosen term means stands below a select.
function define(field) {
  if (field.dataset.type !== "select") return;
  const chosen = control(field).selectedOptions[0];
  element(`h-${field.dataset.field}`).textContent = chosen?.dataset.definition ?? "";
}

// Drafts.
function tellDraft(text) {
  element("draft").textContent = text;
  form.querySelector("[data-delete-draft]").hidden = text === "";
}

let timer = null;
function changed() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    tellDraft(keepDraft(address, read()) ? "Kept as a draft in this browser." : "This browser has no room for a draft.");
  }, 300);
}

function forget() {
  clearTimeout(timer);
  timer = null;
  deleteDraft(address);
  tellDraft("");
}

// Errors, each at its field.
function clearErrors() {
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
function showErrors(answer, places = (parts) => parts) {
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
function once(content) {
  const text = JSON.stringify(content);
  if (sentLast.content !== text) sentLast = { content: text, name: randomName() };
  return { "Idempotency-Key": sentLast.name };
}

function done(record, ...next) {
  forget();
  clearErrors();
  form.hidden = true;
  const place = element("done");
  place.replaceChildren(
    make("h2", {}, record.state === "accepted" ? "It is there" : "Proposed"),
    make("p", {}, `${record.kind} `, make("code", {}, record.id), ` waits for a second person: “${titleOf(record)}”`),
    make("p", { className: "actions" }, ...next, link("/curate", "My proposals")));
  place.hidden = false;
  place.focus();
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

// A source.
const NOT_STORED = "No source with this identifier is stored. This server looks nothing up on the internet, so fill in the form, or paste the citation.";
const IDENTIFIERS = [
  ["doi", /^(?:doi:|https?:\/\/(?:dx\.)?doi\.org\/)?(10\.\d{4,9}\/\S+)$/i],
  ["pmid", /^(?:pmid:?\s*|https?:\/\/pubmed\.ncbi\.nlm\.nih\.gov\/)?(\d{1,9})\/?$/i],
];

function identifierIn(text) {
  for (const [scheme, pattern] of IDENTIFIERS) {
    const found = pattern.exec(text.trim());
    if (found) return { scheme, value: found[1] };
  }
  return null;
}

function tellFound(...content) {
  element("found").replaceChildren(...content);
}

function alreadyThere(id, citation) {
  form.hidden = true;
  const query = new URLSearchParams({ source: id });
  tellFound(make("p", {}, "It is stored already: ", link(`/sources/${encodeURIComponent(id)}`, citation), "."),
    make("p", {}, link(`/curate/evidence?${query}`, "Propose what it says about a claim")));
}

function fillSource(record) {
  const { record: _kind, ...given } = record;
  const more = Object.fromEntries(Object.entries(given).filter(([name]) => !(name in byName)));
  write({ ...given, more: Object.keys(more).length ? JSON.stringify(more, null, 1) : "" });
  form.hidden = false;
  changed();
}

let lookedUp = 0;
async function lookUp(event) {
  event?.preventDefault();
  const turn = ++lookedUp;
  const text = element("cited").value.trim();
  clearErrors();
  if (!text) return tellFound(make("p", {}, "Paste a DOI, a PMID or a citation first."));
  tellFound(make("p", {}, "Looking …"));
  const identifier = identifierIn(text);
  if (identifier) {
    const answer = await ask("POST", "/v1/sources:lookup", { identifiers: [text] });
    if (turn !== lookedUp) return undefined;
    if (!answer.ok) return tellFound(make("p", {}, refusal(answer)));
    const [stored] = answer.data.data;
    if (stored) return alreadyThere(stored.source.id, stored.source.citation);
    fillSource({ type: "article-journal", identifiers: [identifier] });
    return tellFound(make("p", {}, NOT_STORED));
  }
  const answer = await ask("POST", "/v1/sources:parse", text, { "Content-Type": "text/plain" });
  if (turn !== lookedUp) return undefined;
  if (answer.status === 400) return tellPlainReference(text);
  if (!answer.ok) return tellFound(make("p", {}, refusal(answer)));
  const [entry, ...others] = answer.data.data;
  if (!entry) return tellFound(make("p", {}, "No citation was found in this text."));
  if (entry.outcome === "matched") return alreadyThere(entry.id, entry.id);
  const faults = entry.errors.map((error) => make("li", {}, faultInWords(error)));
  if (!entry.record) return tellFound(make("p", {}, "It cannot be used as it is:"), make("ul", {}, ...faults));
  fillSource({ id: entry.id, ...entry.record });
  const dropped = entry.dropped.length ? ` Not taken over: ${entry.dropped.join(", ")}.` : "";
  const rest = others.length ? ` The text has ${others.length} more; paste them one after the other.` : "";
  tellFound(make("p", {}, `Read as ${answer.data.format}. Look it over and choose the study design.${dropped}${rest}`));
}

// A reference as it is printed cannot be read reliably, but may be of a work that is stored.
async function tellPlainReference(text) {
  const query = new URLSearchParams({ q: text.slice(0, 400), match: "any", limit: 1 });
  const answer = await ask("GET", `/v1/sources?${query}`);
  const [like] = answer.ok ? answer.data.data : [];
  const words = "A plain reference cannot be read. Paste the work's DOI, or its BibTeX or RIS as the journal's page offers them, or fill in the form.";
  const stored = like ? [make("p", {}, "The stored work most like it: ", link(`/sources/${like.id}`, `${like.citation}, ${like.title ?? ""}`))] : [];
  return tellFound(make("p", {}, words), ...stored);
}

async function proposeSource() {
  const { more, ...record } = read();
  if (more) {
    try {
      Object.assign(record, JSON.parse(more));
    } catch {
      const error = { pointer: "/more", detail: "This is not JSON." };
      return showErrors({ status: 422, data: { errors: [error] } });
    }
  }
  // The form does not ask: whoever accepts the source looks whether its identifiers are those of the work.
  if (record.identifiers) record.identifiers = record.identifiers.map((each) => ({ verification: "unverified", ...each }));
  const answer = await ask("POST", "/v1/sources", record, once(record));
  if (!answer.ok) return showErrors(answer, ([name, ...rest]) => (name in byName ? [name, ...rest] : ["more"]));
  element("find").hidden = true;
  const query = new URLSearchParams({ source: answer.data.id });
  done(answer.data, link(`/curate/evidence?${query}`, "Propose what it says about a claim"));
}

// A line of evidence.
function lineOf() {
  const { claim = "", ...record } = read();
  return { claim, record };
}

// Whether all that a line needs is filled in; what is missing is said at each field at once.
function lineIsComplete(given) {
  const needed = fields.filter((field) => field.dataset.needed !== undefined).map((field) => field.dataset.field);
  const errors = needed.filter((name) => !given[name]).map((name) => ({ pointer: `/${name}`, code: "missing" }));
  if (given.level && given.level !== "not_gradable" && !given.question) {
    errors.push({ pointer: "/question", detail: "A level is that of a question: choose which one." });
  }
  if (errors.length) showErrors({ status: 422, data: { errors } });
  return errors.length === 0;
}

async function previewLine() {
  const { claim, record } = lineOf();
  if (!lineIsComplete({ claim, ...record })) return;
  const answer = await ask("POST", `/v1/claims/${encodeURIComponent(claim)}/evidence:preview`, record);
  const place = element("effect");
  place.hidden = !answer.ok;
  if (!answer.ok) return showErrors(answer);
  clearErrors();
  place.replaceChildren(make("h2", {}, "Effect on the status"), ...effectOf(answer.data));
  place.focus();
}

async function proposeLine() {
  const { claim, record } = lineOf();
  if (!lineIsComplete({ claim, ...record })) return;
  const answer = await ask("POST", `/v1/claims/${encodeURIComponent(claim)}/evidence`, record, once({ claim, record }));
  if (!answer.ok) return showErrors(answer);
  done(answer.data, link(pageOf(answer.data), "The claim"));
}

// The names that most lines have are filled in, as long as nobody chose others.
function fillNames() {
  const source = control(byName.source).value.trim();
  for (const name of ["key", "independence_group"]) {
    const input = control(byName[name]);
    if (input.value && input.value !== input.dataset.filled) continue;
    input.value = source;
    input.dataset.filled = source;
  }
}

// A claim with its quote. Places are counted in code points, as the API does.
async function digestOf(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Whether a text is the one in which the places of a document are counted; null where nobody knows.
async function isTextOf(document_, text) {
  const answer = document_ ? await ask("GET", `/v1/sources/${encodeURIComponent(document_)}`) : null;
  const expected = answer?.ok ? answer.data.text_sha256 : null;
  if (!expected || !window.isSecureContext) return null;
  for (const each of [text, text.trimEnd(), `${text}\n`]) if ((await digestOf(each)) === expected) return true;
  return false;
}

export function anchor(text, from, to) {
  const quote = text.slice(from, to);
  const begin = from + quote.length - quote.trimStart().length;
  const before = [...text.slice(0, begin)];
  const letters = [...quote.trim()];
  const after = [...text.slice(begin + quote.trim().length)];
  return {
    quote: letters.join(""),
    prefix: before.slice(-BESIDE).join(""),
    suffix: after.slice(0, BESIDE).join(""),
    start: before.length,
    end: before.length + letters.length,
  };
}

function fillQuote(picked) {
  const values = { ...read(), ...picked };
  if (!picked.start && picked.start !== 0) {
    delete values.start;
    delete values.end;
  }
  write(values);
  changed();
}

async function pick() {
  const area = element("text");
  const picked = anchor(area.value, area.selectionStart, area.selectionEnd);
  const state = element("text-state");
  if (!picked.quote) {
    state.textContent = "Select some words in the text first.";
    area.focus();
    return;
  }
  const fits = await isTextOf(control(byName.source).value.trim(), area.value);
  if (fits === false) {
    delete picked.start;
    delete picked.end;
  }
  fillQuote(picked);
  const places = {
    true: "This is the text in which places are counted.",
    false: "This is not exactly the text in which the places of this document are counted, so the place is left out.",
    null: "No fingerprint of this document's text is recorded: places are counted in what you pasted.",
  };
  state.textContent = `The quote is taken. ${places[fits]}`;
  control(byName.statement).focus();
}

// What is recorded already and is like the statement, so that nobody records it twice.
async function showAlike() {
  const sentences = [control(byName.statement).value.trim().slice(0, 2000)];
  const answer = sentences[0] ? await ask("POST", "/v1/claims:match", { sentences }) : null;
  const found = answer?.ok ? answer.data.data[0].claims : [];
  const lines = found.map((claim) => make("li", {}, link(claim.web_page, claim.statement)));
  element("alike").replaceChildren(
    ...(lines.length ? [make("p", {}, "These claims are recorded already. Is yours one of them?"), make("ul", {}, ...lines)] : []));
}

async function proposeClaim() {
  const values = read();
  const occurrence = { record: "occurrence", claim: values.id ?? "" };
  const claim = { record: "claim" };
  for (const [name, value] of Object.entries(values)) {
    (byName[name].dataset.part ? occurrence : claim)[name] = value;
  }
  const records = [claim, occurrence];
  const answer = await ask("POST", "/v1/claims:batch", { records }, once(records));
  // `/records/1/quote` is the quote; what is wrong with the occurrence's claim is the claim's id.
  const places = ([, number, name, ...rest]) => [number === "1" && name === "claim" ? "id" : name, ...rest];
  if (!answer.ok) return showErrors(answer, places);
  const query = new URLSearchParams({ claim: answer.data.data[0].id });
  done(answer.data.data[0], link(`/curate/evidence?${query}`, "Propose evidence on it"));
}

function takeSelection() {
  const given = sessionStorage.getItem("claimbase-selection");
  if (given === null) return;
  sessionStorage.removeItem("claimbase-selection");
  const { document: source, ...picked } = JSON.parse(given);
  if (source !== control(byName.source).value) return;
  fillQuote(picked);
  element("text-state").textContent = "The words that you selected in the article are taken as the quote.";
}

async function readOwnText() {
  const source = control(byName.source).value.trim();
  const answer = source ? await ask("GET", `/v1/sources/${encodeURIComponent(source)}`) : null;
  const kept = answer?.ok && localStorage.getItem(`claimbase-text-${answer.data.text_sha256}`);
  if (kept && !element("text").value) {
    element("text").value = kept;
    element("text-state").textContent = "The copy of the text in this browser is shown.";
  }
}

const PROPOSE = { source: proposeSource, evidence: proposeLine, claim: proposeClaim };
const SET_UP = {
  source: () => {
    element("find").addEventListener("submit", lookUp);
    if (element("cited").value && form.hidden) lookUp();
  },
  evidence: () => {
    element("preview").addEventListener("click", previewLine);
    control(byName.source).addEventListener("change", fillNames);
    if (!control(byName.directness).value) control(byName.directness).value = "direct";
    fillNames();
    define(byName.directness);
  },
  claim: () => {
    element("pick").addEventListener("click", pick);
    control(byName.statement).addEventListener("change", showAlike);
    takeSelection();
    readOwnText();
  },
};

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
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  await PROPOSE[kind]();
  if (button) button.disabled = false;
});
form.querySelector("[data-delete-draft]").addEventListener("click", () => {
  forget();
  form.reset();
  for (const field of fields) if (field.dataset.type === "rows") WRITE.rows(field, []);
  for (const field of fields) define(field);
  clearErrors();
});

let isSetUp = false;
start(() => {
  if (isSetUp) return;
  isSetUp = true;
  const draft = readDraft(address);
  if (draft) {
    write(draft.values);
    form.hidden = false;
    tellDraft(`Your draft of ${new Date(draft.at).toLocaleString("en-GB")} is here again.`);
  }
  SET_UP[kind]();
});
